"""The small study: drawn images, shallow networks, one epoch; small enough to be built for real in a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from bakeoff.study.layers import merge
from bakeoff.training.recipe import Recipe
from tests.support.project import REPOSITORY

COMPARISON = ("resnet_20", "eca_resnet_20", "ghost_resnet_20")
ONE_RUN: Mapping[str, Any] = {
    "variants": ["resnet_20"],
    "ablations": [],
    "seeds": {"comparison": [0], "ablations": [0]},
}
SHORT = {"epochs": 1, "global_batch": 50, "micro_batch": 50, "warmup_epochs": 0.5}


def small_study(*changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is laid over config.yaml: all ablations, with networks of eight layers; and over it, `changes`."""
    models = yaml.safe_load((REPOSITORY / "config" / "models.yaml").read_text(encoding="utf-8"))
    # Depth 8 for those of 20 layers, 14 for the deeper ones, so that they stay different networks.
    shallow = {
        name: {"args": {"depth": 8 if entry["args"]["depth"] == 20 else 14}}
        for name, entry in models.items()
        if "depth" in entry["args"]
    }
    study: dict[str, Any] = {
        "name": "small",
        "data": {
            "kind": "shapes",
            "shapes": {"train_images": 500, "test_images": 200, "seed": 0, "superclasses": 20},
            "validation": {"images": 100, "seed": 0},
        },
        "seeds": {"comparison": [0, 1], "ablations": [0]},
        "variants": list(COMPARISON),
        "recipe_overrides": SHORT,
        "variant_overrides": shallow,
    }
    for change in changes:
        study = merge(study, change)
    return study


def recipe(*changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a whole recipe as a spec has it: that of the small study and, laid over it, `changes`."""
    written = {
        **SHORT,
        "optimizer": {"name": "sgd"},
        "learning_rate": {"base": 0.1, "per_images": 256},
    }
    for change in changes:
        written = merge(written, change)
    return Recipe.model_validate(written).model_dump(mode="json", exclude={"drop_path"})
