"""What a run writes at its end: logits and scores of the test split, metrics, weights, provenance."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor, nn

from bakeoff.data.prepared import DataMeta
from bakeoff.errors import UserError
from bakeoff.evaluation.cost import count_params
from bakeoff.files import atomic_path, write_json
from bakeoff.jobs.code import CHECKOUT
from bakeoff.jobs.records import now
from bakeoff.models.macs import count_macs
from bakeoff.models.policy import InputPolicy
from bakeoff.models.weights_files import Lock
from bakeoff.study.layers import load_yaml
from bakeoff.support.origin import hardware, provenance
from bakeoff.training.augment import InputPipeline
from bakeoff.training.buffers import Buffers
from bakeoff.training.history import EpochRecord, write_history
from bakeoff.training.loop import Diverged, DivergedError, Trained
from bakeoff.training.predict import Scores, predict, score
from bakeoff.training.recipe import Recipe

METRICS_SCHEMA = CHECKOUT / "workflow" / "schemas" / "metrics.schema.yaml"
# By how much float16 may move a logit, in nats, before logits are stored as float32: logits of up to 128 never are.
ROUNDING = 2**-5


@dataclass(frozen=True)
class RunPaths:
    """Where a run reads and writes."""

    data: Path
    out: Path
    checkpoints: Path
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
    code: Mapping[str, str]
    """{module or file: digest} of what the run executes."""

    @property
    def title(self) -> str:
        """Name of the run for people."""
        return f"{self.spec['variant']}/seed{self.seed}"


def finish(
    setting: Setting,
    trained: Trained,
    images: np.ndarray[Any, Any],
    labels: np.ndarray[Any, Any],
    start: str,
) -> Scores:
    """Judge a trained network on the images that were kept for it, and write the five files of its run.

    Every process takes part; the first one writes.

    Args:
        setting: of the run.
        trained: the network.
        images: uint8, N x 3 x S x S.
        labels: int64, N.
        start: when the run began, ISO 8601.

    Raises:
        DivergedError: the network's logits are not finite; nothing is written.
        UserError: its weights cannot be stored; nothing is written.
    """
    logits = predict(
        trained.model,
        input_pipeline(setting, images).eval_batch,
        torch.arange(len(labels)),
        setting.accelerator,
        setting.recipe.micro_batch,
    )
    if not logits.isfinite().all():
        last = trained.history[-1].lr
        raise DivergedError(
            setting.title,
            Diverged(
                *("logits", trained.steps, last),
                *(trained.history, trained.seconds, trained.images_per_s),
            ),
        )
    # Scored as stored, so that the metrics follow from the predictions: rounding can make two logits equal.
    logits, targets = as_stored(logits), torch.from_numpy(np.array(labels))
    test = score(logits, targets)
    if setting.accelerator.is_main_process:
        validation = trained.history[-1]
        metrics = _metrics(setting, trained.model, trained.seconds, trained.images_per_s) | {
            "test": asdict(test),
            "validation": {
                "top1": validation.val_top1,
                "top5": validation.val_top5,
                "loss": validation.val_loss,
                "images": setting.meta.validation_images,
            },
        }
        _write(
            setting.paths,
            _Files(
                metrics,
                trained.history,
                {"logits": logits.numpy(), "labels": targets.numpy()},
                stored_weights(trained.model),
                "ema" if trained.uses_ema else "last",
                _origin(setting, start),
            ),
        )
    setting.accelerator.wait_for_everyone()
    return test


def finish_diverged(setting: Setting, network: nn.Module, how: Diverged, start: str) -> None:
    """Write the five files of a run that diverged: without scores, predictions and weights.

    Every process takes part; the first one writes.
    """
    if setting.accelerator.is_main_process:
        metrics = _metrics(setting, network, how.seconds, how.images_per_s) | {
            "test": None,
            "validation": None,
            "diverged": {
                "what": how.what,
                "step": how.step,
                "epoch": len(how.history),
                "learning_rate": how.learning_rate,
            },
        }
        classes = len(setting.meta.classes)
        predictions = {"logits": np.empty((0, classes), np.float16), "labels": np.empty(0, int)}
        _write(
            setting.paths,
            _Files(metrics, how.history, predictions, {}, "none", _origin(setting, start)),
        )
    setting.accelerator.wait_for_everyone()


def as_stored(logits: Tensor) -> Tensor:
    """Return float32 logits as they are stored: as float16, unless that moves one by more than `ROUNDING`."""
    half = logits.half()
    # Infinite beyond 65,504, and then not below the bound either.
    return half if (half.float() - logits).abs().max() <= ROUNDING else logits


def stored_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the state dict as it is stored: each tensor for itself, on the CPU, in the usual order of memory.

    Tensors that share memory are each stored, so that the file is the whole state dict for whoever reads it.

    Raises:
        UserError: something in it is no tensor, or has no place in a file of weights.
    """
    state = model.state_dict()
    for name, value in state.items():
        if not (isinstance(value, Tensor) and value.layout == torch.strided):
            kind = value.layout if isinstance(value, Tensor) else type(value).__name__
            raise UserError(
                f"The state_dict of the network holds {name}, which is {kind} and cannot be stored; only plain "
                "tensors can."
            )
    return {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
    }


