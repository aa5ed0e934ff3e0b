"""The plan: predictions, the choice of devices, the schedule, and how the workflow follows it."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.data.config import DataConfig
from bakeoff.errors import UserError
from bakeoff.files import write_json
from bakeoff.planning import plan as planning
from bakeoff.planning.allocation import (
    Demand,
    balanced,
    demands,
    greedy,
    lower_bound,
    possible_widths,
    worth_splitting,
)
from bakeoff.planning.calibration import Calibration, calibrated
from bakeoff.planning.follow import (
    allocated_gpus,
    assigned_to,
    assignments,
    duration,
    forecast,
    plan_file,
)
from bakeoff.planning.history import Prediction, outcomes, summary_of_errors, work_digest
from bakeoff.planning.machine import CORE, V100, Fleet, fleet
from bakeoff.planning.measure import calibrate, count_operations, micro_batch_seconds, power_limit
from bakeoff.planning.measured import Finished, corrected
from bakeoff.planning.plan import choose, make_plan
from bakeoff.planning.prediction import Predictor
from bakeoff.planning.schedule import (
    Job,
    blocks,
    by_priority,
    list_schedule,
    makespan,
    priorities,
)
from bakeoff.planning.solver import TOLERANCE, solve
from bakeoff.planning.summary import in_words
from bakeoff.planning.work import Work, all_runs, split_sizes, works
from bakeoff.training.batches import cut_epoch
from bakeoff.workflow import Layout, load_layout
from conftest import Project, make_project
from runs import SPEC, spec_with
from small_study import small_study

WORK = Work(
    variant="large",
    params=57_000_000,
    macs=4_000_000_000,
    epochs=200,
    images=45_000,
    held_out=5_000,
    global_batch=1024,
    micro_batch=128,
)
EIGHT_GPUS = Fleet("gpu", 8)
NIGHT = 8 * 3600.0


def demand(variant: str, runs: int, *seconds: float) -> Demand:
    """Return a demand whose runs take `seconds` on 1, 2, 4, ... devices."""
    return Demand(variant, tuple(range(runs)), {1 << i: s for i, s in enumerate(seconds)})


# Work and predictions


@pytest.mark.parametrize(
    ("images", "global_batch", "micro_batch"),
    [(45_000, 1024, 128), (45_000, 128, 128), (400, 1024, 128), (4_000, 64, 64), (1_000, 96, 25)],
)
def test_work_cuts_epochs_as_the_engine_does(
    images: int, global_batch: int, micro_batch: int
) -> None:
    work = replace(WORK, images=images, global_batch=global_batch, micro_batch=micro_batch)
    steps = cut_epoch(images, global_batch, micro_batch)
    assert work.steps == len(steps)
    assert work.micro_batches == max(len(step.micro_batches) for step in steps)


def sizes(data: dict[str, Any]) -> tuple[int, int]:
    return split_sizes(DataConfig.model_validate(data))


def test_images_are_those_of_the_split_without_what_is_held_out() -> None:
    held_out = {"images": 500, "seed": 0}
    shapes = {"kind": "shapes", "shapes": {"train_images": 4_500}, "validation": held_out}
    archive = {"kind": "archive", "validation": held_out, "limit": {"train": 10_000}}
    assert sizes(shapes) == (4_000, 500)
    assert sizes(archive) == (9_500, 500)
    assert sizes({**archive, "limit": {"train": None}}) == (49_500, 500)


def test_images_of_an_archive_of_ones_own_are_guessed_from_its_size(tmp_path: Path) -> None:
    file = tmp_path / "own.tar.gz"
    with file.open("wb") as stream:
        stream.truncate(34_776_303)  # of a sample with 11,000 training and 2,000 test images
    own = {
        "kind": "archive",
        "archive": str(file),
        "md5": "0" * 32,
        "validation": {"images": 1_000},
    }
    images, held_out = sizes(own)
    assert held_out == 1_000
    assert images + held_out == pytest.approx(11_000, rel=0.1)
    assert sum(sizes({**own, "archive": str(tmp_path / "not yet there")})) == 50_000
    assert sum(sizes({**own, "md5": None})) == 50_000


def test_a_prediction_is_the_formula_of_the_documentation() -> None:
    machine = replace(V100, macs_per_s=1e12, exchange_bytes_per_s=1e9, start_up_seconds=7.0)
    predictor = Predictor(machine, operations={"large": 1})
    micro_batch = 3 * WORK.macs * (45_000 / 44 / 8) / 1e12
    exchange = 4 * WORK.params * 2 * (3 / 4) / 1e9
    step = 2 * micro_batch + exchange
    # 5,000 images held out are 40 micro-batches, ten on each of four devices.
    epoch = 44 * step + 10 * micro_batch / 3
    assert predictor.seconds(WORK, 4) == pytest.approx(200 * epoch + 7.0)


def test_a_small_network_takes_the_time_to_launch_it() -> None:
    small = replace(WORK, variant="small", macs=1_000_000)
    predictor = Predictor(V100, operations={"small": 133})
    assert predictor.seconds_per_micro_batch(small) == 133 * V100.seconds_per_operation
    assert predictor.seconds_per_micro_batch(WORK) > 133 * V100.seconds_per_operation


def test_more_devices_than_micro_batches_do_not_help() -> None:
    one = replace(WORK, global_batch=128)
    assert Predictor(V100).seconds(one, 2) > Predictor(V100).seconds(one, 1)
    assert possible_widths(one, V100, 8) == (1,)
    assert possible_widths(WORK, V100, 8) == (1, 2, 4, 8)
    assert possible_widths(WORK, V100, 6) == (1, 2, 4)
    assert possible_widths(WORK, V100, 32) == (1, 2, 4, 8), "a run stays on one server"
    assert possible_widths(WORK, CORE, 8) == (1,)
    assert possible_widths(WORK, V100, 8, gpus=8) == (8,)
    assert possible_widths(WORK, V100, 2, gpus=8) == (2,)


def test_calibration_moves_predictions_of_what_was_not_measured() -> None:
    """A device twice as slow in both ways, known from one variant of each sort."""
    all_works = {
        name: replace(WORK, variant=name, macs=macs)
        for name, macs in (("big", 4_000_000_000), ("tiny", 1_000_000), ("other", 2_000_000_000))
    }
    operations = {"big": 10, "tiny": 100, "other": 10}
    plain = Predictor(V100, operations)
    seconds = {name: 2 * plain.seconds_per_micro_batch(all_works[name]) for name in ("big", "tiny")}
    predictor = calibrated(Calibration("gpu", "A", 250.0, seconds, operations), all_works)
    assert predictor.seconds_per_micro_batch(all_works["tiny"]) == seconds["tiny"]
    assert predictor.seconds_per_micro_batch(all_works["other"]) == pytest.approx(
        2 * plain.seconds_per_micro_batch(all_works["other"])
    )
    assert predictor.machine.seconds_per_operation == pytest.approx(2 * V100.seconds_per_operation)
    assert (predictor.machine.device, predictor.machine.watts) == ("A", 250.0)
    assert predictor.basis(all_works["big"]) == "calibration"
    assert predictor.basis(all_works["other"]) == "model"


def finished_run(work: Work, predictor: Predictor, slower: float, **changes: Any) -> Finished:
    """Return a run that took `slower` times what `predictor` says."""
    run = Finished(
        variant=work.variant,
        seed=0,
        kind=predictor.machine.kind,
        device="A",
        processes=1,
        macs=work.macs,
        seconds=slower * predictor.training_seconds(work, 1),
        images_per_s=predictor.images_per_s(work, 1) / slower,
    )
    return replace(run, **changes)


def test_finished_runs_correct_predictions() -> None:
    other = replace(WORK, variant="other")
    plain = Predictor(V100)
    both = {"large": WORK, "other": other}
    predictor = corrected(plain, both, [finished_run(WORK, plain, 1.5)])
    assert predictor.training_seconds(WORK, 1) * predictor.factor(WORK) == pytest.approx(
        1.5 * plain.training_seconds(WORK, 1)
    )
    # On two GPUs too, and for a variant of which nothing is known.
    assert predictor.seconds(WORK, 2) > 1.4 * plain.seconds(WORK, 2)
    assert predictor.factor(other) == pytest.approx(1.5)
    assert (predictor.basis(WORK), predictor.basis(other)) == ("finished runs", "model")


@pytest.mark.parametrize("change", [{"kind": "cpu"}, {"device": "B"}, {"macs": 1}])
def test_runs_of_another_device_or_network_correct_nothing(change: dict[str, Any]) -> None:
    plain = Predictor(replace(V100, device="A"))
    run = finished_run(WORK, plain, 3.0, **change)
    assert corrected(plain, {"large": WORK}, [run]).factor(WORK) == 1.0


def test_past_predictions_are_judged_only_if_they_were_for_the_same_work() -> None:
    plain = Predictor(V100)
    run = finished_run(WORK, plain, 1.2)
    seconds = plain.training_seconds(WORK, 1)
    prediction = Prediction("gpu", 1, seconds, work_digest(WORK))
    (outcome,) = outcomes({"large/seed0": prediction}, [run], {"large": WORK})
    assert outcome.error == pytest.approx(0.2)
    errors = summary_of_errors([outcome, replace(outcome, measured=0.9 * seconds)])
    assert errors is not None
    assert errors["runs"] == 2
    assert errors["largest_error_pct"] == pytest.approx(20)
    assert errors["median_absolute_error_pct"] == pytest.approx(15)
    shorter = {"large": replace(WORK, epochs=100)}
    assert outcomes({"large/seed0": prediction}, [run], shorter) == []
    assert outcomes({"large/seed0": replace(prediction, gpus=2)}, [run], {"large": WORK}) == []
    assert summary_of_errors([]) is None


# The schedule

DEVICES = 4
jobs_of_any_size = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 4]), st.floats(0.1, 100)), max_size=25
).map(
    lambda sizes: [
        Job(f"v/seed{seed}", "v", seed, width, seconds)
        for seed, (width, seconds) in enumerate(sizes)
    ]
)


@given(jobs_of_any_size)
@settings(deadline=None, max_examples=60)
def test_a_schedule_runs_every_job_once_and_no_two_on_one_device(jobs: list[Job]) -> None:
    placed = list_schedule(jobs, DEVICES)
    assert sorted(each.job.seed for each in placed) == list(range(len(jobs)))
    for each in placed:
        assert len(set(each.devices)) == each.job.gpus
        assert set(each.devices) <= set(range(DEVICES))
    for one, other in itertools.combinations(placed, 2):
        if set(one.devices) & set(other.devices):
            assert one.end <= other.start + 1e-9 or other.end <= one.start + 1e-9
    area = sum(job.gpus * job.seconds for job in jobs)
    assert makespan(placed) >= area / DEVICES - 1e-6


@given(jobs_of_any_size)
@settings(deadline=None, max_examples=60)
def test_no_device_waits_while_a_job_fits(jobs: list[Job]) -> None:
    placed = list_schedule(jobs, DEVICES)
    for each in placed:
        # Just before it starts, fewer devices were free than it needs.
        before = [p for p in placed if p.start < each.start <= p.end]
        assert each.start == 0 or DEVICES - sum(p.job.gpus for p in before) < each.job.gpus


def test_a_job_that_is_too_wide_is_refused() -> None:
    with pytest.raises(ValueError, match="8 devices of 4"):
        list_schedule([Job("v/seed0", "v", 0, 8, 1.0)], 4)


def test_wide_jobs_outweigh_the_small_ones_that_would_fit_in_their_place() -> None:
    wide = Job("w/seed0", "w", 0, 8, 10.0)
    small = [Job(f"s/seed{seed}", "s", seed, 1, 5.0) for seed in range(8)]
    first, *others = priorities([wide, *small])
    assert first > sum(others)
    assert by_priority([wide, *small])[0] == wide


def test_neighbouring_devices_are_one_block() -> None:
    assert blocks([3, 0, 1]) == [(0, 2), (3, 1)]


# The choice of devices


def brute_force(wanted: list[Demand], devices: int) -> float:
    """Return the shortest schedule over all widths and all orders of a handful of runs."""
    runs = [(each, seed) for each in wanted for seed in each.seeds]
    best = float("inf")
    for widths in itertools.product(*(each.seconds for each, _ in runs)):
        jobs = [each.job(seed, width) for (each, seed), width in zip(runs, widths, strict=True)]
        for order in itertools.permutations(jobs):
            best = min(best, makespan(list_schedule(order, devices)))
    return best


@pytest.mark.parametrize(
    "wanted",
    [
        [demand("long", 1, 100, 52, 28), demand("short", 4, 10, 6, 4)],
        [demand("a", 2, 60, 31, 17), demand("b", 2, 30, 16, 9), demand("c", 1, 44, 23, 12)],
        [demand("a", 5, 10, 9, 8)],
        [demand("a", 3, 100, 51, 26)],
    ],
)
def test_the_solver_finds_the_best_schedule_of_a_handful(wanted: list[Demand]) -> None:
    solution = solve(wanted, 4, 20.0, known=1000.0)
    assert solution is not None
    assert solution.proven
    found = makespan(list_schedule(by_priority(solution.jobs), 4))
    assert found <= (1 + TOLERANCE) * brute_force(wanted, 4) + 1e-6


def test_a_run_that_is_longer_than_all_else_is_split() -> None:
    wanted = [demand("huge", 1, 800, 410, 210, 110), demand("small", 8, 10, 6, 4, 3)]
    chosen = choose(wanted, 8, 20.0)
    widths = {each.job.variant: each.job.gpus for each in chosen.placed}
    assert widths["huge"] >= 4
    assert makespan(chosen.placed) < 0.3 * makespan(
        list_schedule([each.job(seed, 1) for each in wanted for seed in each.seeds], 8)
    )


def test_small_runs_are_not_split() -> None:
    wanted = worth_splitting([demand("small", 100, 10, 5, 3), demand("large", 1, 400, 200, 100)], 4)
    assert list(wanted[0].seconds) == [1]
    assert list(wanted[1].seconds) == [1, 2, 4]


def test_without_the_solver_the_greedy_schedule_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [demand(f"v{n}", 3, 30 + 7 * n, 16 + 4 * n, 9 + 2 * n) for n in range(6)]
    monkeypatch.setattr(planning, "solve", lambda *_: None)
    chosen = choose(wanted, 4, 20.0)
    assert chosen.method == "greedy"
    assert makespan(chosen.placed) <= 1.2 * lower_bound(wanted, 4)


def test_a_solver_without_time_leaves_a_schedule_all_the_same() -> None:
    wanted = [demand(f"v{n}", 7, 30 + 7.3 * n, 16 + 4 * n, 9 + 2.1 * n) for n in range(20)]
    chosen = choose(wanted, 8, 0.01)
    assert len(chosen.placed) == 140
    assert chosen.seconds < 10
    assert makespan(chosen.placed) <= 1.2 * lower_bound(wanted, 8)


@given(st.lists(st.tuples(st.integers(1, 4), st.floats(1, 100)), min_size=1, max_size=8))
@settings(deadline=None, max_examples=40)
def test_no_choice_beats_the_lower_bound(sizes: list[tuple[int, float]]) -> None:
    wanted = [
        demand(f"v{n}", runs, seconds, 0.55 * seconds, 0.3 * seconds)
        for n, (runs, seconds) in enumerate(sizes)
    ]
    bound = lower_bound(wanted, 4) * (1 - 1e-9)
    for jobs in (balanced(wanted, 4), greedy(wanted, 4)):
        assert len(jobs) == sum(runs for runs, _ in sizes)
        assert makespan(list_schedule(jobs, 4)) >= bound


# The default study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """Return the layout of the study as it is committed."""
    project = make_project(tmp_path_factory.mktemp("study") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.folder)
        yield load_layout([], {})


def default_demands(study: Layout, predictor: Predictor) -> list[Demand]:
    spec = study.specs["plan"]
    return demands(works(spec), all_runs(spec), predictor, 8, "auto")


def test_the_default_study_fits_in_a_night_by_its_multiplications(study: Layout) -> None:
    """The issue's reference: MACs at a third of the peak of eight V100s, and nothing else."""
    macs_only = replace(V100, seconds_per_operation=0.0, start_up_seconds=0.0)
    wanted = default_demands(study, Predictor(macs_only))
    assert sum(len(each.seeds) for each in wanted) == 145
    assert lower_bound(wanted, 8) <= NIGHT
    assert makespan(choose(wanted, 8, 30.0).placed) <= NIGHT


