"""How an epoch's images are dealt out: to optimizer steps, to micro-batches, to processes.

The cut depends on the recipe alone. A step's images are cut into micro-batches, the groups that BatchNorm sees;
processes take micro-batches in turn. So the number of processes decides who computes a micro-batch, never
what is in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class MicroBatch:
    """Positions [start, stop) of the epoch's order, and which micro-batch of its step this is."""

    number: int
    start: int
    stop: int

    @property
    def images(self) -> int:
        """Number of images."""
        return self.stop - self.start


@dataclass(frozen=True)
class Step:
    """One optimizer step: all its micro-batches, whichever process computes them."""

    micro_batches: tuple[MicroBatch, ...]

    @property
    def images(self) -> int:
        """Number of images."""
        return self.micro_batches[-1].stop - self.micro_batches[0].start

    def of_rank(self, rank: int, world_size: int) -> tuple[MicroBatch, ...]:
        """Return the micro-batches that process `rank` of `world_size` computes; maybe none."""
        return self.micro_batches[rank::world_size]


def cut_epoch(images: int, global_batch: int, micro_batch: int) -> tuple[Step, ...]:
    """Cut `images` into steps of at most `global_batch`, each of micro-batches of at most `micro_batch`.

    Every image is in exactly one micro-batch. Instead of a small last batch, all sizes are as equal as they can be:
    45,000 images at 1,024 make 44 steps of 1,022 or 1,023, not 43 full ones and one of 968.
    """
    steps = []
    for start, stop in spread(0, images, math.ceil(images / global_batch)):
        pieces = spread(start, stop, math.ceil((stop - start) / micro_batch))
        steps.append(Step(tuple(MicroBatch(number, *piece) for number, piece in enumerate(pieces))))
    return tuple(steps)


def smallest_micro_batch(images: int, global_batch: int, micro_batch: int) -> int:
    """Return how many images the smallest micro-batch of an epoch of `images` has."""
    steps = math.ceil(images / global_batch)
    # The sizes of steps differ by at most one, and so do those of a step's micro-batches.
    sizes = (images // steps, math.ceil(images / steps))
    return min(size // math.ceil(size / micro_batch) for size in sizes)


def spread(start: int, stop: int, parts: int) -> list[tuple[int, int]]:
    """Cut [start, stop) into `parts` neighbouring intervals whose lengths differ by at most one."""
    total = stop - start
    edges = [start + total * part // parts for part in range(parts + 1)]
    return list(pairwise(edges))
