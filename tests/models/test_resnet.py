"""ResNet and its kin, ECA-Net and GhostNet: what their modules do."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from bakeoff.errors import UserError
from bakeoff.models import create_model
from bakeoff.models.cifar_resnet import CifarResNet, DropPath, PadShortcut
from bakeoff.models.eca import EcaLayer, adaptive_kernel_size
from bakeoff.models.ghost import GhostModule
from tests.support.networks import VARIANTS

# ECA


@pytest.mark.parametrize(
    ("channels", "k"), [(1, 1), (16, 3), (32, 3), (64, 3), (128, 5), (256, 5), (512, 5), (2048, 7)]
)
def test_adaptive_kernel_size(channels: int, k: int) -> None:
    assert adaptive_kernel_size(channels) == k
    assert EcaLayer(channels).conv.kernel_size == (k,)


def test_eca_gates_each_channel_by_its_neighbours() -> None:
    layer = EcaLayer(5, kernel_size=3)
    weights = [0.5, -1.0, 2.0]
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor(weights).view(1, 1, 3))
    x = torch.randn(2, 5, 3, 4)
    means = [[0.0, *row, 0.0] for row in x.mean((2, 3)).tolist()]
    for n in range(2):
        for c in range(5):
            z = sum(w * m for w, m in zip(weights, means[n][c : c + 3], strict=True))
            expected = x[n, c] / (1 + math.exp(-z))
            torch.testing.assert_close(layer(x)[n, c], expected)


@pytest.mark.parametrize("bad", [2, 0, -3, 3.0, "adaptiv"])
def test_bad_kernel_size_is_refused(bad: Any) -> None:
    with pytest.raises(UserError, match="kernel_size"):
        create_model("eca_resnet_20", variants=VARIANTS, kernel_size=bad)


@pytest.mark.parametrize("position", ["after_conv1", "after_conv2", "after_addition"])
def test_attention_acts_where_it_says(position: str) -> None:
    """A gate that passes nothing shuts off what is behind it, and nothing else."""

    class Closed(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0

    net = CifarResNet(8, attention=Closed, position=position).eval()  # type: ignore[arg-type]
    block, x = net.stages[0][0], torch.rand(2, 16, 8, 8)
    # In evaluation mode fresh batch norm has a mean of 0: no signal in, no signal out.
    expected = torch.zeros_like(x) if position == "after_addition" else x
    torch.testing.assert_close(block(x), expected)


# Ghost


def test_ghost_module_by_hand() -> None:
    module = GhostModule(2, 5, ratio=3, activation=True).eval()
    x = torch.randn(1, 2, 6, 6)
    out = module(x)
    intrinsic = module.primary.conv(x) / math.sqrt(1 + 1e-5)
    intrinsic = intrinsic.clamp(min=0)
    assert intrinsic.shape[1] == 2  # ceil(5 / 3)
    torch.testing.assert_close(out[:, :2], intrinsic)
    for ghost in range(3):  # 4 ghosts are made, 3 are needed
        source = ghost // 2  # each intrinsic channel has ratio - 1 = 2 ghosts
        kernel = module.cheap.conv.weight[ghost : ghost + 1]
        cheap = torch.conv2d(intrinsic[:, source : source + 1], kernel, padding=1)
        cheap = (cheap / math.sqrt(1 + 1e-5)).clamp(min=0)
        torch.testing.assert_close(out[:, 2 + ghost : 3 + ghost], cheap)


def test_last_ghost_module_of_a_block_has_no_relu() -> None:
    block = create_model("ghost_resnet_20", variants=VARIANTS).stages[0][0]
    x = torch.randn(4, 16, 8, 8)
    assert block.conv1(x).min() >= 0
    assert block.conv2(x).min() < 0


@pytest.mark.parametrize("bad", [1, 0, 2.5, "two"])
def test_bad_ratio_is_refused(bad: Any) -> None:
    with pytest.raises(UserError, match="ratio"):
        create_model("ghost_resnet_20", variants=VARIANTS, ratio=bad)


# ResNet


def test_pad_shortcut_subsamples_and_pads_with_zeros() -> None:
    x = torch.randn(2, 4, 6, 6)
    out = PadShortcut(4, 8, 2)(x)
    assert out.shape == (2, 8, 3, 3)
    torch.testing.assert_close(out[:, 2:6], x[:, :, ::2, ::2])
    assert out[:, :2].abs().sum() == 0
    assert out[:, 6:].abs().sum() == 0


def test_drop_path_keeps_the_mean_and_drops_whole_images() -> None:
    torch.manual_seed(0)
    out = DropPath(0.25).train()(torch.ones(4000, 2, 2, 2)).flatten(1)
    assert out.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert (out == out[:, :1]).all()
    assert out.mean().item() == pytest.approx(1, abs=0.05)
    x = torch.randn(3, 2, 2, 2)
    torch.testing.assert_close(DropPath(0.25).eval()(x), x)


def test_drop_path_rate_grows_linearly() -> None:
    net = create_model("resnet_20", variants=VARIANTS, drop_path_rate=0.2)
    rates = [m.drop_prob for m in net.modules() if isinstance(m, DropPath)]
    assert rates == pytest.approx([0.2 * i / 8 for i in range(9)])


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"depth": 21}, "6n"),
        ({"depth": "20"}, "6n"),
        ({"shortcut": "C"}, "shortcut"),
        ({"drop_path_rate": 1.5}, "drop_path_rate"),
        ({"dept": 20}, "did you mean 'depth'"),
    ],
)
def test_wrong_arguments_are_explained(overrides: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        create_model("resnet_20", variants=VARIANTS, **overrides)
