"""Seconds that a run takes.

The model: a micro-batch takes as long as its arithmetic or as the launching of its operations, whichever is longer,
because a GPU computes while the next operations are launched:

    micro-batch = max(3 * MACs * images / rate, operations * seconds per operation)

(a backward pass costs two forward passes). A step on g devices takes ceil(micro-batches / g) of these and one
all-reduce of the gradients, which is counted in full although part of it hides behind the backward pass. Validation
is a third of that for each image. Where the time of a variant was measured, that counts instead of the formula.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from bakeoff.planning.machine import TYPICAL_OPERATIONS, Machine
from bakeoff.planning.work import Work

BYTES_PER_GRADIENT = 4
BACKWARD = 2  # a backward pass in forward passes


@dataclass(frozen=True)
class Predictor:
    """Predictions for one kind of machine, corrected by what was measured on it."""

    machine: Machine
    operations: Mapping[str, int] = field(default_factory=dict)
    """Operations of a forward pass, by variant, where they were counted."""
    micro_batch_seconds: Mapping[str, float] = field(default_factory=dict)
    """Measured time of a micro-batch, by variant."""
    factors: Mapping[str, float] = field(default_factory=dict)
    """Measured time of finished runs divided by predicted time, by variant."""
    general_factor: float = 1.0
    """The same for variants of which no run is finished."""

    def seconds(self, work: Work, devices: int) -> float:
        """Return the seconds of one run on `devices` devices, from start to finish."""
        return (
            self.factor(work) * self.training_seconds(work, devices) + self.machine.start_up_seconds
        )

    def training_seconds(self, work: Work, devices: int) -> float:
        """Return the seconds of training and validation as the model has them, without factors."""
        each = self.seconds_per_micro_batch(work)
        rounds = math.ceil(work.held_out / work.micro_batch / devices)
        validation = rounds * each / (1 + BACKWARD)
        return work.epochs * (work.steps * self.step_seconds(work, devices) + validation)

    def images_per_s(self, work: Work, devices: int) -> float:
        """Return the training throughput as the model has it, without factors."""
        return work.images / (work.steps * self.step_seconds(work, devices))

    def step_seconds(self, work: Work, devices: int) -> float:
        """Return the seconds of an optimizer step."""
        rounds = math.ceil(work.micro_batches / devices)
        return rounds * self.seconds_per_micro_batch(work) + self._exchange_seconds(work, devices)

    def seconds_per_micro_batch(self, work: Work) -> float:
        """Return the seconds of forward and backward pass of one micro-batch on one device."""
        measured = self.micro_batch_seconds.get(work.variant)
        return max(self.limits(work)) if measured is None else measured

    def limits(self, work: Work) -> tuple[float, float]:
        """Return the seconds of a micro-batch's arithmetic, and of launching its operations."""
        macs = (1 + BACKWARD) * work.macs * work.images_per_micro_batch
        operations = self.operations.get(work.variant, TYPICAL_OPERATIONS)
        return macs / self.machine.macs_per_s, operations * self.machine.seconds_per_operation

    def factor(self, work: Work) -> float:
        """Return by how much the model is corrected for a variant."""
        return self.factors.get(work.variant, self.general_factor)

    def basis(self, work: Work) -> str:
        """Return in words what the prediction for a variant rests on."""
        if work.variant in self.factors:
            return "finished runs"
        return "calibration" if work.variant in self.micro_batch_seconds else "model"

    def _exchange_seconds(self, work: Work, devices: int) -> float:
        # A ring sends each gradient 2 (g - 1) / g times: Patarasuk and Yuan, Bandwidth optimal all-reduce, 2009.
        sent = BYTES_PER_GRADIENT * work.params * 2 * (devices - 1) / devices
        return sent / self.machine.exchange_bytes_per_s
