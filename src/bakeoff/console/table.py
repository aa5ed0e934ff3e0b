"""How a study stands, drawn with rich: the runs at work, and one bar for all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bakeoff.console.plan import clock
from bakeoff.console.study import RunState, RunStatus, counted_states, share_done, time_left

STYLES: Mapping[RunState, str] = {
    "done": "green",
    "diverged": "magenta",
    "running": "cyan",
    "waiting": "dim",
    "stale": "yellow",
    "failed": "red",
}
BAR_COLUMNS = 30
NAME_COLUMNS, PLACE_COLUMNS = 28, 16
"""Of a run's name, where the longest variant of config/models.yaml fits, and of its device."""
MOST_REASONS = 5


def is_plain(environment: Mapping[str, str], is_terminal: bool) -> bool:
    """Return whether lines of text are wanted, and nothing that moves or has a colour."""
    return (
        not is_terminal
        or environment.get("TERM") in ("dumb", "unknown", "", None)
        or any(environment.get(name) for name in ("NO_COLOR", "CI"))
    )


def runs_table(runs: Sequence[RunStatus], most: int | None = None, *, state: bool = True) -> Table:
    """Return a table with a row for each run, at most `most`; with the state as a column or without."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    # Names of arms are long. Rich takes room from this column before it cuts off numbers, because it is the only one
    # that may wrap, although it has no space to do so at.
    table.add_column("Run", overflow="ellipsis", max_width=NAME_COLUMNS)
    table.add_column("Seed", justify="right", no_wrap=True)
    if state:
        table.add_column("State", no_wrap=True)
    table.add_column("Epoch", justify="right", no_wrap=True)
    table.add_column("Top-1 %", justify="right", no_wrap=True)
    table.add_column("Images/s", justify="right", no_wrap=True)
    table.add_column("Where", no_wrap=True, overflow="ellipsis", max_width=PLACE_COLUMNS)
    table.add_column("Left", justify="right", no_wrap=True)
    for each in runs[:most]:
        table.add_row(
            each.run.variant,
            str(each.run.seed),
            *([Text(each.state, STYLES[each.state])] if state else []),
            f"{each.epoch}/{each.run.epochs}" if each.epoch or each.state == "running" else "",
            "" if each.top1 is None else f"{each.top1:.2f}",
            "" if each.images_per_s is None else f"{each.images_per_s:,.0f}",
            f"job {each.slurm}" if each.slurm else each.device,
            clock(each.seconds_left),
        )
    return table


def overall(share: float, left: float | None, words: Sequence[str]) -> Table:
    """Return one line: a bar, the part of the work that is done, the time left, and what else there is to say."""
    row = Table.grid(padding=(0, 2))
    row.add_column(width=BAR_COLUMNS)
    row.add_column(no_wrap=True)
    row.add_column(overflow="ellipsis", no_wrap=True)
    bar = ProgressBar(total=1.0, completed=share, width=BAR_COLUMNS)
    time = f"{clock(left)} left" if left is not None else ""
    # Not 100 before all is done.
    percent = min(99, int(100 * share)) if share < 1 else 100
    row.add_row(bar, f"{percent} %", " · ".join(filter(None, [time, *words])))
    return row


def study_view(name: str, runs: Sequence[RunStatus], shown: Sequence[RunStatus]) -> RenderableType:
    """Return how a study stands: `shown` in a table, all `runs` in a bar."""
    states = [f"{number} {state}" for state, number in counted_states(runs).items()]
    parts: list[RenderableType] = [Text(f"Study {name}: {len(runs)} runs", "bold")]
    if shown:
        parts.append(runs_table(shown))
    parts += [
        Text(f"{each.run.variant} seed {each.run.seed} failed: {each.reason}", "red")
        for each in runs
        if each.state == "failed"
    ]
    parts += [
        Text(f"{each.run.variant} seed {each.run.seed} {each.reason}", STYLES["diverged"])
        for each in runs
        if each.state == "diverged"
    ]
    reasons = {each.reason for each in runs if each.state == "stale"}
    parts += [Text(f"stale: {reason}", "yellow") for reason in sorted(reasons)[:MOST_REASONS]]
    parts.append(overall(share_done(runs), time_left(runs), states))
    return Group(*parts)


def console_for(*, stderr: bool) -> Console:
    """Return a console that is as wide as its terminal, or 100 columns where it is none."""
    console = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if is_plain(os.environ, console.is_terminal):
        return Console(
            stderr=stderr, highlight=False, width=100, no_color=True, force_terminal=False
        )
    return console
