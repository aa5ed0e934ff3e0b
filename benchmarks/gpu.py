"""What the engine does on a real GPU, each figure measured in one run on one device.

    python benchmarks/gpu.py                    # everything, about five minutes
    python benchmarks/gpu.py steps waits        # some parts

steps: milliseconds of an optimizer step of one micro-batch of 128 images, with and without CUDA graphs; how long the
host is busy, how often it waits for the device, kernels, memory. recipes: the same for one network under other recipes.
bits: whether two runs, a stopped and resumed one, and one without graphs give the same weights. share: images/s of
several runs on one GPU at once. checkpoints: seconds of one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from bakeoff.study.layers import load_yaml
from bakeoff.support.interrupts import InterruptedRunError, StopRequest
from bakeoff.training.devices import set_up_arithmetic
from bakeoff.training.loop import Trainer
from bakeoff.training.random import permutation, seed_everything
from bakeoff.training.recipe import Recipe
from common import ROOT, configured_recipe, drawn_data, make_trainer, show, uniform_recipe

BATCH, IMAGES = 128, 5120
# Timed are as many steps as images are augmented for at once, so that each time has its share of that.
WARM_UP, TIMED = 6, 40
SHARED = (
    ("resnet_20", True, 1),
    ("resnet_20", True, 2),
    ("resnet_20", True, 3),
    ("resnet_20", True, 4),
    ("resnet_20", False, 1),
    ("resnet_20", False, 3),
    ("ghost_resnet_20", True, 1),
    ("ghost_resnet_20", True, 2),
    ("ghost_resnet_20", True, 4),
    ("convnext_tiny", True, 1),
    ("convnext_tiny", True, 3),
)
RECIPES = (
    "uniform",
    "fast",
    "tuned_resnet",
    "tuned_ghost",
    "tuned_convnext",
    "tuned_hybrid",
    "tuned_mlp",
)


def synchronised(call: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds until `call` returned and until the device was done."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    call()
    returned = time.perf_counter()
    torch.cuda.synchronize()
    return returned - started, time.perf_counter() - started


class Steps:
    """Optimizer steps of a trainer, one after the other."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        task = trainer.task
        order = task.train[permutation(task.seed, 0, len(task.train))]
        self.order = order.to(trainer.accelerator.device)
        self.number = self.ready = 0
        trainer.model.train()

    def run(self, count: int) -> None:
        steps = self.trainer.epoch_steps
        for _ in range(count):
            number = self.number % len(steps)
            if number in (0, self.ready):
                self.ready = self.trainer._look_ahead(0, self.order, number)
            self.trainer._train_step(0, self.order, steps[number])
            self.trainer.progress.step += 1
            self.number += 1


