"""BatchNorm's running statistics, the same for any number of processes.

PyTorch updates them in every forward pass, so with several processes each has its own, and with gradient
accumulation one step moves them several times. Here a step moves them once, towards the mean of its
micro-batches' statistics. That update is linear, so each process may follow its own micro-batches for as long as it
likes: the mean over the processes is what one process would have computed, and it is taken only when somebody looks
(evaluation, checkpoint). No communication is added to a step. Sums are kept in float64, so that what is rounded to
float32 in the end does not show how many processes there were.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Mean = Callable[[Tensor], Tensor]


class RunningStatistics:
    """Keeps the running statistics of all BatchNorm layers of a model outside of them, in one vector."""

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
        momenta: list[Tensor] = []
        for layer in layers:
            momentum = 0.1 if layer.momentum is None else layer.momentum
            for buffer in (layer.running_mean, layer.running_var):
                assert buffer is not None  # implied by track_running_stats
                self._buffers.append(buffer)
                momenta.append(torch.full_like(buffer, momentum, dtype=torch.float64))
            # With momentum 1 a forward pass leaves exactly its own statistics in the buffers.
            layer.momentum = 1.0
        empty = [torch.zeros(0)]
        self._momenta = torch.cat(momenta or empty)
        self.values = torch.cat(self._buffers or empty).double()
        """float64: means and variances of all layers, one after the other."""
        self._sum = torch.zeros_like(self.values)

    def after_forward(self, share: float) -> None:
        """Count the micro-batch that just passed, as `share` of its step's micro-batches."""
        if self._buffers:
            self._sum.add_(torch.cat(self._buffers), alpha=share)

    def after_step(self) -> None:
        """Move the running statistics by one step, towards what was counted since the last."""
        if self._buffers:
            self.values.lerp_(self._sum, self._momenta)
            self._sum.zero_()

    def publish(self, values: Tensor, steps: int, mean: Mean) -> None:
        """Put the mean of `values` over all processes into the layers, for evaluation or for saving."""
        if not self._buffers:
            return
        pieces = torch.split(mean(values), [buffer.numel() for buffer in self._buffers])
        for buffer, piece in zip(self._buffers, pieces, strict=True):
            buffer.copy_(piece)
        for counter in self._counters:
            counter.fill_(steps)
