"""Where the console's lines go: a terminal with a live table, or plain lines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from bakeoff.console.plan import WIDTH, fitted
from bakeoff.console.table import overall, runs_table

if TYPE_CHECKING:
    from bakeoff.console.session import Session

# Between two looks at the files of the runs at work.
LOOK_SECONDS = 1.0
# Lines of a terminal that the live table leaves free.
SPARE_LINES = 7


class PlainScreen:
    """A line for each event, at most 100 columns wide."""

    width = WIDTH

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream

    def line(self, text: str, style: str = "") -> None:
        """Write a line; one that is too long goes on in the next."""
        for part in fitted(text, self.width):
            self._stream.write(f"{part}\n")
        self._stream.flush()

    def block(self, text: str) -> None:
        """Write a text as it is."""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def watch(self, session: Session) -> None:
        """Show nothing between events."""

    def close(self) -> None:
        """Nothing is open."""


class LiveScreen:
    """Lines above a table that follows the runs at work."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._console = console
        self._live: Live | None = None

    @property
    def width(self) -> int:
        """The columns of a line."""
        return min(self._console.width, 2 * WIDTH)

    def line(self, text: str, style: str = "") -> None:
        """Print a line above the table."""
        if style == "quiet":
            # The table shows it.
            return
        for part in fitted(text, self.width):
            self._console.print(Text(part, style))

    def block(self, text: str) -> None:
        """Print a text as it is, above the table."""
        self._console.print(Text(text), soft_wrap=True)

    def watch(self, session: Session) -> None:
        """Draw what is at work, once a second, until `close`."""
        self._live = Live(
            console=self._console,
            get_renderable=_View(session, self._console),
            refresh_per_second=2,
            transient=True,
        )
        self._live.start()

    def close(self) -> None:
        """Remove the table."""
        if self._live:
            self._live.stop()
            self._live = None


class _View:
    """What is at work, read at most once a second however often it is drawn."""

    def __init__(self, session: Session, console: Console) -> None:
        self._session, self._console = session, console
        self._read = float("-inf")
        self._drawn: RenderableType = ""

    def __call__(self) -> RenderableType:
        if time.monotonic() - self._read >= LOOK_SECONDS:
            self._drawn = self._draw()
            self._read = time.monotonic()
        return self._drawn

    def _draw(self) -> RenderableType:
        runs = self._session.at_work()
        most = max(1, self._console.height - SPARE_LINES)
        parts: list[RenderableType] = []
        if runs:
            # Those that wait for a cluster are last.
            order = sorted(runs, key=lambda each: each.state != "running")
            parts.append(runs_table(order, most, state=False))
            if len(runs) > most:
                parts.append(Text(f"and {len(runs) - most} more at work", "dim"))
        done, total, busy = self._session.light_jobs()
        words = [f"{done} of {total} light jobs"] if total else []
        words += [", ".join(busy[:2])] if busy else []
        share, left = self._session.progress(runs)
        return Group(*parts, overall(share, left, words))
