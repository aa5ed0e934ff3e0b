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
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    entries = [number for number, line in enumerate(lines) if _ENTRY.match(line)]
    if not entries:
        return _raised(lines)
    level, message = _ENTRY.fullmatch(lines[entries[-1]]).groups()  # type: ignore[union-attr]
    return (_raised(lines[entries[-1] + 1 :]) or message) if level == "ERROR" else None


def _raised(lines: list[str]) -> str | None:
    """Return the last line of the first traceback in `lines`; None without one."""
    if "Traceback (most recent call last):" not in lines:
        return None
    rest = lines[lines.index("Traceback (most recent call last):") + 1 :]
    return next((line for line in rest if line and not line.startswith(" ")), None)
