"""ConvNeXt sized for small images, from timm's ConvNeXt class.

Liu et al., "A ConvNet for the 2020s", CVPR 2022. ConvNeXt-T (dims 96 to 768, depths 3, 3, 9, 3;
28 M parameters) is made for 224x224; this is the same design at half the width and two thirds of
the depth (4.87 M parameters at 100 classes, 252 M MACs at 32x32), the order of size of the study's
other networks for small images.
"""

from __future__ import annotations

from collections.abc import Sequence

from timm.models.convnext import ConvNeXt
from torch import nn

from bakeoff.errors import UserError
from bakeoff.models.policy import check_patches
from bakeoff.models.registry import register_model


@register_model("convnext_cifar")
def convnext_cifar(
    num_classes: int,
    image_size: int,
    input_policy: str = "native32",
    *,
    dims: Sequence[int] = (48, 96, 192, 384),
    depths: Sequence[int] = (2, 2, 6, 2),
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.1,
    layer_scale: float = 1e-6,
) -> nn.Module:
    """Build the small ConvNeXt; drop path and layer scale as in the paper's ConvNeXt-T.

    The stem cuts the image into patches: 1x1 with `native32`, so that the stages work at 32, 16, 8
    and 4 pixels where ConvNeXt-T at 224 works at 56, 28, 14 and 7; 4x4, as published, with
    `resize224`. (Patches of 2x2 are not offered: timm's class then halves the map in the first
    stage too.)

    Raises:
        UserError: there are not four stages, nothing would be left of the image after the downsampling, or
            the patches do not cover it.
    """
    if not len(dims) == len(depths) == 4:
        raise UserError(
            "Builder 'convnext_cifar' needs four dims and four depths, one for each stage, not "
            f"{dims} and {depths}."
        )
    patch_size = 1 if input_policy == "native32" else 4
    total_stride = patch_size * 8
    if image_size < total_stride:
        raise UserError(
            f"Builder 'convnext_cifar' with input policy {input_policy!r} divides the image size "
            f"by {total_stride}: image_size {image_size} is too small, give {total_stride} or more."
        )
    check_patches("Builder 'convnext_cifar'", patch_size, image_size)
    model: nn.Module = ConvNeXt(
        num_classes=num_classes,
        dims=tuple(dims),
        depths=tuple(depths),
        patch_size=patch_size,
        ls_init_value=layer_scale,
        drop_rate=drop_rate,
        drop_path_rate=drop_path_rate,
    )
    return model
