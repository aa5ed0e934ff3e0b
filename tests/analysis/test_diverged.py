"""Runs that diverged: counted and told, and in no mean."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bakeoff.analysis.comparison import compare
from bakeoff.analysis.runs import load_run
from bakeoff.analysis.tables import read_table
from bakeoff.errors import UserError
from bakeoff.figures import ablation_deltas, accuracy_bars, learning_curves
from bakeoff.figures.sheet import Sheet
from bakeoff.files import read_json
from tests.support.analysis import edit, make, variant
from tests.support.fake_study import FakeStudy

STUDY = FakeStudy(
    variants=(
        variant("steady", 70.0),
        variant("shaky", 60.0, diverged=(1,)),
        variant("lost", 50.0, diverged=(0, 1, 2)),
    ),
    arms=(variant("wild", 40.0, diverged=(0, 1, 2)), variant("tame", 55.0, diverged=(2,))),
    ablations={
        "rate": (("base", "steady"), ("wild", "wild"), ("tame", "tame")),
        "hopeless": (("base", "lost"), ("steady", "steady")),
    },
    epochs=3,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("diverged"), STUDY)


def test_a_run_that_diverged_is_read_and_has_no_answers(root: Path) -> None:
    run = load_run(root / "runs/shaky/seed1")
    assert (run.diverged_at, run.outcome) == (60, "diverged at step 60")
    assert list(run.history["epoch"]) == [1]
    with pytest.raises(UserError, match="diverged at step 60 and has no predictions"):
        run.predictions()


def test_the_comparison_counts_them_and_averages_the_others(root: Path) -> None:
    models = read_table(root / "comparison/models.csv").set_index("variant")
    assert list(models.index) == ["steady", "shaky"]
    assert list(models["seeds"]) == [3, 2]
    assert list(models["diverged"]) == [0, 1]
    scores = [
        read_json(root / f"runs/shaky/seed{seed}/metrics.json")["test"]["top1"] for seed in (0, 2)
    ]
    assert models.loc["shaky", "top1_mean"] == pytest.approx(np.mean(scores), abs=1e-5)
    runs = read_table(root / "comparison/runs.csv")
    assert len(runs) == 9
    ended = runs.set_index(["variant", "seed"])["outcome"]
    assert (ended == "finished").sum() == 5
    assert ended["shaky", 1] == ended["lost", 0] == "diverged at step 60"
    assert runs.loc[runs["outcome"] != "finished", "top1"].isna().all()
    told = (root / "comparison/models.md").read_text(encoding="utf-8")
    assert "Diverged, and in no mean: shaky (1 of 3 runs), lost (3 of 3 runs)." in told


def test_an_arm_without_a_finished_run_is_told_and_has_no_row(root: Path) -> None:
    arms = read_table(root / "ablation/rate.csv").set_index("arm")
    assert list(arms.index) == ["base", "tame"]
    assert arms.loc["tame", "seeds"] == 2
    told = (root / "ablation/rate.md").read_text(encoding="utf-8")
    assert "wild (3 of 3 runs), tame (1 of 3 runs)" in told


def test_an_ablation_without_a_baseline_is_empty_and_says_why(root: Path) -> None:
    assert len(read_table(root / "ablation/hopeless.csv", ("arm", "delta"))) == 0
    assert "base (3 of 3 runs)" in (root / "ablation/hopeless.md").read_text(encoding="utf-8")


def test_figures_draw_what_was_finished(root: Path, tmp_path: Path) -> None:
    comparison = root / "comparison"
    for name, draw in {
        "bars": lambda sheet: accuracy_bars.plot(
            comparison / "models.csv", comparison / "runs.csv", sheet
        ),
        "curves": lambda sheet: learning_curves.plot(
            comparison / "models.csv", comparison / "runs.csv", root / "runs", sheet
        ),
        "arms": lambda sheet: ablation_deltas.plot(
            [root / "ablation/hopeless.csv", root / "ablation/rate.csv"], sheet
        ),
        "nothing": lambda sheet: ablation_deltas.plot([root / "ablation/hopeless.csv"], sheet),
    }.items():
        file = tmp_path / f"{name}.svg"
        draw(Sheet((file,)))
        assert file.stat().st_size


def test_where_all_runs_diverged_there_is_nothing_to_compare(root: Path, tmp_path: Path) -> None:
    spec = read_json(root / "specs/comparison.json")
    spec["variants"] = [entry for entry in spec["variants"] if entry["variant"] == "lost"]
    with pytest.raises(UserError, match=r"All runs of the comparison diverged.*learning_rate"):
        compare(spec, root / "runs", root / "profiles", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_damaged_outcome_is_told(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shaky" / "seed1"
    shutil.copytree(root / "runs/shaky/seed1", folder)
    edit(diverged__step="soon")(folder)
    with pytest.raises(UserError, match=r"no usable 'diverged\.step' \(found 'soon'\)"):
        load_run(folder)


def test_one_run_that_diverged_of_one_is_a_variant_without_a_place(tmp_path: Path) -> None:
    alone = replace(
        STUDY,
        variants=(
            variant("steady", 70.0, seeds=(0,)),
            variant("lost", 50.0, seeds=(0,), diverged=(0,)),
        ),
        ablations={},
        arms=(),
    )
    models = read_table(make(tmp_path, alone) / "comparison/models.csv")
    assert list(models["variant"]) == ["steady"]
