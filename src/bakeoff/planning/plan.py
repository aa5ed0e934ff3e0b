"""The plan of a study, from what is not yet done to the files in `{root}/plan/`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bakeoff.files import write_json
from bakeoff.planning import files, gantt
from bakeoff.planning.allocation import Demand, demands, greedy, lower_bound, worth_splitting
from bakeoff.planning.calibration import calibrated, load_calibration, save_calibration
from bakeoff.planning.follow import assigned, plan_file, plan_key, read_plan
from bakeoff.planning.history import outcomes, predictions_for, stored_predictions
from bakeoff.planning.machine import Fleet
from bakeoff.planning.measure import calibrate
from bakeoff.planning.measured import corrected, read_finished
from bakeoff.planning.prediction import Predictor
from bakeoff.planning.schedule import by_priority, list_schedule, makespan
from bakeoff.planning.solver import TOLERANCE, solve
from bakeoff.planning.summary import Chosen, Price, Summary, summarise
from bakeoff.planning.work import Work, all_runs, works

TIME_LIMIT = 30.0


def make_plan(
    spec: Mapping[str, Any],
    root: Path,
    devices: Fleet,
    pending: Mapping[str, Sequence[int]],
    time_limit: float = TIME_LIMIT,
) -> Summary:
    """Plan all runs that are not yet done, write the plan's files to `{root}/plan/`, and return what they say.

    Args:
        spec: content of `{root}/specs/plan.json`.
        root: folder of the study's results.
        devices: that the runs share.
        pending: {variant: seeds} of the runs that are not done, or stale.
        time_limit: of the solver, in seconds.
    """
    work, runs = works(spec), all_runs(spec)
    finished = [
        run for run in read_finished(root, runs) if run.seed not in pending.get(run.variant, ())
    ]
    predictor = corrected(_measured(root, work, pending, devices), work, finished)
    wanted = demands(work, pending, predictor, devices.count, spec["gpus"])
    chosen = choose(wanted, devices.count, time_limit)

    predictions = stored_predictions(read_plan(root))
    judged = outcomes(predictions, finished, work)
    kept = {outcome.run: predictions[outcome.run] for outcome in judged}
    planned = predictions_for(chosen.placed, predictor.machine, work)
    price = Price(**spec["price"])
    summary = summarise(
        str(spec["study"]["name"]),
        devices,
        predictor,
        [(work[demand.variant], demand) for demand in wanted],
        chosen,
        len(finished),
        price,
        judged,
    )

    folder = plan_file(root).parent
    bases = {variant: predictor.basis(work[variant]) for variant in pending}
    files.write_schedule(folder / "schedule.csv", chosen.placed, bases, predictor, price, summary)
    files.write_outcomes(folder / "predictions.csv", judged)
    families = {variant: entry["family"] for variant, entry in spec["variants"].items()}
    gantt.draw(folder / "gantt.png", chosen.placed, devices, families, summary)
    write_json(folder / "summary.json", asdict(summary))
    # Last, because the workflow follows it.
    write_json(
        plan_file(root),
        {
            "key": plan_key(spec, devices),
            "runs": _as_json(assigned([placed.job for placed in chosen.placed])),
            "predictions": _as_json(kept | planned),
        },
    )
    return summary


def choose(wanted: Sequence[Demand], devices: int, time_limit: float) -> Chosen:
    """Return the solver's schedule, or the greedy one where that is so near the lower bound, or all there is."""
    started = time.monotonic()
    wanted = worth_splitting(wanted, devices)
    method, placed = "greedy", list_schedule(by_priority(greedy(wanted, devices)), devices)
    if makespan(placed) > (1 + TOLERANCE) * lower_bound(wanted, devices):
        solution = solve(wanted, devices, time_limit, makespan(placed))
        if solution is not None:
            found = list_schedule(by_priority(solution.jobs), devices)
            if makespan(found) <= makespan(placed):
                method, placed = "optimal" if solution.proven else "best in time", found
    return Chosen(tuple(placed), method, time.monotonic() - started)


def _measured(
    root: Path, work: Mapping[str, Work], pending: Mapping[str, Sequence[int]], devices: Fleet
) -> Predictor:
    """Return a predictor calibrated on this machine, where the variants with the most work come first."""
    order = sorted(
        pending,
        key=lambda name: (
            -work[name].macs * work[name].images * work[name].epochs * len(pending[name])
        ),
    )
    known = load_calibration(root, devices.kind)
    calibration = calibrate(root, {name: work[name] for name in order}, devices.kind, known)
    save_calibration(root, calibration)
    return calibrated(calibration, work)


def _as_json(entries: Mapping[str, Any]) -> dict[str, Any]:
    return {name: asdict(entry) for name, entry in entries.items()}
