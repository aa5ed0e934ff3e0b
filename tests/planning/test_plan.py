"""The plan of the default study, the whole plan, and Snakemake with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bakeoff.errors import UserError
from bakeoff.files import write_json
from bakeoff.planning.allocation import (
    Demand,
    balanced,
    demands,
    greedy,
    lower_bound,
)
from bakeoff.planning.follow import (
    assignments,
)
from bakeoff.planning.machine import CORE, V100, Fleet
from bakeoff.planning.plan import choose, make_plan
from bakeoff.planning.prediction import Predictor
from bakeoff.planning.schedule import (
    by_priority,
    list_schedule,
    makespan,
)
from bakeoff.planning.summary import in_words
from bakeoff.planning.work import all_runs, works
from bakeoff.workflow import ResolvedStudy, load_layout
from tests.support.plans import EIGHT_GPUS, NIGHT, WORK, plan_spec_of
from tests.support.project import Project, make_project
from tests.support.runs import spec_with
from tests.support.study import small_study

# The default study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResolvedStudy]:
    """Return the layout of the study as it is committed."""
    project = make_project(tmp_path_factory.mktemp("study") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.folder)
        yield load_layout([], {})


def default_demands(study: ResolvedStudy, predictor: Predictor) -> list[Demand]:
    spec = study.specs["plan"]
    return demands(works(spec), all_runs(spec), predictor, 8, "auto")


def test_the_default_study_fits_in_a_night_by_its_multiplications(study: ResolvedStudy) -> None:
    """The issue's reference: MACs at a third of the peak of eight V100s, and nothing else."""
    macs_only = replace(V100, seconds_per_operation=0.0, start_up_seconds=0.0)
    wanted = default_demands(study, Predictor(macs_only))
    assert sum(len(each.seeds) for each in wanted) == 145
    assert lower_bound(wanted, 8) <= NIGHT
    assert makespan(choose(wanted, 8, 30.0).placed) <= NIGHT


def test_the_plan_of_the_default_study_is_near_its_lower_bound(study: ResolvedStudy) -> None:
    wanted = default_demands(study, Predictor(V100))
    chosen = choose(wanted, 8, 10.0)
    bound = lower_bound(wanted, 8)
    assert makespan(chosen.placed) <= 1.05 * bound
    assert chosen.seconds < 20
    # And so is what serves as long as there is no plan, or no solver.
    assert makespan(list_schedule(by_priority(greedy(wanted, 8)), 8)) <= 1.05 * bound
    assert makespan(list_schedule(by_priority(balanced(wanted, 8)), 8)) <= 1.1 * bound


def test_gpus_and_price_reach_no_result(
    study: ResolvedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_project(tmp_path / "project").folder)
    other = load_layout([], {"gpus": 8, "price": {"gpu_hour": 9.0}})
    assert other.specs["plan"]["gpus"] == 8
    assert other.specs["plan"]["price"] == {"gpu_hour": 9.0, "currency": "USD"}
    # A pack of the results says how Snakemake was called; nothing else may know.
    for name in study.specs.keys() - {"plan", "pack"}:
        assert other.specs[name] == study.specs[name], name


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("gpus", "many", "expected auto or a whole number"),
        ("gpus", 0, "at least 1"),
        ("gpus", True, "a whole number"),
        ("price", {"gpu_hour": -1}, "price.gpu_hour is -1"),
        ("price", {"gpu_hours": 1}, "did you mean 'gpu_hour'?"),
    ],
)
def test_mistakes_in_the_settings_are_explained(
    project: Project, monkeypatch: pytest.MonkeyPatch, key: str, value: Any, words: str
) -> None:
    monkeypatch.chdir(project.folder)
    with pytest.raises(UserError, match="config") as caught:
        load_layout([], {key: value})
    assert words in str(caught.value)


# The whole plan


def made_up_root(root: Path) -> dict[str, Any]:
    """Write specs of two variants with three runs each below `root`, and return the plan's spec."""
    work = replace(WORK, epochs=2, images=400, held_out=100, global_batch=100, micro_batch=25)
    spec = plan_spec_of(3, shallow=work, deep=replace(work, macs=2 * work.macs))
    for name, depth in (("shallow", 8), ("deep", 14)):
        run = spec_with(model={"args": {"depth": depth}})
        write_json(root / "specs" / "runs" / f"{name}.json", {**run, "variant": name})
    return spec


def finish(root: Path, spec: Mapping[str, Any], variant: str, seed: int, hours: float) -> None:
    """Write the files and the record of a run that took `hours` on this machine's processor."""
    work = works(spec)[variant]
    folder = root / "runs" / variant / f"seed{seed}"
    device = json.loads((root / "plan" / "calibration.json").read_text())["device"]
    metrics = {
        **{"gpu_hours": 0.0, "device": device, "processes": 1, "macs": work.macs},
        **{"wall_hours": hours, "images_per_s": work.epochs * work.images / (3600 * hours)},
    }
    write_json(folder / "metrics.json", metrics)