def input_pipeline(setting: Setting, images: np.ndarray[Any, Any]) -> InputPipeline:
    """Return the pipeline that shows `images` (uint8, N x 3 x S x S) to the run's network."""
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


def _metrics(
    setting: Setting, network: nn.Module, seconds: float, images_per_s: float
) -> dict[str, Any]:
    """Return metrics.json without the scores."""
    accelerator = setting.accelerator
    on_gpu = accelerator.device.type == "cuda"
    hours = seconds / 3600
    machine = hardware()
    buffers = Buffers(network)
    macs = count_macs(network, setting.policy.input_size)
    # What is saved is what has predicted.
    buffers.put_back()
    return {
        "variant": setting.spec["variant"],
        "seed": setting.seed,
        "pretrained": bool(setting.spec["model"].get("pretrained", False)),
        "epochs": setting.recipe.epochs,
        "params": count_params(network),
        "macs": macs,
        "input_size": setting.policy.input_size,
        "images_per_s": images_per_s,
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


def _origin(setting: Setting, start: str) -> dict[str, Any]:
    """Return provenance.json of a run that ends now."""
    return {
        **provenance(setting.spec, setting.seed, setting.meta.checksum, setting.code),
        "pretrained_weights": asdict(setting.weights) if setting.weights else None,
        "start": start,
        "end": now(),
    }


@dataclass(frozen=True, eq=False)
class _Files:
    """What the five files of a run hold."""

    metrics: dict[str, Any]
    history: tuple[EpochRecord, ...]
    predictions: dict[str, np.ndarray[Any, Any]]
    weights: dict[str, Tensor]
    kind_of_weights: str
    provenance: dict[str, Any]


def _write(paths: RunPaths, files: _Files) -> None:
    """Write the five files of the run; `metrics.json`, which others wait for, comes last."""
    _check_metrics(files.metrics)
    paths.out.mkdir(parents=True, exist_ok=True)
    write_history(paths.out / "history.csv", files.history)
    with atomic_path(paths.out / "predictions.npz") as temporary:
        np.savez_compressed(temporary, **files.predictions)  # type: ignore[arg-type]
    with atomic_path(paths.out / "model.safetensors") as temporary:
        save_file(files.weights, temporary, metadata={"weights": files.kind_of_weights})
    write_json(paths.out / "provenance.json", files.provenance)
    write_json(paths.out / "metrics.json", files.metrics)


def _check_metrics(metrics: dict[str, Any]) -> None:
    try:
        jsonschema.validate(metrics, load_yaml(METRICS_SCHEMA))
    except jsonschema.ValidationError as error:
        raise UserError(
            f"The run's metrics do not fit {METRICS_SCHEMA}: {error.json_path} {error.message}. Nothing was written; "
            "the checkpoint is kept."
        ) from None
