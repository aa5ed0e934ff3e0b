"""Parameters, latency and throughput of a network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

WARM_UP = 3


def count_params(model: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


@torch.inference_mode()
def latency_ms(model: nn.Module, image: Tensor, seconds: float = 1.0) -> float:
    """Return the median time in milliseconds of a forward pass of `image` (1, 3, S, S)."""
    return 1000 * statistics.median(_timed(lambda: model(image), image.device, seconds))


@torch.inference_mode()
def images_per_second(model: nn.Module, images: Tensor, seconds: float = 1.0) -> float:
    """Return how many images a second pass through `model` in batches like `images` (B, 3, S, S)."""
    return len(images) / statistics.median(_timed(lambda: model(images), images.device, seconds))


def _timed(call: Callable[[], object], device: torch.device, seconds: float) -> list[float]:
    """Return the times of repeated calls: at least five, and for about `seconds`."""
    for _ in range(WARM_UP):
        call()
    times: list[float] = []
    while len(times) < 5 or sum(times) < seconds:
        _wait(device)
        started = time.perf_counter()
        call()
        _wait(device)
        times.append(time.perf_counter() - started)
    return times


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
