"""Devices for each run: what there is to choose from, what no choice can beat, and a good one without a solver.

More devices make a run shorter and its share of the machine larger, because some of their time is lost. So a run
gets more than one only where that shortens the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bakeoff.planning.machine import Machine
from bakeoff.planning.prediction import Predictor
from bakeoff.planning.schedule import PlannedRun, list_schedule, makespan
from bakeoff.planning.work import Work, run_name

# The length of a run beside which it is small, as a part of the lower bound: seven others fit on its device.
SMALL = 1 / 8


@dataclass(frozen=True)
class Demand:
    """Runs of one variant, which are all alike, and how long one takes on 1, 2, ... devices."""

    variant: str
    seeds: tuple[int, ...]
    seconds: Mapping[int, float]

    @property
    def shortest(self) -> int:
        """The number of devices on which a run is shortest."""
        return min(self.seconds, key=lambda width: (self.seconds[width], width))

    def within(self, limit: float) -> int:
        """Return the smallest number of devices on which a run takes at most `limit` seconds, or is shortest."""
        enough = [width for width, seconds in self.seconds.items() if seconds <= limit]
        return min(enough, default=self.shortest)

    def job(self, seed: int, width: int) -> PlannedRun:
        """Return the run with `seed` on `width` devices."""
        run = run_name(self.variant, seed)
        return PlannedRun(run, self.variant, seed, width, self.seconds[width])


def demands(
    works: Mapping[str, Work],
    runs: Mapping[str, Sequence[int]],
    predictor: Predictor,
    devices: int,
    gpus: int | str,
) -> list[Demand]:
    """Return the demands of `runs`, {variant: seeds}, on `devices` devices.

    `gpus` is the study's setting: a number for every run, or "auto".
    """
    result = []
    for variant, seeds in runs.items():
        work = works[variant]
        widths = possible_widths(work, predictor.machine, devices, gpus)
        seconds = {width: predictor.seconds(work, width) for width in widths}
        result.append(Demand(variant, tuple(seeds), seconds))
    return result


def possible_widths(
    work: Work, machine: Machine, devices: int, gpus: int | str = "auto"
) -> tuple[int, ...]:
    """Return the numbers of devices that a run may get: powers of two, for which micro-batches divide evenly."""
    most = min(devices, machine.widest)
    if isinstance(gpus, int):
        return (min(gpus, most),)
    most = min(most, work.micro_batches)
    return tuple(1 << power for power in range(most.bit_length()))


def lower_bound(wanted: Iterable[Demand], devices: int) -> float:
    """Return the seconds that no schedule can beat: all work spread evenly, or the longest run at its shortest."""
    wanted = list(wanted)
    least = sum(
        len(demand.seeds) * min(width * seconds for width, seconds in demand.seconds.items())
        for demand in wanted
    )
    longest = max((min(demand.seconds.values()) for demand in wanted), default=0.0)
    return max(least / devices, longest)


def worth_splitting(wanted: Iterable[Demand], devices: int) -> list[Demand]:
    """Return the demands with only those numbers of devices that can shorten the whole.

    Runs that are short beside the whole fill its gaps as they are: splitting them only costs.
    """
    wanted = list(wanted)
    limit = SMALL * lower_bound(wanted, devices)
    return [
        replace(
            demand,
            seconds={
                width: seconds
                for width, seconds in demand.seconds.items()
                if width <= demand.within(limit)
            },
        )
        for demand in wanted
    ]


def balanced(wanted: Sequence[Demand], devices: int) -> list[PlannedRun]:
    """Return jobs such that no run is longer than the whole would be if it were spread evenly, longest first.

    A quick rule, in linear time: what the workflow does as long as there is no plan.
    """
    return _within(wanted, lower_bound(wanted, devices))


def greedy(wanted: Sequence[Demand], devices: int) -> list[PlannedRun]:
    """Return the jobs of the shortest schedule among those that limit the length of runs, in starting order.

    Tries each length that some run can have as the limit of all (the idea of Turek, Wolf and Yu, Approximate
    algorithms for scheduling parallelizable tasks, 1992) and schedules the longest runs first.
    """
    limits = {seconds for demand in wanted for seconds in demand.seconds.values()}
    floor = max((min(demand.seconds.values()) for demand in wanted), default=0.0)
    tried = [_within(wanted, limit) for limit in sorted(limits) if limit >= floor]
    return min(tried, key=lambda jobs: makespan(list_schedule(jobs, devices)), default=[])


def _within(wanted: Iterable[Demand], limit: float) -> list[PlannedRun]:
    jobs = [
        demand.job(seed, width)
        for demand in wanted
        for width in (demand.within(limit),)
        for seed in demand.seeds
    ]
    return sorted(jobs, key=lambda job: (-job.gpus, -job.seconds))
