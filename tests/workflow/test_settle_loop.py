"""`python -m bakeoff settle` repeats Snakemake, and leaves it to end in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bakeoff.settle import settle_until_done
from tests.support.project import project_environment

# Stands for Snakemake: notes each call, and answers "more" twice.
REPEATED = """
import os, sys
from pathlib import Path
calls = Path(sys.argv[-1])
calls.write_text(calls.read_text() + " ".join(sys.argv[1:3]) + "\\n" if calls.exists() else "settle -q\\n")
count = len(calls.read_text().splitlines())
if count == 5:
    sys.exit(3)
if count != 4:
    Path(os.environ["BAKEOFF_SETTLE_ANSWER"]).write_text("more" if count in (1, 2) else "done")
"""
# Stands for Snakemake that takes a while to end.
SLOW = """
import signal, sys, time
from pathlib import Path
state = Path(sys.argv[-1])
def end(*_):
    time.sleep(1.5)
    state.write_text("ended in order")
    sys.exit(1)
signal.signal(signal.SIGINT, end)
signal.signal(signal.SIGTERM, end)
state.write_text("at work")
time.sleep(60)
"""


def script(folder: Path, text: str) -> list[str]:
    file = folder / "snakemake.py"
    file.write_text(text)
    return [sys.executable, str(file)]


def test_it_repeats_while_rounds_are_recorded(tmp_path: Path) -> None:
    calls, command = tmp_path / "calls", script(tmp_path, REPEATED)
    assert settle_until_done(["-q", str(calls)], command) == 0
    assert calls.read_text() == 3 * "settle -q\n"
    # Neither a dry run, which does not answer, nor one that fails is repeated.
    assert settle_until_done(["-q", str(calls)], command) == 0
    assert settle_until_done(["-q", str(calls)], command) == 3
    assert len(calls.read_text().splitlines()) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_left_to_snakemake(tmp_path: Path, number: signal.Signals) -> None:
    state = tmp_path / "state"
    code = (
        "import sys; from bakeoff.settle import settle_until_done; "
        f"sys.exit(settle_until_done([{str(state)!r}], {script(tmp_path, SLOW)!r}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=project_environment(), start_new_session=True
    )
    for _ in range(200):
        if state.is_file() and state.read_text() == "at work":
            break
        time.sleep(0.05)
    if number == signal.SIGINT:
        # As a terminal does it: to both.
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    assert process.wait(30) == 1
    assert state.read_text() == "ended in order"
