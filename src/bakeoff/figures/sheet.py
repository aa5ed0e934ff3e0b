"""What a figure is drawn on: its files, its room and its language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names

from bakeoff.figures import words
from bakeoff.figures.style import STYLE
from bakeoff.files import atomic_path

DPI = 300
STRETCH = 1.4
"""How far a figure grows beyond the height it would have, to fill its room."""

# Comes with matplotlib, so that every machine draws the same; it lacks Chinese.
LATIN = "DejaVu Sans"
CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN"),
    *("Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "SimHei", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "Noto Sans CJK JP", "Arial Unicode MS"),
)
"""Fonts for Chinese, the best first; the first one that the machine has is taken."""

# No date: equal figures are equal files.
METADATA: Mapping[str, Mapping[str, None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}


@dataclass(frozen=True)
class Sheet:
    """What a figure is drawn on.

    Attributes:
        files: what is written, each in the format of its suffix.
        width: of the figure, in inches.
        room: its greatest height in inches; without one it is as high as its content asks for.
        language: of its words, a key of `words.WORDS`.
        names: what to show for names in the tables, where it is not the name itself.
    """

    files: tuple[Path, ...]
    width: float = 9.0
    room: float | None = None
    language: str = "en"
    names: Mapping[str, str] = field(default_factory=dict)

    def say(self, key: str, **values: object) -> str:
        """Return the words `key` in the language of the sheet."""
        return words.say(self.language, key, **values)

    def say_seeds(self, counts: Iterable[int]) -> str:
        """Return how many seeds there are, in the language of the sheet."""
        return words.say_seeds(self.language, counts)

    def say_accuracy(self, metric: Iterable[str]) -> str:
        """Return which accuracy it is, given the column `metric` of a table, which holds one."""
        return self.say("balanced" if "balanced" in set(metric) else "top1")

    def name(self, raw: str) -> str:
        """Return what to show for a name in the tables."""
        return self.names.get(raw, raw)

    def height(self, natural: float) -> float:
        """Return the height in inches of a figure that would by itself be `natural` inches high."""
        return natural if self.room is None else min(self.room, STRETCH * natural)


@contextmanager
def drawing(sheet: Sheet, height: float) -> Iterator[Figure]:
    """Yield an empty figure that would by itself be `height` inches high; write it after.

    The files are replaced whole and carry no date, so that the same figure is the same file.
    """
    fonts = [font for font in (LATIN, _chinese_font()) if font is not None]
    with matplotlib.style.context(["default", {**STYLE, "font.family": fonts}]):
        figure = Figure(figsize=(sheet.width, sheet.height(height)), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        for file in sheet.files:
            with atomic_path(file) as temporary:
                figure.savefig(temporary, dpi=DPI, metadata=METADATA[file.suffix])


def can_write(language: str) -> bool:
    """Return whether this machine has a font for the words of `language`."""
    return language != "zh" or _chinese_font() is not None


def _chinese_font() -> str | None:
    known = set(get_font_names())
    return next((font for font in CHINESE if font in known), None)
