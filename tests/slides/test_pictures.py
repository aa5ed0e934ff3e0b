"""The pictures on the slides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation

from bakeoff.errors import UserError
from bakeoff.figures.sheet import DPI, Sheet
from bakeoff.figures.style import SMALL
from bakeoff.slides import build_deck, pictures
from bakeoff.slides.templates import LANGUAGES
from tests.support.decks import REAL_PLOT, blank, spec_of

# --- the pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_are_drawn_for_their_place(
    demo: Path, tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the size at which they are shown, so that their type is as large as it was drawn."""
    monkeypatch.setattr(pictures, "plot", REAL_PLOT)
    build_deck(spec_of(demo), demo, language, tmp_path)
    drawn = {path.name for path in (tmp_path / "assets").glob("*.png")}
    assert drawn == {f"{name}.{language}.png" for name in pictures.PICTURES}
    shown = [
        shape
        for slide in Presentation(tmp_path / f"deck.{language}.pptx").slides
        for shape in slide.shapes
        if hasattr(shape, "image")
    ]
    assert len(shown) == len(pictures.PICTURES)
    for picture in shown:
        scale = picture.width.inches / (picture.image.size[0] / DPI)
        assert scale * SMALL >= 10.99, picture.name
        assert scale <= 1.01


def test_a_figure_whose_table_is_missing_stops_the_deck(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "plot", REAL_PLOT)
    (study / "comparison/runs.csv").unlink()
    with pytest.raises(UserError, match=r"comparison/runs\.csv"):
        build_deck(spec_of(study), study, "en", tmp_path)
    assert not (tmp_path / "deck.en.pptx").exists()


@pytest.mark.parametrize(("has_font", "drawn_in"), [(True, "zh"), (False, "en")])
def test_figures_are_in_the_language_of_the_deck_where_there_is_a_font(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_font: bool, drawn_in: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    sheets: list[Sheet] = []

    def collect(*inputs: Any) -> None:
        sheets.append(inputs[-1])
        blank(*inputs)

    monkeypatch.setattr(pictures, "plot", collect)
    monkeypatch.setattr(pictures, "can_write", lambda language: has_font or language == "en")
    build_deck(spec_of(demo), demo, "zh", tmp_path)
    assert {sheet.language for sheet in sheets} == {drawn_in}
    assert (not has_font) == any("no font" in message for message in caplog.messages)
    notes = (tmp_path / "assets/notes.zh.md").read_text(encoding="utf-8")
    assert ("图中文字为英文" in notes) == (not has_font)
    if has_font:
        assert sheets[0].name("Ablation of eca") == "消融：eca"
