"""Optimizer, learning rate and weight averaging."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bakeoff.training.recipe import OptimizerConfig, Recipe


def make_optimizer(
    model: nn.Module, config: OptimizerConfig, device: torch.device
) -> torch.optim.Optimizer:
    """Return the optimizer over the trainable parameters of `model`; the rate is set at each step."""
    groups = parameter_groups(model, config.weight_decay, config.decay_norm_and_bias)
    # One kernel for all parameters: fused on a GPU, foreach on a CPU.
    fast = {"fused": True} if device.type == "cuda" else {"foreach": True}
    if config.name == "sgd":
        sgd = torch.optim.SGD(
            groups, lr=0.0, momentum=config.momentum, nesterov=config.nesterov, **fast
        )
        if config.momentum:
            # The fused kernel takes memory as it comes and leaves a step with overflown gradients undone: were that the
            # first, the second would read what was never written. AdamW fills its state with zeros by itself.
            for group in sgd.param_groups:
                for parameter in group["params"]:
                    sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return sgd
    return torch.optim.AdamW(groups, lr=0.0, betas=config.betas, **fast)


def parameter_groups(
    model: nn.Module, weight_decay: float, decay_norm_and_bias: bool
) -> list[dict[str, object]]:
    """Return parameter groups; without `decay_norm_and_bias`, parameters of one axis do not decay."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if decay_norm_and_bias:
        return [{"params": parameters, "weight_decay": weight_decay}]
    decayed = [parameter for parameter in parameters if parameter.ndim > 1]
    exempt = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups = [(decayed, weight_decay), (exempt, 0.0)]
    return [{"params": each, "weight_decay": decay} for each, decay in groups if each]


def learning_rate(step: int, steps_per_epoch: int, recipe: Recipe) -> float:
    """Return the learning rate of optimizer step `step` (from 0), a function of the step alone.

    A linear warm-up from zero (Goyal et al., 2017, section 2.2), then a cosine from the peak to the final rate
    (Loshchilov and Hutter, SGDR, 2017, section 3, without restarts).
    """
    warmup = round(recipe.warmup_epochs * steps_per_epoch)
    total = recipe.epochs * steps_per_epoch
    peak, final = recipe.peak_learning_rate, recipe.final_learning_rate
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * progress))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give all parameter groups the learning rate `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate


class WeightAverage:
    """Exponential moving average of tensors, with a decay that grows while the average is young."""

    def __init__(self, tensors: Sequence[Tensor], decay: float) -> None:
        """Start the average of `tensors` at their present values."""
        self._current = [tensor.detach() for tensor in tensors]
        self.values = [tensor.clone() for tensor in self._current]
        self._decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the present values after optimizer step `step` (from 0)."""
        # The usual start-up correction: without it the first weights would count for 1 / (1 - decay) steps.
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, self._current, 1 - decay)
