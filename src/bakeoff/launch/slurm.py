"""What Slurm and Snakemake leave between them: signals that reach the run, and jobs that outlive Snakemake."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bakeoff.errors import UserError

# The names of our jobs start with this; `slurm-jobname-prefix` in profiles/slurm/config.yaml says the same.
JOB_PREFIX = "bakeoff"
RELAYED = (signal.SIGUSR1, signal.SIGTERM)
SECONDS = 20
QUEUE_SECONDS = 10.0


@dataclass(frozen=True)
class SlurmJob:
    """A job in Slurm's queue."""

    number: str
    state: str
    comment: str = ""


def relay_signals() -> None:
    """Pass SIGUSR1 and SIGTERM on to all processes below this one, which is Snakemake inside a job.

    Slurm warns of a time limit with SIGUSR1 and ends a job with SIGTERM, but where it tracks processes by cgroup it
    sends both only to the process that it started itself. That is Snakemake: the first would kill it, and with the
    second it waits for the run, which knows of nothing and is killed in the end.
    """
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    # Snakemake sets its own handler for SIGTERM later. Python writes the number of each signal here all the same,
    # whatever its handler is and whatever the main thread is waiting for.
    signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    threading.Thread(target=_relay, args=(receiver,), name="signals", daemon=True).start()


def _relay(receiver: int) -> None:
    while number := os.read(receiver, 1):
        if number[0] in RELAYED:
            for process in psutil.Process().children(recursive=True):
                try:
                    process.send_signal(number[0])
                except psutil.NoSuchProcess:
                    continue


def check_no_job_is_left(folder: Path) -> None:
    """Check that no job of an earlier run in `folder` is in Slurm's queue.

    Snakemake cancels its jobs when it is interrupted, but not when it is killed; it does not find them again, and
    would start the same runs a second time beside them.

    Raises:
        UserError: there are such jobs; with how to end them.
    """
    left = jobs_left(folder)
    if left:
        numbers = " ".join(job.number for job in left)
        states = ", ".join(f"{job.number} ({job.state.lower()})" for job in left)
        raise UserError(
            f"Jobs of an earlier run in this folder are still in Slurm's queue: {states}. They write the files that "
            f"this run would write. Wait until they have ended, or end them: scancel {numbers}"
        )


def jobs_left(folder: Path) -> list[SlurmJob]:
    """Return our jobs in Slurm's queue that work in `folder`; none where there is no Slurm or it does not answer."""
    if shutil.which("squeue") is None:
        return []
    command = ["squeue", "--noheader", "--user", getpass.getuser(), "--format=%i|%T|%j|%k|%Z"]
    done = _output(command)
    if done is None:
        return []
    # The profile's own `squeue` answers an empty queue with an empty line.
    rows = [line.split("|", 4) for line in done.splitlines() if line]
    return [
        SlurmJob(number, state, comment)
        for number, state, name, comment, where in rows
        if name.startswith(f"{JOB_PREFIX}_") and Path(where) == folder
    ]


class Queue:
    """Our jobs in Slurm's queue, asked for at most every so many seconds, because one Slurm serves many."""

    def __init__(self, folder: Path) -> None:
        """Look at jobs that work in `folder`."""
        self._folder = folder
        self._asked = float("-inf")
        self._jobs: dict[str, SlurmJob] = {}

    def __call__(self) -> Mapping[str, SlurmJob]:
        """Return {comment: job}; the comment is how Snakemake's executor names rule and wildcards."""
        if time.monotonic() - self._asked > QUEUE_SECONDS:
            self._jobs = {job.comment: job for job in jobs_left(self._folder)}
            self._asked = time.monotonic()
        return self._jobs


def prefer_commands(folder: Path) -> None:
    """Let this process and those that it starts find the commands in `folder` before all others of their names."""
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def _output(command: list[str]) -> str | None:
    """Return what a command prints, or None if it fails or takes too long."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=SECONDS
        ).stdout
    except (subprocess.SubprocessError, OSError):
        return None
