"""Logits for many images: each image exactly once, on any number of processes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F

from bakeoff.training.batches import spread
from bakeoff.training.buffers import Buffers
from bakeoff.training.random import derive_seed, seed_everything

Batch = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Scores:
    """Accuracy in percent and mean cross-entropy over `images` images."""

    top1: float
    top5: float
    loss: float
    images: int


# Not inference_mode: what a network keeps from here, as a cache, could then not be used in training.
@torch.no_grad()
def predict(
    model: nn.Module, batch: Batch, indices: Tensor, accelerator: Accelerator, batch_size: int
) -> Tensor:
    """Return the logits (float32, N x C, on the CPU) of the images at `indices` (int64, N).

    Args:
        model: in evaluation mode; (B, 3, S, S) to (B, C).
        batch: gives the network's input for given indices.
        indices: of the images, in the order of the result.
        accelerator: its processes share the work; every one returns the whole result.
        batch_size: images in one forward pass.

    What the network draws belongs to the number of the batch, and what it does to its buffers is undone, so that the
    result follows from its weights and buffers as they are before.
    """
    # Whole batches, the same on any number of processes: a batch's size can decide how its sums are rounded.
    batches = spread(0, math.ceil(len(indices) / batch_size), accelerator.num_processes)
    shares = [(first * batch_size, min(last * batch_size, len(indices))) for first, last in batches]
    start, stop = shares[accelerator.process_index]
    buffers = Buffers(model)
    parts = []
    for first in range(start, stop, batch_size):
        seed_everything(derive_seed("prediction", first // batch_size))
        part = indices[first : min(first + batch_size, stop)]
        parts.append(model(batch(part)).float())
        buffers.put_back()
    if accelerator.num_processes == 1:
        return torch.cat(parts).cpu()
    # All shares are padded to the longest to be gathered, and cut again.
    longest = max(stop - start for start, stop in shares)
    classes = torch.tensor(parts[0].shape[1] if parts else 0, device=accelerator.device)
    width = int(accelerator.gather(classes.reshape(1)).max())
    padded = torch.zeros(longest, width, device=accelerator.device)
    if parts:
        padded[: stop - start] = torch.cat(parts)
    gathered = accelerator.gather(padded).cpu().view(len(shares), longest, width)
    return torch.cat([gathered[i, : stop - start] for i, (start, stop) in enumerate(shares)])


def score(logits: Tensor, labels: Tensor) -> Scores:
    """Return top-1, top-5 and cross-entropy of logits (N x C) against labels (int64, N).

    Of equal logits the class with the lower number comes first. A logit that is not a number beats the label.
    """
    own = logits.gather(1, labels[:, None])
    before = torch.arange(logits.shape[1]) < labels[:, None]
    # Not `logits > own`, which is false of a NaN: a network that diverged would be right about every image.
    rank = (~(logits <= own)).sum(dim=1) + ((logits == own) & before).sum(dim=1)
    return Scores(
        top1=100 * (rank < 1).double().mean().item(),
        top5=100 * (rank < 5).double().mean().item(),
        loss=F.cross_entropy(logits.double(), labels).item(),
        images=len(labels),
    )
