"""Stopping when told to, and not living on when the parent is gone."""

from __future__ import annotations

import ctypes
import signal
import sys
from types import FrameType

# The exit code of a run that saved a checkpoint because it was told to stop: "temporary failure, try again".
INTERRUPTED = 75
_PR_SET_PDEATHSIG = 1


class StopRequest:
    """Remembers that SIGTERM, SIGINT or SIGUSR1 (Slurm's warning before a time limit) has arrived."""

    def __init__(self) -> None:
        """Install the handlers."""
        self.signal: str | None = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, self._remember)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name


class InterruptedRunError(Exception):
    """The run was told to stop and has saved a checkpoint."""


def die_with_parent() -> None:
    """Ask the kernel to send SIGTERM when the parent process ends, however it ends (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
