"""How long recipes take to reach an accuracy: `fast` beside `uniform` cut to the same epochs.

    python benchmarks/time_to_accuracy.py --data results/natural/data --epochs 16

Accuracy is that on the held-out images after each epoch; the test split is not looked at. Recipes train one after the
other in one process, so that a slow machine slows both. `--override '{"fast": {"learning_rate": {"base": 0.4}}}'`
tries other values.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch

from bakeoff.training.history import EpochRecord
from common import configured_recipe, make_trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a prepared data set: {root}/data")
    parser.add_argument("--variant", default="resnet_20")
    parser.add_argument(
        "--recipes", nargs="+", default=["uniform", "fast"], help="the first is the reference"
    )
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--override", type=json.loads, default={}, metavar="JSON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    curves: dict[str, list[list[EpochRecord]]] = {name: [] for name in options.recipes}
    for seed in options.seeds:
        for name in options.recipes:
            changes = {"epochs": options.epochs, **options.override.get(name, {})}
            recipe = configured_recipe(name, changes)
            trained = make_trainer(options.variant, options.data, recipe, seed).fit()
            curves[name].append(list(trained.history))
    reference = options.recipes[0]
    wanted = statistics.median(curve[-1].val_top1 for curve in curves[reference])
    result: dict[str, Any] = {
        "variant": options.variant,
        "epochs": options.epochs,
        "seeds": options.seeds,
        "threads": options.threads,
        "override": options.override,
        "wanted_top1": wanted,
        "recipes": {name: figures(curve, wanted) for name, curve in curves.items()},
    }
    print(
        f"{options.variant}, {options.epochs} epochs, seeds {options.seeds}; to reach {wanted:.2f} %:"
    )
    for name, each in result["recipes"].items():
        print(
            f"  {name:10} last {each['top1']} %, whole {each['seconds']} s, reached after {each['to_wanted_s']} s"
        )
    print(json.dumps(result))


def figures(curves: list[list[EpochRecord]], wanted: float) -> dict[str, list[float | None]]:
    """Return for each seed the last accuracy, all seconds, and those until `wanted` percent were reached."""
    return {
        "top1": [round(curve[-1].val_top1, 2) for curve in curves],
        "seconds": [round(sum(record.seconds for record in curve), 1) for curve in curves],
        "to_wanted_s": [seconds_until(curve, wanted) for curve in curves],
    }


def seconds_until(curve: list[EpochRecord], wanted: float) -> float | None:
    """Return the training seconds until an epoch ended at `wanted` percent or above; None if none did."""
    for last, record in enumerate(curve):
        if record.val_top1 >= wanted:
            return round(sum(each.seconds for each in curve[: last + 1]), 1)
    return None


if __name__ == "__main__":
    main()
