"""What the benchmarks share: data, a run's parts, and how figures are printed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bakeoff.data import DataConfig, load_meta, load_split, load_validation_indices, prepare
from bakeoff.models import create_model
from bakeoff.study.layers import laid_over, load_yaml
from bakeoff.support.interrupts import StopRequest
from bakeoff.training.augment import InputPipeline
from bakeoff.training.devices import make_accelerator
from bakeoff.training.loop import Task, Trainer
from bakeoff.training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]


def configured_recipe(name: str, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe of `config/recipes.yaml` with some values changed, nested ones too."""
    recipes = load_yaml(ROOT / "config" / "recipes.yaml")
    return Recipe.model_validate(laid_over(recipes[name], changes))


def uniform_recipe(batch: int, epochs: int) -> Recipe:
    """Return the recipe `uniform` with another batch and number of epochs."""
    changes = {"epochs": epochs, "global_batch": batch, "micro_batch": batch}
    return configured_recipe("uniform", changes)


def drawn_data(images: int) -> Path:
    """Prepare `images` drawn training images in a temporary folder and return it."""
    folder = Path(tempfile.mkdtemp(prefix="bakeoff-benchmark-")) / "data"
    shapes = {"train_images": images + 100, "test_images": 100, "seed": 0}
    spec = {"kind": "shapes", "shapes": shapes, "validation": {"images": 100, "seed": 0}}
    prepare(DataConfig.model_validate(spec), None, folder)
    return folder


def make_trainer(
    variant: str,
    data: Path,
    recipe: Recipe,
    seed: int = 0,
    gpus: int = 0,
    checkpoints: Path | None = None,
    stop: StopRequest | None = None,
    graphs: bool = True,
) -> Trainer:
    """Return a trainer of `variant` as a run would have it, on one GPU or on the CPU.

    Without a folder for its checkpoints, it has a temporary one.
    """
    accelerator = make_accelerator(gpus, recipe.precision)
    images, fine, _ = load_split(data, "train")
    meta, held_out = load_meta(data), np.array(load_validation_indices(data))
    torch.manual_seed(seed)
    pipeline = InputPipeline(
        torch.from_numpy(images.copy()),
        mean=meta.mean,
        std=meta.std,
        config=recipe.augmentation,
        input_size=meta.image_size,
        device=accelerator.device,
        seed=seed,
        memory_format=torch.channels_last,
    )
    task = Task(
        title=variant,
        key=variant,
        seed=seed,
        images=pipeline,
        labels=torch.from_numpy(fine.copy()),
        train=torch.from_numpy(np.setdiff1d(np.arange(len(fine)), held_out)),
        validation=torch.from_numpy(held_out),
        classes=len(meta.classes),
        graphs=graphs,
        checkpoints=checkpoints or Path(tempfile.mkdtemp(prefix="bakeoff-benchmark-")),
    )
    return Trainer(create_model(variant), recipe, task, accelerator, stop or StopRequest())


def fixed_batch(size: int) -> tuple[Tensor, Tensor]:
    """Return one batch of noise in the memory format of the engine, and labels."""
    images = torch.randn(size, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    return images, torch.randint(0, 100, (size,))


def bare_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor
) -> None:
    """Run forward, backward and step, and nothing else."""
    nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def show(title: str, figures: dict[str, Any]) -> None:
    """Print figures for people, and as one JSON object on the last line."""
    print(title)
    for name, value in figures.items():
        print(f"  {name:28} {f'{value:,.3f}' if isinstance(value, float) else value}")
    print(json.dumps(figures))
