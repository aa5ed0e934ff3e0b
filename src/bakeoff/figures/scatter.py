"""Accuracy against a cost, with the front of the variants that none beats on both."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from bakeoff.figures import labels, style
from bakeoff.figures.sheet import Sheet, drawing

COLUMNS = (
    *("display", "family", "seeds", "score_mean", "score_ci_low", "score_ci_high", "metric"),
    "same_network_as",
)
HEIGHT = 5.8  # inches
MARK = 8.0  # diameter of a point, points
LEGEND_FROM = 7.0
"""Width in inches below which the names at the points have to do without a legend of families."""


def pareto_front(cost: pd.Series, accuracy: pd.Series) -> pd.Index:
    """Return the rows that no other row beats: none is as cheap and more accurate, or cheaper and
    as accurate. Cheapest first."""
    order = pd.DataFrame({"cost": cost, "accuracy": accuracy}).sort_values(
        ["cost", "accuracy"], ascending=[True, False]
    )
    best_before = order["accuracy"].cummax().shift(fill_value=-np.inf)
    return order.index[order["accuracy"] > best_before]


def draw(table: pd.DataFrame, cost: str, label: str, sheet: Sheet) -> None:
    """Draw `score_mean` of `table` against its column `cost` (log scale, named `label`).

    Networks that several variants share are drawn once; rows without a cost are left out, and the
    axis says how many. Intervals are drawn for variants with several seeds.
    """
    distinct = table[table["same_network_as"].isna()]
    shown = distinct[distinct[cost] > 0].reset_index(drop=True)
    styles = style.family_styles(table["family"])
    missing = len(distinct) - len(shown)
    with drawing(sheet, HEIGHT) as figure:
        axes = figure.add_subplot()
        for family, rows in shown.groupby("family"):
            colour, marker = styles[str(family)]
            several = rows[rows["seeds"] > 1]
            axes.vlines(
                several[cost], several["score_ci_low"], several["score_ci_high"],
                color=colour, linewidth=1.2, alpha=0.6,
            )  # fmt: skip
            axes.scatter(rows[cost], rows["score_mean"], s=MARK**2, color=colour, marker=marker)
            for end in ("score_ci_low", "score_ci_high"):
                style.make_room(axes, rows[[cost, end]].to_numpy())
        _front(axes, shown, cost, sheet.say("front"))
        style.log_x(axes)
        axes.margins(x=0.1, y=0.08)
        axes.set_xlabel(sheet.say("not_measured", label=label, count=missing) if missing else label)
        axes.set_ylabel(sheet.say("test_accuracy", accuracy=sheet.say_accuracy(table["metric"])))
        if sheet.width >= LEGEND_FROM:
            style.family_legend(figure, styles)
        if len(shown):
            points = shown[[cost, "score_mean"]].to_numpy()
            figure.draw_without_rendering()
            labels.annotate(axes, list(shown["display"]), points, _obstacles(axes, shown, cost))


def _front(axes: Axes, shown: pd.DataFrame, cost: str, label: str) -> None:
    """Draw the best mean accuracy that each cost can buy, as the steps that it is."""
    front = shown.loc[pareto_front(shown[cost], shown["score_mean"])]
    if len(front) > 1:
        axes.plot(
            front[cost], front["score_mean"], color=style.MUTED, linestyle=(0, (4, 3)), linewidth=1,
            zorder=0, drawstyle="steps-post", label=label,
        )  # fmt: skip
        # Above the axes, where it covers nothing.
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, borderpad=0)


def _obstacles(axes: Axes, shown: pd.DataFrame, cost: str) -> list[Bbox]:
    """Return the boxes of all points and intervals in pixels."""
    pixels = axes.figure.dpi / 72
    boxes = []
    for row in shown.to_dict("records"):
        several = row["seeds"] > 1
        low, high = (
            (row["score_ci_low"], row["score_ci_high"]) if several else 2 * (row["score_mean"],)
        )
        ends = axes.transData.transform([(row[cost], low), (row[cost], high)])
        boxes.append(Bbox([ends[0] - (2 * pixels, 0), ends[1] + (2 * pixels, 0)]))
        middle = axes.transData.transform((row[cost], row["score_mean"]))
        boxes.append(Bbox([middle - MARK * pixels / 2, middle + MARK * pixels / 2]))
    return boxes
