"""What several slides are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bakeoff.slides import pictures, theme
from bakeoff.slides.canvas import Page, Paragraph, Style
from bakeoff.slides.grid import Grid, Sheet, lay_out
from bakeoff.slides.results import Results
from bakeoff.slides.theme import Box
from bakeoff.slides.values import Text, Value
from bakeoff.slides.words import Words


@dataclass(frozen=True)
class Leftover:
    """The sheets of a table that did not fit on its slide of the talk; the backup shows them."""

    kicker: Text = ()
    title: Text = ()
    sheets: Sequence[Sheet] = ()


def table(page: Page, grid: Grid, kicker: Text, title: Text) -> Leftover:
    """Draw the first sheet of a table on `page` and return the others."""
    first, *others = sheets(page, grid)
    page.table(page.body, first, "Table")
    return Leftover(kicker, title, others)


def sheets(page: Page, grid: Grid, reserve: float = 0) -> list[Sheet]:
    """Lay out a table for `page`, and for slides with a longer title if it needs several.

    `reserve` is the height in points that is to be left free below it.
    """
    laid = lay_out(grid, (page.body.width, page.body.height - reserve))
    if len(laid) == 1:
        return laid
    return lay_out(grid, (theme.BODY.width, theme.BODY.height - reserve))


def figure(page: Page, box: Box, name: str, alt: Text, results: Results, words: Words) -> None:
    """Draw a figure of the study into `box`."""
    page.picture(box, pictures.draw(name, box, results, words, page.deck.assets), alt)


def figure_and_text(
    page: Page, name: str, alt: Text, texts: Sequence[Text], results: Results, words: Words
) -> None:
    """Show a figure with statements about it beside it."""
    if not texts:
        figure(page, page.body, name, alt, results, words)
        return
    left, side = page.body.columns(2.15, 1, gap=28)
    figure(page, left, name, alt, results, words)
    paragraphs = [Paragraph(text, Style(bullet=True, gap=0.7)) for text in texts]
    page.write(side, paragraphs, theme.BODY_SIZES[1:], anchor="middle")


def say(page: Page, words: Words, *texts: Text) -> None:
    """Set the notes of the speaker: the texts, then the files behind the slide."""
    files = page.files()
    sources = [words.say("common.sources", files=", ".join(files))] if files else []
    page.say([*texts, *sources])


def dataset_name(results: Results, words: Words) -> Value:
    """Return the name of the data set as slides show it."""
    return words.named(results.study.value("study.dataset"))


def protocol_name(results: Results, words: Words) -> Value:
    """Return the name of the protocol as slides show it."""
    return words.named(results.study.value("study.protocol"))


def ablation_names(results: Results, words: Words) -> list[Text]:
    """Return the short names of the ablations."""
    return [(words.named(spec.value("ablation")),) for spec in results.ablation_specs.values()]
