"""What the workflow follows."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from bakeoff.planning.follow import (
    allocated_gpus,
    assigned_to,
    assignments,
    duration,
    forecast,
    plan_file,
)
from bakeoff.planning.machine import Fleet, fleet
from bakeoff.planning.work import all_runs
from tests.support.plans import EIGHT_GPUS, WORK, follow_plan, plan_spec_of

# What the workflow follows


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
    line = str(forecast(spec, tmp_path, EIGHT_GPUS, all_runs(spec), given_))
    assert len(given_) == 5000
    assert "5000 runs on 8 GPUs" in line
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("seconds", "words"), [(41.0, "41 s"), (370.0, "6 min"), (5390.0, "90 min"), (9000.0, "2.5 h")]
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
