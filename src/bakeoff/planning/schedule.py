"""Which run starts when, and on which devices.

A list schedule, as Snakemake makes it while it works: whenever devices come free, the first job of the list that fits
starts. Jobs are not interrupted, and all devices are alike.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class PlannedRun:
    """A run on a number of devices."""

    run: str
    variant: str
    seed: int
    gpus: int
    """Devices: GPUs, or cores where runs are trained on the CPU."""
    seconds: float


@dataclass(frozen=True)
class Placed:
    """A job with its start, in seconds from that of the schedule, and its devices, counted from 0."""

    job: PlannedRun
    start: float
    devices: tuple[int, ...]

    @property
    def end(self) -> float:
        """When the job is done, in seconds from the start of the schedule."""
        return self.start + self.job.seconds


def priorities(jobs: Sequence[PlannedRun]) -> list[int]:
    """Return a priority for each of `jobs`, which stand in the order in which they are to start.

    It counts for each device: Snakemake's default scheduler maximises the sum of priorities, and eight jobs on one
    GPU each must not outweigh one on eight that is to start before them.
    """
    return [job.gpus * (len(jobs) - place) for place, job in enumerate(jobs)]


def by_priority(jobs: Sequence[PlannedRun]) -> list[PlannedRun]:
    """Return `jobs` in the order that their priorities give."""
    ranked = sorted(zip(priorities(jobs), jobs, strict=True), key=lambda pair: -pair[0])
    return [job for _, job in ranked]


def list_schedule(jobs: Iterable[PlannedRun], devices: int) -> list[Placed]:
    """Return the schedule of `jobs`, given in their order of preference, in the order of their starts.

    Takes time in proportion to n log n for n jobs.

    Raises:
        ValueError: a job needs more than `devices` devices.
    """
    waiting: dict[int, deque[tuple[int, PlannedRun]]] = {}
    for place, job in enumerate(jobs):
        waiting.setdefault(job.gpus, deque()).append((place, job))
    if waiting and max(waiting) > devices:
        raise ValueError(f"a job needs {max(waiting)} devices of {devices}")
    free = list(range(devices))
    running: list[tuple[float, int, tuple[int, ...]]] = []
    placed: list[Placed] = []
    now = 0.0
    while any(waiting.values()):
        fitting = [queue for width, queue in waiting.items() if queue and width <= len(free)]
        if fitting:
            _, job = min(fitting, key=lambda queue: queue[0][0]).popleft()
            taken = tuple(heapq.heappop(free) for _ in range(job.gpus))
            heapq.heappush(running, (now + job.seconds, len(placed), taken))
            placed.append(Placed(job, now, taken))
        else:
            now, _, given = heapq.heappop(running)
            for device in given:
                heapq.heappush(free, device)
    return placed


def makespan(placed: Iterable[Placed]) -> float:
    """Return when the last job is done, in seconds from the start."""
    return max((each.end for each in placed), default=0.0)


def blocks(devices: Sequence[int]) -> list[tuple[int, int]]:
    """Return devices as (first, number) of neighbours."""
    numbered = enumerate(sorted(devices))
    groups = (list(group) for _, group in groupby(numbered, lambda pair: pair[1] - pair[0]))
    return [(group[0][1], len(group)) for group in groups]
