"""What a person sees of a run while it goes on: how far it is, for other processes, and a line for each epoch."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from bakeoff.errors import UserError
from bakeoff.files import write_json
from bakeoff.support.status import STATUS, RunPulse
from bakeoff.training.history import EpochRecord

PULSE_SECONDS = 2.0

log = logging.getLogger(__name__)


class Pulse:
    """Tells others how far a run is: its first process keeps `status.json` in the folder of its checkpoints.

    `bakeoff.console` reads it. The folder goes when the run is complete, and the file with it.
    """

    def __init__(self, folder: Path, status: RunPulse, is_main_process: bool) -> None:
        """Begin to tell about a run that stands at `status`."""
        self._folder = folder
        self._first = self._status = status
        self._began = self._epoch_began = time.monotonic()
        self._epoch_first = status.step
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        if is_main_process:
            self._thread = threading.Thread(target=self._tell, name="pulse", daemon=True)
            self._thread.start()

    def step(self) -> None:
        """Count one optimizer step."""
        now, step = time.monotonic(), self._status.step + 1
        done, seconds = step - self._first.step, now - self._began
        self._status = replace(
            self._status,
            step=step,
            images_per_s=self._status.images_per_step
            * (step - self._epoch_first)
            / max(now - self._epoch_began, 1e-9),
            seconds_left=seconds / done * (self._status.steps - step),
        )

    def next_epoch(self) -> None:
        """Begin to measure the speed anew, because what came between was no training."""
        self._epoch_began, self._epoch_first = time.monotonic(), self._status.step

    def close(self) -> None:
        """Tell for the last time."""
        self._end.set()
        if self._thread:
            self._thread.join()

    def _tell(self) -> None:
        self._write()
        while not self._end.wait(PULSE_SECONDS):
            self._write()
        self._write()

    def _write(self) -> None:
        # A disk that is full or away must not stop a training for this.
        with suppress(OSError):
            told = replace(self._status, updated=time.time())
            write_json(self._folder / STATUS, asdict(told))


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
