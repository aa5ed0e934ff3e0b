"""`python -m bakeoff settle`: train, judge and add seeds, until the questions are settled or the budget is spent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ANSWER = "BAKEOFF_SETTLE_ANSWER"
"""Environment variable: the file into which the job `settle` writes "more" if it has recorded a round, else "done"."""
SNAKEMAKE = (sys.executable, "-m", "snakemake")


def settle_until_done(arguments: Sequence[str], snakemake: Sequence[str] = SNAKEMAKE) -> int:
    """Repeat `snakemake settle` with `arguments` until it records no more round; return the exit code of the last.

    Nothing is lost where it is stopped: what was recorded and trained is there for the next call.
    """
    with tempfile.TemporaryDirectory(prefix="bakeoff-") as folder:
        answer = Path(folder) / "answer"
        command = [*snakemake, "settle", *arguments]
        while True:
            answer.unlink(missing_ok=True)
            process = subprocess.Popen(command, env={**os.environ, ANSWER: str(answer)})
            with _left_to(process):
                code = process.wait()
            # A dry run, or one that failed, has not answered.
            if code or not answer.is_file() or answer.read_text(encoding="utf-8") != "more":
                return code


@contextmanager
def _left_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave it to `process` to end in order when this one is interrupted (the terminal tells both) or told to end."""

    def pass_on(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