def waits_of(steps: Steps) -> int:
    """Return how often the host waits for the device in one step."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            steps.run(1)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("called a synchronizing" in str(each.message) for each in caught)


def kernels_of(steps: Steps) -> int:
    """Return the kernels and copies of one step."""
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        steps.run(1)
        torch.cuda.synchronize()
    events = [each for each in seen.events() if each.device_type == torch.autograd.DeviceType.CUDA]
    return len(events)


def step_figures(variant: str, recipe: Recipe, data: Path, *, graphs: bool) -> dict[str, Any]:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    steps = Steps(make_trainer(variant, data, recipe, gpus=1, graphs=graphs))
    steps.run(WARM_UP)
    timed = [synchronised(lambda: steps.run(TIMED)) for _ in range(3)]
    host, whole = min(timed, key=lambda pair: pair[1])
    return {
        "ms": 1e3 * whole / TIMED,
        "host_ms": 1e3 * host / TIMED,
        "waits": waits_of(steps),
        "kernels": kernels_of(steps),
        "peak_mb": torch.cuda.max_memory_allocated() / 2**20,
        "recorded": len(steps.trainer.compute._recorded),
    }


def both(name: str, variant: str, recipe: Recipe, data: Path) -> dict[str, Any]:
    """Return the figures with and without graphs, and print them."""
    found: dict[str, Any] = {}
    for graphs in (True, False):
        try:
            figures = step_figures(variant, recipe, data, graphs=graphs)
        except Exception as error:  # one network that fails is a result, too
            figures = {"error": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
        found["graph" if graphs else "eager"] = figures
    if all("ms" in each for each in found.values()):
        found["speedup"] = found["eager"]["ms"] / found["graph"]["ms"]
    print(name, json.dumps(found), flush=True)
    return found


def steps_part(data: Path) -> dict[str, Any]:
    variants = load_yaml(ROOT / "config" / "config.yaml")["variants"]
    return {name: both(name, name, uniform_recipe(BATCH, 1), data) for name in variants}


def recipes_part(data: Path) -> dict[str, Any]:
    recipes = {
        name: configured_recipe(name, {"global_batch": BATCH, "epochs": 30}) for name in RECIPES
    }
    return {name: both(name, "resnet_20", recipe, data) for name, recipe in recipes.items()}


def digest(trainer: Trainer) -> str:
    whole = hashlib.sha256()
    for value in trainer.learned:
        whole.update(value.detach().cpu().numpy().tobytes())
    return whole.hexdigest()[:12]


def trained(
    variant: str, recipe: Recipe, data: Path, stop_at: int | None = None, *, graphs: bool = True
) -> str:
    """Train to the end, stopped once where asked, and return a digest of the weights."""
    stop, folder = StopRequest(), None
    seed_everything(0)
    trainer = make_trainer(variant, data, recipe, gpus=1, stop=stop, graphs=graphs)
    if stop_at is not None:
        folder, inner = trainer.task.checkpoints, trainer._train_step

        def step(*args: Any) -> None:
            inner(*args)
            if trainer.progress.step + 1 == stop_at:
                stop.signal = "SIGTERM"

        trainer._train_step = step  # type: ignore[method-assign]
        with suppress(InterruptedRunError):
            trainer.fit()
        trainer = make_trainer(variant, data, recipe, gpus=1, checkpoints=folder)
        assert trainer.progress.step == stop_at, trainer.progress.step
    trainer.fit()
    return digest(trainer)


def bits_part(data: Path) -> dict[str, Any]:
    rows = {}
    for variant, name in (
        ("resnet_20", "uniform"),
        ("ghost_resnet_20", "fast"),
        ("convnext_tiny", "tuned_convnext"),
        ("coatnet_0", "tuned_hybrid"),
    ):
        recipe = configured_recipe(name, {"epochs": 2, "warmup_epochs": 1})
        steps_per_epoch = -(-IMAGES // recipe.global_batch)
        digests = {
            "once": trained(variant, recipe, data),
            "again": trained(variant, recipe, data),
            "resumed": trained(variant, recipe, data, stop_at=steps_per_epoch + 2),
            "without graphs": trained(variant, recipe, data, graphs=False),
        }
        rows[f"{variant}, {name}"] = {**digests, "equal": len(set(digests.values())) == 1}
        print(variant, name, rows[f"{variant}, {name}"], flush=True)
    return rows


def child(variant: str, seconds: float, data: Path, *, graphs: bool) -> None:
    """One of several runs on a GPU: ready, go at a word on standard input, and the images/s."""
    set_up_arithmetic(1, False)
    torch.set_num_threads(2)
    trainer = make_trainer(variant, data, uniform_recipe(BATCH, 1), gpus=1, graphs=graphs)
    steps = Steps(trainer)
    steps.run(20)
    torch.cuda.synchronize()
    print("ready", flush=True)
    sys.stdin.readline()
    started, before = time.perf_counter(), steps.number
    while time.perf_counter() - started < seconds:
        steps.run(10)
        torch.cuda.synchronize()
    print((steps.number - before) * BATCH / (time.perf_counter() - started), flush=True)


def together(variant: str, count: int, data: Path, *, graphs: bool, seconds: float = 2.0) -> float:
    """Return the images/s of `count` processes that train `variant` on one GPU, all of them together."""
    command = [sys.executable, __file__, "child", "--variant", variant, "--data", str(data)]
    command += ["--seconds", str(seconds), *([] if graphs else ["--eager"])]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    children = [subprocess.Popen(command, text=True, **pipes) for _ in range(count)]
    try:
        for each in children:
            while (line := each.stdout.readline()) and line != "ready\n":
                pass
        for each in children:
            each.stdin.write("go\n")
            each.stdin.flush()
        answers = [each.communicate(timeout=10 * seconds)[0].split() for each in children]
        return sum(float(answer[-1]) for answer in answers)
    finally:
        for each in children:
            each.kill()


def share_part(data: Path) -> dict[str, Any]:
    rows = {}
    for server in (False, True):
        if server:
            try:
                subprocess.run(
                    ["nvidia-cuda-mps-control", "-d"], check=True, capture_output=True, timeout=20
                )
            except (OSError, subprocess.SubprocessError) as error:
                print("no MPS:", error, flush=True)
                return rows
        for variant, graphs, count in SHARED:
            how = "graphs" if graphs else "eager"
            name = f"{variant} x {count}, {how}{', MPS' if server else ''}"
            try:
                rows[name] = together(variant, count, data, graphs=graphs)
            except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
                print(name, f"{type(error).__name__}: {error}", flush=True)
                continue
            print(name, f"{rows[name]:,.0f} images/s", flush=True)
    subprocess.run(["nvidia-cuda-mps-control"], input="quit\n", text=True, check=False, timeout=20)
    return rows


def checkpoints_part(data: Path) -> dict[str, Any]:
    rows = {}
    for variant in ("resnet_20", "convnext_tiny_timm", "mlp_mixer_b16"):
        trainer = make_trainer(variant, data, uniform_recipe(BATCH, 1), gpus=1)
        Steps(trainer).run(2)
        trainer._saved = time.monotonic()
        rows[variant] = statistics.median(synchronised(trainer._save)[1] for _ in range(3))
        print(variant, f"{rows[variant]:.3f} s", flush=True)
    return rows


def main() -> None:
    parts = {
        "steps": steps_part,
        "recipes": recipes_part,
        "bits": bits_part,
        "share": share_part,
        "checkpoints": checkpoints_part,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(parts))
    parser.add_argument("--variant")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--eager", action="store_true")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, help="file for all figures, as JSON")
    options = parser.parse_args()
    if options.parts == ["child"]:
        child(options.variant, options.seconds, options.data, graphs=not options.eager)
        return
    torch.set_num_threads(4)
    data = drawn_data(IMAGES)
    found: dict[str, Any] = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    for part in options.parts:
        set_up_arithmetic(1, False)
        if part == "bits":
            set_up_arithmetic(1, True)
        print(f"-- {part}", flush=True)
        started = time.monotonic()
        try:
            found[part] = parts[part](data)
        except Exception as error:
            print(f"{part} failed: {type(error).__name__}: {error}", flush=True)
        print(f"-- {time.monotonic() - started:.0f} s", flush=True)
        if options.out:
            options.out.write_text(json.dumps(found, indent=1))
    show("On the GPU", found)


if __name__ == "__main__":
    main()
