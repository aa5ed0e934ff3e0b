"""What a forward pass changes in a network beside its result: running statistics and other buffers.

PyTorch changes buffers in every forward pass, so that several processes have different ones, and a step of several
micro-batches moves them several times. Here all micro-batches of a step start from the same values, whoever computes
them, and a step moves the buffers once:

- The running statistics of normalisation layers (BatchNorm, InstanceNorm) move by the mean of what its micro-batches
  moved them by. The moves are summed with the gradients, in the same fixed order.
- What any other buffer means (a counter, the vectors of a spectral norm, a code book, a queue) is not known, so there
  is no mean of it. It becomes what the step's first micro-batch made of it, as with DistributedDataParallel the
  first process's buffers are everyone's.

So between steps all processes have the same buffers, and those are the ones that are judged and saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
import torch.distributed as dist
from torch import Tensor, nn

# Its own module only: torch has no public name for what BatchNorm and InstanceNorm have in common.
from torch.nn.modules.batchnorm import _NormBase

_STATISTICS = ("running_mean", "running_var")


@dataclass(frozen=True)
class _Place:
    """Where a buffer is, and the tensor that belongs there."""

    layer: nn.Module
    name: str
    buffer: Tensor

    @property
    def is_statistic(self) -> bool:
        return isinstance(self.layer, _NormBase) and self.name in _STATISTICS

    def now(self, before: Tensor) -> Tensor:
        """Return the value that a forward pass left; `before` where it is of another kind, which is no state."""
        found = self.layer._buffers[self.name]
        if found is None or found.shape != before.shape or found.dtype != before.dtype:
            return before
        return found.detach()


class Buffers:
    """The buffers of a network, and the values that they go back to after each forward pass."""

    def __init__(self, network: nn.Module) -> None:
        """Take the values that the buffers have now as those to go back to."""
        found: dict[int, _Place] = {}
        for layer in network.modules():
            for name, buffer in layer.named_buffers(recurse=False):
                found.setdefault(id(buffer), _Place(layer, name, buffer))
        self._places = sorted(
            found.values(), key=lambda place: (not place.is_statistic, str(place.buffer.dtype))
        )
        self.statistics = [place.buffer for place in self._places if place.is_statistic]
        """float32: running means and variances, which are averaged over a step's micro-batches."""
        self.values = [place.buffer.clone() for place in self._places]
        """Those of all buffers, the statistics first."""
        self._first = [value.clone() for value in self.values[len(self.statistics) :]]
        self.replaced: str | None = None
        """A buffer in whose place a layer has put another tensor, if one has."""

    @torch.no_grad()
    def put_back(self) -> None:
        """Undo what forward passes have changed since the last step."""
        for place in self._places:
            # A layer may have put another tensor in its place instead of writing into it.
            place.layer._buffers[place.name] = place.buffer
        copy_all([place.buffer for place in self._places], self.values)

    @torch.no_grad()
    def take_moves(self) -> tuple[list[Tensor], list[Tensor]]:
        """Return by how much a micro-batch has moved the statistics and what became of the others; put all back."""
        count = len(self.statistics)
        now = [place.now(value) for place, value in zip(self._places, self.values, strict=True)]
        for place in self._places:
            if place.layer._buffers[place.name] is not place.buffer:
                self.replaced = f"{type(place.layer).__name__}.{place.name}"
        # Moves and not values, so that a layer which was not used keeps its statistics exactly.
        moves = list(torch._foreach_sub(now[:count], self.values[:count])) if count else []
        others = copied(now[count:])
        self.put_back()
        return moves, others

    @torch.no_grad()
    def keep(self, micro_batch: int, others: Sequence[Tensor]) -> None:
        """Take in what a micro-batch of this number in its step made of the buffers that are no statistics."""
        if micro_batch == 0:
            copy_all(self._first, others)

    @torch.no_grad()
    def after_step(self, moves: Sequence[Tensor], micro_batches: int, processes: int) -> None:
        """Move the buffers by one step; every process must call this.

        Args:
            moves: the sums of `take_moves` over all of the step's micro-batches.
            micro_batches: how many those are.
            processes: how many have computed them. The first has had the first micro-batch.
        """
        count = len(self.statistics)
        if moves:
            torch._foreach_add_(self.values[:count], list(moves), alpha=1 / micro_batches)
        if processes > 1 and self._first:
            _send_from_first_process(self._first)
        # In place: a CUDA graph puts back from the memory that it was recorded with.
        copy_all(self.values[count:], self._first)
        self.put_back()

    @torch.no_grad()
    def load(self, values: Sequence[Tensor]) -> None:
        """Set the buffers to `values`, which a checkpoint kept."""
        copy_all(self.values, values)
        self.put_back()


def copy_all(places: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Copy each of `values` to its place; neighbours of one type together, in one kernel."""
    pairs = zip(places, values, strict=True)
    for _, same in groupby(pairs, key=lambda pair: pair[1].dtype):
        to, of = zip(*same, strict=True)
        torch._foreach_copy_(list(to), list(of))


def copied(values: Sequence[Tensor]) -> list[Tensor]:
    """Return copies of all of `values`, laid out in memory as they are."""
    copies = [torch.empty_like(value) for value in values]
    copy_all(copies, values)
    return copies


def _send_from_first_process(tensors: list[Tensor]) -> None:
    """Give `tensors` the values that they have on the first process, in one message."""
    parts = [tensor.reshape(-1).view(torch.uint8) for tensor in tensors]
    message = torch.cat(parts)
    dist.broadcast(message, src=0)
    received = torch.split(message, [part.numel() for part in parts])
    for tensor, part in zip(tensors, received, strict=True):
        # Copied once more: a number of eight bytes may not start where the message has it.
        tensor.copy_(part.clone().view(tensor.dtype).view(tensor.shape))
