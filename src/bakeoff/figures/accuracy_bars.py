"""Test accuracy of every variant: mean, interval, and a dot for each seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from bakeoff.analysis.statistics import LEVEL
from bakeoff.analysis.tables import format_number, read_table
from bakeoff.figures import style
from bakeoff.figures.sheet import Sheet, drawing

READS = ("models", "runs")
CATEGORY = "Comparison"
CAPTION = "Accuracy on the test split; dots are seeds, bars 95 % intervals (from two seeds on)."
ROW, REST = 0.36, 1.4  # inches
MODELS = (
    *(
        "variant",
        "display",
        "family",
        "seeds",
        "score_mean",
        "score_ci_low",
        "score_ci_high",
        "run",
    ),
    *("same_network_as", "metric"),
)


def plot(models: str | Path, runs: str | Path, sheet: Sheet) -> None:
    """Draw models.csv and runs.csv of a comparison, best variant on top.

    Dots stand in for bars, because a bar would have to begin at zero. A variant with one seed gets
    no interval and says "1 seed"; what its test images alone leave open sets the scale.
    """
    table = read_table(models, MODELS)
    seeds = (
        read_table(runs, ("variant", "score")).dropna(subset="score").groupby("variant")["score"]
    )
    styles = style.family_styles(table["family"])
    with drawing(sheet, REST + ROW * len(table)) as figure:
        axes = figure.add_subplot()
        for y, row in enumerate(table.to_dict("records")):
            colour, marker = styles[row["family"]]
            several = row["seeds"] > 1
            if several:
                axes.hlines(y, row["score_ci_low"], row["score_ci_high"], color=colour, linewidth=2)
                dots = seeds.get_group(row["run"])
                axes.scatter(dots, [y + 0.3] * len(dots), s=9, color=colour, alpha=0.7)
            style.make_room(axes, [(row["score_ci_low"], y), (row["score_ci_high"], y)])
            face = colour if several else "white"
            axes.scatter(
                row["score_mean"], y, s=50, marker=marker, color=face, edgecolor=colour, zorder=3
            )
            axes.annotate(
                _value(row, sheet), (1, y), (10, 0), axes.get_yaxis_transform(), "offset points",
                va="center", fontsize=style.SMALL, color=style.INK if several else style.MUTED,
            )  # fmt: skip
        _finish(axes, table, sheet)
        style.family_legend(figure, styles)


def _value(row: dict[Any, Any], sheet: Sheet) -> str:
    mean, low, high = (
        format_number(row[key], ".1f") for key in ("score_mean", "score_ci_low", "score_ci_high")
    )
    if row["seeds"] != 1:
        return f"{mean} [{low}, {high}]"
    return f"{mean} ({sheet.say_seeds([1])})"


def _finish(axes: Axes, table: pd.DataFrame, sheet: Sheet) -> None:
    shown = dict(zip(table["variant"], table["display"], strict=True))
    pairs = zip(table["display"], table["same_network_as"], strict=True)
    names = [n if pd.isna(same) else f"{n} (= {shown.get(same, same)})" for n, same in pairs]
    axes.set_yticks(range(len(table)), names)
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.06)
    accuracy = sheet.say_accuracy(table["metric"])
    axes.set_xlabel(
        sheet.say("test_accuracy_seeds", accuracy=accuracy, seeds=sheet.say_seeds(table["seeds"]))
    )
    if (table["seeds"] > 1).any():
        axes.annotate(
            sheet.say("mean_interval", level=f"{100 * LEVEL:g}"), (1, 1), (10, 2), "axes fraction",
            "offset points", fontsize=style.SMALL, color=style.MUTED,
        )  # fmt: skip
