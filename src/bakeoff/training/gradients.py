"""The sum of a step's gradients, with the same bits on 1, 2, 4 or 8 processes.

Addition of floating-point numbers depends on its order, and training magnifies the difference: two orders are 2e-8
apart after one step, and can be 1e-4 apart after ten. So the order is fixed here, whoever computes what:

    sum(a, b, c, d, ...) = sum(a, c, ...) + sum(b, d, ...)

Processes take micro-batches in turn (`Step.of_rank`), so that on a power of two of processes each has one branch of
this tree, and the processes' sums are added along what is left of it. On another number the order is as fixed, but
another one.

DistributedDataParallel gives no such order: it adds micro-batches one by one, and a ring adds processes from a
different start in each part of the buffer. The exchange here sends as many bytes as a ring does, 2 (g - 1) / g
gradients for each of g processes. Unlike DistributedDataParallel's it starts when the backward pass is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

T = TypeVar("T")


def summed(parts: Sequence[T], value: Callable[[T], list[Tensor]]) -> list[Tensor]:
    """Return the sum of `value(part)` over `parts`, of which there is at least one, in the fixed order.

    At most log2(len(parts)) + 1 values are held at a time. The tensors of the first are added to in place.
    """
    if len(parts) == 1:
        return value(parts[0])
    first = summed(parts[0::2], value)
    torch._foreach_add_(first, summed(parts[1::2], value))
    return first


def take_gradients(parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return the parameters' gradients and leave none behind; zeros where the loss did not depend on one."""
    taken = [
        torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for parameter in parameters
    ]
    for parameter in parameters:
        parameter.grad = None
    return taken


def neutral_gradients(parameters: Sequence[Tensor]) -> list[Tensor]:
    """Return what a process without a micro-batch contributes: -0.0, which leaves every number as it is, even -0.0."""
    return [torch.full_like(parameter, -0.0) for parameter in parameters]


@torch.no_grad()
def sum_over_processes(values: list[Tensor], processes: int) -> list[Tensor]:
    """Return `values`, float32, with their sums over all processes in them, added in the fixed order.

    Every process must call this. Each adds up one stretch of all numbers, which the others send it, and sends the
    sums to all.
    """
    if processes == 1:
        return values
    flat = torch.cat([value.flatten() for value in values])
    size = flat.numel()
    flat = F.pad(flat, (0, -size % processes))
    received = torch.empty_like(flat)
    dist.all_to_all_single(received, flat)
    stretches = received.view(processes, -1)
    (mine,) = summed(range(processes), lambda rank: [stretches[rank]])
    dist.all_gather_into_tensor(flat, mine)
    sums = torch.split(flat[:size], [value.numel() for value in values])
    # Into the tensors that were given: an optimizer wants gradients that lie in memory as their parameters do.
    torch._foreach_copy_(
        values, [total.view(value.shape) for total, value in zip(sums, values, strict=True)]
    )
    return values
