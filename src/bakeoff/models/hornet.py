"""HorNet: spatial interactions of high order from recursive gated convolutions.

Rao et al., "HorNet: Efficient High-Order Spatial Interactions with Recursive Gated Convolutions",
NeurIPS 2022, sec. 3. Written from the paper; `from_official` renames the tensors of the authors'
release (MIT), which fit one for one and give the same logits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from timm.layers import DropPath, LayerNorm2d, NormMlpClassifierHead
from torch import Tensor, nn
from torch.nn import functional as F

from bakeoff.errors import UserError
from bakeoff.models.policy import check_patches
from bakeoff.models.registry import register_model

# Factor on the depthwise convolution's output in all published configurations.
GNCONV_SCALE = 1.0 / 3.0


class GlobalLocalFilter(nn.Module):
    """Half the channels through a depthwise 3x3, half through a global filter (the paper's "GF").

    The global filter is a learned complex factor for each channel and frequency of the 2D Fourier
    transform (Rao et al. 2021, "Global Filter Networks"), so that each position sees the whole map.
    Its parameters hold the half spectrum of a `map_size` x `map_size` map; for maps of another size
    they are interpolated. The two halves are interleaved, so that the orders that split the
    channels later get both.
    """

    def __init__(self, dim: int, map_size: int) -> None:
        super().__init__()
        half = dim // 2
        self.dw = nn.Conv2d(half, half, 3, padding=1, bias=False, groups=half)
        # Real and imaginary part in the last dimension: optimizers and safetensors take real only.
        self.complex_weight = nn.Parameter(torch.empty(half, map_size, map_size // 2 + 1, 2))
        self.pre_norm = LayerNorm2d(dim, eps=1e-6)
        self.post_norm = LayerNorm2d(dim, eps=1e-6)
        nn.init.trunc_normal_(self.complex_weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, C, H, W) output; C is even."""
        local_half, global_half = self.pre_norm(x).chunk(2, dim=1)
        local_half = self.dw(local_half)
        global_half = self._filter(global_half).to(local_half.dtype)
        interleaved = torch.stack((local_half, global_half), dim=2).flatten(1, 2)
        out: Tensor = self.post_norm(interleaved)
        return out

    def _filter(self, x: Tensor) -> Tensor:
        # Under autocast x is bfloat16 or float16: torch has no transform of the one, and of the
        # other only for powers of two.
        spectrum = torch.fft.rfft2(x.float(), norm="ortho")
        weight: Tensor = self.complex_weight
        if weight.shape[1:3] != spectrum.shape[2:]:
            resized = F.interpolate(
                weight.permute(3, 0, 1, 2),
                size=spectrum.shape[2:],
                mode="bilinear",
                align_corners=True,
            )
            weight = resized.permute(1, 2, 3, 0)
        factor = torch.view_as_complex(weight.float().contiguous())
        filtered: Tensor = torch.fft.irfft2(spectrum * factor, s=x.shape[2:], norm="ortho")
        return filtered


class GnConv(nn.Module):
    """Recursive gated convolution g^n Conv (sec. 3.1).

    A 1x1 convolution gives p_0 and, after a depthwise convolution, q_0 ... q_(n-1) of widths
    C / 2^(n-1), ..., C / 2, C. Then p_(k+1) = g_k(p_k) * q_k, where g_k is a 1x1 convolution that
    widens p_k, and the result p_n, in which n + 1 factors of the input meet, is projected.
    """

    def __init__(self, dim: int, order: int, spatial: nn.Module) -> None:
        super().__init__()
        self.dims = [dim // 2**i for i in reversed(range(order))]
        self.proj_in = nn.Conv2d(dim, self.dims[0] + sum(self.dims), 1)
        self.dwconv = spatial
        self.proj_out = nn.Conv2d(dim, dim, 1)
        self.pws = nn.ModuleList(
            nn.Conv2d(narrow, wide, 1)
            for narrow, wide in zip(self.dims[:-1], self.dims[1:], strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, C, H, W) output."""
        p, q = self.proj_in(x).split((self.dims[0], sum(self.dims)), dim=1)
        gates = (self.dwconv(q) * GNCONV_SCALE).split(self.dims, dim=1)
        p = p * gates[0]
        for widen, gate in zip(self.pws, gates[1:], strict=True):
            p = widen(p) * gate
        out: Tensor = self.proj_out(p)
        return out


def _gnconv(dim: int, order: int, filter_size: int | None) -> GnConv:
    width = sum(dim // 2**i for i in range(order))
    if filter_size is None:
        return GnConv(dim, order, nn.Conv2d(width, width, 7, padding=3, groups=width))
    return GnConv(dim, order, GlobalLocalFilter(width, filter_size))


class Block(nn.Module):
    """g^n Conv, then MLP; each with layer norm before it, layer scale after it and a shortcut."""

    def __init__(self, dim: int, gnconv: nn.Module, drop_path: float, layer_scale: float) -> None:
        super().__init__()
        self.gamma1 = nn.Parameter(torch.full((dim,), layer_scale))
        self.gamma2 = nn.Parameter(torch.full((dim,), layer_scale))
        self.norm1 = LayerNorm2d(dim, eps=1e-6)
        self.gnconv = gnconv
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(4 * dim, dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Return the (N, C, H, W) output."""
        x = x + self.drop_path(self.gamma1.view(-1, 1, 1) * self.gnconv(self.norm1(x)))
        y = self.norm2(x.permute(0, 2, 3, 1))
        y = self.gamma2 * self.pwconv2(self.act(self.pwconv1(y)))
        out: Tensor = x + self.drop_path(y.permute(0, 3, 1, 2))
        return out


class HorNet(nn.Module):
    """HorNet with a classifier: average pooling, layer norm and a linear layer.

    Args:
        in_chans: channels of the input image.
        num_classes: classes; 0 leaves the classifier out.
        base_dim: width of the first stage, doubled at each of the following three.
        depths: blocks of each stage. The defaults are HorNet-T (7x7).
        orders: order of g^n Conv in each stage.
        filter_sizes: for each stage the height and width of the map that a global filter is
            learned for, or None for a depthwise 7x7; (None, None, 14, 7) is HorNet-T (GF) at 224.
        stem_kernel, stem_stride: of the stem's convolution; 4 and 4 as published.
        drop_rate: dropout before the classifier.
        drop_path_rate: stochastic depth of the last block.
        layer_scale: initial value of the layer scale.

    Raises:
        UserError: not four depths, or a width that g^n Conv cannot halve.
    """

    def __init__(
        self,
        in_chans: int = 3,
        num_classes: int = 1000,
        *,
        base_dim: int = 64,
        depths: Sequence[int] = (2, 3, 18, 2),
        orders: Sequence[int] = (2, 3, 4, 5),
        filter_sizes: Sequence[int | None] = (None, None, None, None),
        stem_kernel: int = 4,
        stem_stride: int = 4,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        layer_scale: float = 1e-6,
    ) -> None:
        super().__init__()
        if len(depths) != 4:
            raise UserError(f"depths needs one value for each of the four stages, not {depths}.")
        if base_dim < 4 or base_dim % 4:
            raise UserError(
                f"base_dim must be a multiple of 4, because g^n Conv halves widths; got {base_dim}."
            )
        self.in_chans = in_chans
        self.num_classes = num_classes
        dims = [base_dim * 2**i for i in range(len(depths))]
        self.num_features = dims[-1]
        self.downsample_layers = nn.ModuleList()
        self.stages = nn.ModuleList()
        # On the CPU whatever the default device is: a model built on "meta" needs the numbers.
        rates = torch.linspace(0.0, drop_path_rate, sum(depths), device="cpu")
        stage_rates = torch.split(rates, list(depths))
        for i, dim in enumerate(dims):
            self.downsample_layers.append(
                nn.Sequential(LayerNorm2d(dims[i - 1], eps=1e-6), nn.Conv2d(dims[i - 1], dim, 2, 2))
                if i
                else nn.Sequential(
                    # The padding keeps a stride-1 stem from shrinking the map; it is 0 for 4, 4.
                    nn.Conv2d(
                        in_chans, dim, stem_kernel, stem_stride, (stem_kernel - stem_stride) // 2
                    ),
                    LayerNorm2d(dim, eps=1e-6),
                )
            )
            self.stages.append(
                nn.Sequential(
                    *(
                        Block(dim, _gnconv(dim, orders[i], filter_sizes[i]), rate, layer_scale)
                        for rate in stage_rates[i].tolist()
                    )
                )
            )
        self.head = NormMlpClassifierHead(
            dims[-1], num_classes, drop_rate=drop_rate, norm_layer=LayerNorm2d
        )
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
        """Return the last stage's map, (N, 8 * base_dim, H', W'), of images (N, in_chans, H, W)."""
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(downsample(x))
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return (N, num_classes) logits of a feature map, or its pooled, normalized features."""
        out: Tensor = self.head(x, pre_logits=pre_logits)
        return out

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, num_classes) logits of images (N, in_chans, H, W)."""
        return self.forward_head(self.forward_features(x))


def _init_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def from_official(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the authors' HorNet state dict under the names of this module's `HorNet`.

    Only the final norm and the classifier are named otherwise there. Values are not touched.
    """
    renamed = {}
    for key, value in state_dict.items():
        name = key.removeprefix("module.")
        name = re.sub(r"^norm\.", "head.norm.", name)
        name = re.sub(r"^head\.(weight|bias)$", r"head.fc.\1", name)
        renamed[name] = value
    return renamed


@register_model("hornet")
def hornet(
    num_classes: int,
    image_size: int,
    input_policy: str = "native32",
    *,
    base_dim: int = 64,
    depths: Sequence[int] = (2, 3, 18, 2),
    global_filter: bool = False,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.2,
) -> nn.Module:
    """Build HorNet (HorNet-T unless told otherwise; drop path as in the paper's training of T).

    `global_filter` chooses the GF variant: global filters in the last two stages, learned for the
    map sizes that `image_size` leads to. With `native32` the stem is a 3x3 convolution of stride 1
    instead of the published 4x4 of stride 4, so that 32x32 images end at 4x4.

    Raises:
        UserError: nothing would be left of the image after the downsampling, or the patches do not cover it.
    """
    stem_kernel, stem_stride = (3, 1) if input_policy == "native32" else (4, 4)
    total_stride = stem_stride * 8
    if image_size < total_stride:
        raise UserError(
            f"Builder 'hornet' with input policy {input_policy!r} divides the image size by "
            f"{total_stride}: image_size {image_size} is too small, give {total_stride} or more."
        )
    check_patches("Builder 'hornet'", stem_stride, image_size)
    filter_sizes = (None, None, image_size // (stem_stride * 4), image_size // total_stride)
    return HorNet(
        num_classes=num_classes,
        base_dim=base_dim,
        depths=depths,
        filter_sizes=filter_sizes if global_filter else (None,) * 4,
        stem_kernel=stem_kernel,
        stem_stride=stem_stride,
        drop_rate=drop_rate,
        drop_path_rate=drop_path_rate,
    )
