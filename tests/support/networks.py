"""The variants of the repository, built for tests."""

from __future__ import annotations

import torch
from torch import nn

from bakeoff.models import create_model, load_variants
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


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def on_meta(name: str, size: int = 32, policy: str = "native32", classes: int = 100) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, classes, size, input_policy=policy, variants=VARIANTS).eval()
