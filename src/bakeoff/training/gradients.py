"""The sum of a step's gradients, with the same bits on 1, 2, 4 or 8 processes.

Addition of floating-point numbers depends on its order, and training magnifies the difference: two orders are 2e-8
apart after one step, and can be 1e-4 apart after ten. So the order is fixed here, whoever computes what:

    sum(a, b, c, d, ...) = sum(a, c, ...) + sum(b, d, ...)

Processes take micro-batches in turn (`Step.of_rank`), so that on a power of two of processes each has one branch of
this tree, and the processes' sums are added along what is left of it. On another number the order is as fixed, but
another one.

DistributedDataParallel gives no such order: it adds micro-batches one by one, and a ring adds processes from a
different start in each part of the buffer. A power of two of processes exchange by recursive halving and doubling
(Thakur et al., 2005, section 4), whose partners are the tree's: on 8 processes r and r ^ 4, then r ^ 2, then r ^ 1,
which are joined by NVLink on servers with eight V100s. Each of g processes sends as many bytes as in a ring,
2 (g - 1) / g gradients, in 2 log2(g) rounds. Unlike DistributedDataParallel's the exchange starts when the backward
pass is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

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
def sum_over_processes(
    values: list[Tensor], processes: int, like: Sequence[Tensor]
) -> list[Tensor]:
    """Return `values`, float32, with their sums over all processes in them, added in the fixed order.

    Every process must call this. Each adds up one stretch of all numbers, which the others send it, and sends the
    sums to all.

    Args:
        values: one tensor for each of `like`, of the same shape.
        processes: how many there are.
        like: tensors that lie in memory alike on all processes (parameters), which decides the order of the numbers
            sent. Values that lie as they do are sent without rearranging them.
    """
    if processes == 1:
        return values
    orders = [memory_order(each) for each in like]
    stretched = [value.permute(order) for value, order in zip(values, orders, strict=True)]
    size = sum(value.numel() for value in values)
    flat = values[0].new_zeros(size + -size % processes)
    torch.cat([value.reshape(-1) for value in stretched], out=flat[:size])
    if processes & (processes - 1):
        _exchange_all_to_all(flat, processes)
    else:
        _exchange_by_halves(flat, processes)
    sums = torch.split(flat[:size], [value.numel() for value in values])
    # Into the tensors that were given: an optimizer wants gradients that lie in memory as their parameters do.
    torch._foreach_copy_(
        stretched, [total.view(value.shape) for total, value in zip(sums, stretched, strict=True)]
    )
    return values


def memory_order(value: Tensor) -> list[int]:
    """Return a tensor's dimensions from the one whose steps in memory are widest to the narrowest."""
    # Of equal strides (a size of 1) the first dimension comes first, on every process.
    return sorted(range(value.dim()), key=lambda dimension: -value.stride(dimension))


def _exchange_by_halves(flat: Tensor, processes: int) -> None:
    """Put the sums over a power of two of processes into `flat`, whose size they divide."""
    rank = dist.get_rank()
    mine = flat
    distances = [2**power for power in reversed(range(processes.bit_length() - 1))]
    stretches = []
    for distance in distances:
        lower, upper = mine.chunk(2)
        mine, other = (upper, lower) if rank & distance else (lower, upper)
        received = torch.empty_like(mine)
        _swap(other, received, rank ^ distance)
        # The tree's a + b on one side and b + a on the other, which are the same number.
        mine += received
        stretches.append((mine, other))
    for distance, (own, other) in zip(reversed(distances), reversed(stretches), strict=True):
        _swap(own, other, rank ^ distance)


def _swap(sent: Tensor, received: Tensor, partner: int) -> None:
    """Send to another process and receive as much from it."""
    operations = [
        dist.P2POp(dist.isend, sent, partner),
        dist.P2POp(dist.irecv, received, partner),
    ]
    for work in dist.batch_isend_irecv(operations):
        work.wait()


def _exchange_all_to_all(flat: Tensor, processes: int) -> None:
    """Put the sums over any number of processes into `flat`, whose size they divide."""
    received = torch.empty_like(flat)
    dist.all_to_all_single(received, flat)
    stretches = received.view(processes, -1)
    (mine,) = summed(range(processes), lambda rank: [stretches[rank]])
    dist.all_gather_into_tensor(flat, mine)
