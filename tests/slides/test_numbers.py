"""Every number on a slide, and where it comes from."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation

from bakeoff.slides import build_deck, formats
from bakeoff.slides.templates import LANGUAGES, TERMS
from tests.support.decks import change_rows, deck_path, numbers, read_json, spec_of, texts, words_of

# --- every number and where it comes from ---------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_on_a_slide_is_traced(root: Path, language: str) -> None:
    traced = numbers(root, language)
    for number, slide in enumerate(Presentation(deck_path(root, language)).slides, start=1):
        known = {entry["text"] for entry in traced if entry["slide"] == number} | set(
            TERMS.values()
        )
        known |= {"Top-1", "Top-5"}
        pattern = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
        for text in texts(slide):
            rest = re.sub(pattern, "", text)
            assert not re.search(r"\d", rest), (number, text, rest)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_traced_number_is_on_its_slide(root: Path, language: str) -> None:
    slides = list(Presentation(deck_path(root, language)).slides)
    for entry in numbers(root, language):
        slide = slides[entry["slide"] - 1]
        if entry["where"] == "slide":
            places = list(texts(slide))
        elif entry["where"] == "notes":
            places = [slide.notes_slide.notes_text_frame.text]
        elif entry["where"] == "chart":
            plotted = [
                number for shape in slide.shapes if shape.has_chart for number in ends(shape.chart)
            ]
            assert any(number == pytest.approx(entry["value"] * entry["scale"], rel=1e-4, abs=1e-4)
                       for number in plotted), entry  # fmt: skip
            continue
        else:
            places = [
                shape._element.xpath(".//p:cNvPr")[0].get("descr") or "" for shape in slide.shapes
            ]
        assert any(entry["text"] in place for place in places), entry


def ends(chart: Any) -> Iterator[float]:
    """Yield the numbers that a chart shows: lengths or places, and the ends of intervals."""
    for series in chart.plots[0].series:
        xml = series._element
        values = numbers_in(xml, "c:val", "c:yVal")
        yield from values
        yield from numbers_in(xml, "c:xVal")
        for side, sign in (("c:plus", 1), ("c:minus", -1)):
            lengths = numbers_in(xml, f"c:errBars/{side}")
            yield from (
                value + sign * length for value, length in zip(values, lengths, strict=False)
            )


def numbers_in(xml: Any, *paths: str) -> list[float]:
    return [float(v.text) for path in paths for v in xml.xpath(f"./{path}//c:v")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_traced_number_is_what_its_file_says(root: Path, language: str) -> None:
    entries = numbers(root, language)
    runs = read_json(root / f"slides/assets/numbers.{language}.json")["runs"]
    assert sum(entry["file"].endswith(".csv") for entry in entries) > 30
    for entry in entries:
        if entry["file"] == "bakeoff.analysis.statistics":
            assert entry["text"] in ("95", "93.6")
            continue
        found = looked_up(root, runs, entry)
        if isinstance(entry["value"], str):
            assert str(found) == entry["value"], entry
        else:
            assert float(found) == pytest.approx(entry["value"]), entry
            assert shows(entry["text"], entry["value"] * entry["scale"]), entry


def looked_up(root: Path, runs: list[str], entry: Mapping[str, Any]) -> Any:
    """Return what stands at the source of an entry, read without the code under test."""
    cells = cells_of(root, runs, entry)
    made: Mapping[str, Callable[[list[Any]], Any]] = {
        "cell": lambda found: found[0],
        "count": len,
        "distinct": lambda found: len(set(found)),
        "sum": lambda found: sum(map(float, found)),
        "min": lambda found: min(found, key=comparable),
        "max": lambda found: max(found, key=comparable),
    }
    if entry["how"] == "cell":
        assert len(cells) == 1, entry
    return made[entry["how"]](cells)


def cells_of(root: Path, runs: list[str], entry: Mapping[str, Any]) -> list[Any]:
    file, column, row = entry["file"], entry["column"], entry["row"]
    if file.endswith(".csv"):
        with (root / file).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        picked = [r for r in rows if all(r[name] == cell for name, cell in row.items())]
        return [r[column] for r in picked if r[column] or entry["how"] == "count"]
    files = [f"{run}/{Path(file).name}" for run in runs] if "*" in file else [file]
    found = [at(read_json(root / name), column) for name in files]
    if entry["how"] == "count" and "*" not in file:
        return list(found[0])
    return [json.dumps(item) if isinstance(item, dict) else item for item in found]


def at(content: Any, path: str) -> Any:
    for step in path.split("."):
        content = content[int(step)] if isinstance(content, list) else content[step]
    return content


def comparable(item: Any) -> Any:
    try:
        return float(item)
    except ValueError:
        return item


def shows(text: str, number: float) -> bool:
    """Tell whether `text` is `number`, rounded to the digits that it shows."""
    if text.startswith("<"):
        return number < float(text[1:])
    if isinstance(number, bool) or not re.search(r"\d", text):
        return True  # a name or a yes
    digits = re.search(r"[-+−]?[\d,]*\.?\d+(e[-+]?\d+)?", text)
    assert digits is not None
    shown = digits.group().replace("−", "-").replace(",", "")
    decimals = len(shown.partition(".")[2]) if "e" not in shown else 12
    return abs(float(shown) - number) <= 0.5000001 * 10**-decimals


def test_a_changed_cell_changes_the_slide(study: Path, tmp_path: Path) -> None:
    change_rows(study / "comparison/models.csv", lambda row: row.update(latency_ms="123.4"))
    build_deck(spec_of(study), study, "en", tmp_path)
    shown = [
        text for slide in Presentation(tmp_path / "deck.en.pptx").slides for text in texts(slide)
    ]
    assert shown.count("123") == 3


def test_an_empty_cell_is_a_dash_and_never_zero(study: Path, tmp_path: Path) -> None:
    def forget(row: dict[str, str]) -> None:
        row.update(latency_ms="", top5_mean="", train_hours="")

    change_rows(study / "comparison/models.csv", forget)
    build_deck(spec_of(study), study, "en", tmp_path)
    words = words_of("en")
    for slide in Presentation(tmp_path / "deck.en.pptx").slides:
        shown = list(texts(slide))
        if words.templates["backup.models.kicker"] in shown:
            assert shown.count(formats.MISSING) == 9
        if words.templates["dynamics.kicker"] in shown:
            assert words.templates["dynamics.title.not_measured"] in shown
