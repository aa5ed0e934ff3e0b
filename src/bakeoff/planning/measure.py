"""Measuring single training steps on the machine at hand."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bakeoff.errors import UserError
from bakeoff.files import canonical_json, read_json, sha256_text
from bakeoff.jobs.code import source_digest
from bakeoff.models.factory import build_architecture
from bakeoff.models.policy import input_policy
from bakeoff.models.registry import builder_code
from bakeoff.planning.calibration import Calibration
from bakeoff.planning.machine import CORE, Kind
from bakeoff.planning.work import Work
from bakeoff.support.origin import hardware
from bakeoff.training.augment import InputPipeline
from bakeoff.training.buffers import Buffers
from bakeoff.training.compute import MicroBatchInputs, MicroBatchPass
from bakeoff.training.devices import make_accelerator, on_device, set_up_arithmetic
from bakeoff.training.optimization import make_optimizer
from bakeoff.training.recipe import Recipe

BUDGET_SECONDS = 25.0
# A core takes minutes for the micro-batch of the largest network. So it gets as many images as it is assumed to do in
# this time, at least a few, and their time is scaled up.
CPU_SECONDS, CPU_IMAGES = 0.15, 4
# On a GPU the third micro-batch is recorded, and the fourth is the first replay.
WARM_UP = {"cpu": 1, "gpu": 4}
TIMED_SECONDS = 0.4


def calibrate(
    root: Path,
    works: Mapping[str, Work],
    kind: Kind,
    known: Calibration,
    budget: float = BUDGET_SECONDS,
) -> Calibration:
    """Return `known` with what it lacks, measured on one device of this machine.

    Variants are measured in the order of `works` until `budget` seconds are over; what is known of the same
    network, recipe and device is kept. Without a device of `kind` nothing is measured, but operations are counted.
    """
    device = _device(kind)
    if device is None or device[0] != known.device:
        known = Calibration(kind, operations=known.operations, keys=known.keys)
    specs = {name: read_json(root / "specs" / "runs" / f"{name}.json") for name in works}
    keys = {name: _key(specs[name], work) for name, work in works.items()}
    fresh = {name for name in works if known.keys.get(name) == keys[name]}
    operations = {name: count for name, count in known.operations.items() if name in fresh}
    seconds = {name: value for name, value in known.seconds.items() if name in fresh}
    if kind == "gpu":
        for name in works.keys() - operations.keys():
            work = works[name]
            operations[name] = count_operations(specs[name]["model"], work.classes, work.image_size)
    if device is not None:
        name_of_device, torch_device = device
        started = time.monotonic()
        for name, work in works.items():
            if name not in seconds and time.monotonic() - started < budget:
                seconds[name] = micro_batch_seconds(specs[name], work, torch_device)
        watts = power_limit() if kind == "gpu" else None
        return Calibration(kind, name_of_device, watts, seconds, operations, keys)
    return Calibration(kind, None, None, {}, operations, keys)


def micro_batch_seconds(
    spec: Mapping[str, Any], work: Work, device: torch.device, *, graphs: bool = True
) -> float:
    """Return the seconds of a micro-batch of the run `spec` on one device, with its share of the update.

    It is computed as a run computes it: by the engine's own function, on a GPU as a CUDA graph unless `graphs` is
    false, with kernels searched for.
    """
    on_gpu = device.type == "cuda"
    set_up_arithmetic(int(on_gpu), spec["deterministic"])
    images = work.micro_batch if on_gpu else _images_on_cpu(work)
    recipe = Recipe.model_validate(spec["recipe"])
    classes, size = work.classes, work.image_size
    policy = input_policy(spec["model"], size)
    model = on_device(build_architecture(spec["model"], classes, size).train(), device)
    accelerator = make_accelerator(int(on_gpu), recipe.precision)
    optimizer = accelerator.prepare(make_optimizer(model, recipe.optimizer, device))
    pipeline = InputPipeline(
        torch.randint(256, (images, 3, size, size), dtype=torch.uint8),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        config=recipe.augmentation,
        input_size=policy.input_size,
        device=device,
        seed=0,
        interpolation=policy.interpolation,
        memory_format=torch.channels_last,
    )
    indices = torch.arange(images, device=device)
    labels = torch.zeros(images, dtype=torch.long, device=device)
    step_images = torch.full((), float(images), device=device)
    parameters = list(model.parameters())
    gradients = MicroBatchPass(
        model,
        parameters,
        Buffers(model),
        torch.zeros(2, dtype=torch.float64, device=device),
        accelerator,
        recipe.label_smoothing,
        graphs=graphs and not recipe.compile,
    )
    found: list[Tensor] = []

    def ahead() -> None:
        pipeline.look_ahead(indices, 0)

    def compute() -> None:
        batch = pipeline.train_batch(indices, 0)
        found[:] = gradients(MicroBatchInputs(batch, labels, labels, step_images), 0, seed=0)

    def update() -> None:
        for parameter, gradient in zip(parameters, found, strict=False):
            parameter.grad = gradient
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    kind = "gpu" if on_gpu else "cpu"
    augmenting = 0.0
    if pipeline.at_once >= images:
        # For the few images that are here it takes what it takes for many: the time of launches.
        augmenting = _seconds(ahead, device, WARM_UP[kind]) * images / pipeline.at_once
    computing, updating = (_seconds(call, device, WARM_UP[kind]) for call in (compute, update))
    computing += augmenting
    return computing * work.images_per_micro_batch / images + updating / work.micro_batches


def count_operations(model_spec: Mapping[str, Any], classes: int, image_size: int) -> int:
    """Return the number of operations of a forward pass in training, as PyTorch's dispatcher sees them."""
    try:
        return _count_on("meta", model_spec, classes, image_size)
    except (RuntimeError, UserError):
        # A network may ask for values, which the meta device has not.
        return _count_on("cpu", model_spec, classes, image_size)


