"""The deck as a whole: its slides in order, written as a presentation and as a list of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bakeoff.files import write_json, write_text
from bakeoff.slides import backup, package, talk
from bakeoff.slides.canvas import Deck, new_deck
from bakeoff.slides.parts import dataset_name, protocol_name
from bakeoff.slides.results import Results, load_results
from bakeoff.slides.words import load_words

SLIDES_FILE = "config/slides.yaml"


def build_deck(spec: Mapping[str, Any], root: Path, language: str, out: Path) -> None:
    """Write the deck of the study below `root` to `out`, atomically.

    `spec` is `{root}/specs/slides.json`; `language` is `en` or `zh`. Equal inputs give equal bytes.

    Raises UserError when a template is wrong, or when a table, figure or record is missing.
    """
    results = load_results(spec, root)
    deck = _composed(results, spec, language)
    last = str(results.last_end().content)
    title = deck.pages[0].slide.shapes.title.text_frame.text
    package.save(deck.presentation, title, language, last, out)


def write_assets(spec: Mapping[str, Any], root: Path, language: str, out: Path) -> None:
    """Write `numbers.{language}.json` and `notes.{language}.md` into the folder `out`, atomically.

    The first traces each value on the slides to the cell that it comes from (see `values.Value`):
    `value` stands at `file`, `row` and `column`, or is made of those cells as `how` says, and the
    slide shows `scale * value`. A pattern in `file` means the folders listed under `runs`. The
    second holds the notes of the speaker. Raises UserError as `build_deck` does.
    """
    results = load_results(spec, root)
    deck = _composed(results, spec, language)
    numbers = [
        {"slide": page.number, "where": where, **value.as_json()}
        for page in deck.pages
        for where, value in page.values
    ]
    runs = [run.folder for run in results.runs]
    content = {"language": language, "runs": runs, "numbers": numbers}
    write_json(out / f"numbers.{language}.json", content)
    notes = [
        f"## {page.number}. {page.slide.shapes.title.text_frame.text}\n\n{page.notes}\n"
        for page in deck.pages
    ]
    write_text(out / f"notes.{language}.md", "\n".join(notes))


def _composed(results: Results, spec: Mapping[str, Any], language: str) -> Deck:
    words = load_words(spec.get("slides", {}), language, SLIDES_FILE)
    footer = words.say(
        "common.footer",
        study=results.study.value("study.name"),
        dataset=dataset_name(results, words),
        protocol=protocol_name(results, words),
    )
    deck = new_deck(language, footer)
    talk.title(deck, results, words)
    talk.method(deck, results, words)
    long_tables = [
        talk.architectures(deck, results, words),
        talk.recipe(deck, results, words),
    ]
    talk.overall(deck, results, words)
    talk.efficiency(deck, results, words)
    talk.dynamics(deck, results, words)
    talk.ablations(deck, results, words)
    long_tables.append(talk.claims(deck, results, words))
    talk.conclusions(deck, results, words)

    backup.leftovers(deck, words, long_tables)
    backup.models(deck, results, words)
    backup.pairs(deck, results, words)
    backup.ablations(deck, results, words)
    backup.confusion(deck, results, words)
    backup.reproducibility(deck, results, words)
    backup.references(deck, results, words)
    return deck
