"""What several slides are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bakeoff.slides import findings, pictures, theme
from bakeoff.slides.canvas import Page
from bakeoff.slides.formats import whole
from bakeoff.slides.grid import Grid, Sheet, lay_out
from bakeoff.slides.results import Results
from bakeoff.slides.tables import Table
from bakeoff.slides.theme import Box
from bakeoff.slides.values import Text, Value, plain
from bakeoff.slides.words import Words

PROTOCOLS = ("uniform", "tuned", "fast")
"""Those with sentences of their own; any other is shown by its name."""


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


def speak(page: Page, words: Words, seconds: int, *texts: Text) -> None:
    """Set what is said on a slide of the talk: of the texts as many as there is time for, the first in any case."""
    kept, room = list(texts[:1]), seconds - speaking_seconds(plain(texts[0]), words.language)
    for text in texts[1:]:
        if (needed := speaking_seconds(plain(text), words.language)) <= room:
            kept.append(text)
            room -= needed
    say(page, words, *kept)


def speaking_seconds(text: str, language: str) -> float:
    """Return how long a text takes to say: at 130 words a minute in English, at 240 characters in Chinese."""
    if language == "zh":
        # A name in Latin letters takes about as long as two characters for each of its parts.
        latin = re.findall(r"[A-Za-z0-9.,%+−-]+", text)
        return 60 * (len(re.findall(r"[\u4e00-\u9fff]", text)) + 2 * len(latin)) / 240
    return 60 * len(text.split()) / 130


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


def claims_key(results: Results) -> str:
    """Return which sentence fits: that the study has no claims, that none was tested, or that some were."""
    if not results.claims.rows:
        return "none"
    return "none_tested" if findings.none_tested(results) else "tested"


def span_of(tables: Sequence[Table], column: str, words: Words) -> Text:
    """Return from which whole number to which one a column goes in all of these tables."""
    least = min((table.over("min", column, whole) for table in tables), key=_content)
    most = max((table.over("max", column, whole) for table in tables), key=_content)
    return words.span(least, most)


def _content(value: Value) -> float:
    return float(value.content)
