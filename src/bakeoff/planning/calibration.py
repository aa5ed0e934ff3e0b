"""What single steps took on the machine at hand: `{root}/plan/calibration.json`.

Measuring needs torch and is in `bakeoff.planning.measure`; here is what is kept of it, and how it corrects the
constants for variants that were not measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from bakeoff.files import read_json, write_json
from bakeoff.planning.machine import DEFAULTS, Kind, Machine
from bakeoff.planning.prediction import Predictor
from bakeoff.planning.work import Work


@dataclass(frozen=True)
class Calibration:
    """Measurements on one device. All mappings are by variant."""

    kind: Kind
    device: str | None = None
    """Name of the device; None where none of this kind is at hand, and nothing was measured."""
    watts: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Of a micro-batch: forward, backward and its share of the update."""
    operations: Mapping[str, int] = field(default_factory=dict)
    """Of a forward pass."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """What the measurement of a variant depends on, as a digest."""


def load_calibration(root: Path, kind: Kind) -> Calibration:
    """Return the calibration of `root`, or an empty one where there is none for this kind of device."""
    try:
        calibration = Calibration(**read_json(_file(root)))
    except (OSError, ValueError, TypeError):
        return Calibration(kind)
    return calibration if calibration.kind == kind else Calibration(kind)


def save_calibration(root: Path, calibration: Calibration) -> None:
    """Write the calibration of `root`."""
    write_json(_file(root), asdict(calibration))


def calibrated(calibration: Calibration, works: Mapping[str, Work]) -> Predictor:
    """Return a predictor for the device of `calibration`, which was made for `works`."""
    predictor = Predictor(DEFAULTS[calibration.kind], calibration.operations)
    machine = replace(
        _fitted(predictor, works, calibration.seconds),
        device=calibration.device,
        watts=calibration.watts or predictor.machine.watts,
    )
    return replace(predictor, machine=machine, micro_batch_seconds=calibration.seconds)


def _fitted(
    predictor: Predictor, works: Mapping[str, Work], seconds: Mapping[str, float]
) -> Machine:
    """Return the predictor's machine with its two speeds moved to where measured variants lie in the middle.

    Variants that arithmetic limits say something about the one, those that launching limits about the other; where
    there are none of a sort, both speeds move together.
    """
    by_arithmetic: list[float] = []
    by_launching: list[float] = []
    for variant in seconds.keys() & works.keys():
        arithmetic, launching = predictor.limits(works[variant])
        ratio = seconds[variant] / max(arithmetic, launching)
        (by_arithmetic if arithmetic >= launching else by_launching).append(ratio)
    machine = predictor.machine
    if not by_arithmetic and not by_launching:
        return machine
    return replace(
        machine,
        macs_per_s=machine.macs_per_s / statistics.median(by_arithmetic or by_launching),
        seconds_per_operation=machine.seconds_per_operation
        * statistics.median(by_launching or by_arithmetic),
    )


def _file(root: Path) -> Path:
    return root / "plan" / "calibration.json"
