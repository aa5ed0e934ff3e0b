"""The deck: its slides, languages, bytes and errors."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from pptx import Presentation

from bakeoff.errors import UserError
from bakeoff.slides import build_deck, talk, theme
from bakeoff.slides.parts import speaking_seconds
from bakeoff.slides.results import load_results
from bakeoff.slides.templates import LANGUAGES
from tests.support.decks import change_rows, deck_path, spec_of, texts, words_of

# --- the deck -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_ten_slides_then_the_backup(root: Path, language: str) -> None:
    words = words_of(language)
    backups = {
        template
        for key, template in words.templates.items()
        if key.endswith(".kicker") and key.removesuffix(".kicker") not in talk.SECONDS
    }
    slides = Presentation(deck_path(root, language)).slides
    shown = [set(texts(slide)) for slide in slides]
    assert len(shown) > 10
    assert not any(part & backups for part in shown[:10])
    assert all(part & backups for part in shown[10:])
    assert 8 * 60 <= sum(talk.SECONDS.values()) <= 10 * 60
    assert len(talk.SECONDS) == 10
    assert set().union(*shown) >= backups


def test_both_languages_have_the_same_structure(root: Path) -> None:
    """The same topics in the same order, with as many figures and rows; long tables may break elsewhere."""
    english, chinese = (structure(root, language) for language in LANGUAGES)
    assert english == chinese
    assert len(english) >= 15


def test_title_foot_and_number_are_placeholders_of_the_master(root: Path) -> None:
    deck = Presentation(deck_path(root, "en"))
    wanted = {"TITLE", "FOOTER", "SLIDE_NUMBER"}
    for holders in (deck.slide_master.placeholders, deck.slide_layouts[0].placeholders):
        assert wanted <= {holder.placeholder_format.type.name for holder in holders}
    for number, slide in enumerate(deck.slides, start=1):
        found = {each.placeholder_format.type.name: each for each in slide.placeholders}
        if number == 1:
            assert set(found) == {"TITLE"}
            continue
        assert set(found) == wanted
        assert found["SLIDE_NUMBER"].text_frame.text == str(number)
        # Where the master has them.
        for name, holder in found.items():
            if name != "TITLE":
                (own,) = (
                    each
                    for each in deck.slide_layouts[0].placeholders
                    if each.placeholder_format.type.name == name
                )
                assert own.placeholder_format.idx == holder.placeholder_format.idx
                assert (own.left, own.top) == (holder.left, holder.top)


def structure(root: Path, language: str) -> list[tuple[str, int, int]]:
    """Return the key of each topic with its number of pictures and of table rows."""
    templates = words_of(language).templates
    key_of = {text: key for key, text in templates.items() if key.endswith(".kicker")}
    found: list[tuple[str, int, int]] = []
    for slide in Presentation(deck_path(root, language)).slides:
        key = next((key_of[text] for text in texts(slide) if text in key_of), "title")
        pictures = sum(hasattr(shape, "image") for shape in slide.shapes)
        rows = sum(len(shape.table.rows) - 1 for shape in slide.shapes if shape.has_table)
        if found and found[-1][0] == key:
            _, pictures_before, rows_before = found.pop()
            pictures, rows = pictures + pictures_before, rows + rows_before
        found.append((key, pictures, rows))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_placeholder_is_left_and_no_title_or_note_is_empty(root: Path, language: str) -> None:
    for slide in Presentation(deck_path(root, language)).slides:
        assert slide.shapes.title.text_frame.text.strip()
        assert slide.notes_slide.notes_text_frame.text.strip()
        assert not [text for text in texts(slide) if "{" in text or "}" in text]
        assert not [shape for shape in slide.placeholders if not shape.text_frame.text]


@pytest.mark.parametrize("language", LANGUAGES)
def test_notes_take_the_time_of_their_slide(root: Path, language: str) -> None:
    slides = Presentation(deck_path(root, language)).slides
    sources = words_of(language).templates["common.sources"].partition("{")[0]
    for slide, seconds in zip(slides, talk.SECONDS.values(), strict=False):
        said = slide.notes_slide.notes_text_frame.text.split(f"\n{sources}")[0]
        assert 0.3 * seconds <= speaking_seconds(said, language) <= 1.05 * seconds, said


def test_a_minute_is_as_long_as_people_speak() -> None:
    assert speaking_seconds("word " * 130, "en") == 60
    assert speaking_seconds("字" * 240, "zh") == 60
    assert speaking_seconds("字" * 236 + "ResNet 20", "zh") == 60


def test_the_talk_names_who_gives_it(study: Path, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    Image.new("RGB", (200, 100), "teal").save(logo)
    occasion = {
        **{"logo": str(logo), "subtitle": "A project", "presenter": "Lin Chen", "course": "Vision"},
        **{"date": "3 July 2026", "thanks": ["the computing centre"]},
        "team": [{"name": "Lin Chen", "role": "statistics"}, {"name": "Ada Roe", "role": ""}],
    }
    build_deck({**spec_of(study), "talk": occasion}, study, "en", tmp_path)
    first, *slides = Presentation(tmp_path / "deck.en.pptx").slides
    shown = list(texts(first))
    assert {"A project", "Lin Chen · Vision · 3 July 2026", "Lin Chen and Ada Roe"} <= set(shown)
    assert [shape.name for shape in first.shapes if hasattr(shape, "image")] == ["logo"]
    assert {"Lin Chen: statistics", "Ada Roe", "the computing centre"} <= set(texts(slides[7]))


def test_the_picture_of_the_workflow_is_made_from_its_steps(study: Path, tmp_path: Path) -> None:
    steps = [
        ("prepare", "train"),
        ("train", "compare"),
        ("prepare", "compare"),
        ("compare", "new_rule"),
    ]
    build_deck(spec_of(study), study, "en", tmp_path, steps)
    slide = Presentation(tmp_path / "deck.en.pptx").slides[3]
    boxes = {s.text_frame.text: s for s in slide.shapes if s.name == "Step"}
    assert list(boxes) == ["Prepare the data", "Train and evaluate", "Compare", "new_rule"]
    lefts = [box.left for box in boxes.values()]
    assert lefts == sorted(lefts)
    arrows = [shape for shape in slide.shapes if shape.name == "Arrow"]
    assert len(arrows) == 3  # that compare reads the data, too, the longer way says


def test_chinese_text_has_a_chinese_typeface(root: Path) -> None:
    for slide in Presentation(deck_path(root, "zh")).slides:
        for run in slide._element.iter("{http://schemas.openxmlformats.org/drawingml/2006/main}r"):
            assert f'typeface="{theme.EAST_ASIAN}"' in run.xml
            assert 'lang="zh-CN"' in run.xml


# --- bytes and errors -----------------------------------------------------------------------------


def test_equal_inputs_give_equal_bytes(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_deck(spec_of(demo), demo, "zh", tmp_path / "first")
    # Two seconds are the resolution of the dates in a zip archive.
    monkeypatch.setattr("time.time", lambda: 4_000_000_000.0)
    build_deck(spec_of(demo), demo, "zh", tmp_path / "second")
    written = [path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*")]
    assert {path.suffix for path in written} == {".pptx", ".png", ".json", ".md"}
    with zipfile.ZipFile(tmp_path / "first" / "deck.zh.pptx") as deck:
        books = [name for name in deck.namelist() if name.endswith(".xlsx")]
        for name in books:
            with zipfile.ZipFile(io.BytesIO(deck.read(name))) as book:
                assert b">2025-03-01T09:30:00Z<" in book.read("docProps/core.xml")
    assert books
    for path in written:
        one, other = (tmp_path / name / path for name in ("first", "second"))
        assert one.read_bytes() == other.read_bytes(), path


def test_the_deck_is_dated_by_its_last_run(paper: Path, tmp_path: Path) -> None:
    build_deck(spec_of(paper), paper, "en", tmp_path)
    properties = Presentation(tmp_path / "deck.en.pptx").core_properties
    assert properties.created.isoformat()[:19] == "2025-03-03T09:30:00"
    assert properties.modified == properties.created


def test_runs_that_the_study_does_not_use_are_ignored(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study / "runs/resnet_20/seed0", study / "runs/resnet_20/seed9")
    results = load_results(spec_of(study), study, "en")
    assert results.run_count().content == 3


@pytest.mark.parametrize(
    "missing",
    ["runs/resnet_20/seed0/metrics.json", "comparison/models.csv", "data/meta.json", "claims/claims.csv",
     "runs/resnet_20/seed0/provenance.json"],
)  # fmt: skip
def test_a_missing_input_is_named(study: Path, tmp_path: Path, missing: str) -> None:
    (study / missing).unlink()
    with pytest.raises(UserError, match=re.escape(missing)):
        build_deck(spec_of(study), study, "en", tmp_path)


def test_a_damaged_table_is_named(study: Path, tmp_path: Path) -> None:
    models = study / "comparison/models.csv"
    models.write_text(models.read_text(encoding="utf-8").replace("latency_ms", "latency_sm", 1))
    with pytest.raises(UserError, match=r"models\.csv.*'latency_ms'.*did you mean 'latency_sm'"):
        build_deck(spec_of(study), study, "en", tmp_path)
    change_rows(models, lambda row: row.update(rank="first"))
    with pytest.raises(UserError, match=r"models\.csv.*'rank'.*found 'first'"):
        build_deck(spec_of(study), study, "en", tmp_path)


def test_an_unknown_language_is_named(demo: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no language 'fr'"):
        build_deck(spec_of(demo), demo, "fr", tmp_path)
