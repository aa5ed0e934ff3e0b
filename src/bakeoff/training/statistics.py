"""BatchNorm's running statistics, the same for any number of processes.

PyTorch updates them in every forward pass, so with several processes each has its own, and with gradient
accumulation one step moves them several times. Here a step moves them once, towards the mean of its
micro-batches' statistics. That update is linear, so each process may follow its own micro-batches for as long as it
likes: the mean over the processes is what one process would have computed, and it is taken only when somebody looks
(evaluation, checkpoint). No communication is added to a step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Mean = Callable[[Tensor], Tensor]


class RunningStatistics:
    """Keeps the running statistics of all BatchNorm layers of a model outside of them."""

    def __init__(self, model: nn.Module) -> None:
        """Take over the layers' statistics; their buffers hold a single micro-batch's from now on."""
        layers = [
            layer
            for layer in model.modules()
            if isinstance(layer, _BatchNorm) and layer.track_running_stats
        ]
        self._counters = [
            layer.num_batches_tracked for layer in layers if layer.num_batches_tracked is not None
        ]
        self._buffers: list[Tensor] = []
        self._momenta: list[float] = []
        for layer in layers:
            momentum = 0.1 if layer.momentum is None else layer.momentum
            for buffer in (layer.running_mean, layer.running_var):
                assert buffer is not None  # implied by track_running_stats
                self._buffers.append(buffer)
                self._momenta.append(momentum)
            # With momentum 1 a forward pass leaves exactly its own statistics in the buffers.
            layer.momentum = 1.0
        self.values = [buffer.clone() for buffer in self._buffers]
        self._sums = [torch.zeros_like(buffer) for buffer in self._buffers]

    def after_forward(self, share: float) -> None:
        """Count the micro-batch that just passed, as `share` of its step's micro-batches."""
        if self._buffers:
            torch._foreach_add_(self._sums, self._buffers, alpha=share)

    def after_step(self) -> None:
        """Move the running statistics by one step, towards what was counted since the last."""
        if not self._buffers:
            return
        momentum = self._momenta[0]
        if all(each == momentum for each in self._momenta):
            torch._foreach_lerp_(self.values, self._sums, momentum)
        else:
            for value, total, each in zip(self.values, self._sums, self._momenta, strict=True):
                value.lerp_(total, each)
        torch._foreach_zero_(self._sums)

    def publish(self, values: list[Tensor], steps: int, mean: Mean) -> None:
        """Put the mean of `values` over all processes into the layers, for evaluation or for saving."""
        if not self._buffers:
            return
        flat = mean(torch.cat([value.flatten() for value in values]))
        start = 0
        for buffer in self._buffers:
            buffer.copy_(flat[start : start + buffer.numel()].view_as(buffer))
            start += buffer.numel()
        for counter in self._counters:
            counter.fill_(steps)
