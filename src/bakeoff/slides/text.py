"""How much room a text takes, so that nothing overflows its box.

Which font a machine shows is not known here, so widths are those of the widest one that may stand in for the deck's,
DejaVu Sans, read from the file that matplotlib brings along. Arial, its twin Liberation Sans, Helvetica and Calibri are
narrower, so text that fits in DejaVu Sans fits in them with room to spare. East Asian characters are as wide as they
are high in every font.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

import matplotlib
from PIL import ImageFont

_LEADING, _LEADING_WIDE = 1.25, 1.45

_KEPT = 0.96
"""Share of a line that East Asian text fills: punctuation may begin no line, so lines break early."""

_PERHAPS_WIDE = "“”‘’…—"  # in an East Asian font
_WIDE = r"\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_MEETING = re.compile(rf"(?<=[{_WIDE}])(?=[^\s{_WIDE}])|(?<=[^\s{_WIDE}])(?=[{_WIDE}])")

_NEAR = re.compile(rf"(?<=[{_WIDE}])[ \u00a0(]|[ \u00a0)](?=[{_WIDE}])")

# What a line break cannot split: a wide character or a run of others up to a blank or a hyphen, with
# the punctuation that belongs to it. Some programs do not break between such punctuation and a run.
_RUN = rf"(?:[^\s{_WIDE}-]+-?|-)"
_TOKEN = re.compile(
    rf"[ \t\n]+|(?:[（「《“]*[{_WIDE}]|{_RUN})(?:[，。、；：？！）」》”％]+{_RUN}?)*|\S|\s"
)


def width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of `text` on one line, in points, at a font size of `size` points."""
    thousandths = sum(_advance(character, bold) for character in text)
    # Some programs set a little space where scripts meet, also beside a blank or a bracket.
    thousandths += 250 * len(_MEETING.findall(text)) + 150 * len(_NEAR.findall(text))
    return thousandths / 1000 * size


def leading(text: str) -> float:
    """Return the distance of base lines in font sizes; slides set it exactly.

    East Asian fonts are higher; a program may raise a line to its font's own height in a table.
    """
    return _LEADING_WIDE if _is_wide(text) else _LEADING


def lines(text: str, size: float, room: float, bold: bool = False) -> int:
    """Return the number of lines that `text` takes in a box `room` points wide."""
    room *= _KEPT if _is_wide(text) and width(text, size, bold) > room else 1
    return sum(_wrapped(line, size, room, bold) for line in text.split("\n"))


def height(text: str, size: float, room: float, bold: bool = False) -> float:
    """Return the height of `text` in points in a box `room` points wide."""
    return lines(text, size, room, bold) * size * leading(text)


def longest_word(text: str, size: float, bold: bool = False) -> float:
    """Return the width in points of the longest part of `text` that a line break cannot split."""
    return max((width(token, size, bold) for token in _TOKEN.findall(text)), default=0)


def _is_wide(text: str) -> bool:
    return re.search(f"[{_WIDE}]", text) is not None


@cache
def _advance(character: str, bold: bool) -> float:
    """Return the advance width of a character, in thousandths of the font size."""
    if unicodedata.east_asian_width(character) in "WF" or character in _PERHAPS_WIDE:
        return 1000
    return _font(bold).getlength(character)


@cache
def _font(bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, 1000)


def _wrapped(line: str, size: float, room: float, bold: bool) -> int:
    count, used, before = 1, 0.0, ""
    for token in _TOKEN.findall(line):
        needed = width(token, size, bold)
        # Measured together with what stands before it, for the space where scripts meet.
        joined = width(before + token, size, bold) - width(before, size, bold)
        before = token[-1]
        if used + joined <= room:
            used += joined
        elif token.isspace():
            continue
        elif needed <= room:
            count, used = count + 1, needed
        else:  # an overlong word is split wherever the line ends
            count += int((used + needed) // room)
            used = (used + needed) % room
    return count
