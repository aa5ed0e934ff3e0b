"""Laying out a table: a font size, widths of columns and pages such that nothing overflows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise

from bakeoff.errors import UserError
from bakeoff.slides import text as measure
from bakeoff.slides.theme import TABLE_SIZES, Box
from bakeoff.slides.values import Text, plain

PAD_X, PAD_Y = 6.0, 3.5
"""Margins of a cell, in points."""

RAISED = 1.05

AIRY = 2.1
"""How far the rows of a short table may grow."""

LONG = 14
"""Words longer than so many font sizes may be broken."""

EVEN_FROM = 13
"""Size of type, in points, down to which a table shrinks so that none of its cells has to wrap."""


@dataclass(frozen=True)
class Column:
    """A column: its heading, and whether it holds numbers (set flush right) or may wrap."""

    heading: Text
    number: bool = False
    wraps: bool = False


@dataclass(frozen=True)
class Line:
    """A row of a table; `strong` sets it apart."""

    cells: tuple[Text, ...]
    strong: bool = False


@dataclass(frozen=True)
class Grid:
    """A table before it is laid out."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Sheet:
    """The part of a table that stands on one slide, with the sizes it is drawn in."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    size: float
    widths: tuple[float, ...]
    heights: tuple[float, ...]  # of the header, then of each line


def lay_out(
    grid: Grid, room: tuple[float, float], sizes: Sequence[float] = TABLE_SIZES
) -> list[Sheet]:
    """Cut a table into sheets that fit into `room` (width, height in points).

    As few sheets as possible are taken, filled evenly, in the largest of `sizes` at which they
    suffice; a somewhat smaller one is preferred where it spares all cells to wrap. UserError where a
    table is too wide even in the smallest.
    """
    smallest = _whole(grid, room[0], sizes[-1])
    if smallest is None or max(smallest.heights[1:], default=0) > room[1] - smallest.heights[0]:
        heading = plain(grid.columns[0].heading)
        raise UserError(
            f"A table of the deck (first column '{heading}') is too large for a slide even at "
            f"{sizes[-1]} points; shorten its headings in config/slides.yaml or the names in it."
        )
    count = len(_cuts(smallest, room[1]))
    whole = (_whole(grid, room[0], size) for size in sizes)
    fitting = [s for s in whole if s is not None and len(_cuts(s, room[1])) == count]
    sheet = next((s for s in fitting if s.size >= EVEN_FROM and not _wraps(s)), fitting[0])
    parts = (_part(sheet, start, stop) for start, stop in _even_cuts(sheet, room[1]))
    return [_airy(part, room[1]) for part in parts]


def lay_out_first(
    make: Callable[[int], Grid], most: int, room: tuple[float, float], sizes: Sequence[float]
) -> Sheet:
    """Return the sheet of a table with as many of `most` rows as fit into `room`, smaller than `sizes` where it must.

    `make` returns the table with its first so many rows.
    """
    for tried in (sizes, [size for size in TABLE_SIZES if size < min(sizes)]):
        for count in range(most, 0, -1):
            with suppress(UserError):
                sheet, *others = lay_out(make(count), room, tried)
                if not others:
                    return sheet
    return lay_out(make(1), room)[0]


def lay_out_blocks(
    grids: Sequence[Grid],
    box: Box,
    gaps: tuple[float, float],
    sizes: Sequence[float] = TABLE_SIZES,
) -> list[tuple[Box, Sheet]]:
    """Place small tables below each other in two columns, all in the largest of `sizes` that fits.

    `gaps` are the distance of the columns and that of the tables in them. The tables keep their order,
    and the columns are as even as possible. Returns the place and the sheet of each table; none where
    they do not fit into `box`.
    """
    columns = box.columns(1, 1, gap=gaps[0])
    for size in sizes:
        whole = [_whole(grid, columns[0].width, size) for grid in grids]
        sheets = [sheet for sheet in whole if sheet is not None]
        if len(sheets) < len(grids):
            continue
        splits = [(sheets[:cut], sheets[cut:]) for cut in range(1, len(sheets) + 1)]
        halves = min(splits, key=lambda parts: max(_stack_height(part, gaps[1]) for part in parts))
        if max(_stack_height(part, gaps[1]) for part in halves) <= box.height:
            return [
                placed
                for column, part in zip(columns, halves, strict=True)
                for placed in _stacked(part, column, gaps[1])
            ]
    return []


def _stack_height(sheets: Sequence[Sheet], gap: float) -> float:
    return sum(sum(sheet.heights) + gap for sheet in sheets) - gap


def _stacked(sheets: Sequence[Sheet], column: Box, gap: float) -> list[tuple[Box, Sheet]]:
    placed, top = [], column.top
    for sheet in sheets:
        high = sum(sheet.heights)
        placed.append((Box(column.left, top, column.width, high), sheet))
        top += high + gap
    return placed


def _whole(grid: Grid, room: float, size: float) -> Sheet | None:
    widths = _widths(grid, room, size)
    if widths is None:
        return None
    header = _height([column.heading for column in grid.columns], widths, size, bold=True)
    heights = [_height(line.cells, widths, size, line.strong) for line in grid.lines]
    return Sheet(grid.columns, grid.lines, size, widths, (header, *heights))


def _widths(grid: Grid, room: float, size: float) -> tuple[float, ...] | None:
    """Return the width of each column, or None where they need more than `room`."""
    natural, least = [], []
    for number, column in enumerate(grid.columns):
        cells = [(plain(line.cells[number]), line.strong) for line in grid.lines]
        wide = max((measure.width(text, size, strong) for text, strong in cells), default=0)
        word = max((measure.longest_word(text, size, strong) for text, strong in cells), default=0)
        # Headings break between words; cells do so only in columns that may.
        heading = measure.longest_word(plain(column.heading), size, bold=True)
        heading_wide = measure.width(plain(column.heading), size, True)
        # Two lines at most, and none for a word of two or three characters.
        half = 0.55 * heading_wide + 0.6 * size
        two_lines = heading_wide if heading_wide < 3.2 * size else max(heading, half)
        natural.append(max(wide, two_lines, min(heading_wide, 9 * size)) + 2 * PAD_X + 1)
        # A name may be one word of any length: programs break it where the line ends.
        floor = max(min(word, LONG * size), min(wide, 12 * size)) if column.wraps else wide
        least.append(max(floor, two_lines) + 2 * PAD_X + 1)
    if sum(natural) <= room:
        extra = room - sum(natural)
        return tuple(n + extra * n / sum(natural) for n in natural)
    if sum(least) > room:
        return None
    share = (room - sum(least)) / (sum(natural) - sum(least))
    return tuple(low + share * (high - low) for low, high in zip(least, natural, strict=True))


def _height(cells: Sequence[Text], widths: Sequence[float], size: float, bold: bool) -> float:
    tallest = max(
        measure.height(plain(cell), size, width - 2 * PAD_X, bold) * _raised(plain(cell))
        for cell, width in zip(cells, widths, strict=True)
    )
    return tallest + 2 * PAD_Y


def _raised(text: str) -> float:
    """Return by how much a table raises the lines of a text: to the height of an East Asian font, if it is in one."""
    return RAISED if measure.leading(text) > measure.leading("") else 1.0


def _wraps(sheet: Sheet) -> bool:
    """Tell whether a cell below the header takes more than one line."""
    return max(sheet.heights[1:], default=0) > 2 * sheet.size + 2 * PAD_Y


def _cuts(sheet: Sheet, room: float) -> list[tuple[int, int]]:
    """Return the first and the last line but one of each sheet of at most `room` points height."""
    header, *heights = sheet.heights
    cuts, start, used = [], 0, header
    for number, height in enumerate(heights):
        if number > start and used + height > room:
            cuts.append((start, number))
            start, used = number, header
        used += height
    return [*cuts, (start, len(heights))]


def _even_cuts(sheet: Sheet, room: float) -> list[tuple[int, int]]:
    """Return cuts that fill the sheets evenly: a last one with a single row looks like a mistake."""
    cuts = _cuts(sheet, room)
    header, *heights = sheet.heights
    share = sum(heights) / len(cuts)
    used = 0.0
    ends: list[int] = []
    for number, height in enumerate(heights):
        # A line belongs to the sheet in whose share its middle lies.
        if len(ends) < min(len(cuts) - 1, int((used + height / 2) / share)):
            ends.append(number)
        used += height
    even = list(pairwise([0, *ends, len(heights)]))
    fits = all(header + sum(heights[start:stop]) <= room for start, stop in even)
    return even if fits else cuts


def _airy(sheet: Sheet, room: float) -> Sheet:
    """Let the rows of a short table grow into the room that it leaves."""
    header, *heights = sheet.heights
    factor = max(1.0, min(AIRY, (room - header) / max(1.0, sum(heights))))
    return replace(sheet, heights=(header, *(height * factor for height in heights)))


def _part(sheet: Sheet, start: int, stop: int) -> Sheet:
    return Sheet(
        sheet.columns,
        sheet.lines[start:stop],
        sheet.size,
        sheet.widths,
        (sheet.heights[0], *sheet.heights[1 + start : 1 + stop]),
    )
