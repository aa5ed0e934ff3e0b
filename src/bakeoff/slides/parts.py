"""What several slides are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bakeoff.slides import theme
from bakeoff.slides.canvas import Page, Paragraph, Style
from bakeoff.slides.grid import Grid, Sheet, lay_out
from bakeoff.slides.results import Results
from bakeoff.slides.values import Text, Value
from bakeoff.slides.words import Words

WIDE = 1.8
"""Width / height from which a figure takes the whole width of a slide."""


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


def sheets(page: Page, grid: Grid) -> list[Sheet]:
    """Lay out a table for `page`, and for slides with a longer title if it needs several."""
    laid = lay_out(grid, (page.body.width, page.body.height))
    return laid if len(laid) == 1 else lay_out(grid, (theme.BODY.width, theme.BODY.height))


def figure_and_text(
    page: Page, results: Results, name: str, alt: Text, texts: Sequence[Text]
) -> None:
    """Show a figure with statements about it: beside it, or below a figure that is wide and low."""
    path = results.figure(name)
    if not texts:
        page.picture(page.body, path, alt)
        return
    paragraphs = [Paragraph(text, Style(bullet=True, gap=0.7)) for text in texts]
    if page.shape_of(path) > WIDE:
        figure, below = page.body.rows(1.6, 1, gap=20)
        page.picture(figure, path, alt)
        page.write(below, paragraphs)
    else:
        figure, side = page.body.columns(1.9, 1, gap=32)
        page.picture(figure, path, alt)
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
    return [
        (words.named(results.study.value(f"ablations.{number}")),)
        for number in range(len(results.ablations))
    ]


def claim_counts(results: Results) -> dict[str, Value]:
    """Return the number of claims and of each verdict."""
    claims = results.claims
    verdicts = ("confirmed", "refuted", "inconclusive", "not tested")
    counts = {name.replace(" ", "_"): claims.count("verdict", name) for name in verdicts}
    return {"claims": claims.count("id"), **counts}
