"""What finished runs say: which runs are done, how fast they were, how far off the predictions were."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bakeoff.files import read_json
from bakeoff.planning.machine import Kind
from bakeoff.planning.prediction import Predictor
from bakeoff.planning.work import Work, run_name


@dataclass(frozen=True)
class Finished:
    """A run whose metrics are on disk."""

    variant: str
    seed: int
    kind: Kind
    device: str
    processes: int
    macs: int
    seconds: float
    """Of training and validation."""
    images_per_s: float
    """Of training."""


def read_finished(root: Path, runs: Mapping[str, Sequence[int]]) -> list[Finished]:
    """Return those of `runs`, {variant: seeds}, that are finished, with readable metrics below `root`."""
    found = []
    for variant, seeds in runs.items():
        for seed in seeds:
            metrics = _read(root / "runs" / run_name(variant, seed) / "metrics.json")
            # One that diverged has not done the work that was predicted.
            if metrics is not None and "diverged" not in metrics:
                found.append(_finished(variant, seed, metrics))
    return found


def hours_of_a_run(root: Path, runs: Mapping[str, Sequence[int]]) -> tuple[dict[str, float], str]:
    """Return {variant: hours of devices that one of its runs took, on average} and what they are hours of.

    Those are GPU-hours where any run was on a GPU, and core-hours else. A variant without a finished run takes as long
    as the others in the mean.
    """
    finished = read_finished(root, runs)
    on_gpu = any(run.kind == "gpu" for run in finished)
    taken: dict[str, list[float]] = {}
    for run in finished:
        taken.setdefault(run.variant, []).append(run.processes * run.seconds / 3600)
    hours = {variant: statistics.mean(values) for variant, values in taken.items()}
    usual = statistics.mean(hours.values()) if hours else 0.0
    return {name: hours.get(name, usual) for name in runs}, "GPU-hours" if on_gpu else "core-hours"


def corrected(
    predictor: Predictor, works: Mapping[str, Work], finished: Iterable[Finished]
) -> Predictor:
    """Return `predictor` with the factors by which the training throughput of finished runs differs from it.

    Runs on other devices, or of another network under the same name, do not count.
    """
    machine = predictor.machine
    ratios: dict[str, list[float]] = {}
    for run in finished:
        work = works[run.variant]
        device = machine.device or run.device
        if (run.kind, run.device, run.macs) == (machine.kind, device, work.macs):
            expected = predictor.images_per_s(work, run.processes)
            ratios.setdefault(run.variant, []).append(expected / run.images_per_s)
    factors = {variant: statistics.median(values) for variant, values in ratios.items()}
    general = statistics.median(factors.values()) if factors else 1.0
    return replace(predictor, factors=factors, general_factor=general)


def _finished(variant: str, seed: int, metrics: Mapping[str, Any]) -> Finished:
    return Finished(
        variant=variant,
        seed=seed,
        kind="gpu" if metrics["gpu_hours"] > 0 else "cpu",
        device=metrics["device"],
        processes=metrics["processes"],
        macs=metrics["macs"],
        seconds=3600 * metrics["wall_hours"],
        images_per_s=metrics["images_per_s"],
    )


def _read(path: Path) -> Any:
    """Return a JSON file's content, or None where it is missing or damaged."""
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None
