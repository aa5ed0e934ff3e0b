"""Test accuracy against the wall time of one training."""

from __future__ import annotations

from pathlib import Path

from bakeoff.analysis.tables import read_table
from bakeoff.figures import scatter
from bakeoff.figures.sheet import Sheet

READS = ("models",)
CATEGORY = "Comparison"
CAPTION = "Test accuracy against the training time of one run."
UNITS = ((1.0, "hours"), (60.0, "minutes"), (3600.0, "seconds"))


def plot(models: str | Path, sheet: Sheet) -> None:
    """Draw models.csv of a comparison: accuracy against the training time of one run, log scale.

    The unit is the largest in which a typical run takes at least one. Times from different devices
    cannot be compared, and the axis says when there are several.
    """
    table = read_table(models, (*scatter.COLUMNS, "train_hours", "device"))
    typical = float(table["train_hours"].median())
    per_hour, unit = next(
        ((scale, name) for scale, name in UNITS if typical * scale >= 1), UNITS[-1]
    )
    devices = sorted(set(table["device"].dropna()))
    where = devices[0] if len(devices) == 1 else sheet.say("devices", count=len(devices))
    table["time"] = table["train_hours"] * per_hour
    scatter.draw(table, "time", sheet.say("time", unit=sheet.say(unit), where=where), sheet)
