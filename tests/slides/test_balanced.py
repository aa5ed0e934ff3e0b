"""The deck of a study that balanced accuracy decides."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pptx import Presentation

from bakeoff.slides import build_deck
from tests.support.decks import CLAIMS, deck_path, make_root, spec_of, texts
from tests.support.fake_study import full_study

WORDS = {
    "en": ("balanced accuracy, in which every class counts the same", "Balanced accuracy"),
    "zh": ("平衡准确率，每个类别权重相同", "平衡准确率"),
}


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = full_study(arm_seeds=(0, 1, 2), claims=CLAIMS)
    study = dataclasses.replace(study, images=300, metric="balanced", uneven=True)
    return make_root(tmp_path_factory.mktemp("balanced"), study)


@pytest.mark.parametrize("language", WORDS)
def test_the_deck_names_the_accuracy_that_decides_and_shows_the_other(
    balanced: Path, language: str
) -> None:
    build_deck(spec_of(balanced), balanced, language, balanced / "slides")
    pages = list(Presentation(deck_path(balanced, language)).slides)
    said = [text for page in pages for text in texts(page)]
    kicker, name = WORDS[language]
    assert any(kicker in text for text in said)
    headings = [text for text in said if name in text]
    assert len(headings) >= 4  # the kicker, the table beside it, the backup tables
    assert any(text.startswith("Top-1") for text in said)
    charts = [shape.chart for page in pages for shape in page.shapes if shape.has_chart]
    assert sum(name in plot.series[0].name for c in charts for plot in c.plots) >= 2
