"""Builders of small networks that keep or draw what usual ones do not."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Odd(nn.Module):
    """A classifier of an image's colours with one odd layer, (B, 16) to (B, 16), in its middle."""

    def __init__(self, classes: int, layer: nn.Module) -> None:
        super().__init__()
        self.first, self.layer, self.last = nn.Linear(48, 16), layer, nn.Linear(16, classes)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.first(F.adaptive_avg_pool2d(images, 4).flatten(1))
        return self.last(self.layer(hidden).relu())  # type: ignore[no-any-return]


class Instances(nn.Module):
    """InstanceNorm with running statistics, which it uses in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm1d(4, affine=True, track_running_stats=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.view(-1, 4, 4)).flatten(1)  # type: ignore[no-any-return]


class Twice(nn.Module):
    """One BatchNorm in two places, and one that chance leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.sometimes = nn.BatchNorm1d(16), nn.BatchNorm1d(16, momentum=None)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(2 + 3 * self.norm(x))
        return self.sometimes(x) if not self.training or random.random() < 0.5 else x


class Keeps(nn.Module):
    """An average of features, a counter, a code book that learns, and a queue of past features."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", torch.zeros(16))
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("codes", torch.randn(8, 16))
        self.register_buffer("queue", torch.randn(64, 16))

    def forward(self, x: Tensor) -> Tensor:
        past, code = self.queue.mean(dim=0), torch.cdist(x, self.codes).argmin(dim=1)
        # In evaluation too, as a careless author may write it.
        self.calls = self.calls + 1
        if self.training:
            self.average = 0.9 * self.average + 0.1 * x.detach().mean(dim=0)
            self.codes.index_add_(0, code, 0.01 * x.detach())
            self.queue.data = torch.cat([x.detach(), self.queue])[:64]
        return x - self.average + self.codes[code] + past + 0.01 * (self.calls % 5)


class Draws(nn.Module):
    """Noise from three generators, in training and in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.from_numpy(np.random.normal(size=x.shape)).float()
        return F.dropout(x + noise * random.random(), 0.2, training=True)


class Named(nn.Module):
    """Makes its layers in the order of a set of names, which Python decides anew in each process."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({name: nn.Linear(16, 16) for name in set("abcdefgh")})

    def forward(self, x: Tensor) -> Tensor:
        return self.layers["a"](x) + self.layers["h"](x)  # type: ignore[no-any-return]


def spectral() -> nn.Module:
    """Return a linear layer whose largest singular value is one."""
    return nn.utils.spectral_norm(nn.Linear(16, 16))


class Counts(nn.Module):
    """Counts calls in an attribute."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x / self.calls


class OwnGenerator(nn.Module):
    """Draws from a generator of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = np.random.default_rng(0)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.generator.random()


class Unregistered(nn.Module):
    """Scales by a random tensor that is not in its state dict."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.rand(16)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class FirstImages(nn.Module):
    """Sets its parameter by the first images that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.set = nn.Parameter(torch.ones(16)), False

    def forward(self, x: Tensor) -> Tensor:
        if not self.set:
            self.scale.data, self.set = x.detach().std(dim=0), True
        return x / self.scale


class Late(nn.Module):
    """Adds to its state dict in its first pass."""

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "mean"):
            self.register_buffer("mean", x.detach().mean(dim=0))
        return x - self.mean


class Unseeded(nn.Module):
    """Has weights that no seed decides."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(np.random.default_rng().random()).float())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "instances": Instances,
    "twice": Twice,
    "keeps": Keeps,
    "draws": Draws,
    "spectral": spectral,
    "all": lambda: nn.Sequential(Instances(), Twice(), Keeps(), Draws(), spectral()),
    "named": Named,
    "counts": Counts,
    "own generator": OwnGenerator,
    "unregistered": Unregistered,
    "first images": FirstImages,
    "late": Late,
    "unseeded": Unseeded,
    "lazy": lambda: nn.LazyLinear(16),
    "synchronised": lambda: nn.SyncBatchNorm(16),
}


def odd(num_classes: int, image_size: int, input_policy: str, layer: str) -> nn.Module:
    """Return the network with the odd layer of this name."""
    return Odd(num_classes, LAYERS[layer]())
