"""Draw what a terminal shows as an SVG: `tmux capture-pane -e -p | python tools/terminal_picture.py terminal.svg`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text


def draw(shown: str, title: str) -> str:
    """Return the SVG of a terminal's text with its colours (ANSI), as wide as its longest line."""
    lines = [Text.from_ansi(line) for line in shown.rstrip().splitlines()]
    width = max((cell_len(line.plain.rstrip()) for line in lines), default=1)
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    for line in lines:
        line.truncate(width)
        console.print(line)
    return console.export_svg(title=title)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(draw(sys.stdin.read(), " ".join(sys.argv[2:]) or "bakeoff"), encoding="utf-8")
