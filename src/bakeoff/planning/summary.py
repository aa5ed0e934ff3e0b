"""A plan in a few numbers: `summary.json`, and the sentences that the user reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.planning.allocation import Demand, lower_bound
from bakeoff.planning.follow import duration
from bakeoff.planning.history import Outcome, summary_of_errors
from bakeoff.planning.machine import Fleet, Machine, counted, devices_in_words
from bakeoff.planning.prediction import Predictor
from bakeoff.planning.schedule import Placed, list_schedule, makespan
from bakeoff.planning.work import Work

HOUR = 3600.0


@dataclass(frozen=True)
class Price:
    """What an hour of a GPU costs; hours of cores cost nothing here."""

    gpu_hour: float = 0.0
    currency: str = "USD"


@dataclass(frozen=True)
class Chosen:
    """The schedule that is proposed, and how it was found."""

    placed: tuple[Placed, ...]
    method: str
    """`optimal` (proven within the solver's tolerance), `best in time` (of the solver) or `greedy`."""
    seconds: float
    """That finding it took."""


@dataclass(frozen=True)
class Summary:
    """What a plan says. Hours are predicted; empty fields are not known."""

    study: str
    kind: str
    device: str | None
    devices: int
    planned: int
    """Runs that are still to be trained."""
    finished: int
    hours: float
    """From the start of the first run to the end of the last."""
    lower_bound_hours: float
    gap_pct: float
    """By how much the plan is longer than the lower bound."""
    sequence_hours: float
    """The talk's way: one run after another, each on as many devices as it can have."""
    first_come_hours: float
    """One device for each run, in the order of the configuration."""
    device_hours: float
    energy_kwh: float
    cost: float | None
    currency: str
    method: str
    solver_seconds: float
    runs_by_devices: dict[str, int]
    """Number of runs, by the number of devices that each has."""
    variants_by_basis: dict[str, int]
    """Number of variants, by what their prediction rests on."""
    launch_bound_variants: int
    """Variants whose time is that of launching operations, not of arithmetic, as the model has it."""
    past_predictions: dict[str, Any] | None


def summarise(
    study: str,
    devices: Fleet,
    predictor: Predictor,
    wanted: Sequence[tuple[Work, Demand]],
    chosen: Chosen,
    finished: int,
    price: Price,
    judged: Sequence[Outcome],
) -> Summary:
    """Return the summary of a plan for `wanted`, pairs of a variant's work and its runs."""
    bound = lower_bound([demand for _, demand in wanted], devices.count)
    length = makespan(chosen.placed)
    used = device_hours(chosen.placed)
    limits = [predictor.limits(work) for work, _ in wanted]
    return Summary(
        study=study,
        kind=devices.kind,
        device=predictor.machine.device,
        devices=devices.count,
        planned=len(chosen.placed),
        finished=finished,
        hours=length / HOUR,
        lower_bound_hours=bound / HOUR,
        gap_pct=max(0.0, 100 * (length / bound - 1)) if bound else 0.0,
        sequence_hours=in_sequence(wanted, predictor, devices.count) / HOUR,
        first_come_hours=first_come(wanted, predictor, devices.count) / HOUR,
        device_hours=used,
        energy_kwh=energy_kwh(used, predictor.machine),
        cost=cost(used, predictor.machine, price),
        currency=price.currency,
        method=chosen.method,
        solver_seconds=chosen.seconds,
        runs_by_devices={
            str(width): count
            for width, count in sorted(Counter(each.job.gpus for each in chosen.placed).items())
        },
        variants_by_basis=dict(Counter(predictor.basis(work) for work, _ in wanted)),
        launch_bound_variants=sum(launching > arithmetic for arithmetic, launching in limits),
        past_predictions=summary_of_errors(judged),
    )


def in_sequence(wanted: Sequence[tuple[Work, Demand]], predictor: Predictor, devices: int) -> float:
    """Return the seconds of one run after another, each on all devices: the talk's way."""
    widest = min(devices, predictor.machine.widest)
    return sum(len(demand.seeds) * predictor.seconds(work, widest) for work, demand in wanted)


def first_come(wanted: Sequence[tuple[Work, Demand]], predictor: Predictor, devices: int) -> float:
    """Return the seconds with one device for each run, started in the order of the configuration."""
    jobs = []
    for work, demand in wanted:
        single = Demand(demand.variant, demand.seeds, {1: predictor.seconds(work, 1)})
        jobs += [single.job(seed, 1) for seed in demand.seeds]
    return makespan(list_schedule(jobs, devices))


def device_hours(placed: Sequence[Placed]) -> float:
    """Return the hours that devices are taken, summed over devices."""
    return sum(each.job.gpus * each.job.seconds for each in placed) / HOUR


def energy_kwh(hours: float, machine: Machine) -> float:
    """Return the energy that devices draw in `hours` device hours, at full load and without their host."""
    return hours * machine.watts / 1000


def cost(hours: float, machine: Machine, price: Price) -> float | None:
    """Return the price of `hours` GPU hours; None for cores."""
    return hours * price.gpu_hour if machine.kind == "gpu" else None


def in_words(summary: Summary) -> str:
    """Return a plan in a few lines."""
    devices = devices_in_words(summary.kind, summary.devices)
    if not summary.planned:
        return f"All {counted(summary.finished, 'run')} of the study '{summary.study}' are done: nothing to plan."
    bases = ", ".join(
        f"{basis} ({counted(number, 'variant')})"
        for basis, number in summary.variants_by_basis.items()
    )
    lines = [
        f"{counted(summary.planned, 'run')} on {devices} ({summary.device or 'not at hand'}): "
        f"{duration(HOUR * summary.hours)}, {summary.gap_pct:.1f} % above the lower bound "
        f"({summary.method}, found in {summary.solver_seconds:.0f} s).",
        f"One after another on {devices}: {duration(HOUR * summary.sequence_hours)}. "
        f"One {'GPU' if summary.kind == 'gpu' else 'core'} each, first come: "
        f"{duration(HOUR * summary.first_come_hours)}.",
        _costs_in_words(summary),
        f"Predicted from: {bases}.",
    ]
    if past := summary.past_predictions:
        lines.append(
            f"Past predictions: off by {past['median_error_pct']:+.0f} % in the median of "
            f"{counted(past['runs'], 'run')}, by {past['largest_error_pct']:+.0f} % at most."
        )
    return "\n".join(lines)


def _costs_in_words(summary: Summary) -> str:
    unit = "GPU-hours" if summary.kind == "gpu" else "core-hours"
    parts = [f"{summary.device_hours:.1f} {unit}", f"about {_short(summary.energy_kwh)} kWh"]
    if summary.cost is not None:
        parts.append(f"{summary.cost:.0f} {summary.currency}")
    return ", ".join(parts) + "."


def _short(number: float) -> str:
    """Return two significant digits, and all digits before the point."""
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"
