"""Forward and backward pass of a micro-batch: operation by operation, or on a GPU as one CUDA graph.

A small network waits for its operations to be launched: of the 10.8 ms that a micro-batch of 128 images takes resnet_20
on an H200, its kernels need 2.4 (benchmarks/gpu.py). A CUDA graph launches all of them at once. It is recorded from the
same function that is otherwise called, so both compute the same; what is drawn at random follows from the seed at each
replay. Python does not run in a replay: a network that decides something in Python, draws from a generator of Python,
NumPy or the CPU, or waits for a value of the device is computed operation by operation, and the log says why.
"""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F

from bakeoff.errors import UserError, in_one_line
from bakeoff.training.buffers import Buffers, copied
from bakeoff.training.gradients import take_gradients
from bakeoff.training.random import seed_everything

# How many micro-batches of a size are computed before they are recorded: libraries choose kernels in the first, and the
# second shows whether the network changes anything but tensors.
WARM_UP = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MicroBatchInputs:
    """What a micro-batch is computed from."""

    images: Tensor
    """float32, B x 3 x S x S."""
    labels: Tensor
    """int64, B."""
    targets: Tensor
    """`labels`, or the shares of the classes, float32, B x C, where images are mixed."""
    step_images: Tensor
    """float32, one number: how many images the step has, over all of its micro-batches."""

    def tensors(self) -> tuple[Tensor, ...]:
        """Return all of it."""
        return self.images, self.labels, self.targets, self.step_images


@dataclass(frozen=True)
class _Recorded:
    """A CUDA graph, and the memory that it reads from and writes to."""

    graph: torch.cuda.CUDAGraph
    inputs: MicroBatchInputs
    gradients: list[Tensor]
    moves: list[Tensor]
    others: list[Tensor]


class MicroBatchPass:
    """Computes the gradients of micro-batches, and by how much they move the network's statistics."""

    def __init__(
        self,
        model: nn.Module,
        trained: Sequence[Tensor],
        buffers: Buffers,
        sums: Tensor,
        accelerator: Accelerator,
        label_smoothing: float,
        *,
        graphs: bool,
    ) -> None:
        """Take what every micro-batch has in common.

        Args:
            model: in training mode when it is called.
            trained: the parameters whose gradients are wanted.
            buffers: of the network.
            sums: float64, two numbers: loss and correct predictions of a micro-batch are added to them.
            accelerator: its precision and loss scaling.
            label_smoothing: of the loss.
            graphs: whether to record CUDA graphs where that is possible.
        """
        self._model, self._trained, self._buffers = model, trained, buffers
        self._sums, self._accelerator, self._smoothing = sums, accelerator, label_smoothing
        self._graphs = graphs and accelerator.device.type == "cuda"
        self._seen: dict[int, int] = {}
        self._recorded: dict[int, _Recorded] = {}

    def __call__(self, inputs: MicroBatchInputs, number: int, seed: int) -> list[Tensor]:
        """Return gradients and moves of the statistics of a micro-batch.

        The gradients are those of the loss's sum over `inputs.step_images`, times the loss scale.

        Args:
            inputs: of the micro-batch.
            number: its place in its step.
            seed: of all that the network draws for it.

        Raises:
            UserError: the network cannot be recorded, which nothing has told before.
        """
        size = len(inputs.images)
        seed_everything(seed)
        if size in self._recorded:
            return self._replay(self._recorded[size], inputs, number)
        seen = self._seen[size] = self._seen.get(size, 0) + 1
        if not self._graphs or seen < WARM_UP:
            gradients, moves, others = self.compute(inputs)
        elif seen == WARM_UP:
            before = python_state(self._model)
            with _waits() as waits:
                gradients, moves, others = self.compute(inputs)
            if changed := self._buffers.replaced or changes(before, python_state(self._model)):
                self._refuse(f"a forward pass changes {changed}")
            elif waits:
                self._refuse("it waits for values of the GPU")
        else:
            return self._record(inputs, number, seed)
        self._buffers.keep(number, others)
        return [*gradients, *moves]

    def compute(self, inputs: MicroBatchInputs) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return gradients, moves of statistics, and what became of the other buffers. No value is waited for."""
        with self._accelerator.autocast():
            logits = self._model(inputs.images)
        loss = F.cross_entropy(
            logits.float(), inputs.targets, reduction="sum", label_smoothing=self._smoothing
        )
        correct = (logits.detach().argmax(dim=1) == inputs.labels).sum()
        self._sums += torch.stack([loss.detach().double(), correct.double()])
        # A step's loss is the mean over its images.
        self._accelerator.backward(loss / inputs.step_images)
        return take_gradients(self._trained), *self._buffers.take_moves()

    def _record(self, inputs: MicroBatchInputs, number: int, seed: int) -> list[Tensor]:
        """Record a graph for micro-batches of this size, and let it compute this one."""
        own = MicroBatchInputs(*(torch.empty_like(each) for each in inputs.tensors()))
        pool = next(iter(self._recorded.values())).graph.pool() if self._recorded else None
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads (NCCL's, that of a checkpoint) may go on with what they do.
            with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                results = self.compute(own)
        except torch.OutOfMemoryError:
            raise
        # What a network does is anyone's code, and what CUDA refuses has errors of many classes.
        except Exception as error:
            # After it torch's generator is of no use in this process.
            raise UserError(
                f"The network cannot be recorded as a CUDA graph ({in_one_line(error)}). Set cuda_graphs to false in "
                "the study's configuration; results stay the same."
            ) from error
        recorded = self._recorded[len(inputs.images)] = _Recorded(graph, own, *results)
        seed_everything(seed)
        return self._replay(recorded, inputs, number)

    def _replay(self, recorded: _Recorded, inputs: MicroBatchInputs, number: int) -> list[Tensor]:
        for place, value in zip(recorded.inputs.tensors(), inputs.tensors(), strict=True):
            place.copy_(value)
        recorded.graph.replay()
        self._buffers.keep(number, recorded.others)
        # The next replay writes to the same memory.
        return copied([*recorded.gradients, *recorded.moves])

    def _refuse(self, why: str) -> None:
        self._graphs = False
        self._recorded.clear()
        log.info("this network is computed without CUDA graphs, because %s", why)


@contextmanager
def _waits() -> Iterator[list[str]]:
    """Give a list that fills with what has waited for the GPU."""
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mode = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(mode)
    found += [str(each.message) for each in caught if "called a synchronizing" in str(each.message)]


def python_state(model: nn.Module) -> dict[str, object]:
    """Return what a forward pass may change beside parameters and buffers: generators and attributes of layers."""
    state: dict[str, object] = {
        "Python's random state": random.getstate(),
        "NumPy's random state": str(np.random.get_state()),
        "the CPU's random state": torch.get_rng_state().numpy().tobytes(),
    }
    for name, layer in model.named_modules():
        for attribute, value in vars(layer).items():
            if attribute not in ("_parameters", "_buffers", "_modules"):
                owner = name or type(layer).__name__
                known = isinstance(value, (bool, int, float, str, list, tuple, dict, set))
                state[f"{owner}.{attribute}"] = repr(value) if known else id(value)
    return state


def changes(before: dict[str, object], after: dict[str, object]) -> str | None:
    """Return the name of one thing that differs, or None."""
    names = [*before, *(name for name in after if name not in before)]
    return next((name for name in names if before.get(name) != after.get(name)), None)
