"""The recipe of a run as the engine reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class OptimizerConfig:
    """Which optimizer, and its constants; see workflow/schemas/recipes.schema.yaml."""

    name: Literal["sgd", "adamw"]
    momentum: float
    nesterov: bool
    betas: tuple[float, float]
    weight_decay: float
    decay_norm_and_bias: bool


@dataclass(frozen=True)
class Recipe:
    """How a variant is trained; see workflow/schemas/recipes.schema.yaml for each key's meaning."""

    epochs: int
    global_batch: int
    micro_batch: int
    optimizer: OptimizerConfig
    peak_learning_rate: float
    final_learning_rate: float
    warmup_epochs: float
    label_smoothing: float
    gradient_clip: float | None
    ema_decay: float | None
    precision: Literal["fp32", "fp16", "bf16", "auto"]
    compile: bool
    augmentation: Mapping[str, Any]

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Recipe:
        """Return the recipe of a run's spec, whose defaults are filled in."""
        optimizer, rate = mapping["optimizer"], mapping["learning_rate"]
        return cls(
            epochs=mapping["epochs"],
            global_batch=mapping["global_batch"],
            micro_batch=min(mapping["micro_batch"], mapping["global_batch"]),
            optimizer=OptimizerConfig(
                name=optimizer["name"],
                momentum=optimizer["momentum"],
                nesterov=optimizer["nesterov"],
                betas=(optimizer["betas"][0], optimizer["betas"][1]),
                weight_decay=optimizer["weight_decay"],
                decay_norm_and_bias=optimizer["decay_norm_and_bias"],
            ),
            # The linear scaling rule: Goyal et al., 2017, section 2.1.
            peak_learning_rate=rate["base"] * mapping["global_batch"] / rate["per_images"],
            final_learning_rate=mapping["final_learning_rate"],
            warmup_epochs=mapping["warmup_epochs"],
            label_smoothing=mapping["label_smoothing"],
            gradient_clip=mapping["gradient_clip"],
            ema_decay=mapping["ema_decay"],
            precision=mapping["precision"],
            compile=mapping["compile"],
            augmentation=mapping["augmentation"],
        )
