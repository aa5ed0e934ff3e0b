"""The tick: one small file by which Snakemake is told that a job is stale; and who may write in a root."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from bakeoff.files import write_text

LOCK = ".lock"
# Not zero, which Snakemake takes for no time stamp at all.
LONG_AGO = 1_000_000_000


def write_tick(folder: Path) -> None:
    """Write the tick, with a content and a time stamp that it never had before.

    Snakemake runs a job whose input is newer than its output, unless the input has the checksum that it had then.
    """
    write_text(folder / "tick", f"{uuid.uuid4()}\n")


def keep_older_than_tick(root: Path, writes: Sequence[str]) -> None:
    """Set the time stamps of files that are to be made again so far back that the tick is newer.

    On a file system with coarse time stamps, or after a clock was set back, they could be as new as the tick or newer.
    """
    for path in writes:
        file = root / path
        if file.exists():
            os.utime(file, (LONG_AGO, LONG_AGO))


def hold_root(folder: Path) -> bool:
    """Keep other Snakemake processes from working in this root until this process ends, however it ends.

    Snakemake has a lock of its own, but takes it after the configuration was read, when the specs of jobs that another
    Snakemake is about to start would have been rewritten already. Returns False if another process holds the root.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Inherited by nobody and never closed: the kernel drops the lock when this process is gone.
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return True


def folder_holder(folder: Path) -> str:
    """Return the number of the process that holds a root."""
    return (folder / LOCK).read_text(encoding="utf-8", errors="replace").strip() or "unknown"