def test_a_plan_is_written_and_knows_what_is_done(tmp_path: Path) -> None:
    spec = made_up_root(tmp_path)
    cores = Fleet("cpu", 2)
    first = make_plan(spec, tmp_path, cores, all_runs(spec))
    folder = tmp_path / "plan"
    assert (folder / "gantt.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (folder / "gantt.svg").read_bytes()
    schedule = pd.read_csv(folder / "schedule.csv")
    assert sorted(schedule["run"]) == sorted(
        f"{v}/seed{s}" for v in ("deep", "shallow") for s in range(3)
    )
    assert schedule["end_hours"].max() == pytest.approx(first.hours)
    assert schedule["device_hours"].sum() == pytest.approx(first.device_hours)
    assert first.lower_bound_hours <= first.hours <= 1.4 * first.lower_bound_hours
    assert (first.cost, first.past_predictions) == (None, None)
    assert json.loads((folder / "summary.json").read_text())["planned"] == 6
    assert "shallow/seed0" in (folder / "schedule.md").read_text()

    # One run is done, and took twice as long as that plan said.
    row = schedule.set_index("run").loc["deep/seed0"]
    start_up = CORE.start_up_seconds / 3600
    hours = 2 * (row["hours"] - start_up)
    finish(tmp_path, spec, "deep", 0, hours)
    pending = {"shallow": [0, 1, 2], "deep": [1, 2]}
    second = make_plan(spec, tmp_path, cores, pending)
    assert (second.planned, second.finished) == (5, 1)
    assert second.past_predictions is not None
    assert second.past_predictions["median_error_pct"] == pytest.approx(100, abs=1)
    assert "finished runs (1 variant)" in in_words(second)
    again = pd.read_csv(folder / "schedule.csv").set_index("run")
    # A little more than twice: the throughput that runs report is that of training, without validation.
    assert again.loc["deep/seed1", "hours"] - start_up == pytest.approx(hours, rel=0.2)
    judged = pd.read_csv(folder / "predictions.csv")
    assert list(judged["run"]) == ["deep/seed0"]
    assert judged["measured_hours"][0] == pytest.approx(hours)
    # The outcome is still known to a third plan.
    assert make_plan(spec, tmp_path, cores, pending).past_predictions is not None
    followed = assignments(spec, tmp_path, cores)
    assert followed["deep/seed1"].seconds == pytest.approx(3600 * again.loc["deep/seed1", "hours"])


def test_a_plan_for_gpus_that_are_not_at_hand_has_a_price(tmp_path: Path) -> None:
    spec = made_up_root(tmp_path)
    summary = make_plan(spec, tmp_path, EIGHT_GPUS, all_runs(spec))
    assert summary.device is None
    assert summary.cost == pytest.approx(2.0 * summary.device_hours)
    assert summary.energy_kwh == pytest.approx(0.3 * summary.device_hours)
    assert summary.sequence_hours > summary.hours
    assert "EUR" in in_words(summary)


def test_a_study_that_is_done_has_nothing_to_plan(tmp_path: Path) -> None:
    spec = made_up_root(tmp_path)
    make_plan(spec, tmp_path, Fleet("cpu", 2), all_runs(spec))
    for variant, seeds in all_runs(spec).items():
        for seed in seeds:
            finish(tmp_path, spec, variant, seed, 0.1)
    summary = make_plan(spec, tmp_path, Fleet("cpu", 2), {})
    assert (summary.planned, summary.finished, summary.hours) == (0, 6, 0.0)
    assert in_words(summary) == "All 6 runs of the study 'made up' are done: nothing to plan."


# Snakemake


def test_snakemake_plans_and_follows(tmp_path: Path) -> None:
    study = small_study({"variants": ["resnet_20"], "ablations": []})
    project = make_project(tmp_path / "project", study)
    runs = project.folder / "results" / "runs"
    target = "results/runs/resnet_20/seed0/metrics.json"

    done = project.snakemake("plan")
    assert done.returncode == 0, done.stderr
    assert "2 runs on 2 cores" in done.stdout
    assert not runs.exists(), "a plan trains nothing"
    plan = json.loads((project.folder / "results" / "plan" / "gpus.json").read_text())

    real = project.snakemake(target)
    assert real.returncode == 0, real.stderr
    assert f"priority: {plan['runs']['resnet_20/seed0']['priority']}" in real.stdout + real.stderr
    assert "for 1 run on 2 cores (predicted from a calibration on" in real.stderr

    again = project.snakemake("plan")
    assert "1 run on 2 cores" in again.stdout
    assert "Past predictions: off by" in again.stdout
