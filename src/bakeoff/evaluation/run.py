"""One run: a variant trained with one seed, evaluated once on the test split, written as five files."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from bakeoff.data.prepared import load_meta, load_split, load_validation_indices, verify
from bakeoff.errors import UserError
from bakeoff.evaluation.cost import count_params
from bakeoff.evaluation.results import (
    RunPaths,
    Setting,
    finish,
    finish_diverged,
    input_pipeline,
)
from bakeoff.files import canonical_json, sha256_text
from bakeoff.jobs.records import now
from bakeoff.models.factory import build
from bakeoff.models.policy import input_policy
from bakeoff.models.weights_files import read_lock
from bakeoff.support.interrupts import InterruptedRunError, StopRequest
from bakeoff.support.progress import tensorboard
from bakeoff.support.rehearsal import rehearse
from bakeoff.training.batches import smallest_micro_batch
from bakeoff.training.devices import check_disk, make_accelerator, set_up_arithmetic
from bakeoff.training.loop import DivergedError, Task, Trainer
from bakeoff.training.random import seed_everything
from bakeoff.training.recipe import Recipe

log = logging.getLogger(__name__)


def execute(
    spec: Mapping[str, Any],
    seed: int,
    paths: RunPaths,
    gpus: int,
    checkpoint_minutes: float,
    code: Mapping[str, str],
    *,
    cuda_graphs: bool = True,
) -> None:
    """Train, evaluate and write one run; resume it where an earlier attempt was stopped.

    Args:
        spec: content of `{root}/specs/runs/{variant}.json`.
        seed: of everything random in the run.
        paths: prepared data, folder of the five files, folder of the checkpoints.
        gpus: how many GPUs all processes of the run use together; 0 is the CPU.
        checkpoint_minutes: longest time between two checkpoints.
        code: {module or file: digest} of what the run executes.
        cuda_graphs: whether a GPU may replay a micro-batch as one graph.

    Raises:
        UserError: a machine, a file or a value is not fit for the run.
        InterruptedRunError: the process was told to stop, and saved a checkpoint.
    """
    start, stop = now(), StopRequest()
    verify(paths.data)
    check_disk(paths.checkpoints)
    set_up_arithmetic(gpus, spec["deterministic"])
    recipe = Recipe.model_validate(spec["recipe"])
    accelerator = make_accelerator(gpus, recipe.precision)
    meta = load_meta(paths.data)
    policy = input_policy(spec["model"], meta.image_size)
    weights = read_lock(paths.weights) if paths.weights else None
    setting = Setting(spec, seed, paths, recipe, meta, policy, weights, accelerator, code)
    _rehearse(setting, stop)
    seed_everything(seed)
    network = build(spec["model"], len(meta.classes), meta.image_size, paths.weights)
    log.info(
        "%s: %s parameters, %d process(es) on %s",
        setting.title,
        f"{count_params(network):,}",
        accelerator.num_processes,
        accelerator.device.type,
    )
    task = replace(_task(setting, checkpoint_minutes), graphs=cuda_graphs)
    try:
        trained = Trainer(network, recipe, task, accelerator, stop).fit()
        # The one time that a run looks at the test split.
        images, labels, _ = load_split(paths.data, "test")
        test = finish(setting, trained, images, labels, start)
        outcome = f"{setting.title}: test top-1 {test.top1:.2f} %, top-5 {test.top5:.2f} %"
    except DivergedError as error:
        # Nothing went wrong with the run: that this network diverges under this recipe is its result.
        finish_diverged(setting, network, error.how, start)
        outcome = f"{error} The run has diverged, which is its result."
    if accelerator.is_main_process:
        shutil.rmtree(paths.checkpoints, ignore_errors=True)
        log.info("%s", outcome)
    accelerator.wait_for_everyone()
    accelerator.end_training()


def _rehearse(setting: Setting, stop: StopRequest) -> None:
    """Do all that the run will do on a few of its training images."""
    images, labels, _ = load_split(setting.paths.data, "train")
    trained_on = len(labels) - setting.meta.validation_images
    smallest = smallest_micro_batch(
        trained_on, setting.recipe.global_batch, setting.recipe.micro_batch
    )
    try:
        rehearse(setting, images, labels, stop, single=smallest == 1)
    except UserError as error:
        raise UserError(f"{setting.title}: {error}") from error
    except InterruptedRunError:
        raise InterruptedRunError(
            f"{setting.title}: stopped by {stop.signal or 'another process'} before its first step; the next start "
            "resumes the run's last checkpoint, if there is one."
        ) from None


def _task(setting: Setting, checkpoint_minutes: float) -> Task:
    paths, main_process = setting.paths, setting.accelerator.is_main_process
    images, fine, _ = load_split(paths.data, "train")
    held_out = load_validation_indices(paths.data)
    kept = np.setdiff1d(np.arange(len(fine)), held_out)
    weights = setting.weights.sha256 if setting.weights else None
    return Task(
        title=setting.title,
        key=sha256_text(
            canonical_json(
                [setting.spec, dict(setting.code), setting.seed, setting.meta.checksum, weights]
            )
        ),
        seed=setting.seed,
        images=input_pipeline(setting, images),
        labels=torch.from_numpy(np.array(fine)),
        train=torch.from_numpy(kept),
        validation=torch.from_numpy(np.array(held_out)),
        classes=len(setting.meta.classes),
        checkpoints=paths.checkpoints,
        checkpoint_seconds=60 * checkpoint_minutes,
        on_epoch=(tensorboard(paths.tensorboard),) if paths.tensorboard and main_process else (),
    )
