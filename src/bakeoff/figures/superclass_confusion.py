"""Which superclasses the best variant takes for which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from numpy.typing import NDArray

from bakeoff.analysis.networks import read_superclasses
from bakeoff.analysis.runs import Run, load_runs
from bakeoff.analysis.tables import format_number, read_table
from bakeoff.errors import UserError
from bakeoff.figures.sheet import Sheet, drawing
from bakeoff.files import read_json

READS = ("models", "runs", "runs_dir", "superclasses")
CATEGORY = "Comparison"
CAPTION = "Where the best variant's images of each superclass go."
HEIGHT = 7.4  # inches


def superclass_confusion(runs: list[Run], superclass_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share (percent) of each true superclass (row) that is predicted as each (column).

    Images of all `runs` count alike. A superclass without test images has a row of NaN.
    """
    size = int(superclass_of.max()) + 1
    counts = np.zeros((size, size))
    for run in runs:
        predictions = run.predictions()
        true, found = superclass_of[predictions.labels], superclass_of[predictions.predicted()]
        np.add.at(counts, (true, found), 1)
    total = counts.sum(axis=1, keepdims=True)
    share = np.full_like(counts, np.nan)
    np.divide(100 * counts, total, out=share, where=total > 0)
    return share


def plot(
    models: str | Path, runs: str | Path, runs_dir: str | Path, meta: str | Path, sheet: Sheet
) -> None:
    """Draw the confusion of the first variant of models.csv, over all its finished runs in runs.csv.

    `meta` is the meta.json of the data set, which names the superclasses.
    """
    best = read_table(models, ("display", "run", "superclass_top1_mean", "seeds")).iloc[0]
    table = read_table(runs, ("variant", "seed", "top1")).dropna(subset="top1")
    seeds = table.loc[table["variant"] == best["run"], "seed"]
    superclass_of = read_superclasses(meta)
    if superclass_of is None:
        raise UserError(f"{meta} has no superclasses, so they cannot be confused.")
    share = superclass_confusion(load_runs(runs_dir, best["run"], seeds), superclass_of)
    names = read_json(meta).get("superclasses", [])
    if len(names) != len(share):
        raise UserError(
            f"{meta} names {len(names)} superclasses, but its classes are in {len(share)}. Run the "
            "rule 'prepare' again."
        )
    numbers = range(1, len(names) + 1)
    # Rows are named and numbered, so that columns can do with the number.
    rows = [f"{name}  {i}" for name, i in zip(names, numbers, strict=True)]
    with drawing(sheet, HEIGHT) as figure:
        axes = figure.add_subplot()
        image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, 0, 100))
        axes.set_xticks(range(len(names)), [str(i) for i in numbers])
        axes.set_yticks(range(len(names)), rows)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(sheet.say("predicted_superclass"))
        axes.set_ylabel(sheet.say("true_superclass"))
        axes.set_title(_title(best, sheet))
        bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02, ticks=(0, 1, 5, 20, 50, 100))
        bar.set_label(sheet.say("share"))
        bar.outline.set_visible(False)


def _title(best: pd.Series, sheet: Sheet) -> str:
    name, seeds = best["display"], sheet.say_seeds([best["seeds"]])
    if np.isnan(best["superclass_top1_mean"]):
        return f"{name} ({seeds})"
    share = format_number(best["superclass_top1_mean"], ".1f")
    return sheet.say("right_superclass", name=name, share=share, seeds=seeds)
