"""The schedule, and the choice of devices."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.planning import plan as planning
from bakeoff.planning.allocation import (
    Demand,
    balanced,
    greedy,
    lower_bound,
    worth_splitting,
)
from bakeoff.planning.plan import choose
from bakeoff.planning.schedule import (
    PlannedRun,
    blocks,
    by_priority,
    list_schedule,
    makespan,
    priorities,
)
from bakeoff.planning.solver import TOLERANCE, solve
from tests.support.plans import demand

# The schedule

DEVICES = 4
jobs_of_any_size = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 4]), st.floats(0.1, 100)), max_size=25
).map(
    lambda sizes: [
        PlannedRun(f"v/seed{seed}", "v", seed, width, seconds)
        for seed, (width, seconds) in enumerate(sizes)
    ]
)


@given(jobs_of_any_size)
@settings(deadline=None, max_examples=60)
def test_a_schedule_runs_every_job_once_and_no_two_on_one_device(jobs: list[PlannedRun]) -> None:
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
def test_no_device_waits_while_a_job_fits(jobs: list[PlannedRun]) -> None:
    placed = list_schedule(jobs, DEVICES)
    for each in placed:
        # Just before it starts, fewer devices were free than it needs.
        before = [p for p in placed if p.start < each.start <= p.end]
        assert each.start == 0 or DEVICES - sum(p.job.gpus for p in before) < each.job.gpus


def test_a_job_that_is_too_wide_is_refused() -> None:
    with pytest.raises(ValueError, match="8 devices of 4"):
        list_schedule([PlannedRun("v/seed0", "v", 0, 8, 1.0)], 4)


def test_wide_jobs_outweigh_the_small_ones_that_would_fit_in_their_place() -> None:
    wide = PlannedRun("w/seed0", "w", 0, 8, 10.0)
    small = [PlannedRun(f"s/seed{seed}", "s", seed, 1, 5.0) for seed in range(8)]
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
