"""Validation accuracy over the epochs, each curve named at its end."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bakeoff.analysis.runs import load_runs
from bakeoff.analysis.tables import read_table
from bakeoff.figures import labels, style
from bakeoff.figures.sheet import Sheet, drawing

READS = ("models", "runs", "runs_dir")
CATEGORY = "Training"
CAPTION = "Top-1 accuracy on the held-out validation split after each epoch."
HEIGHT = 5.8  # inches
LINES = ("-", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
FEW_EPOCHS = 10  # a curve this short shows its points, and is shown whole
RISE = 0.1  # share of a longer training whose steep rise would take the room of what follows


def plot(models: str | Path, runs: str | Path, runs_dir: str | Path, sheet: Sheet) -> None:
    """Draw the histories of all finished runs named in runs.csv.

    Lines are means over seeds and bands reach from the lowest to the highest seed. Colours are those
    of the families, line styles tell their variants apart. Networks that several variants share are
    drawn once.
    """
    table = read_table(models, ("display", "family", "seeds", "run", "same_network_as"))
    table = table[table["same_network_as"].isna()]
    finished = read_table(runs, ("variant", "seed", "top1")).dropna(subset="top1")
    seeds = finished.groupby("variant")["seed"]
    styles = style.family_styles(table["family"])
    members = {family: count() for family in styles}
    names, ends, looks, floors = [], [], [], []
    with drawing(sheet, HEIGHT) as figure:
        axes = figure.add_subplot()
        for row in table.to_dict("records"):
            curves = _curves(runs_dir, row["run"], list(seeds.get_group(row["run"])))
            line = LINES[next(members[row["family"]]) % len(LINES)]
            look = {"color": styles[row["family"]][0], "linestyle": line}
            _draw(axes, curves, look)
            names.append(row["display"])
            ends.append((curves.index[-1], curves.iloc[-1].mean()))
            looks.append(look)
            floors.append(curves.iloc[int(RISE * len(curves))].min())
        longest = max(epoch for epoch, _ in ends)
        axes.set_xlim(1, max(2, longest))
        if longest > FEW_EPOCHS:
            axes.set_ylim(bottom=min(floors))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        band = "epoch_band" if (table["seeds"] > 1).any() else "epoch"
        axes.set_xlabel(sheet.say(band, seeds=sheet.say_seeds(table["seeds"])))
        axes.set_ylabel(sheet.say("held_out_accuracy"))
        labels.annotate_ends(axes, names, ends, looks)


def _curves(runs_dir: str | Path, run: str, seeds: list[int]) -> pd.DataFrame:
    """Return validation top-1 (percent): a row per epoch that was validated, a column per seed."""
    histories = [loaded.history for loaded in load_runs(runs_dir, run, seeds)]
    columns = [history.set_index("epoch")["val_top1"] for history in histories]
    return pd.concat(columns, axis=1, keys=seeds).dropna()


def _draw(axes: Axes, curves: pd.DataFrame, look: dict[str, Any]) -> None:
    short = len(curves) <= FEW_EPOCHS
    axes.fill_between(
        curves.index, curves.min(axis=1), curves.max(axis=1), color=look["color"], alpha=0.12,
        linewidth=0,
    )  # fmt: skip
    # The mark of the last epoch stands on the edge of the axes.
    mark: dict[str, Any] = {"marker": "o", "markersize": 5, "clip_on": False} if short else {}
    axes.plot(curves.mean(axis=1), **mark, **look)
