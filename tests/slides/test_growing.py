"""What is said of a study that grows: in captions, the deck and the page."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from pptx import Presentation

from bakeoff.slides import build_deck
from tests.support.decks import CLAIMS, deck_path, make_root, spec_of, texts
from tests.support.fake_study import full_study

SAID = {
    "en": "the 95 % hold for all 4 looks together",
    "zh": "95%对全部4次判定同时成立",
}


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = full_study(arm_seeds=(0, 1, 2), claims=CLAIMS)
    return make_root(
        tmp_path_factory.mktemp("growing"), dataclasses.replace(study, images=300, looks=4)
    )


@pytest.mark.parametrize("language", SAID)
def test_the_deck_says_for_what_the_level_holds(growing: Path, language: str) -> None:
    build_deck(spec_of(growing), growing, language, growing / "slides")
    said = [
        text for page in Presentation(deck_path(growing, language)).slides for text in texts(page)
    ]
    assert any(SAID[language] in text.replace("\xa0", " ") for text in said)


def test_all_tables_divide_the_level_and_say_so(growing: Path, tmp_path: Path) -> None:
    study = full_study(arm_seeds=(0, 1, 2), claims=CLAIMS)
    once = make_root(tmp_path / "once", dataclasses.replace(study, images=300))
    for table in ("comparison/models", "comparison/pairwise", "ablation/eca", "claims/claims"):
        assert "up to 4 times" in (growing / f"{table}.md").read_text(encoding="utf-8")
        assert "up to" not in (once / f"{table}.md").read_text(encoding="utf-8")
    for table, bounds in (
        ("comparison/models", ("score_ci_low", "score_ci_high")),
        ("comparison/models", ("top1_ci_low", "top1_ci_high")),
        ("comparison/models", ("balanced_ci_low", "balanced_ci_high")),
        ("comparison/pairwise", ("ci_low", "ci_high")),
        ("ablation/eca", ("ci_low", "ci_high")),
    ):
        one, four = (pd.read_csv(root / f"{table}.csv") for root in (once, growing))
        low, high = bounds
        widths = [(each[high] - each[low]).dropna() for each in (one, four)]
        assert len(widths[0]) and (widths[1] > widths[0]).all(), table
