"""Values that remember where they come from, and texts made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

How = Literal["cell", "count", "distinct", "sum", "min", "max"]


@dataclass(frozen=True)
class Source:
    """Where a value stands, relative to the root of the study.

    `row` holds the columns and contents that pick the row of a table; empty, it means all rows.
    In a JSON file `row` is empty and `column` is the dotted path of the value. `how` tells what was
    made of the cells that `row` and `column` pick.
    """

    file: str
    column: str
    row: tuple[tuple[str, str], ...] = ()
    how: How = "cell"


@dataclass(frozen=True)
class Value:
    """Something printed on a slide: `text` shows `scale * content`, and `content` stands at `source`."""

    text: str
    content: float | str
    source: Source
    scale: float = 1

    def as_json(self) -> dict[str, Any]:
        """Return the value as it stands in `numbers.{language}.json`."""
        return {
            "text": self.text,
            "value": self.content,
            "scale": self.scale,
            "file": self.source.file,
            "row": dict(self.source.row),
            "column": self.source.column,
            "how": self.source.how,
        }


Text = tuple[str | Value, ...]


def plain(text: Text) -> str:
    """Return the characters of `text`."""
    return "".join(part if isinstance(part, str) else part.text for part in text)


def values_in(text: Text) -> Iterable[Value]:
    """Return the values in `text`, in order."""
    return (part for part in text if isinstance(part, Value))


def join(texts: Iterable[Text], separator: str) -> Text:
    """Return `texts` with `separator` between them."""
    joined: list[str | Value] = []
    for number, text in enumerate(texts):
        if number:
            joined.append(separator)
        joined.extend(text)
    return tuple(joined)
