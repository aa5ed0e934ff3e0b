"""Reading tables and JSON files of a study so that every value knows where it stands."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError, did_you_mean
from bakeoff.files import read_json
from bakeoff.slides.formats import MISSING, Format, duration, whole
from bakeoff.slides.values import How, Source, Text, Value

Row = Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """A CSV file below the root of the study: `rows` as text, identified by the columns `key`."""

    file: str
    key: tuple[str, ...]
    rows: tuple[Row, ...]

    def row(self, *key: str) -> Row | None:
        """Return the row whose key columns hold `key`, or None."""
        return next((row for row in self.rows if self._key(row) == key), None)

    def number(self, row: Row, column: str) -> float | None:
        """Return a number, or None where the cell is empty: not measured."""
        text = self.text(row, column)
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            raise UserError(
                f"{self.file}: expected a number in column '{column}' of row "
                f"'{' / '.join(self._key(row))}', found '{text}'; make the table again."
            ) from None
        return number if math.isfinite(number) else None

    def text(self, row: Row, column: str) -> str:
        """Return the content of a cell, empty where nothing was measured."""
        if column not in row:
            raise UserError(
                f"{self.file}: the column '{column}' is missing{did_you_mean(column, row)}; "
                "make the table again."
            )
        return row[column]

    def true(self, row: Row, column: str) -> bool:
        """Tell whether a cell holds true."""
        return self.text(row, column).lower() in {"true", "1", "1.0"}

    def value(self, row: Row, column: str, form: Format, scale: float = 1) -> Value:
        """Return the number of a cell times `scale`, as `form` shows it.

        Raises:
            UserError: it is empty.
        """
        number = self.number(row, column)
        if number is None:
            raise UserError(
                f"{self.file}: column '{column}' of row '{' / '.join(self._key(row))}' is empty, "
                "but a slide needs it; complete the runs and make the table again."
            )
        return Value(form(number * scale), number, self._source(row, column), scale)

    def cell(self, row: Row, column: str, form: Format, scale: float = 1) -> Text:
        """Return a number as the text of a table, a dash where it was not measured."""
        if self.number(row, column) is None:
            return (MISSING,)
        return (self.value(row, column, form, scale),)

    def time(self, row: Row, column: str) -> Value:
        """Return a cell that holds hours, in its natural unit."""
        hours = self.number(row, column) or 0.0
        text, per_hour = duration(hours)
        return Value(text, hours, self._source(row, column), per_hour)

    def word(self, row: Row, column: str, shown: str | None = None) -> Value:
        """Return the text of a cell, shown as `shown` where a glossary translates it."""
        text = self.text(row, column)
        return Value(text if shown is None else shown, text, self._source(row, column))

    def count(self, column: str, content: str | None = None) -> Value:
        """Return the number of rows, or of those whose `column` holds `content`."""
        picked = () if content is None else ((column, content),)
        rows = [row for row in self.rows if content in (None, self.text(row, column))]
        return _made(len(rows), "count", self.file, column, picked)

    def where(self, column: str, **cells: str) -> Value:
        """Return the number of rows whose columns hold `cells`; `column` is what they are counted by."""
        rows = [row for row in self.rows if all(self.text(row, c) == t for c, t in cells.items())]
        return _made(len(rows), "count", self.file, column, tuple(cells.items()))

    def distinct(self, column: str) -> Value:
        """Return the number of different contents of `column`."""
        contents = {self.text(row, column) for row in self.rows} - {""}
        return _made(len(contents), "distinct", self.file, column)

    def over(self, how: How, column: str, form: Format) -> Value:
        """Return the sum, least or greatest of `column`; empty cells do not count."""
        functions: Mapping[str, Callable[[Sequence[float]], float]] = {
            "sum": math.fsum,
            "min": min,
            "max": max,
        }
        numbers = [n for row in self.rows if (n := self.number(row, column)) is not None]
        number = functions[how](numbers)
        return Value(form(number), number, Source(self.file, column, (), how))

    def _key(self, row: Row) -> tuple[str, ...]:
        return tuple(self.text(row, column) for column in self.key)

    def _source(self, row: Row, column: str) -> Source:
        return Source(self.file, column, tuple(zip(self.key, self._key(row), strict=True)))


@dataclass(frozen=True)
class Document:
    """A JSON file below the root of the study, or the part of one at a dotted path."""

    file: str
    content: Any
    at: str = ""
    """Where the part stands: empty, or a dotted path and a dot."""

    def part(self, path: str) -> Document:
        """Return what stands at a dotted path."""
        return Document(self.file, self.get(path, {}), f"{self.at}{path}.")

    def get(self, path: str, default: Any = None) -> Any:
        """Return what stands at a dotted path, or `default`."""
        found = self.content
        for step in path.split("."):
            if isinstance(found, Mapping) and step in found:
                found = found[step]
            elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
                found = found[int(step)]
            else:
                return default
        return found

    def value(self, path: str, form: Callable[[Any], str] = str) -> Value:
        """Return what stands at a dotted path, as `form` shows it.

        Raises:
            UserError: nothing does.
        """
        content = self.get(path)
        if content is None:
            raise UserError(
                f"{self.file}: '{path}' is missing, but a slide needs it; make the file again."
            )
        number = isinstance(content, (int, float)) and not isinstance(content, bool)
        kept = content if number else str(content)
        return Value(form(content), kept, Source(self.file, f"{self.at}{path}"))

    def count(self, path: str) -> Value:
        """Return the number of entries of the list at a dotted path."""
        return _made(len(self.get(path, [])), "count", self.file, f"{self.at}{path}")


def read_table(root: Path, file: str, *key: str) -> Table:
    """Read the CSV `file` below `root`, whose rows are identified by the columns `key`."""
    _expect(root, file)
    with (root / file).open(encoding="utf-8", newline="") as stream:
        table = Table(file, key, tuple(csv.DictReader(stream)))
    for row in table.rows:
        if None in row or None in row.values():
            raise UserError(
                f"{file}: a row has another number of cells than the header; make the table again."
            )
    return table


def read_document(root: Path, file: str) -> Document:
    """Read the JSON `file` below `root`."""
    _expect(root, file)
    try:
        return Document(file, read_json(root / file))
    except ValueError as error:
        raise UserError(f"{file}: not valid JSON ({error}); make the file again.") from None


def _made(
    number: int, how: How, file: str, column: str, row: tuple[tuple[str, str], ...] = ()
) -> Value:
    return Value(whole(number), number, Source(file, column, row, how))


def _expect(root: Path, file: str) -> None:
    if not (root / file).is_file():
        raise UserError(
            f"{root / file}: this file is missing; the deck is made after it, so make it first."
        )
