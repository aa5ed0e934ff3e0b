"""The deck of a study some of whose runs diverged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pptx import Presentation

from bakeoff.slides import build_deck
from bakeoff.slides.templates import LANGUAGES
from tests.support.decks import deck_path, make_root, spec_of, texts
from tests.support.fake_study import FakeStudy, small_study

TOLD = {
    "en": "the network that diverged in 1 of 6 runs|the networks that diverged in 5 of 6 runs",
    "zh": "6次训练中有1次发散|6次训练中有5次发散",
}
NONE = {
    "en": "No ablation could be judged, because its trainings diverged",
    "zh": "训练发散，没有消融实验可供判定",
}


def study_with(**diverged: tuple[int, ...]) -> FakeStudy:
    made = small_study()
    chosen = [replace(each, seeds=(0, 1)) for each in made.variants]
    return replace(
        made,
        variants=tuple(replace(v, diverged=diverged.get(v.name, ())) for v in chosen),
        ablations={"eca": (("none", "resnet_20"), ("adaptive", "eca_resnet_20"))},
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_deck_tells_how_many_runs_diverged(tmp_path: Path, language: str) -> None:
    root = make_root(tmp_path / "root", study_with(eca_resnet_20=(1,)))
    build_deck(spec_of(root), root, language, root / "slides")
    slides = Presentation(deck_path(root, language)).slides
    shown = [text for slide in slides for text in texts(slide)]
    assert any(TOLD[language].split("|")[0] in text for text in shown)
    assert NONE[language] not in shown
    assert not any("nan" in text for text in shown)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_deck_without_a_finished_baseline_says_so(tmp_path: Path, language: str) -> None:
    made = study_with(resnet_20=(0, 1), eca_resnet_20=(0, 1), ghost_resnet_20=(0,))
    root = make_root(tmp_path / "root", made)
    build_deck(spec_of(root), root, language, root / "slides")
    shown = [text for s in Presentation(deck_path(root, language)).slides for text in texts(s)]
    assert any(TOLD[language].split("|")[1] in text for text in shown)
    assert NONE[language] in shown
