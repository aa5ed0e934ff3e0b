"""Processes that sum gradients over gloo: `python -m tests.support.exchange PROCESSES FOLDER`.

Forks of one process, so that eight of them import PyTorch once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from bakeoff.training import gradients
from bakeoff.training.gradients import sum_over_processes, summed

SHAPES = [(8, 3, 3, 3), (5,), (), (7, 1, 1, 1), (4, 6), (0,)]


def parameters() -> list[Tensor]:
    values = [torch.zeros(shape) for shape in SHAPES]
    return [
        value.to(memory_format=torch.channels_last) if value.dim() == 4 else value
        for value in values
    ]


def gradients_of(rank: int) -> list[Tensor]:
    """Return other numbers for each process; on odd ones not in the memory format of the parameters."""
    generator = torch.Generator().manual_seed(rank)
    values = [torch.randn(shape, generator=generator) for shape in SHAPES]
    if rank % 2:
        return values
    return [
        torch.empty_like(like).copy_(value)
        for like, value in zip(parameters(), values, strict=True)
    ]


def work(rank: int, processes: int, folder: Path) -> dict[str, Any]:
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=processes
    )
    sent: list[int] = []
    exchange = dist.batch_isend_irecv

    def counted(operations: list[Any]) -> Any:
        sent.extend(each.tensor.numel() for each in operations if each.op is dist.isend)
        return exchange(operations)

    gradients.dist.batch_isend_irecv = counted
    given = gradients_of(rank)
    strides = [value.stride() for value in given]
    sums = sum_over_processes(given, processes, parameters())
    wanted = summed(range(processes), gradients_of)
    outcome = {
        "equal": all(torch.equal(a, b) for a, b in zip(sums, wanted, strict=True)),
        "in_place": [value.stride() for value in sums] == strides,
        "rounds": len(sent),
        "sent": sum(sent),
        "numbers": sum(value.numel() for value in sums),
    }
    dist.barrier()
    dist.destroy_process_group()
    return outcome


def main(processes: int, folder: Path) -> None:
    children = []
    for rank in range(processes):
        child = os.fork()
        if child == 0:
            try:
                outcome = work(rank, processes, folder)
                (folder / f"{rank}.json").write_text(json.dumps(outcome))
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), Path(sys.argv[2]))
