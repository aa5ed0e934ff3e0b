"""The backup slides: what the talk leaves out, for the questions after it."""

from __future__ import annotations

from collections.abc import Iterable

from bakeoff.slides import findings, records, rows, theme
from bakeoff.slides.canvas import Deck, Paragraph, Style
from bakeoff.slides.grid import Grid
from bakeoff.slides.parts import Leftover, figure, say, sheets
from bakeoff.slides.results import Results
from bakeoff.slides.values import Text
from bakeoff.slides.words import Words

SIZES = theme.BODY_SIZES[2:]
GAP = 18.0
"""Between a table and the sentences below it."""


def leftovers(deck: Deck, words: Words, tables: Iterable[Leftover]) -> None:
    """Show the rest of the tables that were too long for the talk."""
    for left in tables:
        for sheet in left.sheets:
            page = deck.topic(left.kicker, (*left.title, *words.say("common.continued")))
            page.table(page.body, sheet, "Table")
            say(page, words)


def models(deck: Deck, results: Results, words: Words) -> None:
    """All variants with accuracy and costs."""
    title = words.say("backup.models.title", variants=results.models.count("variant"))
    _tables(deck, words, "models", title, rows.models(results, words))


def pairs(deck: Deck, results: Results, words: Words) -> None:
    """Differences between the leading variants; no slide where there is nothing to compare."""
    grid = rows.pairs(results, words)
    if grid.lines:
        best = findings.name_of(results, findings.networks(results)[0])
        _tables(deck, words, "pairs", words.say("backup.pairs.title", best=best), grid)


def ablations(deck: Deck, results: Results, words: Words) -> None:
    """One table for each ablation, with all that its arms show below it."""
    for name, table in results.ablations.items():
        spec = results.ablation_specs[name]
        title = words.say("backup.ablation.title", ablation=spec.value(f"title.{words.language}"))
        sentences = [words.tell(finding) for finding in findings.of_ablation(table, words)]
        _tables(deck, words, "ablation", title, rows.ablation(table, words), sentences)


def confusion(deck: Deck, results: Results, words: Words) -> None:
    """Which superclasses the best variant confuses."""
    best = findings.name_of(results, findings.networks(results)[0])
    page = deck.topic(
        words.say("backup.confusion.kicker"), words.say("backup.confusion.title", best=best)
    )
    left, side = page.body.columns(2.4, 1, gap=32)
    alt = words.say("backup.confusion.alt", best=best)
    figure(page, left, "superclass_confusion", alt, results, words)
    count = results.data.count("superclasses")
    text = words.say("backup.confusion.text", superclasses=count)
    page.write(side, [text], theme.BODY_SIZES[2:], anchor="middle")
    say(page, words, words.say("backup.confusion.notes"))


def reproducibility(deck: Deck, results: Results, words: Words) -> None:
    """Commits, versions, hardware and seeds of the runs."""
    _tables(
        deck,
        words,
        "reproducibility",
        records.heading(results, words),
        records.grid(results, words),
    )


def references(deck: Deck, results: Results, words: Words) -> None:
    """The papers of the compared variants."""
    grid = rows.references(results, words)
    if grid.lines:
        _tables(deck, words, "references", words.say("backup.references.title"), grid)


def _tables(
    deck: Deck, words: Words, section: str, title: Text, grid: Grid, below: Iterable[Text] = ()
) -> None:
    """Show a table on as many slides as it needs, with sentences below it on the last."""
    kicker = words.say(f"backup.{section}.kicker")
    paragraphs = [Paragraph(text, Style(bullet=True, gap=0.4)) for text in below]
    page = deck.topic(kicker, title)
    reserve = page.height(page.body, paragraphs, SIZES) + GAP if paragraphs else 0
    first, *others = sheets(page, grid, reserve)
    page.table(page.body, first, "Table")
    for sheet in others:
        say(page, words, words.say(f"backup.{section}.notes"))
        page = deck.topic(kicker, (*title, *words.say("common.continued")))
        page.table(page.body, sheet, "Table")
    if paragraphs:
        last = [first, *others][-1]
        _, rest = page.body.top_part(sum(last.heights), gap=GAP)
        page.write(rest, paragraphs, SIZES)
    say(page, words, words.say(f"backup.{section}.notes"))
