"""The demo as it is shipped, trained for real: its tables hold something of each kind that people should see."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.support.project import make_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = make_project(tmp_path_factory.mktemp("demo") / "project")
    done = project.snakemake("all", "--profile", "profiles/cpu", "--configfile", "config/demo.yaml")
    assert done.returncode == 0, done.stderr
    return project.folder / "results" / "demo"


def test_some_variants_are_told_apart_and_some_are_not(demo: Path) -> None:
    pairs = pd.read_csv(demo / "comparison" / "pairwise.csv")
    assert (pairs["verdict"] == "better").any()
    assert (pairs["verdict"] == "cannot tell").any()
    assert not (pairs["verdict"] == "one seed").any()


def test_accuracies_are_far_from_chance_and_from_the_ceiling(demo: Path) -> None:
    models = pd.read_csv(demo / "comparison" / "models.csv")
    assert len(models) >= 4
    assert (models["seeds"] >= 3).all()
    assert models["top1_mean"].between(30, 95).all()


def test_an_ablation_has_a_verdict(demo: Path) -> None:
    tables = [pd.read_csv(path) for path in (demo / "ablation").glob("*.csv")]
    assert any(table["verdict"].isin(["better", "worse", "equivalent"]).any() for table in tables)


def test_nothing_is_left_to_do(demo: Path) -> None:
    made = {path.name for path in (demo / "slides").glob("*.pptx")}
    assert made == {"deck.en.pptx", "deck.zh.pptx"}
