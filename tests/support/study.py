"""A study small enough to be built for real in a test: drawn images, shallow networks, one epoch."""

from __future__ import annotations

from typing import Any

import yaml

from tests.support.project import REPOSITORY

COMPARISON = ("resnet_20", "eca_resnet_20", "ghost_resnet_20")


def small_study() -> dict[str, Any]:
    """Return what is laid over config.yaml: all ablations, with networks of eight layers."""
    models = yaml.safe_load((REPOSITORY / "config" / "models.yaml").read_text(encoding="utf-8"))
    # Depth 8 for those of 20 layers, 14 for the deeper ones, so that they stay different networks.
    shallow = {
        name: {"args": {"depth": 8 if entry["args"]["depth"] == 20 else 14}}
        for name, entry in models.items()
        if "depth" in entry["args"]
    }
    return {
        "name": "small",
        "data": {
            "kind": "shapes",
            "shapes": {"train_images": 500, "test_images": 200, "seed": 0, "superclasses": 20},
            "validation": {"images": 100, "seed": 0},
        },
        "seeds": {"comparison": [0, 1], "ablations": [0]},
        "variants": list(COMPARISON),
        "recipe_overrides": {
            "epochs": 1,
            "global_batch": 50,
            "micro_batch": 50,
            "warmup_epochs": 0.5,
        },
        "variant_overrides": shallow,
    }
