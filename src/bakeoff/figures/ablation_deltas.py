"""What each arm of the ablations changes against its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from bakeoff.analysis.tables import format_number, read_table
from bakeoff.errors import UserError
from bakeoff.figures import style

ROW, HEAD = 0.38, 0.75  # inches
COLUMNS = (
    *("arm", "baseline", "seeds", "top1_mean", "delta", "delta_ci_low", "delta_ci_high"),
    *("delta_seeds", "significant", "same_network_as", "title"),
)


def plot(ablations: Sequence[str | Path], out: str | Path) -> None:
    """Draw a forest plot of the ablation tables, one panel each, in the order given.

    Filled, coloured marks are significant differences; grey ones cannot be told from zero. An arm
    that is the same network as another says so, and with one seed there is no interval.
    """
    if not ablations:
        raise UserError("There is no ablation to draw. Name at least one under 'ablations'.")
    tables = [read_table(path, COLUMNS) for path in ablations]
    arms = [table[table["arm"] != table["baseline"]].to_dict("records") for table in tables]
    lengths = [len(rows) for rows in arms]
    with style.drawing(out, 9, HEAD * len(arms) + ROW * sum(lengths) + 0.5) as figure:
        panels = figure.subplots(
            len(tables), 1, sharex=True, squeeze=False, height_ratios=lengths
        ).flat
        for axes, table, rows in zip(panels, tables, arms, strict=True):
            axes.axvline(0, color=style.MUTED, linewidth=1)
            for y, row in enumerate(rows):
                _draw(axes, y, row)
            axes.set_yticks(range(len(rows)), [_name(row) for row in rows])
            axes.set_ylim(len(rows) - 0.4, -0.6)
            axes.tick_params(axis="y", length=0)
            axes.grid(visible=False, axis="y")
            _title(axes, table)
            axes.margins(x=0.08)
        axes.set_xlabel("Change in top-1 accuracy against the baseline (points)")


def _draw(axes: Axes, y: int, row: dict[Any, Any]) -> None:
    if pd.isna(row["delta_seeds"]):  # the baseline itself under another name
        axes.scatter(0, y, s=40, marker="|", color=style.MUTED)
        _note(axes, y, "same network as the baseline", style.MUTED)
        return
    several = row["delta_seeds"] > 1
    colour = style.MUTED
    if row["significant"]:
        colour = style.ACCENT if row["delta"] > 0 else style.AGAINST
    if several:
        axes.hlines(y, row["delta_ci_low"], row["delta_ci_high"], color=colour, linewidth=2)
    face = colour if row["significant"] else "white"
    axes.scatter(row["delta"], y, s=46, color=face, edgecolor=colour, zorder=3)
    text = format_number(row["delta"], "+.2f")
    if several:
        low, high = (format_number(row[f"delta_ci_{end}"], "+.2f") for end in ("low", "high"))
        text += f" [{low}, {high}]"
        text += "" if row["significant"] else "  not separable"
    else:
        text += " (1 seed)"
    _note(axes, y, text, style.INK if row["significant"] else style.MUTED)


def _note(axes: Axes, y: int, text: str, colour: str) -> None:
    axes.annotate(
        text, (1, y), (10, 0), axes.get_yaxis_transform(), "offset points",
        va="center", fontsize=9, color=colour,
    )  # fmt: skip


def _name(row: dict[Any, Any]) -> str:
    same = row["same_network_as"]
    return f"{row['arm']}\n(= {same})" if isinstance(same, str) else str(row["arm"])


def _title(axes: Axes, table: pd.DataFrame) -> None:
    baseline = table[table["arm"] == table["baseline"]].iloc[0]
    top1 = format_number(baseline["top1_mean"], ".2f")
    seeds = style.count_seeds(table["seeds"])
    axes.set_title(baseline["title"], pad=20)
    axes.annotate(
        f"Baseline: {baseline['arm']}, {top1} %; {seeds}", (0, 1), (0, 6), "axes fraction",
        "offset points", fontsize=9, color=style.MUTED,
    )  # fmt: skip
