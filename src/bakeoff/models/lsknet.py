"""LSKNet: attention that selects, at each position, between large kernels of two sizes.

Li et al., "Large Selective Kernel Network for Remote Sensing Object Detection", ICCV 2023, sec. 3.
Written from the paper; the authors' code is under a non-commercial licence (CC BY-NC 4.0) and
nothing of it is used. Like MSCAN it is built in VAN's frame, so the frame comes from
`bakeoff.models.mscan`; the gate is its own. Names, order and shapes of the tensors in the authors'
weight files are known from public logs of their loading: `from_official` renames them, and they fit
one for one. (Those weights are under the non-commercial licence too.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from timm.layers import DropPath
from torch import Tensor, nn

from bakeoff.models.mscan import (
    ConvMlp,
    GatedAttention,
    VanBackbone,
    overlap_patch_embed,
    rename_van_keys,
)
from bakeoff.models.registry import register_model


class LargeSelectiveKernelGate(nn.Module):
    """Large kernel selection (sec. 3.2 and 3.3): x times a map computed from x.

    A depthwise 5x5 followed by a depthwise 7x7 of dilation 3 stand for a 23x23 kernel. What each of
    the two sees is halved in width by a 1x1 convolution; the mean and the maximum over all these
    channels give, through a 7x7 convolution and a sigmoid, one weight per kernel and position.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.small = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        self.large = nn.Conv2d(dim, dim, 7, padding=9, dilation=3, groups=dim)
        self.mix_small = nn.Conv2d(dim, dim // 2, 1)
        self.mix_large = nn.Conv2d(dim, dim // 2, 1)
        self.select = nn.Conv2d(2, 2, 7, padding=3)
        self.expand = nn.Conv2d(dim // 2, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, C, H, W) gated input."""
        small = self.small(x)
        large = self.large(small)
        small, large = self.mix_small(small), self.mix_large(large)
        both = torch.cat((small, large), dim=1)
        pooled = torch.cat((both.mean(1, keepdim=True), both.amax(1, keepdim=True)), dim=1)
        weight_small, weight_large = self.select(pooled).sigmoid().chunk(2, dim=1)
        attention: Tensor = self.expand(weight_small * small + weight_large * large)
        return x * attention


class Block(nn.Module):
    """Large kernel selection, then MLP; each with batch norm, layer scale and a shortcut."""

    def __init__(self, dim: int, mlp_ratio: float, drop_path: float, layer_scale: float) -> None:
        super().__init__()
        self.layer_scale_1 = nn.Parameter(torch.full((dim,), layer_scale))
        self.layer_scale_2 = nn.Parameter(torch.full((dim,), layer_scale))
        self.norm1 = nn.BatchNorm2d(dim)
        self.norm2 = nn.BatchNorm2d(dim)
        self.attn = GatedAttention(dim, LargeSelectiveKernelGate(dim))
        self.mlp = ConvMlp(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, C, H, W) output."""
        attended = self.layer_scale_1.view(-1, 1, 1) * self.attn(self.norm1(x))
        x = x + self.drop_path(attended)
        expanded = self.layer_scale_2.view(-1, 1, 1) * self.mlp(self.norm2(x))
        out: Tensor = x + self.drop_path(expanded)
        return out


class LSKNet(VanBackbone):
    """LSKNet (defaults: LSKNet-T). Arguments as for `VanBackbone`, and:

    Args:
        stem_stride: stride of the stem's 7x7 convolution; 4 as published.
        layer_scale: initial value of the layer scale.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        *,
        dims: Sequence[int] = (32, 64, 160, 256),
        depths: Sequence[int] = (3, 3, 5, 2),
        mlp_ratios: Sequence[float] = (8, 8, 4, 4),
        stem_stride: int = 4,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        layer_scale: float = 1e-2,
    ) -> None:
        super().__init__(
            overlap_patch_embed(in_chans, dims[0], 7, stride=stem_stride),
            partial(Block, layer_scale=layer_scale),
            in_chans=in_chans,
            num_classes=num_classes,
            dims=dims,
            depths=depths,
            mlp_ratios=mlp_ratios,
            norm_eps=1e-6,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
        )


def from_official(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict of the authors' LSKNet weights under the names of this `LSKNet`.

    Takes the ImageNet backbone and the backbone of a detector, whose other tensors are left out.
    Values are not touched.
    """
    return rename_van_keys(
        state_dict,
        (
            (r"\.gate\.conv0\.", ".gate.small."),
            (r"\.gate\.conv_spatial\.", ".gate.large."),
            (r"\.gate\.conv1\.", ".gate.mix_small."),
            (r"\.gate\.conv2\.", ".gate.mix_large."),
            (r"\.gate\.conv_squeeze\.", ".gate.select."),
            (r"\.gate\.conv\.", ".gate.expand."),
        ),
    )


@register_model("lsknet")
def lsknet(
    num_classes: int,
    image_size: int,
    input_policy: str = "native32",
    *,
    dims: Sequence[int] = (32, 64, 160, 256),
    depths: Sequence[int] = (3, 3, 5, 2),
    mlp_ratios: Sequence[float] = (8, 8, 4, 4),
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.1,
) -> nn.Module:
    """Build LSKNet (LSKNet-T unless told otherwise).

    With `native32` the stem keeps its 7x7 kernel but has stride 1, so that 32x32 images end at 4x4;
    all tensor shapes stay as published. Any `image_size` works.
    """
    return LSKNet(
        num_classes=num_classes,
        dims=dims,
        depths=depths,
        mlp_ratios=mlp_ratios,
        stem_stride=1 if input_policy == "native32" else 4,
        drop_rate=drop_rate,
        drop_path_rate=drop_path_rate,
    )
