"""Validation accuracy over the epochs, one panel for each family."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bakeoff.analysis.runs import load_runs
from bakeoff.analysis.tables import read_table
from bakeoff.figures import style

LINES = ("-", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
FEW_EPOCHS = 10  # a curve this short shows its points


def plot(models: str | Path, runs: str | Path, runs_dir: str | Path, out: str | Path) -> None:
    """Draw the histories of all runs named in runs.csv, families in the order of models.csv.

    Lines are means over seeds, bands reach from the lowest to the highest seed, and all other
    variants stand grey behind. Networks that several variants share are drawn once.
    """
    table = read_table(models, ("display", "family", "seeds", "run", "same_network_as"))
    table = table[table["same_network_as"].isna()]
    seeds = read_table(runs, ("variant", "seed")).groupby("variant")["seed"]
    curves = {run: _curves(runs_dir, run, list(seeds.get_group(run))) for run in table["run"]}
    styles = style.family_styles(table["family"])
    panels = _panels(table)
    columns = 2 if len(panels) == 4 else min(4, len(panels))
    rows = ceil(len(panels) / columns)
    size = (9.0, 2.0 * rows + 1.0) if rows > 1 else (2.4 * columns + 3.0, 3.8)
    with style.drawing(out, *size) as figure:
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
        for axes, (title, members) in zip(grid, panels.items(), strict=False):
            for run in table["run"]:
                axes.plot(curves[run].mean(axis=1), color=style.FAINT, linewidth=0.8, zorder=1)
            for line, row in zip(LINES, members, strict=False):
                colour = styles[row["family"]][0]
                _draw(
                    axes,
                    curves[row["run"]],
                    fill(row["display"], 24, break_long_words=False),
                    colour,
                    line,
                )
            axes.set_title(title)
            axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            # Long names may not push the panels apart.
            axes.legend(loc="lower right", fontsize=8).set_in_layout(False)
        for axes in figure.axes[len(panels) :]:
            axes.remove()
        several = (table["seeds"] > 1).any()
        band = "; mean, lowest and highest of " if several else ", "
        figure.supxlabel(f"Epoch{band}{style.count_seeds(table['seeds'])}", fontsize=10)
        figure.supylabel("Top-1 accuracy on held-out images (%)", fontsize=10)


def _panels(table: pd.DataFrame) -> dict[str, list[dict[Any, Any]]]:
    """Return title and variants of each panel; a family of many variants gets several panels."""
    panels = {}
    for family, group in table.groupby("family", sort=False):
        members, size = group.to_dict("records"), len(LINES)
        chunks = [members[start : start + size] for start in range(0, len(members), size)]
        for number, chunk in enumerate(chunks, start=1):
            part = f" ({number} of {len(chunks)})" if len(chunks) > 1 else ""
            panels[f"{family}{part}"] = chunk
    return panels


def _curves(runs_dir: str | Path, run: str, seeds: list[int]) -> pd.DataFrame:
    """Return validation top-1 (percent): a row per epoch that was validated, a column per seed."""
    histories = [loaded.history for loaded in load_runs(runs_dir, run, seeds)]
    columns = [history.set_index("epoch")["val_top1"] for history in histories]
    return pd.concat(columns, axis=1, keys=seeds).dropna()


def _draw(axes: Axes, curves: pd.DataFrame, name: str, colour: str, line: object) -> None:
    marker = "o" if len(curves) <= FEW_EPOCHS else ""
    axes.fill_between(
        curves.index, curves.min(axis=1), curves.max(axis=1), color=colour, alpha=0.2, linewidth=0
    )
    axes.plot(
        curves.mean(axis=1), color=colour, linestyle=line, marker=marker, markersize=4, label=name
    )
