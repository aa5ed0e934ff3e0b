"""Parameters, multiply-accumulates, latency and throughput of a network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

WARM_UP = 3


def count_params(model: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


@torch.inference_mode()
def count_macs(model: nn.Module, size: int) -> int:
    """Return the multiply-accumulates of one image of `size` pixels: convolutions and matrix products.

    Counted by PyTorch's FlopCounterMode, which counts a multiply-accumulate as two operations.
    """
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, size, size, device=device))
    model.train(was_training)
    return int(counter.get_total_flops()) // 2


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
