"""`bakeoff status`: how a study stands, once or as it goes on."""

from __future__ import annotations

import os
import time
from pathlib import Path

from rich.console import RenderableType
from rich.live import Live

from bakeoff.console.study import Reader, RunStatus, load_study
from bakeoff.console.table import console_for, is_plain, study_view
from bakeoff.launch.slurm import Queue

LIVE_SECONDS = 2.0
# Where lines are all there is.
PLAIN_SECONDS = 60.0


def show_status(root: Path, *, watch: bool, everything: bool) -> None:
    """Print how the study in `root` stands.

    Args:
        root: of its results.
        watch: go on until all runs are done, or until interrupted.
        everything: show runs that are done or wait, too.

    Raises:
        UserError: there is no study.
    """
    reader = Reader(load_study(root), Queue(Path.cwd()))
    console = console_for(stderr=False)
    runs, view = _look(reader, everything)
    if not watch:
        console.print(view)
        return
    if is_plain(os.environ, console.is_terminal):
        while True:
            console.print(view)
            if _is_over(runs):
                return
            time.sleep(PLAIN_SECONDS)
            runs, view = _look(reader, everything)
    with Live(view, console=console, auto_refresh=False) as live:
        while not _is_over(runs):
            time.sleep(LIVE_SECONDS)
            runs, view = _look(reader, everything)
            live.update(view, refresh=True)


def _look(reader: Reader, everything: bool) -> tuple[list[RunStatus], RenderableType]:
    runs = reader.read()
    shown = [
        each
        for each in runs
        if everything
        or each.state in ("running", "failed", "diverged")
        or each.slurm
        or 0 < each.share < 1
    ]
    return runs, study_view(str(reader.study.about["name"]), runs, shown)


def _is_over(runs: list[RunStatus]) -> bool:
    return all(each.state in ("done", "diverged") for each in runs)
