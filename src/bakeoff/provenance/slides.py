"""What is on the slides of a deck: its numbers with their cells, and its pictures with their files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pptx import Presentation

from bakeoff.errors import UserError
from bakeoff.provenance.cells import Cell
from bakeoff.provenance.graph import Graph, read_result


@dataclass(frozen=True)
class Number:
    """A value as it is shown: on the slide, in the notes, or in the description of a picture."""

    text: str
    where: str
    cell: Cell


@dataclass(frozen=True)
class Slide:
    """One slide of a deck."""

    number: int
    title: str
    numbers: tuple[Number, ...]
    pictures: tuple[str, ...]
    """Files of the study, relative to its root."""

    @property
    def files(self) -> tuple[str, ...]:
        """Files of the study that the slide shows something of, without repeats."""
        cells = (number.cell for number in self.numbers)
        return tuple(
            dict.fromkeys([*self.pictures, *(cell.file for cell in cells if cell.in_study)])
        )


def load_slides(graph: Graph, deck: str) -> tuple[Slide, ...]:
    """Return the slides of `deck`, a file of the study.

    Raises:
        UserError: the deck or the list of its numbers is missing or damaged.
    """
    numbers = read_result(numbers_file(graph.root, deck))["numbers"]
    try:
        slides = Presentation(str(graph.root / deck)).slides
    except Exception as error:  # python-pptx lets errors of zip, XML and its own classes through
        raise UserError(
            f"{graph.root / deck} is no presentation that can be read ({error}). Run Snakemake to make it again."
        ) from None
    pictures = _pictures(graph)
    return tuple(
        Slide(
            number=number,
            title=_title(slide),
            numbers=_numbers(entry for entry in numbers if entry["slide"] == number),
            pictures=tuple(
                dict.fromkeys(pictures[d] for d in _picture_digests(slide) if d in pictures)
            ),
        )
        for number, slide in enumerate(slides, start=1)
    )


def drawn_as(graph: Graph, picture: str) -> str:
    """Return the job whose tables a picture is drawn from.

    A deck draws its own pictures, in its language and at its size, as the figures of the same names are drawn.
    """
    figure = f"figures/{Path(picture).name.partition('.')[0]}"
    return figure if figure in graph.records else graph.writers[picture]


def numbers_file(root: Path, deck: str) -> Path:
    """Return the file that lists the numbers of a deck, `slides/deck.{language}.pptx`."""
    language = Path(deck).suffixes[-2]
    return root / "slides" / "assets" / f"numbers{language}.json"


def is_deck(path: str) -> bool:
    """Return whether a file of the study, relative to its root, is a deck."""
    return path.startswith("slides/deck.") and path.endswith(".pptx")


def _numbers(entries: Any) -> tuple[Number, ...]:
    return tuple(
        Number(
            entry["text"],
            entry["where"],
            Cell(entry["value"], entry["file"], entry["column"], entry["row"], entry["how"]),
        )
        for entry in entries
    )


def _pictures(graph: Graph) -> dict[str, str]:
    """Return {digest: file} of the study's pictures: a deck holds them byte by byte."""
    return {
        record.writes[path].digest: path
        for record in graph.records.values()
        for path in record.writes
        if path.endswith(".png")
    }


def _picture_digests(slide: Any) -> Sequence[str]:
    return [
        hashlib.sha256(shape.image.blob).hexdigest()
        for shape in slide.shapes
        if hasattr(shape, "image")
    ]


def _title(slide: Any) -> str:
    title = slide.shapes.title
    return title.text_frame.text if title is not None else ""
