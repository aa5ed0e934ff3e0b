"""`python -m bakeoff settle`: train, judge and add seeds, until the questions are settled or the budget is spent."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

ANSWER = "BAKEOFF_SETTLE_ANSWER"
"""Environment variable: the file into which the job `settle` writes "more" if it has recorded a round, else "done"."""


def settle_until_done(arguments: Sequence[str]) -> int:
    """Repeat `snakemake settle` with `arguments` until it records no more round; return the exit code of the last.

    Nothing is lost where it is stopped: what was recorded and trained is there for the next call.
    """
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as folder:
        answer = Path(folder) / "answer"
        command = ["snakemake", "settle", *arguments]
        while True:
            answer.unlink(missing_ok=True)
            code = subprocess.run(
                command, env={**os.environ, ANSWER: str(answer)}, check=False
            ).returncode
            # A dry run, or one that failed, has not answered.
            if code or not answer.is_file() or answer.read_text(encoding="utf-8") != "more":
                return code
