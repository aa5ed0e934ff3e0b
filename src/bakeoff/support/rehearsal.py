"""A run in miniature before the first step: all that a run does at its end, done once on a few images.

Counting, scoring, storing and reading back come hours after the start; what fails there fails here first. The
rehearsal trains one step with the engine itself, resumes from its checkpoint with a second network, judges and writes
that one as a run is judged and written, reads the weights back, and asks for the same answers each time.

A network from a user's file is also rehearsed before any job starts, on the CPU with drawn images.
"""

from __future__ import annotations

import gc
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bakeoff.data.dataset import DataSource
from bakeoff.data.prepared import DataMeta
from bakeoff.errors import UserError, in_one_line
from bakeoff.evaluation.results import (
    RunPaths,
    Setting,
    as_stored,
    finish,
    input_pipeline,
    stored_weights,
)
from bakeoff.files import unwritable
from bakeoff.jobs.records import now
from bakeoff.models.factory import build, build_architecture, raised_in
from bakeoff.models.policy import input_policy
from bakeoff.study.networks import is_shipped
from bakeoff.support.interrupts import InterruptedRunError, StopRequest
from bakeoff.training.devices import make_accelerator, on_device
from bakeoff.training.loop import DivergedError, Task, Trained, Trainer
from bakeoff.training.predict import predict
from bakeoff.training.random import seed_everything
from bakeoff.training.recipe import LearningRateConfig, OptimizerConfig, Recipe
from bakeoff.training.reproducible import check_reproducible, refuse_unrepeatable

IMAGES = 4
# Small enough that one step leaves any network near where it was.
LEARNING_RATE = 1e-3
# GPU kernels may add in another order each time; what a network draws at random differs by more.
GPU_TOLERANCE = 1e-2


def rehearse(
    setting: Setting,
    images: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    stop: StopRequest,
    *,
    single: bool = False,
) -> None:
    """Do on a few images what the run of `setting` will do; leave nothing behind but the random state.

    Every process takes part.

    Args:
        setting: of the run.
        images: uint8, N x 3 x S x S, of which `IMAGES` are used.
        labels: int64, N.
        stop: the run's.
        single: whether the run will train on a micro-batch of one image.

    Raises:
        UserError: something of that fails; one sentence.
    """
    chosen = np.arange(IMAGES) % len(labels)
    images, labels = np.asarray(images[chosen]), np.asarray(labels[chosen])
    folder = setting.paths.checkpoints / "rehearsal"
    small = _in_miniature(setting, folder, single)
    with _quiet(), _made_and_removed(folder, setting), _explained(setting):
        _rehearse(small, images, labels, stop)
    # Accelerator and optimizer refer to each other, so that the networks would stay in memory until Python looks.
    gc.collect()
    if setting.accelerator.device.type == "cuda":
        # The metrics tell the run's.
        torch.cuda.reset_peak_memory_stats()


def rehearse_without_data(model: Mapping[str, Any], classes: int, image_size: int) -> None:
    """Rehearse a run of `model`, of a run spec, on the CPU and on drawn images, from fresh weights.

    Raises:
        UserError: as `rehearse`.
    """
    spec = {"variant": "rehearsal", "model": {**model, "pretrained": False}}
    images = np.random.default_rng(0).integers(256, size=(IMAGES, 3, image_size, image_size))
    with tempfile.TemporaryDirectory(prefix="bakeoff-rehearsal-") as temporary:
        folder = Path(temporary)
        setting = Setting(
            spec=spec,
            seed=0,
            paths=RunPaths(folder, folder / "run", folder),
            recipe=PLAIN_RECIPE,
            meta=_drawn(classes, image_size),
            policy=input_policy(model, image_size),
            weights=None,
            accelerator=make_accelerator(gpus=0, precision=PLAIN_RECIPE.precision),
            code={},
        )
        rehearse(setting, images.astype(np.uint8), np.arange(IMAGES) % classes, _NeverStopped())


class _NeverStopped(StopRequest):
    """Leaves signals as they are."""

    def __init__(self) -> None:
        self.signal = None


SMALL_RATE = LearningRateConfig(base=LEARNING_RATE, per_images=IMAGES)
PLAIN_RECIPE = Recipe(
    epochs=1,
    global_batch=IMAGES,
    micro_batch=IMAGES // 2,
    optimizer=OptimizerConfig(name="sgd", nesterov=True),
    learning_rate=SMALL_RATE,
    precision="fp32",
)


def _in_miniature(setting: Setting, folder: Path, single: bool) -> Setting:
    """Return the setting of one step of two micro-batches, by an accelerator whose scaler is not the run's."""
    micro_batch = 1 if single else 2
    recipe = setting.recipe.model_copy(
        update={
            "epochs": 1,
            "global_batch": IMAGES,
            "micro_batch": micro_batch,
            "warmup_epochs": 0.0,
            "learning_rate": SMALL_RATE,
            "final_learning_rate": 0.0,
            # Compiling takes longer than all else, and is the first thing that training does.
            "compile": False,
        }
    )
    gpus = setting.accelerator.num_processes if setting.accelerator.device.type == "cuda" else 0
    return replace(
        setting,
        # What the engine says of it is not said of the run.
        spec={**setting.spec, "variant": "rehearsal"},
        recipe=recipe,
        paths=replace(setting.paths, out=folder / "run", checkpoints=folder),
        accelerator=make_accelerator(gpus, recipe.precision),
    )


