"""What a run did in each epoch: the rows of history.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from bakeoff.files import write_text


@dataclass(frozen=True)
class EpochRecord:
    """One row of history.csv; top-k in percent, seconds of training without validation."""

    epoch: int
    lr: float
    train_loss: float
    train_top1: float
    val_loss: float
    val_top1: float
    val_top5: float
    images_per_s: float
    seconds: float


def write_history(path: Path, records: Sequence[EpochRecord]) -> None:
    """Write the records as CSV, atomically: whoever reads it while it grows sees whole rows."""
    text = io.StringIO()
    writer = csv.DictWriter(
        text, [field.name for field in fields(EpochRecord)], lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(asdict(record) for record in records)
    write_text(path, text.getvalue())
