"""The choice of devices as a mixed-integer program.

Devices are cut into blocks of 1, 2, 4, ... neighbours, one inside another. A run gets a block; on each device, runs on
large blocks come before runs on small ones. Then all devices of a block are done with the larger ones at the same
time, nothing ever waits, and a schedule is as long as the sum of the runs on its fullest device:

    minimise C    such that    every run has a block    and    for each device: sum of its runs' seconds <= C

Runs of one variant are alike, so the unknowns are numbers of runs, for each variant and block: a few hundred,
however many seeds there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from bakeoff.planning.allocation import Demand, lower_bound
from bakeoff.planning.schedule import PlannedRun

# A schedule this close to the optimum is good enough: predictions are further off.
TOLERANCE = 0.005


@dataclass(frozen=True)
class DeviceBlock:
    """Neighbouring devices that one run uses together."""

    first: int
    width: int

    @property
    def devices(self) -> range:
        """The devices of the block."""
        return range(self.first, self.first + self.width)


@dataclass(frozen=True)
class Solution:
    """What the solver found: the jobs in starting order, and whether it had time to prove them good."""

    jobs: list[PlannedRun]
    proven: bool


def solve(
    wanted: Sequence[Demand], devices: int, time_limit: float, known: float
) -> Solution | None:
    """Return the solver's choice, or None where it found none within `time_limit` seconds.

    Only schedules of at most `known` seconds are looked for: the length of one that is known already.
    """
    blocks = {
        width: [DeviceBlock(first, width) for first in range(0, devices - width + 1, width)]
        for width in sorted({width for demand in wanted for width in demand.seconds})
    }
    choices = [
        (number, block)
        for number, demand in enumerate(wanted)
        for width in demand.seconds
        for block in blocks[width]
    ]
    # The unknowns: how many runs each choice gets, and behind them the length of the schedule.
    given, busy = np.zeros((len(wanted), len(choices) + 1)), np.zeros((devices, len(choices) + 1))
    for column, (number, block) in enumerate(choices):
        given[number, column] = 1
        busy[block.devices, column] = wanted[number].seconds[block.width]
    busy[:, -1] = -1
    runs = np.array([len(demand.seeds) for demand in wanted])
    most = [len(wanted[number].seeds) for number, _ in choices]
    found = milp(
        c=np.eye(len(choices) + 1)[-1],
        integrality=[1] * len(choices) + [0],
        # Both bounds of the length are known beforehand, and telling them spares the solver most of its search.
        bounds=Bounds([0] * len(choices) + [lower_bound(wanted, devices)], [*most, known]),
        constraints=[LinearConstraint(given, runs, runs), LinearConstraint(busy, ub=0)],
        options={"time_limit": time_limit, "mip_rel_gap": TOLERANCE},
    )
    if found.x is None:
        return None
    counts = found.x[:-1].round().astype(int).tolist()
    chosen = {choice: count for choice, count in zip(choices, counts, strict=True) if count}
    return Solution(_in_starting_order(wanted, devices, chosen), proven=found.status == 0)


def _in_starting_order(
    wanted: Sequence[Demand], devices: int, chosen: Mapping[tuple[int, DeviceBlock], int]
) -> list[PlannedRun]:
    """Return the jobs of a choice by their start: on each device large blocks first, then long runs."""
    busy = [0.0] * devices
    starts: list[tuple[float, int, float, int]] = []
    order = sorted(
        chosen.items(),
        key=lambda item: (-item[0][1].width, -wanted[item[0][0]].seconds[item[0][1].width]),
    )
    for (number, block), count in order:
        seconds = wanted[number].seconds[block.width]
        for _ in range(count):
            start = max(busy[device] for device in block.devices)
            starts.append((start, -block.width, -seconds, number))
            for device in block.devices:
                busy[device] = start + seconds
    seeds = [iter(demand.seeds) for demand in wanted]
    return [
        wanted[number].job(next(seeds[number]), -width) for _, width, _, number in sorted(starts)
    ]
