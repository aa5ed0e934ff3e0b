"""MSCAN, the encoder of SegNeXt: attention from multi-scale strip convolutions.

Guo et al., "SegNeXt: Rethinking Convolutional Attention Design for Semantic Segmentation", NeurIPS
2022, sec. 3.1. Written from the paper; `from_official` renames the tensors of the authors'
release (Apache-2.0), which fit one for one and give the same logits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import torch
from timm.layers import ClassifierHead, DropPath, LayerNorm2d
from torch import Tensor, nn

from bakeoff.errors import UserError
from bakeoff.models.registry import register_model

# A regular expression and what stands in the place of its match.
KeyRule: TypeAlias = tuple[str, str | Callable[[re.Match[str]], str]]


class ConvMlp(nn.Module):
    """MLP of 1x1 convolutions with a depthwise 3x3 in between, which encodes position.

    Maps (N, C, H, W) to the same shape; `hidden` is the width inside.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(dim, hidden, 1)
        self.dwconv = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Conv2d(hidden, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, C, H, W) output."""
        out: Tensor = self.fc2(self.act(self.dwconv(self.fc1(x))))
        return out


class GatedAttention(nn.Module):
    """1x1 convolution, GELU, a spatial `gate`, 1x1 convolution, and a shortcut around all of it.

    The frame that VAN (Guo et al. 2022, "Visual Attention Network") puts around its large kernels
    and that MSCAN and LSKNet keep; they differ in the gate, a module from (N, C, H, W) to the same
    shape.
    """

    def __init__(self, dim: int, gate: nn.Module) -> None:
        super().__init__()
        self.proj_1 = nn.Conv2d(dim, dim, 1)
        self.act = nn.GELU()
        self.gate = gate
        self.proj_2 = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, C, H, W) output."""
        attended: Tensor = self.proj_2(self.gate(self.act(self.proj_1(x))))
        return x + attended


