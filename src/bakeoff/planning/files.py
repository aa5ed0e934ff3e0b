"""The tables of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from bakeoff.analysis.tables import Column, write_table
from bakeoff.planning.history import Outcome
from bakeoff.planning.prediction import Predictor
from bakeoff.planning.schedule import Placed, blocks
from bakeoff.planning.summary import HOUR, Price, Summary, cost, device_hours, energy_kwh, in_words

SCHEDULE = (
    "run", "variant", "seed", "gpus", "devices", "start_hours", "end_hours", "hours", "device_hours",
    "energy_kwh", "cost", "basis",
)  # fmt: skip
OUTCOMES = ("run", "gpus", "predicted_hours", "measured_hours", "error_pct")


def write_schedule(
    path: Path,
    placed: Sequence[Placed],
    bases: Mapping[str, str],
    predictor: Predictor,
    price: Price,
    summary: Summary,
) -> None:
    """Write one row for each run, in the order of their starts.

    Args:
        path: of the CSV; Markdown and LaTeX go beside it.
        placed: the schedule.
        bases: what the prediction of each variant rests on.
        predictor: that made the predictions.
        price: of a GPU hour.
        summary: of the plan, printed below the table.
    """
    machine = predictor.machine
    rows = []
    for each in sorted(placed, key=lambda one: (one.start, one.devices)):
        job, hours = each.job, device_hours([each])
        rows.append(
            (
                *(job.run, job.variant, job.seed, job.gpus, ranges(each.devices)),
                *(each.start / HOUR, each.end / HOUR, job.seconds / HOUR, hours),
                *(energy_kwh(hours, machine), cost(hours, machine, price), bases[job.variant]),
            )
        )
    gpu = machine.kind == "gpu"
    columns = [
        Column("run", "Run"),
        Column("gpus", "GPUs" if gpu else "Cores", ".0f"),
        Column("devices", "Which"),
        Column("start_hours", "Start (h)", ".2f"),
        Column("end_hours", "End (h)", ".2f"),
        Column("hours", "Hours", ".2f"),
        Column("energy_kwh", "Energy (kWh)", ".2g"),
        *([Column("cost", f"Cost ({price.currency})", ".2f")] if gpu else []),
        Column("basis", "Predicted from"),
    ]
    caption = in_words(summary).replace("\n", " ")
    write_table(pd.DataFrame(rows, columns=list(SCHEDULE)), columns, path, caption)


def write_outcomes(path: Path, judged: Sequence[Outcome]) -> None:
    """Write one row for each finished run of which an earlier plan had predicted the time."""
    rows = [
        (
            outcome.run,
            outcome.gpus,
            outcome.predicted / HOUR,
            outcome.measured / HOUR,
            100 * outcome.error,
        )
        for outcome in judged
    ]
    columns = [
        Column("run", "Run"),
        Column("gpus", "GPUs", ".0f"),
        Column("predicted_hours", "Predicted (h)", ".3f"),
        Column("measured_hours", "Measured (h)", ".3f"),
        Column("error_pct", "Error (%)", "+.1f"),
    ]
    caption = "Runs that are finished, and what the last plan before them predicted: training and validation."
    write_table(pd.DataFrame(rows, columns=list(OUTCOMES)), columns, path, caption)


def ranges(devices: Sequence[int]) -> str:
    """Return devices as people write them: "0-3", or "0, 2-3" where they are no neighbours."""
    return ", ".join(
        f"{first}-{first + number - 1}" if number > 1 else str(first)
        for first, number in blocks(devices)
    )
