"""The pictures of the deck: figures drawn in its language, at the size of their place on a slide."""

from __future__ import annotations

from pathlib import Path

from bakeoff.figures.files import plot
from bakeoff.figures.sheet import Sheet, can_write
from bakeoff.slides.results import Results
from bakeoff.slides.theme import Box
from bakeoff.slides.words import Words

POINTS = 72  # of an inch

# The figures that the deck shows; read by the workflow, without an import, as what the rule writes.
PICTURES = ("accuracy_vs_time", "learning_curves", "superclass_confusion")


def draw(figure: str, box: Box, results: Results, words: Words, folder: Path) -> Path:
    """Draw a figure of the study as large as `box` to `{folder}/{figure}.{language}.png`.

    It fills the width of the box, and its height unless it would look stretched. Returns the file;
    UserError where what the figure is drawn from is missing or damaged.
    """
    file = folder / f"{figure}.{words.language}.png"
    sheet = Sheet(
        files=(file,),
        width=box.width / POINTS,
        room=box.height / POINTS,
        language=language_of(words),
        names={**words.glossaries["names"], **_titles(results, words)},
    )
    plot(figure, results.root, list(results.ablations), sheet)
    return file


def language_of(words: Words) -> str:
    """Return the language of the pictures: English where this machine has no font for that of the deck."""
    return words.language if can_write(words.language) else "en"


def _titles(results: Results, words: Words) -> dict[str, str]:
    """Return what to show for the titles of the ablations, which their tables have in English."""
    specs = results.ablation_specs.values()
    return {spec.get("title.en"): spec.get(f"title.{language_of(words)}") for spec in specs}
