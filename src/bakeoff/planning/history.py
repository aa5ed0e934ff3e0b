"""What earlier plans predicted for runs that are finished now, and how far off that was."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bakeoff.files import canonical_json, sha256_text
from bakeoff.planning.machine import Kind, Machine
from bakeoff.planning.measured import Finished
from bakeoff.planning.schedule import Placed
from bakeoff.planning.work import Work, run_name


@dataclass(frozen=True)
class Prediction:
    """What a plan said of a run before it was trained."""

    kind: Kind
    gpus: int
    seconds: float
    """Of training and validation, without the start-up of the process."""
    work: str
    """Digest of the work that this was predicted for."""


@dataclass(frozen=True)
class Outcome:
    """A prediction and what was measured then."""

    run: str
    gpus: int
    predicted: float
    measured: float
    """Both in seconds."""

    @property
    def error(self) -> float:
        """By how much the run took longer than predicted, as a part of the prediction."""
        return self.measured / self.predicted - 1


def work_digest(work: Work) -> str:
    """Return a digest by which predictions for another recipe or network are told apart."""
    return sha256_text(canonical_json(asdict(work)))[:16]


def stored_predictions(plan: Mapping[str, Any]) -> dict[str, Prediction]:
    """Return {run: prediction} of an earlier plan's `gpus.json`; none where there is no such plan."""
    return {run: Prediction(**entry) for run, entry in plan.get("predictions", {}).items()}


def outcomes(
    predictions: Mapping[str, Prediction], finished: Iterable[Finished], works: Mapping[str, Work]
) -> list[Outcome]:
    """Return the predictions of runs that are finished and were trained as predicted: same work, same devices."""
    found = []
    for run in finished:
        name = run_name(run.variant, run.seed)
        prediction = predictions.get(name)
        actual = (run.kind, run.processes, work_digest(works[run.variant]))
        if prediction and (prediction.kind, prediction.gpus, prediction.work) == actual:
            found.append(Outcome(name, prediction.gpus, prediction.seconds, run.seconds))
    return found


def summary_of_errors(found: Sequence[Outcome]) -> dict[str, Any] | None:
    """Return how far off predictions were, in percent of the predicted time; None where none can be judged."""
    if not found:
        return None
    errors = [100 * outcome.error for outcome in found]
    return {
        "runs": len(errors),
        "median_error_pct": statistics.median(errors),
        "median_absolute_error_pct": statistics.median(map(abs, errors)),
        "largest_error_pct": max(errors, key=abs),
    }


def predictions_for(
    placed: Iterable[Placed], machine: Machine, works: Mapping[str, Work]
) -> dict[str, Prediction]:
    """Return {run: prediction} of a schedule, to be judged when its runs are finished."""
    digests = {variant: work_digest(work) for variant, work in works.items()}
    return {
        each.job.run: Prediction(
            machine.kind,
            each.job.gpus,
            each.job.seconds - machine.start_up_seconds,
            digests[each.job.variant],
        )
        for each in placed
    }
