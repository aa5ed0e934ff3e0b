"""The backup slides: what the talk leaves out, for the questions after it."""

from __future__ import annotations

from collections.abc import Iterable

from bakeoff.slides import findings, records, rows, theme
from bakeoff.slides import recipe as recipe_tables
from bakeoff.slides.canvas import Deck, Paragraph, Style
from bakeoff.slides.formats import three_digits, whole
from bakeoff.slides.grid import Grid, lay_out_blocks
from bakeoff.slides.parts import (
    PROTOCOLS,
    Leftover,
    claims_key,
    dataset_name,
    figure,
    protocol_name,
    say,
    sheets,
    span_of,
    table,
)
from bakeoff.slides.results import Results
from bakeoff.slides.theme import Box
from bakeoff.slides.values import Text
from bakeoff.slides.words import Words

SIZES = theme.BODY_SIZES[2:]
CAPTION = Style(theme.GREY, gap=0.4)
HEADING = Style(theme.ACCENT, bold=True)
LEAD = Style(gap=0.7)
GAP = 18.0
"""Between a table and the sentences below it."""


def leftovers(deck: Deck, words: Words, tables: Iterable[Leftover]) -> None:
    """Show the rest of the tables that were too long for the talk."""
    for left in tables:
        for sheet in left.sheets:
            page = deck.topic(left.kicker, (*left.title, *words.say("common.continued")))
            page.table(page.body, sheet, "Table")
            say(page, words)


def method(deck: Deck, results: Results, words: Words) -> None:
    """The question, and what the intervals count."""
    kind = "repeated" if results.repeated else "one_seed"
    page = deck.topic(words.say("method.kicker"), words.say(f"method.title.{kind}"))
    question, rest = page.body.top_part(64, gap=14)
    page.write(
        question,
        [Paragraph(words.say("method.question", dataset=dataset_name(results, words)))],
        (22, 20, 18, 16),
        anchor="middle",
    )
    data = results.data
    train, validation, test = (
        data.value(f"{split}_images", whole) for split in ("train", "validation", "test")
    )
    seeds = _seeds_text(results, words)
    level = rows.confidence()
    texts = {
        "validation": words.say("method.card.validation.text", validation=validation),
        "test": words.say("method.card.test.text", test=test),
        "seeds": seeds,
        "intervals": words.say(f"method.card.intervals.text.{kind}", confidence=level),
    }
    boxes = rest.columns(1, 1, 1, 1, gap=18)
    for box in boxes:
        page.block(box, theme.PALE, name="Card")
        page.block(Box(box.left, box.top, box.width, 3), theme.ACCENT, name="Card edge")
    blocks = [
        [Paragraph(words.say(f"method.card.{name}.heading"), HEADING), Paragraph(text, LEAD)]
        for name, text in texts.items()
    ]
    page.write_alike([box.inner(16, 16) for box in boxes], blocks)
    classes = data.count("classes")
    say(
        page,
        words,
        words.say("method.notes", train=train, validation=validation, test=test, classes=classes),
    )


def recipe(deck: Deck, results: Results, words: Words) -> Leftover:
    """How the variants were trained."""
    name = str(results.study.get("study.protocol"))
    key = name if name in PROTOCOLS else "other"
    shown = protocol_name(results, words)
    heading = words.say(
        f"protocol.title.{key}",
        epochs=results.study.value("study.epochs", whole),
        protocol=shown,
    )
    page = deck.topic(words.say("protocol.kicker"), heading)
    say(page, words, words.say("protocol.notes", protocol=shown))
    recipes = recipe_tables.recipes(results)
    if len(recipes) == 1:
        blocks = recipe_tables.blocks(recipes[0], words)
        if placed := lay_out_blocks(blocks, page.body, gaps=(48, 18)):
            for box, sheet in placed:
                page.table(box, sheet, "Recipe")
            return Leftover()
    grid = recipe_tables.table(recipes, words)
    return table(page, grid, words.say("protocol.kicker"), heading)


def claims(deck: Deck, results: Results, words: Words) -> Leftover:
    """Published claims, one by one."""
    heading = words.say(f"claims.title.{claims_key(results)}")
    page = deck.topic(words.say("claims.kicker"), heading)
    say(page, words, words.say("claims.notes"))
    if not results.claims.rows:
        page.write(page.body, [words.say("claims.none")])
        return Leftover()
    counts = [words.tell(finding) for finding in findings.claims_of(results)]
    below = page.body
    told, page.body = below.top_part(22 * len(counts), gap=6)
    page.write(told, [Paragraph(text) for text in counts], theme.CAPTION_SIZES)
    return table(page, rows.claims(results, words), words.say("claims.kicker"), heading)


def dynamics(deck: Deck, results: Results, words: Words) -> None:
    """Learning curves, and accuracy against training time."""
    page = deck.topic(words.say("dynamics.kicker"), words.tell(findings.training_time(results)))
    figures, captions = page.body.rows(320, 50, gap=12)
    left, right = figures.columns(1, 1)
    alts = words.say("dynamics.curves_alt"), words.say("dynamics.time_alt")
    figure(page, left, "learning_curves", alts[0], results, words)
    figure(page, right, "accuracy_vs_time", alts[1], results, words)
    below_left, below_right = captions.columns(1, 1)
    page.write(below_left, [Paragraph(words.say("dynamics.curves"), CAPTION)], theme.CAPTION_SIZES)
    hours = results.gpu_hours(three_digits)
    if hours is None:
        cost = words.say("dynamics.cost_unknown")
    else:
        cost = words.say("dynamics.cost", gpu_hours=hours, runs=results.run_count())
    page.write(below_right, [Paragraph(cost, CAPTION)], theme.CAPTION_SIZES)
    say(page, words, words.say("dynamics.notes"))


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
    for name, arms in results.ablations.items():
        spec = results.ablation_specs[name]
        title = words.say("backup.ablation.title", ablation=spec.value(f"title.{words.language}"))
        sentences = [words.tell(finding) for finding in findings.of_ablation(arms, words)]
        _tables(deck, words, "ablation", title, rows.ablation(arms, words), sentences)


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


def _seeds_text(results: Results, words: Words) -> Text:
    if not results.repeated:
        return words.say("method.card.seeds.text.one_seed")
    tables = [*results.ablations.values()]
    seeds = span_of([results.models], "seeds", words)
    if not tables:
        return words.say("method.card.seeds.text.repeated", seeds=seeds)
    arms = span_of(tables, "seeds", words)
    return words.say("method.card.seeds.text.with_ablations", seeds=seeds, arm_seeds=arms)