def _rehearse(
    setting: Setting,
    images: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    stop: StopRequest,
) -> None:
    def logits(model: nn.Module) -> Tensor:
        return predict(
            model.eval(),
            input_pipeline(setting, images).eval_batch,
            torch.arange(len(labels)),
            setting.accelerator,
            setting.recipe.micro_batch,
        )

    def trained(network: nn.Module) -> Trained:
        task = _task(setting, images, labels)
        return Trainer(network, setting.recipe, task, setting.accelerator, stop).fit()

    network = on_device(_network(setting), setting.accelerator.device)
    start = logits(network)
    if not _same(setting, start, logits(network)):
        refuse_unrepeatable("in evaluation")
    if not start.isfinite().all():
        raise UserError(
            "The network's logits are not finite before any training, in evaluation mode."
        )
    initial = stored_weights(network)
    # From another seed, because whoever reads the weights of a run has none.
    first, resumed = trained(network), trained(_network(setting, 1))
    _check_same(setting, logits(first.model), logits(resumed.model), "resumed from a checkpoint")
    # One step on a few images says nothing of what a trained network answers, so its first weights are judged.
    resumed.model.load_state_dict(initial)
    _check_same(setting, start, logits(resumed.model), "filled with the weights of another one")
    epoch = replace(resumed.history[-1], val_loss=0.0, val_top1=0.0, val_top5=0.0)
    finish(setting, replace(resumed, history=(epoch,)), images, labels, now())
    first.model.load_state_dict(load_file(setting.paths.out / "model.safetensors"))
    with np.load(setting.paths.out / "predictions.npz") as stored:
        kept = torch.from_numpy(stored["logits"]).float()
    again = as_stored(logits(first.model)).float()
    _check_same(setting, kept, again, "filled with its stored weights")
    model, meta = setting.spec["model"], setting.meta
    if not is_shipped(model):
        # Of ours a test knows it.
        check_reproducible(
            lambda: build_architecture(model, len(meta.classes), meta.image_size),
            setting.policy.input_size,
        )


def _network(setting: Setting, number: int = 0) -> nn.Module:
    seed_everything(setting.seed + number)
    return build(
        setting.spec["model"],
        len(setting.meta.classes),
        setting.meta.image_size,
        setting.paths.weights,
    )


def _task(setting: Setting, images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> Task:
    rows = torch.arange(len(labels))
    return Task(
        title=setting.title,
        key="rehearsal",
        seed=setting.seed,
        images=input_pipeline(setting, images),
        labels=torch.from_numpy(labels),
        train=rows,
        validation=rows,
        classes=len(setting.meta.classes),
        checkpoints=setting.paths.checkpoints,
    )


def _check_same(setting: Setting, one: Tensor, other: Tensor, how: str) -> None:
    if not _same(setting, one, other):
        raise UserError(
            f"A network that is {how} answers the same images differently; whatever decides an answer "
            "has to be a parameter or a persistent buffer of the network."
        )


def _same(setting: Setting, one: Tensor, other: Tensor) -> bool:
    if setting.accelerator.device.type != "cuda":
        return torch.allclose(one, other, rtol=0.0, atol=0.0, equal_nan=True)
    scale = one[one.isfinite()].abs().max() if one.isfinite().any() else torch.tensor(0.0)
    return torch.allclose(one, other, rtol=0.0, atol=GPU_TOLERANCE * scale.item(), equal_nan=True)


@contextmanager
def _explained(setting: Setting) -> Iterator[None]:
    try:
        yield
    except DivergedError:
        halves = setting.accelerator.mixed_precision == "fp16"
        raise UserError(
            f"The network's loss or weights are not finite after one step of training on {IMAGES} images at a learning "
            f"rate of {LEARNING_RATE:g}, so that no smaller rate would help. Look at what it divides by and takes "
            f"roots or logarithms of{', or set recipe_overrides.precision to bf16 or fp32' if halves else ''}."
        ) from None
    except (UserError, InterruptedRunError):
        raise
    # The network is anyone's code.
    except (Exception, SystemExit) as error:
        if isinstance(error, OSError) and (text := unwritable(error)):
            raise UserError(text) from error
        builder = setting.spec["model"]["builder"]
        raise UserError(
            f"The network of builder {builder!r} could not be trained, judged and stored on {IMAGES} images, so no run "
            f"is started: {type(error).__name__}: {in_one_line(error)} ({raised_in(error, builder)}).{_advice(error)}"
        ) from error


def _advice(error: BaseException) -> str:
    if "view size is not compatible" in str(error):
        return " Images have their channels last in memory, so write reshape or flatten in place of view."
    return ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the engine tells of its epochs out of the log of the run."""
    project = logging.getLogger("bakeoff")
    level = project.level
    project.setLevel(logging.WARNING)
    try:
        yield
    finally:
        project.setLevel(level)


@contextmanager
def _made_and_removed(folder: Path, setting: Setting) -> Iterator[None]:
    """Give the rehearsal an empty folder that all processes see."""
    main = setting.accelerator.is_main_process
    if main:
        # Of a rehearsal that was killed.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    setting.accelerator.wait_for_everyone()
    try:
        yield
        setting.accelerator.wait_for_everyone()
    finally:
        if main:
            shutil.rmtree(folder, ignore_errors=True)


def _drawn(classes: int, image_size: int) -> DataMeta:
    """Return the description of the images that are drawn where there are no data yet."""
    return DataMeta(
        name="rehearsal",
        kind="drawn",
        classes=tuple(map(str, range(classes))),
        superclasses=None,
        class_to_superclass=None,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        image_size=image_size,
        train_images=IMAGES,
        validation_images=IMAGES,
        test_images=IMAGES,
        checksum="none",
        source=DataSource(None, None),
    )
