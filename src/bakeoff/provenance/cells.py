"""Values and where they stand: cells of tables, and what stands at a path in a JSON file."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError
from bakeoff.provenance.graph import read_result

# What identifies a row of each table.
KEYS: Mapping[str, tuple[str, ...]] = {
    "comparison/models.csv": ("variant",),
    "comparison/families.csv": ("family",),
    "comparison/pairwise.csv": ("variant_a", "variant_b"),
    "comparison/runs.csv": ("variant", "seed"),
    "claims/claims.csv": ("id",),
}
ABLATION_KEY = ("arm",)


@dataclass(frozen=True)
class Cell:
    """A value and where it stands, as in an entry of `slides/assets/numbers.{language}.json`."""

    value: float | str
    file: str
    """Below the root; `*` in it stands for each of the runs that the tables use."""
    column: str
    """Of a table, or the dotted path in a JSON file."""
    row: Mapping[str, str]
    """Columns and contents that pick the row; empty means all rows."""
    how: str
    """`cell`, or what was made of all that `row` and `column` pick."""

    @property
    def place(self) -> str:
        """Where the value stands, in words."""
        row = ", ".join(f"{column} = {content}" for column, content in self.row.items())
        made = "" if self.how == "cell" else f"{self.how} of "
        return f"{self.file}: {made}{self.column}{f' where {row}' if row else ''}"

    @property
    def in_study(self) -> bool:
        """Whether it stands in a file of the study; a level of confidence, for one, stands in the code."""
        return Path(self.file).suffix in (".csv", ".json")


def row_key(file: str) -> tuple[str, ...]:
    """Return the columns that identify a row of a table of the study; none for another file."""
    return ABLATION_KEY if file.startswith("ablation/") else KEYS.get(file, ())


def cells_of_table(root: Path, file: str) -> list[Cell]:
    """Return the cells of a table of the study in `root` that are not empty.

    Raises:
        UserError: the file is missing, or is no table that rows are known of.
    """
    keys = row_key(file)
    if not keys:
        raise UserError(f"{root / file} is no table whose rows can be traced: {', '.join(KEYS)}.")
    return [
        Cell(content, file, column, {key: row[key] for key in keys}, "cell")
        for row in _rows(root / file)
        for column, content in row.items()
        if content
    ]


def agrees(root: Path, cell: Cell, runs: Sequence[str]) -> bool:
    """Return whether a value is what its file says now.

    Args:
        root: of the study.
        cell: a value that stands in a file of the study.
        runs: those that `*` in a file's name stands for.

    Raises:
        UserError: the file is missing or damaged, or has no such row or column.
    """
    found = _MADE[cell.how](_contents(root, cell, runs))
    if isinstance(cell.value, str):
        return str(found) == cell.value
    return math.isclose(float(found), cell.value, rel_tol=1e-9, abs_tol=1e-12)


def _contents(root: Path, cell: Cell, runs: Sequence[str]) -> list[Any]:
    """Return what `row` and `column` pick; empty cells of a table only where rows are counted."""
    try:
        if cell.file.endswith(".csv"):
            rows = [
                row
                for row in _rows(root / cell.file)
                if all(row[column] == content for column, content in cell.row.items())
            ]
            found = [row[cell.column] for row in rows if row[cell.column] or cell.how == "count"]
        elif "*" in cell.file:
            name = Path(cell.file).name
            found = [_at(read_result(root / run / name), cell.column) for run in runs]
            found = [item for item in found if not cell.row or str(item) in cell.row.values()]
        else:
            content = _at(read_result(root / cell.file), cell.column)
            found = list(content) if cell.how == "count" else [content]
    except (KeyError, IndexError, TypeError):
        found = []
    if not found and cell.how != "count":
        raise UserError(f"{root / cell.file} has nothing at {cell.place}.")
    return [json.dumps(item) if isinstance(item, dict) else item for item in found]


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} cannot be read ({error}). Run Snakemake to make it again."
        ) from None


def _at(content: Any, path: str) -> Any:
    for step in path.split("."):
        content = content[int(step)] if isinstance(content, list) else content[step]
    return content


def _order(item: Any) -> tuple[int, Any]:
    try:
        return 0, float(item)
    except ValueError:
        return 1, item


_MADE: Mapping[str, Callable[[list[Any]], Any]] = {
    "cell": lambda found: found[0],
    "count": len,
    "distinct": lambda found: len(set(map(str, found))),
    "sum": lambda found: math.fsum(map(float, found)),
    "min": lambda found: min(found, key=_order),
    "max": lambda found: max(found, key=_order),
}
