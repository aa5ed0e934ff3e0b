"""One run: a variant trained with one seed, evaluated once on the test split, written as five files."""

from __future__ import annotations

import logging
import resource
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor

from bakeoff.data.prepared import (
    DataMeta,
    load_meta,
    load_split,
    load_validation_indices,
    verify,
)
from bakeoff.errors import UserError
from bakeoff.evaluation.cost import count_macs, count_params
from bakeoff.evaluation.provenance import hardware, now, provenance
from bakeoff.files import atomic_path, canonical_json, sha256_text, write_json
from bakeoff.models.factory import build
from bakeoff.models.policy import InputPolicy, input_policy
from bakeoff.models.registry import BUILDER_MODULES
from bakeoff.models.weights_files import Lock, read_lock
from bakeoff.study.layers import load_yaml
from bakeoff.training.augment import InputPipeline
from bakeoff.training.devices import check_disk, make_accelerator, set_up_arithmetic
from bakeoff.training.history import write_history
from bakeoff.training.interrupts import StopRequest
from bakeoff.training.loop import Task, Trained, Trainer
from bakeoff.training.predict import predict, score
from bakeoff.training.progress import tensorboard
from bakeoff.training.recipe import Recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunPaths:
    """Where a run reads and writes."""

    data: Path
    out: Path
    checkpoints: Path
    metrics_schema: Path
    weights: Path | None = None
    tensorboard: Path | None = None


@dataclass(frozen=True)
class Setting:
    """Everything that the parts of a run have in common."""

    spec: Mapping[str, Any]
    seed: int
    paths: RunPaths
    recipe: Recipe
    meta: DataMeta
    policy: InputPolicy
    weights: Lock | None
    """What the pretrained weights are; None for a run from scratch."""
    accelerator: Accelerator

    @property
    def title(self) -> str:
        """Name of the run for people."""
        return f"{self.spec['variant']}/seed{self.seed}"


def execute(
    spec: Mapping[str, Any], seed: int, paths: RunPaths, gpus: int, checkpoint_minutes: float
) -> None:
    """Train, evaluate and write one run; resume it where an earlier attempt was stopped.

    Args:
        spec: content of `{root}/specs/runs/{variant}.json`.
        seed: of everything random in the run.
        paths: prepared data, folder of the five files, folder of the checkpoints.
        gpus: how many GPUs all processes of the run use together; 0 is the CPU.
        checkpoint_minutes: longest time between two checkpoints.

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
    setting = Setting(spec, seed, paths, recipe, meta, policy, weights, accelerator)
    torch.manual_seed(seed)
    network = build(spec["model"], len(meta.classes), meta.image_size, paths.weights)
    log.info(
        "%s: %s parameters, %d process(es) on %s",
        setting.title,
        f"{count_params(network):,}",
        accelerator.num_processes,
        accelerator.device.type,
    )
    task = _task(setting, checkpoint_minutes)
    trained = Trainer(network, recipe, task, accelerator, stop).fit()
    validation = trained.history[-1]
    logits, labels = _test_logits(setting, trained)
    # As stored, so that the metrics follow from the predictions: rounding can make two logits equal.
    logits = logits.half()
    if accelerator.is_main_process:
        test = score(logits, labels)
        metrics = _metrics(setting, trained) | {
            "test": asdict(test),
            "validation": {
                "top1": validation.val_top1,
                "top5": validation.val_top5,
                "loss": validation.val_loss,
                "images": meta.validation_images,
            },
        }
        origin = {
            **provenance(spec, seed, meta.checksum, source_modules(spec)),
            "pretrained_weights": asdict(weights) if weights else None,
        }
        _write(paths, trained, metrics, logits, labels, {**origin, "start": start, "end": now()})
        shutil.rmtree(paths.checkpoints, ignore_errors=True)
        log.info("%s: test top-1 %.2f %%, top-5 %.2f %%", setting.title, test.top1, test.top5)
    accelerator.wait_for_everyone()
    accelerator.end_training()


def source_modules(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the modules of this package that a run starts from: the engine, and its builder's family."""
    builder = spec["model"]["builder"]
    family = (f"bakeoff.models.{BUILDER_MODULES[builder]}",) if builder in BUILDER_MODULES else ()
    return ("bakeoff.evaluation.run", *family)


