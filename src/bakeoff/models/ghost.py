"""GhostNet's module (Han et al. 2020) in the ResNet for small images (Ghost-ResNet, section 4.1).

Both 3 x 3 convolutions of every block become Ghost modules, the stem stays a convolution. A Ghost
module normalises its own two parts, so the block has no batch norm besides. The last module of a
block has no ReLU: it comes after the addition.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from bakeoff.errors import UserError
from bakeoff.models.cifar_resnet import CifarResNet
from bakeoff.models.registry import register_model


class GhostModule(nn.Module):
    """A convolution of which most output channels are made cheaply from the others (section 3.1).

    ceil(out_chs / ratio) channels come from an ordinary convolution; each gives rise to ratio - 1
    "ghosts" by a depthwise convolution. Where the two together are more than out_chs, the last
    ghosts are cut off (their filters and batch norm stay, as in the authors' code).

    Args:
        in_chs: channels of the input.
        out_chs: channels of the output.
        kernel_size: of the ordinary convolution.
        stride: of the ordinary convolution.
        ratio: s of the paper, at least 2; the parameters shrink by nearly this factor.
        cheap_kernel_size: d of the paper, of the depthwise convolution.
        activation: whether each part ends in a ReLU.
    """

    def __init__(
        self,
        in_chs: int,
        out_chs: int,
        kernel_size: int = 3,
        stride: int = 1,
        *,
        ratio: int = 2,
        cheap_kernel_size: int = 3,
        activation: bool = True,
    ) -> None:
        super().__init__()
        if not isinstance(ratio, int) or ratio < 2:
            raise UserError(f"The Ghost ratio is {ratio!r}; it must be a whole number from 2 on.")
        for k in (kernel_size, cheap_kernel_size):
            if not isinstance(k, int) or k < 1 or k % 2 == 0:
                raise UserError(f"A Ghost kernel size is {k!r}; it must be an odd whole number.")
        self.out_chs = out_chs
        intrinsic = math.ceil(out_chs / ratio)
        ghosts = intrinsic * (ratio - 1)
        self.primary = _part(in_chs, intrinsic, kernel_size, stride=stride, activation=activation)
        self.cheap = _part(
            intrinsic, ghosts, cheap_kernel_size, groups=intrinsic, activation=activation
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_chs, H, W) to (N, out_chs, H / stride, W / stride)."""
        intrinsic = self.primary(x)
        return torch.cat([intrinsic, self.cheap(intrinsic)], dim=1)[:, : self.out_chs]


def _part(
    in_chs: int,
    out_chs: int,
    kernel_size: int,
    *,
    activation: bool,
    stride: int = 1,
    groups: int = 1,
) -> nn.Sequential:
    padding = kernel_size // 2
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(in_chs, out_chs, kernel_size, stride, padding, groups=groups, bias=False),
        bn=nn.BatchNorm2d(out_chs),
    )
    if activation:
        # Not in place: the ghosts are made from the tensor that is also part of the output.
        layers["act"] = nn.ReLU()
    return nn.Sequential(layers)


@register_model("ghost_resnet")
def ghost_resnet(
    num_classes: int,
    image_size: int,
    input_policy: str = "native32",
    *,
    depth: int,
    ratio: int = 2,
    cheap_kernel_size: int = 3,
    shortcut: str = "A",
    drop_path_rate: float = 0.0,
    drop_rate: float = 0.0,
) -> CifarResNet:
    """Build a CIFAR ResNet whose blocks are made of 3 x 3 Ghost modules of `ratio`.

    Their filters are drawn by He's rule with fan-out, as in the authors' Ghost-ResNet. With fan-in,
    which a depthwise filter has only one channel of, cheap filters would begin far larger.
    """

    def ghost_conv(in_chs: int, out_chs: int, stride: int, activation: bool) -> nn.Module:
        return GhostModule(
            in_chs,
            out_chs,
            stride=stride,
            ratio=ratio,
            cheap_kernel_size=cheap_kernel_size,
            activation=activation,
        )

    network = CifarResNet(
        depth,
        num_classes,
        shortcut=shortcut,
        conv_layer=ghost_conv,
        drop_path_rate=drop_path_rate,
        drop_rate=drop_rate,
    )
    for module in network.modules():
        if isinstance(module, GhostModule):
            for part in module.modules():
                if isinstance(part, nn.Conv2d):
                    nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return network