def test_the_plan_of_the_default_study_is_near_its_lower_bound(study: Layout) -> None:
    wanted = default_demands(study, Predictor(V100))
    chosen = choose(wanted, 8, 10.0)
    bound = lower_bound(wanted, 8)
    assert makespan(chosen.placed) <= 1.05 * bound
    assert chosen.seconds < 20
    # And so is what serves as long as there is no plan, or no solver.
    assert makespan(list_schedule(by_priority(greedy(wanted, 8)), 8)) <= 1.05 * bound
    assert makespan(list_schedule(by_priority(balanced(wanted, 8)), 8)) <= 1.1 * bound


def test_gpus_and_price_reach_no_result(
    study: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


# What the workflow follows


def plan_spec_of(seeds: int, **variants: Work) -> dict[str, Any]:
    """Return the spec of a plan for made-up variants."""
    return {
        "study": {"name": "made up", "dataset": "shapes", "protocol": "uniform", "epochs": 200},
        "gpus": "auto",
        "price": {"gpu_hour": 2.0, "currency": "EUR"},
        "variants": {
            name: {
                "family": "Made up",
                "work": {**vars(work), "variant": name},
                "seeds": list(range(seeds)),
            }
            for name, work in variants.items()
        },
    }


def follow_plan(root: Path, spec: Mapping[str, Any], runs: Mapping[str, Any]) -> None:
    """Write a plan of `spec` that gives runs something that no rule would."""
    from bakeoff.planning.follow import plan_key  # noqa: PLC0415

    write_json(plan_file(root), {"key": plan_key(spec, EIGHT_GPUS), "runs": runs})


def test_the_workflow_follows_a_plan_of_the_same_study_and_devices(tmp_path: Path) -> None:
    spec = plan_spec_of(2, large=WORK)
    by_rule = assignments(spec, tmp_path, EIGHT_GPUS)
    planned = {"gpus": 4, "seconds": 77.0, "priority": 5}
    follow_plan(tmp_path, spec, {"large/seed1": planned})
    followed = assignments(spec, tmp_path, EIGHT_GPUS)
    assert vars(followed["large/seed1"]) == planned
    assert followed["large/seed0"] == by_rule["large/seed0"], "finished when the plan was made"
    # A plan of other work, of other devices or under another setting says nothing.
    for changed, devices in (
        (plan_spec_of(3, large=WORK), EIGHT_GPUS),
        (plan_spec_of(2, large=replace(WORK, epochs=100)), EIGHT_GPUS),
        ({**spec, "gpus": 8}, EIGHT_GPUS),
        (spec, Fleet("gpu", 4)),
        (spec, Fleet("cpu", 8)),
    ):
        assert assignments(changed, tmp_path, devices)["large/seed1"].seconds != 77.0


def test_a_damaged_plan_is_ignored(tmp_path: Path) -> None:
    spec = plan_spec_of(2, large=WORK)
    by_rule = assignments(spec, tmp_path, EIGHT_GPUS)
    plan_file(tmp_path).parent.mkdir()
    plan_file(tmp_path).write_text('{"key": ')
    assert assignments(spec, tmp_path, EIGHT_GPUS) == by_rule


def test_without_a_plan_large_runs_get_more_gpus_and_start_first(tmp_path: Path) -> None:
    small = replace(WORK, params=100_000, macs=20_000_000)
    given_ = assignments(plan_spec_of(1, small=small, large=WORK), tmp_path, EIGHT_GPUS)
    assert given_["small/seed0"].gpus < given_["large/seed0"].gpus
    assert given_["small/seed0"].priority < given_["large/seed0"].priority
    many = assignments(plan_spec_of(20, small=small, large=WORK), tmp_path, EIGHT_GPUS)
    assert {each.gpus for each in many.values()} == {1}
    fixed = assignments({**plan_spec_of(2, small=small), "gpus": 8}, tmp_path, EIGHT_GPUS)
    assert {each.gpus for each in fixed.values()} == {8}


def test_a_seed_that_the_study_has_not_gets_what_its_variant_gets(tmp_path: Path) -> None:
    given_ = assignments(plan_spec_of(1, large=WORK), tmp_path, EIGHT_GPUS)
    assert assigned_to("large", 99, given_) == given_["large/seed0"]
    assert assigned_to("unknown", 0, given_).gpus == 1


def test_time_limits_leave_room_and_small_runs_may_share_a_job(tmp_path: Path) -> None:
    given_ = assignments(plan_spec_of(50, large=WORK), tmp_path, EIGHT_GPUS)["large/seed0"]
    assert 60 * given_.minutes_allowed > 2.5 * given_.seconds
    assert not given_.is_small
    assert replace(given_, seconds=60.0).is_small
    assert not replace(given_, seconds=60.0, gpus=2).is_small


def test_the_devices_are_those_that_snakemake_may_use() -> None:
    assert fleet(8, 40) == EIGHT_GPUS
    assert fleet(0, 4) == Fleet("cpu", 4)
    assert fleet(None, None) == EIGHT_GPUS
    assert str(fleet(1, 4)) == "1 GPU"
    assert str(fleet(0, 2)) == "2 cores"


def test_a_job_of_slurm_uses_what_it_was_given() -> None:
    assert allocated_gpus({"CUDA_VISIBLE_DEVICES": "0,1"}) is None
    assert allocated_gpus({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0,3"}) == 2
    assert allocated_gpus({"SLURM_JOB_ID": "7", "SLURM_JOB_GPUS": "2"}) == 1
    assert allocated_gpus({"SLURM_JOB_ID": "7", "SLURM_GPUS_ON_NODE": "4"}) == 4
    assert allocated_gpus({"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": ""}) == 0
    assert allocated_gpus({"SLURM_JOB_ID": "7"}) is None  # then the plan says it


def test_thousands_of_runs_cost_little_at_each_parse(tmp_path: Path) -> None:
    spec = plan_spec_of(250, **{f"v{n}": replace(WORK, macs=10**8 * (n + 1)) for n in range(20)})
    started = time.process_time()
    given_ = assignments(spec, tmp_path, EIGHT_GPUS)
    line = forecast(spec, tmp_path, EIGHT_GPUS, all_runs(spec), given_)
    assert len(given_) == 5000
    assert "5000 runs on 8 GPUs" in line
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("seconds", "words"), [(41.0, "41 s"), (370.0, "6 min"), (5390.0, "90 min"), (9000.0, "2.5 h")]
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# Measuring


def test_a_step_of_a_deeper_network_takes_longer() -> None:
    import torch  # noqa: PLC0415

    work = replace(WORK, global_batch=100, micro_batch=25, images=400)
    cpu = torch.device("cpu")
    shallow = micro_batch_seconds(SPEC, work, cpu)
    deep = micro_batch_seconds(spec_with(model={"args": {"depth": 32}}), work, cpu)
    assert 1.5 * shallow < deep < 30 * shallow


def test_operations_are_those_of_the_network() -> None:
    shallow, deep = (
        count_operations(spec_with(model={"args": {"depth": depth}})["model"]) for depth in (8, 14)
    )
    # Three blocks more: each at least two convolutions, two norms, two activations and a sum.
    assert deep >= shallow + 3 * 7


def test_what_was_measured_is_kept_until_the_network_changes(tmp_path: Path) -> None:
    folder = tmp_path / "specs" / "runs"
    write_json(folder / "a.json", SPEC)
    write_json(folder / "b.json", SPEC)
    both = {name: replace(WORK, variant=name, micro_batch=25) for name in "ab"}
    first = calibrate(tmp_path, both, "cpu", Calibration("cpu"))
    assert first.seconds.keys() == {"a", "b"}
    write_json(folder / "b.json", spec_with(model={"args": {"depth": 14}}))
    # Without any time nothing new is measured.
    kept = calibrate(tmp_path, both, "cpu", first, budget=0.0)
    assert kept.seconds == {"a": first.seconds["a"]}
    elsewhere = calibrate(tmp_path, both, "cpu", replace(first, device="another"), budget=0.0)
    assert elsewhere.seconds == {}


def test_the_power_limit_is_what_the_driver_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert power_limit() is None
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 250.00\necho 300.00\n")
    driver.chmod(0o755)
    assert power_limit() == 250.0
    driver.write_text("#!/bin/sh\necho '[N/A]'\n")
    assert power_limit() is None


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
    over = small_study()
    over |= {"variants": ["resnet_20"], "ablations": []}
    over["variant_overrides"] = {"resnet_20": over["variant_overrides"]["resnet_20"]}
    project = make_project(tmp_path / "project", over)
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
