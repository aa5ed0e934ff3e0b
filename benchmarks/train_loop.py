"""What the training loop costs beyond the arithmetic: its images/s over those of bare steps on one fixed batch.

    python benchmarks/train_loop.py --variant resnet_20 --batch 128

The full loop loads, augments, schedules, counts and logs; the bare one repeats forward, backward and step on the same
tensor. Both run in turns in one process, and the median of the ratios is reported.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from bakeoff.models import create_model
from bakeoff.training.devices import on_device
from bakeoff.training.optimization import make_optimizer, set_learning_rate
from common import bare_step, drawn_data, fixed_batch, make_trainer, show, uniform_recipe


def bare_images_per_s(variant: str, batch: int, steps: int) -> float:
    """Return the images/s of bare steps, after two that do not count."""
    recipe = uniform_recipe(batch, 1)
    model = on_device(create_model(variant), torch.device("cpu")).train()
    optimizer = make_optimizer(model, recipe.optimizer, torch.device("cpu"))
    set_learning_rate(optimizer, 1e-3)
    images, labels = fixed_batch(batch)
    for _ in range(2):
        bare_step(model, optimizer, images, labels)
    started = time.perf_counter()
    for _ in range(steps):
        bare_step(model, optimizer, images, labels)
    return batch * steps / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", default="resnet_20")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=12, help="optimizer steps of a measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = drawn_data(options.batch * options.steps)
    bare, full = [], []
    for _ in range(options.rounds):
        bare.append(bare_images_per_s(options.variant, options.batch, options.steps))
        # The first epoch warms up, the second counts.
        trainer = make_trainer(options.variant, data, uniform_recipe(options.batch, 2))
        full.append(trainer.fit().history[1].images_per_s)
    show(
        f"Training loop of {options.variant}, batch {options.batch}, {options.threads} thread(s)",
        {
            "variant": options.variant,
            "batch": options.batch,
            "threads": options.threads,
            "bare_images_per_s": statistics.median(bare),
            "loop_images_per_s": statistics.median(full),
            "ratio": statistics.median(f / b for f, b in zip(full, bare, strict=True)),
        },
    )


if __name__ == "__main__":
    main()
