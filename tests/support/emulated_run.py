"""Training on the emulated device; `python -m tests.support.emulated_run CASE FOLDER` prints what came of it as JSON.

`cuda_stub.c` must be preloaded: see tests/training/test_emulated_device.py.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate.state import AcceleratorState, GradientState

from bakeoff.data import DataConfig, prepare
from bakeoff.data.prepared import load_meta
from bakeoff.evaluation.results import RunPaths, Setting
from bakeoff.evaluation.run import _task, execute
from bakeoff.models.factory import build
from bakeoff.models.policy import input_policy
from bakeoff.study.layers import merge
from bakeoff.support.interrupts import InterruptedRunError, StopRequest
from bakeoff.training.devices import make_accelerator, set_up_arithmetic
from bakeoff.training.loop import Trainer
from bakeoff.training.random import seed_everything
from bakeoff.training.recipe import Recipe
from tests.support.emulated_cuda import EmulatedCuda
from tests.support.project import REPOSITORY
from tests.support.runs import DATA, spec_with

FEW = merge(
    DATA, {"shapes": {"train_images": 250, "test_images": 100}, "validation": {"images": 50}}
)
ADAMW = {"name": "adamw", "betas": [0.9, 0.999], "weight_decay": 0.05}
RECIPES: dict[str, dict[str, Any]] = {
    "sgd": {},
    "adamw, mixed, averaged": {
        "optimizer": ADAMW,
        "gradient_clip": 1.0,
        "ema_decay": 0.9,
        "augmentation": {"crop_padding": 4, "flip": True, "mixup": 0.8, "cutmix": 1.0},
    },
    "policy, erased": {
        "augmentation": {
            "crop_padding": 4,
            "flip": True,
            "policy": "trivialaugment",
            "erasing": 0.5,
        },
    },
}


def paths(folder: Path) -> RunPaths:
    """Return a run's folders in `folder`, with data."""
    data = folder / "data"
    if not data.exists():
        prepare(DataConfig.model_validate(FEW), None, data)
    return RunPaths(data, folder / "run", folder / "checkpoints", Path("unused"))


def trainer(
    folder: Path, spec: Mapping[str, Any], stop: StopRequest, *, graphs: bool = False
) -> Trainer:
    """Return a trainer on the emulated device, which resumes what the folder has."""
    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    recipe = Recipe.model_validate(spec["recipe"])
    where = paths(folder)
    meta = load_meta(where.data)
    set_up_arithmetic(1, False)
    accelerator = make_accelerator(1, recipe.precision)
    policy = input_policy(spec["model"], meta.image_size)
    setting = Setting(spec, 0, where, recipe, meta, policy, None, accelerator, {})
    seed_everything(0)
    network = build(spec["model"], len(meta.classes), meta.image_size, None)
    task = _task(setting, 10.0)
    object.__setattr__(task, "graphs", graphs)
    return Trainer(network, recipe, task, accelerator, stop)


def whole(folder: Path, name: str) -> dict[str, Any]:
    """One run, from its rehearsal to its files."""
    with EmulatedCuda():
        execute(spec_with(RECIPES[name]), 0, paths(folder), 1, 10.0, {})
    metrics = json.loads((folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    return {"files": sorted(each.name for each in (folder / "run").iterdir()), **metrics}


def bits(trained: Any) -> bytes:
    """Return all of a network's numbers."""
    state = trained.model.state_dict()
    return b"".join(getattr(each, "held", each).numpy().tobytes() for each in state.values())


def same(folder: Path, name: str) -> dict[str, Any]:
    """A run in one go, one that was stopped, and one with its micro-batches recorded."""
    spec = spec_with(RECIPES[name])
    calm = StopRequest()
    with EmulatedCuda():
        whole_run = bits(trainer(folder, spec, calm).fit())
        shutil.rmtree(folder / "checkpoints")
        stop = StopRequest()
        stopped = trainer(folder, spec, stop)
        _after_steps(stopped, 3, lambda: setattr(stop, "signal", "SIGTERM"))
        try:
            stopped.fit()
        except InterruptedRunError:
            resumed = trainer(folder, spec, calm)
        step, scale = resumed.progress.step, resumed.accelerator.scaler.get_scale()
        resumed_run = bits(resumed.fit())
        shutil.rmtree(folder / "checkpoints")
        with_graphs = trainer(folder, spec, calm, graphs=True)
        recorded_run = bits(with_graphs.fit())
    return {
        "resumed_at": step,
        "scale": scale,
        "resumed_equal": resumed_run == whole_run,
        "recorded_equal": recorded_run == whole_run,
        "sizes_recorded": sorted(with_graphs.compute._recorded),
    }


def _after_steps(trainer: Trainer, steps: int, act: Callable[[], None]) -> None:
    train = trainer._train_step

    def step(*args: Any) -> None:
        train(*args)
        if trainer.progress.step + 1 == steps:
            act()

    trainer._train_step = step  # type: ignore[method-assign]


def count(
    folder: Path, name: str, model: dict[str, Any] | None = None, *, graphs: bool = False
) -> dict[str, Any]:
    """What one step launches and waits for, once an epoch is under way."""
    spec = spec_with({**RECIPES[name], "global_batch": 4, "micro_batch": 4}, model)
    with EmulatedCuda() as gpu:
        one = trainer(folder, spec, StopRequest(), graphs=graphs)
        network, backward = one.network, one.accelerator.backward
        network.register_forward_pre_hook(lambda *_: setattr(gpu, "phase", "forward"))
        network.register_forward_hook(lambda *_: setattr(gpu, "phase", "engine"))

        def in_phase(loss: torch.Tensor) -> None:
            gpu.phase = "backward"
            backward(loss)
            gpu.phase = "engine"

        one.accelerator.backward = in_phase  # type: ignore[method-assign]
        network.train()
        order = one.task.train.to(one.accelerator.device)
        # By the third, a graph has been recorded.
        for number in range(4):
            gpu.launches.clear()
            gpu.waits.clear()
            gpu.phase = "engine"
            one._train_step(0, order, one.epoch_steps[number])
    return {"launches": dict(gpu.launches), "waits": dict(gpu.waits)}


def variants(folder: Path, name: str, *only: str) -> dict[str, Any]:
    """`count` of the variants of the shipped study, or of some of them."""
    study, models = (
        yaml.safe_load((REPOSITORY / "config" / name).read_text(encoding="utf-8"))
        for name in ("config.yaml", "models.yaml")
    )
    keys = ("builder", "args", "input_policy")
    return {
        variant: count(folder, name, {key: models[variant].get(key, {}) for key in keys})
        for variant in only or study["variants"]
    }


CASES: dict[str, Callable[..., dict[str, Any]]] = {
    "whole": whole,
    "same": same,
    "count": count,
    "count with graphs": partial(count, graphs=True),
    "variants": variants,
}


if __name__ == "__main__":
    torch.set_num_threads(1)
    case, recipe_name, place, *names = sys.argv[1:]
    print(json.dumps(CASES[case](Path(place), recipe_name, *names)))
