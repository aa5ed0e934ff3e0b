"""What the Snakefile tells the logger plugin, as values of log records: `extra={"bakeoff": event}`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bakeoff.console.plan import Plan
from bakeoff.console.session import Session
from bakeoff.launch.slurm import Queue


@dataclass(frozen=True)
class Begun:
    """The graph of jobs is complete."""

    plan: Plan
    cluster: Path | None
    """The folder that jobs are submitted from; None where they run on this machine."""

    def __call__(self, session: Session) -> None:
        """Tell a session."""
        session.begin(self.plan, Queue(self.cluster) if self.cluster else dict)


@dataclass(frozen=True)
class Ended:
    """The last job has ended."""

    success: bool

    def __call__(self, session: Session) -> None:
        """Tell a session."""
        session.end(self.success)