class MultiScaleGate(nn.Module):
    """Multi-scale convolutional attention (MSCA, eqs. 1 and 2): x times a map computed from x.

    A depthwise 5x5 gathers local context; pairs of 1xk and kx1 depthwise strips stand for kxk
    kernels on top of it; a 1x1 convolution mixes the sum of all four across channels.
    """

    def __init__(self, dim: int, strip_lengths: Sequence[int] = (7, 11, 21)) -> None:
        super().__init__()
        self.local = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
        self.strips = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(dim, dim, (1, k), padding=(0, k // 2), groups=dim),
                nn.Conv2d(dim, dim, (k, 1), padding=(k // 2, 0), groups=dim),
            )
            for k in strip_lengths
        )
        self.mix = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, C, H, W) gated input."""
        context: Tensor = self.local(x)
        attention: Tensor = self.mix(sum((strip(context) for strip in self.strips), start=context))
        return x * attention


class Block(nn.Module):
    """Attention, then MLP; each with batch norm before it, layer scale after it and a shortcut."""

    def __init__(self, dim: int, mlp_ratio: float, drop_path: float, layer_scale: float) -> None:
        super().__init__()
        self.layer_scale_1 = nn.Parameter(torch.full((dim,), layer_scale))
        self.layer_scale_2 = nn.Parameter(torch.full((dim,), layer_scale))
        self.norm1 = nn.BatchNorm2d(dim)
        self.attn = GatedAttention(dim, MultiScaleGate(dim))
        self.norm2 = nn.BatchNorm2d(dim)
        self.mlp = ConvMlp(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, C, H, W) output."""
        attended = self.layer_scale_1.view(-1, 1, 1) * self.attn(self.norm1(x))
        x = x + self.drop_path(attended)
        expanded = self.layer_scale_2.view(-1, 1, 1) * self.mlp(self.norm2(x))
        out: Tensor = x + self.drop_path(expanded)
        return out


def conv_stem(in_chans: int, dim: int, strides: tuple[int, int]) -> nn.Sequential:
    """Return the stem: two 3x3 convolutions with batch norm, GELU between them."""
    return nn.Sequential(
        nn.Conv2d(in_chans, dim // 2, 3, stride=strides[0], padding=1),
        nn.BatchNorm2d(dim // 2),
        nn.GELU(),
        nn.Conv2d(dim // 2, dim, 3, stride=strides[1], padding=1),
        nn.BatchNorm2d(dim),
    )


def overlap_patch_embed(in_chans: int, dim: int, kernel: int, stride: int) -> nn.Sequential:
    """Return a downsampling: a strided convolution whose windows overlap, and batch norm."""
    return nn.Sequential(
        nn.Conv2d(in_chans, dim, kernel, stride=stride, padding=kernel // 2),
        nn.BatchNorm2d(dim),
    )


class Stage(nn.Module):
    """Downsampling, blocks, and a layer norm over channels."""

    def __init__(self, downsample: nn.Module, blocks: Sequence[nn.Module], norm: nn.Module) -> None:
        super().__init__()
        self.downsample = downsample
        self.blocks = nn.Sequential(*blocks)
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized (N, dim, H', W') map of the stage."""
        out: Tensor = self.norm(self.blocks(self.downsample(x)))
        return out


def _init_weights(module: nn.Module) -> None:
    """Initialise one module as VAN, MSCAN and LSKNet do; for `nn.Module.apply`.

    Convolutions: normal, variance 2 / (k * k * out_channels / groups); linear layers: truncated
    normal, std 0.02; biases zero.
    """
    if isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2.0 / fan_out))
    elif isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _drop_path_schedule(drop_path_rate: float, depths: Sequence[int]) -> list[list[float]]:
    """Return the rate of each block, by stage: 0 at the first block, rising linearly to the last.

    Huang et al. 2016, "Deep Networks with Stochastic Depth", sec. 3.
    """
    # On the CPU whatever the default device is: a model built on "meta" still needs the numbers.
    rates = torch.linspace(0.0, drop_path_rate, sum(depths), device="cpu")
    return [stage.tolist() for stage in torch.split(rates, list(depths))]


class VanBackbone(nn.Module):
    """Four stages in VAN's frame, and a classifier: average pooling and a linear layer.

    Args:
        stem: downsampling of the first stage, from (N, in_chans, H, W) to (N, dims[0], H', W').
        block: makes a block of given width, MLP ratio and drop-path rate.
        in_chans: channels of the input image.
        num_classes: classes; 0 leaves the classifier out.
        dims, depths, mlp_ratios: width, blocks and MLP expansion of each stage.
        norm_eps: epsilon of the layer norm that ends each stage.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth of the last block.

    Raises:
        UserError: the lists are not of one length, or a width is odd.
    """

    def __init__(
        self,
        stem: nn.Module,
        block: Callable[[int, float, float], nn.Module],
        *,
        in_chans: int,
        num_classes: int,
        dims: Sequence[int],
        depths: Sequence[int],
        mlp_ratios: Sequence[float],
        norm_eps: float,
        drop_rate: float,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        if not len(dims) == len(depths) == len(mlp_ratios) > 0:
            raise UserError(
                "dims, depths and mlp_ratios need one value for each stage, but have "
                f"{len(dims)}, {len(depths)} and {len(mlp_ratios)} values."
            )
        if any(dim < 2 or dim % 2 for dim in dims):
            raise UserError(f"dims must be even and positive: some layers halve them; got {dims}.")
        self.in_chans = in_chans
        self.num_classes = num_classes
        self.num_features = dims[-1]
        rates = _drop_path_schedule(drop_path_rate, depths)
        self.stages = nn.Sequential()
        for i, (dim, ratio) in enumerate(zip(dims, mlp_ratios, strict=True)):
            downsample = stem if i == 0 else overlap_patch_embed(dims[i - 1], dim, 3, stride=2)
            blocks = [block(dim, ratio, rate) for rate in rates[i]]
            self.stages.append(Stage(downsample, blocks, LayerNorm2d(dim, eps=norm_eps)))
        self.head = ClassifierHead(dims[-1], num_classes, drop_rate=drop_rate)
        self.apply(_init_weights)

    def get_classifier(self) -> nn.Module:
        """Return the last linear layer."""
        classifier: nn.Module = self.head.fc
        return classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier by a new one for `num_classes` classes."""
        self.num_classes = num_classes
        self.head.reset(num_classes, global_pool)

    def forward_features(self, x: Tensor) -> Tensor:
        """Return the last stage's map, (N, dims[-1], H', W'), of images (N, in_chans, H, W)."""
        features: Tensor = self.stages(x)
        return features

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return (N, num_classes) logits of a feature map, or its pooled features."""
        out: Tensor = self.head(x, pre_logits=pre_logits)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, num_classes) logits of images (N, in_chans, H, W)."""
        return self.forward_head(self.forward_features(x))


# How the releases of this frame name their tensors, and how `VanBackbone` does; applied in turn.
_FRAME_KEYS: tuple[KeyRule, ...] = (
    (r"^(module\.)?(backbone\.)?", ""),
    (r"^(patch_embed|block|norm)(\d)\.", lambda m: f"stages.{int(m[2]) - 1}.{m[1]}."),
    (r"\.patch_embed\.proj\.(\d)\.", r".downsample.\1."),
    (r"\.patch_embed\.proj\.", ".downsample.0."),
    (r"\.patch_embed\.norm\.", ".downsample.1."),
    (r"\.block\.", ".blocks."),
    (r"\.spatial_gating_unit\.", ".gate."),
    (r"\.dwconv\.dwconv\.", ".dwconv."),
    (r"^head\.(weight|bias)$", r"head.fc.\1"),
)


def rename_van_keys(
    state_dict: Mapping[str, Tensor], gate_keys: Sequence[KeyRule]
) -> dict[str, Tensor]:
    """Return a released state dict of VAN's frame under the names of `VanBackbone`.

    `gate_keys` rename the tensors of the gate, which by then are `stages.I.blocks.J.attn.gate.` and
    the released name. Tensors of a decoder or a detector, beside a `backbone.`, are left out.
    Names that are `VanBackbone`'s already stay as they are.
    """
    is_backbone = any(key.startswith(("backbone.", "module.backbone.")) for key in state_dict)
    renamed = {}
    for key, value in state_dict.items():
        if is_backbone and "backbone." not in key:
            continue
        name = key
        for pattern, replacement in (*_FRAME_KEYS, *gate_keys):
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


class MSCAN(VanBackbone):
    """MSCAN (defaults: MSCAN-T). Arguments as for `VanBackbone`, and:

    Args:
        stem_strides: strides of the stem's two convolutions; (2, 2) as published.
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
        stem_strides: tuple[int, int] = (2, 2),
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        layer_scale: float = 1e-2,
    ) -> None:
        super().__init__(
            conv_stem(in_chans, dims[0], stem_strides),
            partial(Block, layer_scale=layer_scale),
            in_chans=in_chans,
            num_classes=num_classes,
            dims=dims,
            depths=depths,
            mlp_ratios=mlp_ratios,
            norm_eps=1e-5,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
        )


def from_official(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the authors' MSCAN state dict under the names of this module's `MSCAN`.

    Takes the ImageNet release and the backbone of a SegNeXt segmentation network, whose decoder is
    left out. Values are not touched.
    """
    return rename_van_keys(
        state_dict,
        (
            (r"\.gate\.conv0\.", ".gate.local."),
            (r"\.gate\.conv3\.", ".gate.mix."),
            (r"\.gate\.conv(\d)_1\.", r".gate.strips.\1.0."),
            (r"\.gate\.conv(\d)_2\.", r".gate.strips.\1.1."),
        ),
    )


@register_model("mscan")
def mscan(
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
    """Build MSCAN (MSCAN-T unless told otherwise; drop path as the authors trained it).

    With `native32` both convolutions of the stem have stride 1, so that 32x32 images end at 4x4;
    all tensor shapes stay as published. Any `image_size` works.
    """
    return MSCAN(
        num_classes=num_classes,
        dims=dims,
        depths=depths,
        mlp_ratios=mlp_ratios,
        stem_strides=(1, 1) if input_policy == "native32" else (2, 2),
        drop_rate=drop_rate,
        drop_path_rate=drop_path_rate,
    )