def _task(setting: Setting, checkpoint_minutes: float) -> Task:
    paths, main_process = setting.paths, setting.accelerator.is_main_process
    images, fine, _ = load_split(paths.data, "train")
    held_out = load_validation_indices(paths.data)
    kept = np.setdiff1d(np.arange(len(fine)), held_out)
    weights = setting.weights.sha256 if setting.weights else None
    return Task(
        title=setting.title,
        key=sha256_text(
            canonical_json([setting.spec, setting.seed, setting.meta.checksum, weights])
        ),
        seed=setting.seed,
        images=_pipeline(setting, images),
        labels=torch.from_numpy(np.array(fine)),
        train=torch.from_numpy(kept),
        validation=torch.from_numpy(np.array(held_out)),
        classes=len(setting.meta.classes),
        checkpoints=paths.checkpoints,
        checkpoint_seconds=60 * checkpoint_minutes,
        on_epoch=(tensorboard(paths.tensorboard),) if paths.tensorboard and main_process else (),
    )


def _pipeline(setting: Setting, images: np.ndarray[Any, Any]) -> InputPipeline:
    meta, policy = setting.meta, setting.policy
    return InputPipeline(
        torch.from_numpy(np.array(images)),
        mean=policy.mean or meta.mean,
        std=policy.std or meta.std,
        config=setting.recipe.augmentation,
        input_size=policy.input_size,
        device=setting.accelerator.device,
        seed=setting.seed,
        interpolation=policy.interpolation,
        memory_format=torch.channels_last,
    )


def _test_logits(setting: Setting, trained: Trained) -> tuple[Tensor, Tensor]:
    """Return logits and labels of the test split: the one time that a run looks at it."""
    images, fine, _ = load_split(setting.paths.data, "test")
    pipeline = _pipeline(setting, images)
    logits = predict(
        trained.model,
        pipeline.eval_batch,
        torch.arange(len(fine)),
        setting.accelerator,
        setting.recipe.micro_batch,
    )
    return logits, torch.from_numpy(np.array(fine))


def _metrics(setting: Setting, trained: Trained) -> dict[str, Any]:
    """Return metrics.json without the scores."""
    accelerator = setting.accelerator
    on_gpu = accelerator.device.type == "cuda"
    hours = trained.seconds / 3600
    machine = hardware()
    return {
        "variant": setting.spec["variant"],
        "seed": setting.seed,
        "pretrained": bool(setting.spec["model"].get("pretrained", False)),
        "epochs": setting.recipe.epochs,
        "params": count_params(trained.model),
        "macs": count_macs(trained.model, setting.policy.input_size),
        "input_size": setting.policy.input_size,
        "images_per_s": trained.images_per_s,
        "peak_memory_mb": _peak_memory_mb(on_gpu),
        "wall_hours": hours,
        "gpu_hours": hours * accelerator.num_processes if on_gpu else 0.0,
        "processes": accelerator.num_processes,
        "precision": accelerator.mixed_precision,
        "device": machine["gpus"][0] if on_gpu else machine["processor"],
    }


def _peak_memory_mb(on_gpu: bool) -> float:
    """Return the peak memory in MiB: of the GPU, or of the process where there is none."""
    if on_gpu:
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def _write(
    paths: RunPaths,
    trained: Trained,
    metrics: dict[str, Any],
    logits: Tensor,
    labels: Tensor,
    origin: dict[str, Any],
) -> None:
    """Write the five files of the run; `metrics.json`, which others wait for, comes last."""
    _check_metrics(metrics, paths.metrics_schema)
    paths.out.mkdir(parents=True, exist_ok=True)
    write_history(paths.out / "history.csv", trained.history)
    with atomic_path(paths.out / "predictions.npz") as temporary:
        np.savez_compressed(temporary, logits=logits.numpy(), labels=labels.numpy())
    with atomic_path(paths.out / "model.safetensors") as temporary:
        weights = {name: value.contiguous() for name, value in trained.model.state_dict().items()}
        save_file(weights, temporary, metadata={"weights": "ema" if trained.uses_ema else "last"})
    write_json(paths.out / "provenance.json", origin)
    write_json(paths.out / "metrics.json", metrics)


def _check_metrics(metrics: dict[str, Any], schema: Path) -> None:
    try:
        jsonschema.validate(metrics, load_yaml(schema))
    except jsonschema.ValidationError as error:
        raise UserError(
            f"The run's metrics do not fit {schema}: {error.json_path} {error.message}. Nothing was written; "
            "the checkpoint is kept."
        ) from None
