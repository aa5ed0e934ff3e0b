"""The variants of the repository and the families written here, built for tests."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bakeoff.models import create_model, load_variants
from bakeoff.models.registry import MODEL_REGISTRY
from tests.support.project import REPOSITORY

VARIANTS = load_variants(REPOSITORY / "config" / "models.yaml")
SMALL = [
    name
    for name, entry in VARIANTS.items()
    if entry["builder"] in ("cifar_resnet", "eca_resnet", "ghost_resnet")
]
TIMM = [name for name, entry in VARIANTS.items() if entry["builder"] == "timm"]
# One variant for each arrangement of modules; depth only repeats blocks.
KINDS = ["resnet_20", "eca_resnet_20_after_conv1", "eca_resnet_20", "ghost_resnet_20_r3"]
# Each family with code of its own made small: the same modules, fast enough to run often.
STAGED = {"dims": (8, 16, 24, 32), "depths": (1, 1, 2, 1)}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "convnext": ("convnext_cifar", STAGED),
    "mscan": ("mscan", STAGED),
    "lsknet": ("lsknet", STAGED),
    "hornet": ("hornet", {"base_dim": 8, "depths": (1, 1, 2, 1)}),
    "hornet_gf": ("hornet", {"base_dim": 8, "depths": (1, 1, 2, 1), "global_filter": True}),
    "mlp_mixer": ("mlp_mixer", {"dim": 32, "depth": 3}),
}
LAYER_SCALES = {"gamma", "gamma1", "gamma2", "layer_scale_1", "layer_scale_2"}
every_family = pytest.mark.parametrize("name", FAMILIES)
every_network = pytest.mark.parametrize("name", [*KINDS, *FAMILIES])


def network(name: str, classes: int = 10, size: int = 32) -> nn.Module:
    """Return a variant, or the small network of a family, without stochastic depth."""
    if name in FAMILIES:
        return small(name, num_classes=classes, image_size=size, drop_path_rate=0.0)
    return create_model(name, classes, size, variants=VARIANTS)


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def on_meta(name: str, size: int = 32, policy: str = "native32", classes: int = 100) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, classes, size, input_policy=policy, variants=VARIANTS).eval()


def by_builder(
    builder: str,
    num_classes: int = 10,
    image_size: int = 32,
    input_policy: str = "native32",
    **args: Any,
) -> nn.Module:
    return MODEL_REGISTRY[builder](num_classes, image_size, input_policy, **args)


def small(family: str, **args: Any) -> nn.Module:
    """Return the small network of a family with its branches and classifier at full strength.

    Layer scale starts at 1e-6 in some families and the classifier of MLP-Mixer at zero: the output
    would hide what the network does.
    """
    builder, size = FAMILIES[family]
    model = by_builder(builder, **{**size, **args})
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[2] in LAYER_SCALES:
            nn.init.ones_(parameter)
    nn.init.normal_(model.get_classifier().weight, std=0.1)
    return model


def images(batch: int, size: int = 32) -> Tensor:
    return torch.randn(batch, 3, size, size)


def count_macs(model: nn.Module, size: int) -> int:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(torch.empty(1, 3, size, size, device="meta"))
    return counter.get_total_flops() // 2
