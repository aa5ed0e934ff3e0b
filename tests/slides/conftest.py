"""Two made-up studies with their decks, and one to be edited."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakeoff.slides import build_deck, pictures
from bakeoff.slides.templates import LANGUAGES
from tests.support.decks import CLAIMS, blank, change_rows, make_root, spec_of
from tests.support.fake_study import full_study, small_study


@pytest.fixture(scope="package", autouse=True)
def quick_figures() -> Iterator[None]:
    """Most tests do not look at the figures; drawing them would be most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "plot", blank)
        yield


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three variants, one seed, synthetic data."""
    study = dataclasses.replace(
        small_study(),
        claims=CLAIMS,
        ablations={"eca": (("none", "resnet_20"), ("adaptive", "eca_resnet_20"))},
    )
    return make_root(tmp_path_factory.mktemp("demo"), study)


@pytest.fixture(scope="package")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighteen variants with three seeds, three ablations with four."""
    study = full_study(arm_seeds=(0, 1, 2, 3), claims=CLAIMS)
    return make_root(tmp_path_factory.mktemp("paper"), dataclasses.replace(study, images=300))


@pytest.fixture(scope="package", params=["demo", "paper"])
def root(request: pytest.FixtureRequest) -> Path:
    built: Path = request.getfixturevalue(request.param)
    for language in LANGUAGES:
        build_deck(spec_of(built), built, language, built / "slides")
    return built


@pytest.fixture
def study(demo: Path, tmp_path: Path) -> Path:
    """A copy of the demo, with two seeds in its tables, to be edited."""
    copy = tmp_path / "study"
    shutil.copytree(demo, copy)
    change_rows(copy / "comparison/models.csv", lambda row: row.update(seeds="3"))
    change_rows(copy / "comparison/pairwise.csv", lambda row: row.update(seeds="3"))
    change_rows(
        copy / "ablation/eca.csv",
        lambda row: row.update(seeds="3", delta_seeds="3" if row["delta"] else ""),
    )
    return copy
