"""What a run has to compute, whatever the machine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bakeoff.data.config import DataConfig
from bakeoff.study.networks import Network
from bakeoff.study.specs import describe_study
from bakeoff.study.study import Study


@dataclass(frozen=True)
class Work:
    """What one run of a variant has to compute."""

    variant: str
    params: int
    macs: int
    """Multiply-accumulates of a forward pass of one image."""
    epochs: int
    images: int
    """Images that an epoch trains on."""
    held_out: int
    """Images that an epoch is validated on."""
    global_batch: int
    micro_batch: int
    classes: int
    image_size: int
    """Height and width in pixels, before the input policy."""

    @property
    def steps(self) -> int:
        """Optimizer steps of an epoch; see `bakeoff.training.batches.cut_epoch`."""
        return math.ceil(self.images / self.global_batch)

    @property
    def micro_batches(self) -> int:
        """Micro-batches of a step. More processes than these have nothing to do."""
        return math.ceil(self.images / self.steps / self.micro_batch)

    @property
    def images_per_micro_batch(self) -> float:
        """Images in a micro-batch, which are fewer than the recipe's where an epoch does not divide evenly."""
        return self.images / (self.steps * self.micro_batches)


def work_of(study: Study, variant: str, network: Network) -> Work:
    """Return the work of one run of a variant of `study`."""
    recipe = study.variants[variant].recipe
    images, held_out = split_sizes(study.data)
    return Work(
        variant=variant,
        params=network.params,
        macs=network.macs,
        epochs=recipe["epochs"],
        images=images,
        held_out=held_out,
        global_batch=recipe["global_batch"],
        micro_batch=recipe["micro_batch"],
        classes=study.dataset.classes,
        image_size=study.dataset.image_size,
    )


def split_sizes(data: DataConfig) -> tuple[int, int]:
    """Return how many images are trained on and how many are held out, by a study's `data`.

    Where that is a guess, the first run that is done corrects what is left of the error.
    """
    images = data.describe().train_images
    images = min(images, data.limit.train or images)
    held_out = min(data.validation.images, images - 1)
    return images - held_out, held_out


def plan_spec(
    study: Study,
    networks: Mapping[str, Network],
    seeds: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    """Return what a plan of `study` is made from, apart from the machine and the runs that are done.

    Args:
        study: the study.
        networks: as built, by variant.
        seeds: of each variant that is trained.
    """
    return {
        "study": describe_study(study),
        "gpus": study.config.gpus,
        "price": study.config.price.model_dump(),
        "variants": {
            variant: {
                "family": study.variants[variant].family,
                "work": asdict(work_of(study, variant, networks[variant])),
                "seeds": list(wanted),
            }
            for variant, wanted in seeds.items()
        },
    }


def works(spec: Mapping[str, Any]) -> dict[str, Work]:
    """Return {variant: work} of a plan's spec."""
    return {variant: Work(**entry["work"]) for variant, entry in spec["variants"].items()}


def all_runs(spec: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return {variant: seeds} of a plan's spec."""
    return {variant: entry["seeds"] for variant, entry in spec["variants"].items()}


def run_name(variant: str, seed: int) -> str:
    """Return how a run is called in plans: its folder below `{root}/runs`."""
    return f"{variant}/seed{seed}"
