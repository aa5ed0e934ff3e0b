"""Any network of timm, by its name there, and the small-image stems of those in the study.

This is the one module of the package whose builder needs all of timm; importing timm takes longer
than importing torch, so the networks that do without it do not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import timm
from timm.models.mlp_mixer import MlpMixer
from torch import nn

from bakeoff.errors import UserError, did_you_mean
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
    constructor: Callable[..., nn.Module] | None = None
    """Called in place of the function of the network's name, where that one fixes `args`."""
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
    # 8 x 8 tokens. The weights that mix tokens depend on their number: pretrained ones cannot fit.
    "mixer_b16_224": SmallStem(
        args={"patch_size": 4, "num_blocks": 12, "embed_dim": 768}, constructor=MlpMixer
    ),
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
    Raises UserError for a name that timm does not have, or a network that lacks a small stem.
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
    model: Any
    if stem.constructor is not None:
        model = stem.constructor(num_classes=num_classes, **args)
    else:
        model = timm.create_model(architecture, num_classes=num_classes, **args)
    for module in stem.unstride:
        _remove_stride(model, name, module)
    # Read by `bakeoff.models.weights.load_weights`.
    model.untransferable = stem.new_tensors
    network: nn.Module = model
    return network


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
