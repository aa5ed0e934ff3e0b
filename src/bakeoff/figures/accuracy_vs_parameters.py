"""Test accuracy against the number of parameters."""

from __future__ import annotations

from pathlib import Path

from bakeoff.analysis.tables import read_table
from bakeoff.figures import scatter
from bakeoff.figures.sheet import Sheet

READS = ("models",)
CATEGORY = "Comparison"
CAPTION = "Test accuracy against parameters; the line joins variants that no other beats on both."


def plot(models: str | Path, sheet: Sheet) -> None:
    """Draw models.csv of a comparison: accuracy against millions of parameters, log scale."""
    table = read_table(models, (*scatter.COLUMNS, "params_m"))
    scatter.draw(table, "params_m", sheet.say("parameters"), sheet)
