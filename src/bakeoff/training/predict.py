"""Logits for many images: each image exactly once, on any number of processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F

from bakeoff.training.batches import spread

Batch = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Scores:
    """Accuracy in percent and mean cross-entropy over `images` images."""

    top1: float
    top5: float
    loss: float
    images: int


@torch.inference_mode()
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
    """
    shares = spread(0, len(indices), accelerator.num_processes)
    start, stop = shares[accelerator.process_index]
    parts = [model(batch(part)).float() for part in torch.split(indices[start:stop], batch_size)]
    if accelerator.num_processes == 1:
        return torch.cat(parts).cpu()
    # Shares differ by at most one image. All are padded to the longest to be gathered, and cut again.
    longest = max(stop - start for start, stop in shares)
    classes = torch.tensor(parts[0].shape[1] if parts else 0, device=accelerator.device)
    width = int(accelerator.gather(classes.reshape(1)).max())
    mine = torch.zeros(longest, width, device=accelerator.device)
    if parts:
        mine[: stop - start] = torch.cat(parts)
    gathered = accelerator.gather(mine).cpu().view(len(shares), longest, width)
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
