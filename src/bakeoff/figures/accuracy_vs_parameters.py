"""Top-1 accuracy against the number of parameters."""

from __future__ import annotations

from pathlib import Path

from bakeoff.analysis.tables import read_table
from bakeoff.figures import scatter


def plot(models: str | Path, out: str | Path) -> None:
    """Draw models.csv of a comparison: accuracy against millions of parameters, log scale."""
    table = read_table(models, (*scatter.COLUMNS, "params_m"))
    scatter.draw(table, "params_m", "Parameters (millions, log scale)", out)
