"""The optimizers: what a step that overflowed leaves behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bakeoff.training.optimization import make_optimizer
from bakeoff.training.recipe import OptimizerConfig

SGD = OptimizerConfig(name="sgd", nesterov=True, weight_decay=5e-4)


@pytest.mark.parametrize(
    "config",
    [
        SGD,
        SGD.model_copy(update={"nesterov": False, "decay_norm_and_bias": False}),
        SGD.model_copy(update={"momentum": 0.0, "nesterov": False}),
        SGD.model_copy(update={"name": "adamw"}),
        SGD.model_copy(update={"name": "adamw", "decay_norm_and_bias": False}),
    ],
    ids=lambda config: (
        f"{config.name} {config.momentum} {config.nesterov} {config.decay_norm_and_bias}"
    ),
)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_overflow_in_the_first_step_leaves_nothing_behind(
    config: OptimizerConfig, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwritten(like: Tensor, **options: Any) -> Tensor:
        return torch.full_like(like, torch.nan, **options)

    # What memory holds that was not written to; nobody may read it.
    monkeypatch.setattr(torch, "empty_like", unwritten)

    def weights(overflows: bool) -> Tensor:
        torch.manual_seed(0)
        layer = nn.Linear(4, 3)
        # The kernels that are used on this device, on the CPU: both are fused or both are not.
        optimizer = make_optimizer(layer, config, torch.device(device))
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
        for step in range(int(not overflows), 3):
            scaler.scale(layer(torch.full((2, 4), 0.1 * step)).square().sum()).backward()
            if step == 0:
                layer.weight.grad[0, 0] = torch.inf  # type: ignore[index]
            for group in optimizer.param_groups:
                group["lr"] = 0.1
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            scaler.update(2.0**16)
        return layer.weight.detach()

    assert torch.equal(weights(overflows=True), weights(overflows=False))
