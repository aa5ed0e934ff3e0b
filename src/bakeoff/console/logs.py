"""Why a job failed, in its own words."""

from __future__ import annotations

import os
import re
from pathlib import Path

TAIL_BYTES = 64 * 1024
# As `bakeoff.jobs.frame` writes it.
_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([A-Z]+) (.*)$")


def last_error(log: Path) -> str | None:
    """Return the sentence with which a job ended, if it ended by an error and has not been started again.

    Of an error of the program it is the last line of the traceback.
    """
    level, message, _ = _last(log)
    return message if level == "ERROR" else None


def last_words(log: Path) -> str | None:
    """Return what a job that has failed said last: an error, a warning that it was stopped, or what it printed."""
    level, message, printed = _last(log)
    return message if level in ("ERROR", "WARNING") else printed


def _last(log: Path) -> tuple[str, str, str | None]:
    """Return level and message of a log's last entry, and the last line of what was printed after it."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return "", "", None
    entries = [
        (number, found) for number, line in enumerate(lines) if (found := _ENTRY.match(line))
    ]
    start, entry = entries[-1] if entries else (-1, None)
    printed = [line for line in lines[start + 1 :] if line.strip()]
    raised = _raised(printed)
    if entry is None:
        return ("ERROR" if raised else ""), raised or "", printed[-1] if printed else None
    return entry[1], raised or entry[2], printed[-1] if printed else None


def _raised(lines: list[str]) -> str | None:
    """Return the last line of the first traceback in `lines`; None without one."""
    if "Traceback (most recent call last):" not in lines:
        return None
    rest = lines[lines.index("Traceback (most recent call last):") + 1 :]
    return next((line for line in rest if line and not line.startswith(" ")), None)