def power_limit() -> float | None:
    """Return the power limit of the first GPU in watts, or None where the driver does not tell."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=power.limit", "--format=csv,noheader,nounits"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout.split()
    try:
        return float(answer[0])
    except (IndexError, ValueError):
        return None


class _Counter(TorchDispatchMode):
    """Counts the operations that are carried out under it."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def _count_on(device: str, model_spec: Mapping[str, Any], classes: int, image_size: int) -> int:
    size = input_policy(model_spec, image_size).input_size
    with torch.device(device), torch.no_grad():
        model: nn.Module = build_architecture(model_spec, classes, image_size).train()
        images = torch.zeros(2, 3, size, size)
        with _Counter() as counter:
            model(images)
    return int(counter.count)


def _device(kind: Kind) -> tuple[str, torch.device] | None:
    """Return name and device that runs on this machine would use, or None where it has none of this kind."""
    machine = hardware()
    if kind == "cpu":
        return machine["processor"], torch.device("cpu")
    return (machine["gpus"][0], torch.device("cuda")) if machine["gpus"] else None


def _images_on_cpu(work: Work) -> int:
    wanted = int(CPU_SECONDS * CORE.macs_per_s / (3 * max(1, work.macs)))
    return min(work.micro_batch, max(CPU_IMAGES, wanted))


def _key(spec: Mapping[str, Any], work: Work) -> str:
    recipe = {key: value for key, value in spec["recipe"].items() if key != "epochs"}
    code = source_digest("bakeoff.training.loop", *builder_code(spec["model"]["builder"]))
    of_data = [work.classes, work.image_size]
    return sha256_text(canonical_json([spec["model"], recipe, spec["versions"], code, of_data]))


def _seconds(call: Callable[[], None], device: torch.device, warm_up: int) -> float:
    """Return the least time of repeated calls, which is what they take when nothing disturbs them."""
    # On the CPU, in one thread, the processor's time is that; others' work makes only the wall's time longer.
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    for _ in range(warm_up):
        call()
    times: list[float] = []
    while not times or sum(times) < TIMED_SECONDS:
        _wait(device)
        started = clock()
        call()
        _wait(device)
        times.append(clock() - started)
    return min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
