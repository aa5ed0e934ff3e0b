"""What a person sees of a run while it goes on: a bar on a terminal, and a line for each epoch in the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from bakeoff.errors import UserError
from bakeoff.training.history import EpochRecord

log = logging.getLogger(__name__)


class ProgressBar:
    """A bar over all optimizer steps of the run with ETA; silent where stderr is no terminal."""

    def __init__(self, title: str, steps: int, done: int, main_process: bool) -> None:
        """Show a bar for `steps` steps of which `done` are done."""
        self._bar = tqdm(
            total=steps,
            initial=done,
            desc=title,
            unit="step",
            leave=False,
            dynamic_ncols=True,
            disable=None if main_process else True,
            file=sys.stderr,
        )

    def step(self) -> None:
        """Count one step."""
        self._bar.update()

    def show(self, record: EpochRecord) -> None:
        """Show an epoch's figures beside the bar."""
        self._bar.set_postfix_str(
            f"epoch {record.epoch}, loss {record.train_loss:.3f}, val {record.val_top1:.1f} %, "
            f"{record.images_per_s:,.0f} images/s",
            refresh=False,
        )

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()


def log_epoch(record: EpochRecord, epochs: int, elapsed: float) -> None:
    """Write one line for an epoch, with the time that the rest should take."""
    remaining = elapsed / record.epoch * (epochs - record.epoch)
    log.info(
        "epoch %d/%d  lr %.4g  train loss %.4f top-1 %.2f %%  validation loss %.4f top-1 %.2f %% top-5 %.2f %%  "
        "%.0f images/s  ETA %s",
        record.epoch,
        epochs,
        record.lr,
        record.train_loss,
        record.train_top1,
        record.val_loss,
        record.val_top1,
        record.val_top5,
        record.images_per_s,
        duration(remaining),
    )


def tensorboard(folder: Path) -> Callable[[EpochRecord], None]:
    """Return a function that adds an epoch's figures to TensorBoard's event files in `folder`.

    Raises:
        UserError: tensorboard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 (optional, and slow to import)
    except ImportError:
        raise UserError(
            "tensorboard is true, but TensorBoard is not installed. Install it with "
            "`pip install 'bakeoff[tensorboard]'`, or set tensorboard to false."
        ) from None
    writer = SummaryWriter(str(folder))

    def follow(record: EpochRecord) -> None:
        for name, value in asdict(record).items():
            if name != "epoch":
                writer.add_scalar(name.replace("_", "/", 1), value, record.epoch)
        writer.flush()

    return follow


def duration(seconds: float) -> str:
    """Return a duration as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
