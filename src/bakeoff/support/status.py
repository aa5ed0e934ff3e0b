"""What a run at work says of itself in `status.json`, read by whoever watches it."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bakeoff.files import read_json

STATUS = "status.json"
# A run on another machine that has said nothing for so long is not at work any more.
SILENCE_SECONDS = 120.0


@dataclass(frozen=True)
class RunPulse:
    """How far a run is."""

    step: int
    """Optimizer steps that are done, over all attempts."""
    steps: int
    """Of the whole run."""
    epochs: int
    images_per_step: float
    device: str
    """What it computes on: "CPU", "GPU 0,1"."""
    slurm_job: str | None
    host: str
    pid: int
    images_per_s: float | None = None
    """Of training, in the present epoch."""
    seconds_left: float | None = None
    """Of training and validation, at the speed of the present attempt."""
    updated: float = 0.0
    """When this was written, in seconds since the epoch."""

    @property
    def share(self) -> float:
        """The part of the run that is done, 0 to 1."""
        return self.step / self.steps if self.steps else 0.0

    @property
    def is_alive(self) -> bool:
        """Whether the process that wrote this is at work: on this machine it exists, elsewhere it spoke lately."""
        if self.host != socket.gethostname():
            return time.time() - self.updated < SILENCE_SECONDS
        try:
            process = psutil.Process(self.pid)
            # A dead process whose parent has not noticed yet still exists, and its number may be another's by now.
            dead = process.status() == psutil.STATUS_ZOMBIE
            return not dead and process.create_time() <= self.updated
        except psutil.NoSuchProcess:
            return False


def first_pulse(step: int, steps: int, epochs: int, images: int, device: str) -> RunPulse:
    """Return the pulse of this process's run as it begins or resumes.

    Args:
        step: optimizer steps that are done.
        steps: of the whole run.
        epochs: of the whole run.
        images: of an epoch.
        device: torch's type of device.
    """
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return RunPulse(
        step,
        steps,
        epochs,
        images_per_step=images * epochs / steps,
        device="CPU" if device == "cpu" else f"GPU {gpus}".strip(),
        slurm_job=os.environ.get("SLURM_JOB_ID"),
        host=socket.gethostname(),
        pid=os.getpid(),
    )


def read_pulse(folder: Path) -> RunPulse | None:
    """Return what the run whose checkpoints are in `folder` said last; None where it said nothing that can be read."""
    try:
        return RunPulse(**read_json(folder / STATUS))
    except (OSError, ValueError, TypeError):
        return None
