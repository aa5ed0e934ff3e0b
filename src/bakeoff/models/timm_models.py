"""Any network of timm, by its name there, and the small-image stems of those in the study.

This is the one module of the package whose builder needs all of timm; importing timm takes longer
than importing torch, so the networks that do without it do not pay for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import timm
import torch
from torch import nn

from bakeoff.errors import UserError, did_you_mean
from bakeoff.models.policy import check_patches
from bakeoff.models.registry import register_model
from bakeoff.models.timm_config import pretrained_config


@dataclass(frozen=True)
class SmallStem:
    """How a network of timm is made to reduce 32 x 32 to 4 x 4 (or more) instead of to 1 x 1.

    The early steps that halve the resolution are undone; the tensors keep their shapes, so that
    pretrained weights still fit, save where `args` says otherwise.
    """

    unstride: tuple[str, ...] = ()
    """Modules that lose their stride: a convolution gets stride 1, a pooling goes."""
    undone: int = 1
    """By how much the modules of `unstride`, together, would have divided the resolution."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Arguments for timm's constructor."""
    new_tensors: tuple[str, ...] = ()
    """Modules whose tensors `args` gives another shape: pretrained weights skip them."""


SMALL_STEMS: Mapping[str, SmallStem] = {
    # patch_size=2 would not do: timm then gives the first stage a stride of its own.
    "convnext_tiny": SmallStem(args={"patch_size": 1}, new_tensors=("stem.0",)),
    "coatnet_0_224": SmallStem(
        unstride=("stem.conv1", "stages.0.blocks.0.conv2_kxk", "stages.0.blocks.0.shortcut.pool"),
        undone=4,
    ),
    # timm's own CoAtNet-0, the one with weights, pools before the block's convolutions.
    "coatnet_0_rw_224": SmallStem(
        unstride=("stem.conv1", "stages.0.blocks.0.down.pool", "stages.0.blocks.0.shortcut.pool"),
        undone=4,
    ),
    "cspresnet50": SmallStem(unstride=("stem.conv1.conv", "stem.pool"), undone=4),
    "ghostnet_100": SmallStem(
        unstride=("conv_stem", "blocks.1.0.conv_dw", "blocks.1.0.shortcut.0"), undone=4
    ),
    "resnest50d": SmallStem(unstride=("conv1.0", "maxpool"), undone=4),
}


@register_model("timm")
def timm_model(
    num_classes: int,
    image_size: int,
    input_policy: str = "native32",
    *,
    name: str,
    unstride: Sequence[str] | None = None,
    **timm_args: Any,
) -> nn.Module:
    """Build the network that timm calls `name`; other arguments go to timm's constructor.

    Under `native32` the network gets its entry of `SMALL_STEMS`; for a network without an entry
    `unstride` names the modules that are to lose their stride (an empty list: none).

    Raises:
        UserError: timm does not have the name, the network lacks a small stem, or it cannot take the image size.
    """
    if "pretrained" in timm_args:
        raise UserError("pretrained is no argument of builder 'timm'; set it beside args.")
    config = pretrained_config(name)
    architecture = name.partition(".")[0]
    stem = SmallStem()
    if input_policy == "native32":
        stem = _small_stem(architecture, unstride)
    args = {**stem.args, **timm_args}
    if config.fixed_input_size:
        # Tables of positions have the resolution of their stage, which an undone stride enlarges:
        # the network is made for an image that is larger by as much.
        args.setdefault("img_size", image_size * stem.undone)
    model: Any = timm.create_model(architecture, num_classes=num_classes, **args)
    for module in stem.unstride:
        _remove_stride(model, name, module)
    if not args.get("dynamic_img_pad"):
        _check_cover(model, name, image_size)
    _check_size(model, name, image_size, stem.undone)
    # Read by `bakeoff.models.weights.load_weights`.
    model.untransferable = stem.new_tensors
    network: nn.Module = model
    return network


def _check_cover(model: nn.Module, name: str, image_size: int) -> None:
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if first is not None and first.kernel_size == first.stride:
        check_patches(f"timm's {name!r}", first.stride[0], image_size)


def _check_size(model: Any, name: str, image_size: int, undone: int) -> None:
    """Raise UserError where timm built a network for an image size that its layers cannot take.

    Maps that halve evenly fit every network. Whether others do is tried with one image, because
    most networks round and some do not: tables of positions are rounded up where pooling rounds
    down, and a kernel may be larger than what is left of the image.
    """
    stages = getattr(model, "feature_info", None)
    step = stages[-1]["reduction"] // undone if isinstance(stages, list) and stages else 1
    if image_size % step == 0:
        return
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, image_size, image_size))
    except RuntimeError as error:
        below = image_size // step * step
        sizes = f"{below} and {below + step}" if below else f"{step} and {2 * step}"
        raise UserError(
            f"timm's {name!r} cannot take images of {image_size} pixels ({error}); multiples of "
            f"{step} work under this input_policy, such as {sizes}."
        ) from error
    finally:
        model.train()


def _small_stem(architecture: str, unstride: Sequence[str] | None) -> SmallStem:
    if unstride is not None:
        return SmallStem(unstride=tuple(unstride))
    if architecture not in SMALL_STEMS:
        raise UserError(
            f"There is no stem for small images for timm's {architecture!r}. Set its input_policy "
            "to resize224, or name under args, as unstride, the modules that are to lose their "
            "stride, such as [conv1, maxpool] for a ResNet."
        )
    return SMALL_STEMS[architecture]


def _remove_stride(model: nn.Module, name: str, path: str) -> None:
    modules = dict(model.named_modules())
    if path not in modules:
        raise UserError(
            f"unstride names {path!r}, but timm's {name!r} has no such module"
            f"{did_you_mean(path, modules)}."
        )
    module = modules[path]
    if isinstance(module, nn.Conv2d):
        module.stride = (1, 1)
    else:
        model.set_submodule(path, nn.Identity())
