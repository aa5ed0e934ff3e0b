"""The deck as a whole: its slides in order, written as a presentation and as a list of its numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff.files import write_json, write_text
from bakeoff.markup import markdown
from bakeoff.slides import backup, package, pictures, talk
from bakeoff.slides.canvas import Deck, new_deck
from bakeoff.slides.parts import dataset_name, protocol_name
from bakeoff.slides.results import Results, load_results
from bakeoff.slides.words import Words, load_words
from bakeoff.study.metric import metric_of

SLIDES_FILE = "config/slides.yaml"

log = logging.getLogger(__name__)


def build_deck(
    spec: Mapping[str, Any],
    root: Path,
    language: str,
    out: Path,
    steps: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the deck of the study below `root` and what belongs to it, each file atomically.

    In the folder `out`: `deck.{language}.pptx`; in its folder `assets`: the pictures on the slides,
    `{figure}.{language}.png`; `numbers.{language}.json`, which traces each value on the slides to the
    cell that it comes from (see `values.Value`): `value` stands at `file`, `row` and `column`, or is
    made of those cells as `how` says, and the slide shows `scale * value`, where a pattern in `file`
    means the folders listed under `runs`; and `notes.{language}.md`, the notes of the speaker.

    `spec` is `{root}/specs/slides/{language}.json`; `language` is `en` or `zh`; `steps` are pairs of rules, of
    which the second reads what the first writes. Equal inputs give equal bytes.

    Raises:
        UserError: a template is wrong, or a table, run or record is missing.
    """
    words = load_words(spec.get("slides", {}), language, SLIDES_FILE, metric_of(spec))
    results = load_results(spec, root, language)
    if pictures.language_of(words) != language:
        log.warning(
            "This machine has no font for the pictures of the deck in '%s', so they are in English. Install one "
            "such as Noto Sans CJK SC, delete matplotlib's cache of fonts, and make the deck again.",
            language,
        )
    deck = _composed(results, words, out / "assets", steps)
    _write_numbers(deck, results, language)
    _write_notes(deck, language)
    title = deck.pages[0].slide.shapes.title.text_frame.text
    last = str(results.last_end().content)
    package.save(deck.presentation, title, language, last, out / f"deck.{language}.pptx")


def _composed(
    results: Results, words: Words, assets: Path, steps: Sequence[tuple[str, str]]
) -> Deck:
    footer = words.say(
        "common.footer",
        study=results.study.value("study.name"),
        dataset=dataset_name(results, words),
        protocol=protocol_name(results, words),
    )
    deck = new_deck(words.language, footer, assets)
    talk.title(deck, results, words)
    talk.background(deck, results, words)
    long_tables = [talk.architectures(deck, results, words)]
    talk.framework(deck, results, words, steps)
    talk.overall(deck, results, words)
    talk.efficiency(deck, results, words)
    talk.ablations(deck, results, words)
    talk.conclusions(deck, results, words)
    talk.contributions(deck, results, words)
    talk.outlook(deck, results, words)

    backup.leftovers(deck, words, long_tables)
    backup.method(deck, results, words)
    backup.leftovers(deck, words, [backup.recipe(deck, results, words)])
    backup.models(deck, results, words)
    backup.pairs(deck, results, words)
    backup.ablations(deck, results, words)
    backup.leftovers(deck, words, [backup.claims(deck, results, words)])
    backup.dynamics(deck, results, words)
    if results.data.get("superclasses"):
        backup.confusion(deck, results, words)
    backup.reproducibility(deck, results, words)
    backup.references(deck, results, words)
    return deck


def _write_numbers(deck: Deck, results: Results, language: str) -> None:
    numbers = [
        {"slide": page.number, "where": where, **value.as_json()}
        for page in deck.pages
        for where, value in page.values
    ]
    runs = [run.folder for run in results.runs]
    content = {"language": language, "runs": runs, "numbers": numbers}
    write_json(deck.assets / f"numbers.{language}.json", content)


def _write_notes(deck: Deck, language: str) -> None:
    notes = [
        f"## {page.number}. {markdown(page.slide.shapes.title.text_frame.text)}\n\n"
        + "".join(f"{markdown(line)}\n" for line in page.notes.split("\n"))
        for page in deck.pages
    ]
    write_text(deck.assets / f"notes.{language}.md", "\n".join(notes))
