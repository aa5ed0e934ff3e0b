"""The plan: as short for thousands of runs as for ten, with reasons that people say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bakeoff.console.plan import Plan, PlannedJob, plan_lines
from bakeoff.console.study import ShownRun, ShownStudy
from bakeoff.planning.follow import Forecast
from bakeoff.planning.machine import Fleet

ABOUT = {"name": "paper", "dataset": "cifar100", "protocol": "uniform", "epochs": 200}


def runs_of(variants: int, seeds: int, family: str = "ECA-Net") -> tuple[ShownRun, ...]:
    return tuple(
        ShownRun(f"eca_resnet_{20 + number}", family, seed, (f"eca/k{number}",), True, 200, 1.0)
        for number in range(variants)
        for seed in range(seeds)
    )


def plan_of(
    runs: tuple[ShownRun, ...], jobs: list[PlannedJob], device: Fleet | None = None
) -> Plan:
    made = {job.run.name: 3600.0 for job in jobs if job.run}
    forecast = Forecast(device or Fleet("gpu", 8), 5400.0, made, 3.06 * len(made), "USD", "tests")
    names = frozenset(f"runs/{run.name}" for run in runs) | {job.name for job in jobs}
    study = ShownStudy(Path("results"), ABOUT, runs)
    return Plan(study, tuple(jobs), names, forecast, False, True, 2)


def train(run: ShownRun, *reasons: str) -> PlannedJob:
    return PlannedJob("train", f"runs/{run.name}", run, not reasons, reasons)


def text_of(plan: Plan) -> str:
    return "\n".join(plan_lines(plan))


def test_runs_are_counted_by_reason_and_by_what_they_have_in_common() -> None:
    runs = runs_of(4, 3)
    other = tuple(replace(run, variant="resnet_20", family="ResNet", arms=()) for run in runs[:3])
    jobs = [train(run, "code changed: bakeoff.models.eca") for run in runs]
    text = text_of(plan_of(runs + other, jobs))
    assert "of 4 ECA-Net variants: eca.py changed" in text
    assert (
        "15 runs of 5 networks (5 variants compared, 4 arms of 1 ablation): 3 done, 12 stale"
        in text
    )


@pytest.mark.parametrize(
    ("reasons", "says"),
    [
        (["recipe.epochs: 100 -> 200"], "recipe.epochs: 100 -> 200"),
        (["code changed: bakeoff.a.b, workflow/scripts/train.py"], "b.py, train.py changed"),
        (
            ["code changed: " + ", ".join(f"bakeoff.m{n}" for n in range(9))],
            "m2.py and 6 more changed",
        ),
        (["it reads data/meta.json, which is made again"], "what it reads is made again"),
        (["it reads x, which is made again", "seed: 1 -> 2"], ": seed: 1 -> 2"),
    ],
)
def test_a_reason_is_said_in_words(reasons: list[str], says: str) -> None:
    runs = runs_of(1, 2)
    assert says in text_of(plan_of(runs, [train(run, *reasons) for run in runs]))


def test_a_reason_that_names_a_runs_own_file_is_one_reason() -> None:
    runs = runs_of(3, 2)
    jobs = [train(run, f"runs/{run.name}/metrics.json was altered") for run in runs]
    lines = plan_lines(plan_of(runs, jobs))
    assert sum("metrics.json was altered" in line for line in lines) == 1


def test_what_it_costs_is_said_for_gpus_and_for_cores() -> None:
    runs = runs_of(2, 10)
    jobs = [train(run) for run in runs]
    assert "about 1.5 h on 8 GPUs, 20 GPU-hours, 61 USD (predicted from tests)" in text_of(
        plan_of(runs, jobs)
    )
    cores = replace(plan_of(runs, jobs).forecast, devices=Fleet("cpu", 2), price=None)  # type: ignore[type-var]
    text = text_of(replace(plan_of(runs, jobs), forecast=cores))
    assert "on 2 cores, 20 core-hours (predicted" in text


def test_thousands_of_jobs_fit_on_a_screen() -> None:
    runs = runs_of(18, 280)
    jobs = [train(run, f"reason {number % 50}") for number, run in enumerate(runs)]
    jobs += [
        PlannedJob("plot", f"figures/figure{n}", None, False, (f"cause {n}",)) for n in range(60)
    ]
    lines = plan_lines(plan_of(runs, jobs))
    assert len(lines) <= 40
    assert all(len(line) <= 100 for line in lines)
    assert any("for 44 other reasons; `-n -p` shows all jobs" in line for line in lines)
