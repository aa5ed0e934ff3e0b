"""Networks of a user's own that are odd in one way each: builders for test_rehearsal.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Args = tuple[int, int, str]


class Plain(nn.Module):
    """A convolution, a pooling, a classifier."""

    def __init__(self, classes: int, norm: Callable[[nn.Module], nn.Module] | None = None) -> None:
        super().__init__()
        conv = nn.Conv2d(3, 8, 3, stride=2)
        self.conv = norm(conv) if norm else conv
        self.fc = nn.Linear(8, classes)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x)).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Any:
        return self.fc(self.features(x))


class Changed(Plain):
    """The plain network with another forward pass, `change(network, images, logits)`."""

    def __init__(self, classes: int, change: Callable[[Any, Tensor, Tensor], Any]) -> None:
        super().__init__(classes)
        self.change = change

    def forward(self, x: Tensor) -> Any:
        return self.change(self, x, super().forward(x))


# Networks that work


def weight_norm(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Plain(num_classes, nn.utils.parametrizations.weight_norm)


def old_weight_norm(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Plain(num_classes, nn.utils.weight_norm)


def shared(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    network = Changed(num_classes, lambda net, x, y: y + net.other(net.features(x)))
    network.other = nn.Linear(8, num_classes)
    network.other.weight = network.fc.weight
    return network


def huge_logits(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Changed(num_classes, lambda net, x, y: 1e6 * y)


class Encoder(nn.Module):
    """16 tokens through two layers of PyTorch's encoder, which has a fast path in evaluation mode."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 8, stride=8)
        layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        return self.head(self.encoder(tokens).mean(dim=1))


def encoder(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Encoder(num_classes)


class Recurrent(nn.Module):
    """The image's rows, one after the other."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.rows = nn.LSTM(96, 32, batch_first=True)
        self.head = nn.Linear(32, classes)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.transpose(1, 2).flatten(2)
        return self.head(self.rows(rows)[0][:, -1])


def recurrent(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Recurrent(num_classes)


class Block(nn.Module):
    """A residual block whose branch is large, so that untrained statistics make logits explode."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return x + 3 * self.branch(x)


def deep(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    blocks = [Block() for _ in range(40)]
    stem, pool = nn.Conv2d(3, 8, 3, stride=4), nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(stem, *blocks, pool, nn.Flatten(), nn.Linear(8, num_classes))


def normalised_after_pooling(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    pooled = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(pooled, nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, num_classes))


# Networks that are refused


def dropout_in_evaluation(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Changed(num_classes, lambda net, x, y: net.fc(F.dropout(net.features(x))))


def numpy_in_evaluation(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Changed(num_classes, lambda net, x, y: y * float(np.random.rand()))


def nan_in_evaluation(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Changed(num_classes, lambda net, x, y: y if net.training else y / 0 * 0)


def nan_in_training(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    # The root's slope at zero is infinite.
    return Changed(num_classes, lambda net, x, y: y + (0 * y).square().sqrt())


def own_generator_in_evaluation(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    own = torch.Generator()
    return Changed(
        num_classes, lambda net, x, y: y if net.training else y * torch.rand(1, generator=own)
    )


def hidden_state(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    def count(net: Any, x: Tensor, y: Tensor) -> Tensor:
        net.calls += net.training
        return y * (1 + net.calls)

    network = Changed(num_classes, count)
    network.calls = 0
    return network


def random_buffer(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    network = Changed(num_classes, lambda net, x, y: y + net.shift)
    network.register_buffer("shift", torch.rand(num_classes), persistent=False)
    return network


def does_not_load_back(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    network = Plain(num_classes)
    network.register_state_dict_post_hook(
        lambda module, state, prefix, data: state.update(more=torch.zeros(1))
    )
    return network


class WithExtraState(Plain):
    """Says more of itself than tensors can."""

    def get_extra_state(self) -> dict[str, int]:
        return {"version": 1}

    def set_extra_state(self, state: Any) -> None:
        pass


def extra_state(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return WithExtraState(num_classes)


def sparse_buffer(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    network = Plain(num_classes)
    network.register_buffer("sparse", torch.eye(3).to_sparse())
    return network


def lazy(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))


def without_parameters(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(num_classes))


class Views(nn.Module):
    """The line that most networks for small images have, on a map of more than one pixel."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=4)
        self.fc = nn.Linear(8 * 8 * 8, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.fc(x.view(x.size(0), -1))


def views(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Views(num_classes)


def ten_outputs(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Plain(10)


def more_outputs(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Plain(1000)


def tuple_in_training(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Changed(num_classes, lambda net, x, y: (y, y) if net.training else y)


def whole_numbers(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Changed(num_classes, lambda net, x, y: y.long())


def detached(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    return Changed(num_classes, lambda net, x, y: y.detach())


def changed_in_place(num_classes: int, image_size: int, input_policy: str) -> nn.Module:
    def change(net: Any, x: Tensor, y: Tensor) -> Tensor:
        gate = torch.sigmoid(y)
        result = y * gate
        gate.mul_(2)
        return result

    return Changed(num_classes, change)


def no_module(num_classes: int, image_size: int, input_policy: str) -> Any:
    return 3
