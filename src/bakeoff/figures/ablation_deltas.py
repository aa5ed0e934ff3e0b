"""What each arm of the ablations changes against its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bakeoff.analysis.tables import format_number, read_table
from bakeoff.errors import UserError
from bakeoff.figures import style
from bakeoff.figures.sheet import Sheet, drawing

READS = ("ablations",)
CATEGORY = "Ablations"
CAPTION = "Difference of each arm from its baseline in points, with 95 % intervals for all arms of an ablation at once."
ROW, HEAD, REST = 0.36, 0.7, 1.1  # inches
COLUMNS = (
    *("arm", "baseline", "seeds", "score_mean", "delta", "ci_low", "ci_high", "verdict"),
    *("same_network_as", "title", "metric"),
)
MARKS = {
    "better": (style.ACCENT, style.ACCENT),
    "worse": (style.AGAINST, style.AGAINST),
    "equivalent": (style.INK, "white"),
    "open": (style.MUTED, "white"),
    "one_seed": (style.MUTED, "white"),
}
"""{what an arm is: colours of its edge and of its face}"""
KINDS = {
    "better": "better",
    "worse": "worse",
    "equivalent": "equivalent",
    "cannot tell": "open",
    "one seed": "one_seed",
    "same network": "same",
}
"""{verdict: what an arm is}"""


def plot(ablations: Sequence[str | Path], sheet: Sheet) -> None:
    """Draw a forest plot of the ablation tables, one panel each, in the order given.

    Filled, coloured marks are differences; hollow ones are shown to be equivalent, or cannot be told from zero.
    An arm that is the same network as another says so, and with one seed there is no interval. An ablation without a
    finished run of its baseline, or of another arm, is passed over.
    """
    if not ablations:
        raise UserError("There is no ablation to draw. Name at least one under 'ablations'.")
    tables = [table for path in ablations if len(table := read_table(path, COLUMNS)) > 1]
    if not tables:
        with drawing(sheet, REST) as figure:
            figure.text(0.5, 0.5, sheet.say("nothing_finished"), ha="center", va="center")
        return
    arms = [table[table["arm"] != table["baseline"]].to_dict("records") for table in tables]
    lengths = [len(rows) for rows in arms]
    with drawing(sheet, REST + HEAD * len(arms) + ROW * sum(lengths)) as figure:
        panels = figure.subplots(
            len(tables), 1, sharex=True, squeeze=False, height_ratios=lengths
        ).flat
        for axes, table, rows in zip(panels, tables, arms, strict=True):
            axes.axvline(0, color=style.MUTED, linewidth=1)
            for y, row in enumerate(rows):
                _draw(axes, y, row, sheet)
            axes.set_yticks(range(len(rows)), _names(table, rows, sheet))
            axes.set_ylim(len(rows) - 0.4, -0.6)
            axes.tick_params(axis="y", length=0)
            axes.grid(visible=False, axis="y")
            _title(axes, table, sheet)
            axes.margins(x=0.08)
        axes.set_xlabel(sheet.say("delta", accuracy=sheet.say_accuracy(tables[0]["metric"])))
        kinds = {_kind(row) for rows in arms for row in rows}
        handles = [
            Line2D([], [], marker="o", markersize=7, linestyle="", color=edge,
                   markerfacecolor=face, label=sheet.say(kind))
            for kind, (edge, face) in MARKS.items()
            if kind in kinds and kind != "one_seed"
        ]  # fmt: skip
        if handles:
            figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))


def _kind(row: dict[Any, Any]) -> str:
    """Return what the arm of a row is: the baseline again ("same"), or a key of MARKS."""
    return KINDS[row["verdict"]]


def _draw(axes: Axes, y: int, row: dict[Any, Any], sheet: Sheet) -> None:
    kind = _kind(row)
    if kind == "same":
        axes.scatter(0, y, s=40, marker="|", color=style.MUTED)
        _note(axes, y, sheet.say("same_as_baseline"), style.MUTED)
        return
    edge, face = MARKS[kind]
    text = format_number(row["delta"], "+.2f")
    if kind == "one_seed":
        text += f" ({sheet.say_seeds([1])})"
    else:
        axes.hlines(y, row["ci_low"], row["ci_high"], color=edge, linewidth=2)
        low, high = (format_number(row[f"ci_{end}"], "+.2f") for end in ("low", "high"))
        text = f"{text} [{low}, {high}]"
    axes.scatter(row["delta"], y, s=50, color=face, edgecolor=edge, zorder=3)
    _note(axes, y, text, style.INK if kind in ("better", "worse", "equivalent") else style.MUTED)


def _note(axes: Axes, y: int, text: str, colour: str) -> None:
    axes.annotate(
        text, (1, y), (10, 0), axes.get_yaxis_transform(), "offset points",
        va="center", fontsize=style.SMALL, color=colour,
    )  # fmt: skip


def _names(table: pd.DataFrame, rows: list[dict[Any, Any]], sheet: Sheet) -> list[str]:
    """Return the names of the arms; one that is the same network as another arm says as which."""
    twins = [row["same_network_as"] for row in rows]
    names = [sheet.name(row["arm"]) for row in rows]
    here = set(table["arm"])
    return [
        f"{name} (= {sheet.name(twin)})" if twin in here else name
        for name, twin in zip(names, twins, strict=True)
    ]


def _title(axes: Axes, table: pd.DataFrame, sheet: Sheet) -> None:
    baseline = table[table["arm"] == table["baseline"]].iloc[0]
    axes.set_title(sheet.name(baseline["title"]), pad=20)
    text = sheet.say(
        "baseline",
        arm=sheet.name(baseline["arm"]),
        mean=format_number(baseline["score_mean"], ".1f"),
        seeds=sheet.say_seeds(table["seeds"]),
    )
    axes.annotate(
        text, (0, 1), (0, 5), "axes fraction", "offset points",
        fontsize=style.SMALL, color=style.MUTED,
    )  # fmt: skip
