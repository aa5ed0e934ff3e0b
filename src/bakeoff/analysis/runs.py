"""Reading the files of finished runs, and refusing those that are missing, cut short or edited."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bakeoff.analysis.predictions import Predictions
from bakeoff.errors import UserError
from bakeoff.files import read_json

METRICS = "metrics.json"
HISTORY = "history.csv"
PREDICTIONS = "predictions.npz"

SCALARS: Mapping[str, type | tuple[type, ...]] = {
    "variant": str,
    "seed": int,
    "pretrained": bool,
    "epochs": int,
    "params": int,
    "macs": (int, float),
    "input_size": int,
    "images_per_s": (int, float),
    "peak_memory_mb": (int, float),
    "wall_hours": (int, float),
    "gpu_hours": (int, float),
    "device": str,
}
SCORES = ("top1", "top5", "loss", "images")
HISTORY_COLUMNS = (
    *("epoch", "lr", "train_loss", "train_top1", "val_loss", "val_top1", "val_top5"),
    *("images_per_s", "seconds"),
)


@dataclass(frozen=True, eq=False)
class Run:
    """One run at its end: a variant trained with one seed.

    `metrics` is the content of metrics.json and `history` that of history.csv (one row per epoch,
    top-k in percent). Predictions stay on disk until they are asked for; a run that diverged has none.
    """

    folder: Path
    metrics: Mapping[str, Any]
    history: pd.DataFrame

    @property
    def variant(self) -> str:
        """The variant that was trained."""
        return str(self.metrics["variant"])

    @property
    def seed(self) -> int:
        """The seed it was trained with."""
        return int(self.metrics["seed"])

    @property
    def epochs(self) -> int:
        """The number of epochs trained."""
        return int(self.metrics["epochs"])

    @property
    def diverged_at(self) -> int | None:
        """The step at which the run was seen to have diverged; None where it was finished."""
        found = self.metrics.get("diverged")
        return None if found is None else int(found["step"])

    @property
    def outcome(self) -> str:
        """How it ended, in words."""
        return "finished" if self.diverged_at is None else f"diverged at step {self.diverged_at}"

    def predictions(self) -> Predictions:
        """Read predictions.npz.

        Raises:
            UserError: the run diverged, or the file is unreadable, malformed, holds values that are not finite, or
                contradicts the test accuracies in metrics.json.
        """
        if self.diverged_at is not None:
            raise UserError(f"{self.folder} {self.outcome} and has no predictions.")
        path = self.folder / PREDICTIONS
        predictions = _read_predictions(path)
        test = self.metrics["test"]
        if len(predictions.labels) != test["images"]:
            raise UserError(
                f"{path} has {len(predictions.labels)} images but {METRICS} beside it says "
                f"{test['images']}. {_train_again(self.folder)}"
            )
        for k in (1, 5):
            accuracy = 100 * float(predictions.correct(k).mean())
            if abs(test[f"top{k}"] - accuracy) > 1e-6:
                raise UserError(
                    f"{self.folder / METRICS} says test top-{k} = {test[f'top{k}']:.2f} % but the "
                    f"predictions beside it give {accuracy:.2f} %: one of them was changed or comes "
                    f"from another run. {_train_again(self.folder)}"
                )
        return predictions

    def correct(self, k: int = 1) -> NDArray[np.bool_]:
        """Return for each test image whether the label is among the `k` best classes, N."""
        return self.predictions().correct(k)


def load_run(folder: str | Path) -> Run:
    """Read the run in `folder`, `{root}/runs/{variant}/seed{seed}/`.

    Raises:
        UserError: metrics.json, history.csv or predictions.npz is missing, cut short or contradicts the others or
            the folder's name.
    """
    folder = Path(folder)
    for name in (METRICS, HISTORY, PREDICTIONS):
        if not (folder / name).is_file():
            raise UserError(
                f"{folder / name} is missing, so the run is not complete. {_train_again(folder)}"
            )
    metrics = _read_metrics(folder / METRICS)
    if (metrics["variant"], f"seed{metrics['seed']}") != (folder.parent.name, folder.name):
        raise UserError(
            f"{folder / METRICS} belongs to variant '{metrics['variant']}', seed "
            f"{metrics['seed']}, which is not what its folder says. Move the run to the folder "
            "it was made for; Snakemake trains the run that is missing here."
        )
    diverged = metrics.get("diverged")
    epochs = metrics["epochs"] if diverged is None else diverged["epoch"]
    history = _read_history(folder / HISTORY, int(epochs))
    return Run(folder=folder, metrics=metrics, history=history)


def load_runs(runs_dir: str | Path, variant: str, seeds: Iterable[int]) -> list[Run]:
    """Read the runs of `variant` with `seeds` from `{root}/runs/`, in the order of `seeds`."""
    return [load_run(Path(runs_dir) / variant / f"seed{seed}") for seed in seeds]


def _train_again(folder: Path) -> str:
    return f"Delete {folder} and run the workflow again to train it anew."


def _read_metrics(path: Path) -> Mapping[str, Any]:
    try:
        metrics = read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not valid JSON ({error}): it was cut short or edited. "
            f"{_train_again(path.parent)}"
        ) from error
    wanted = dict(SCALARS)
    found = dict(metrics) if isinstance(metrics, Mapping) else {}
    diverged = found.get("diverged")
    if diverged is not None:
        for key in ("step", "epoch"):
            wanted[f"diverged.{key}"] = int
            found[f"diverged.{key}"] = diverged.get(key) if isinstance(diverged, Mapping) else None
    for split in ("test", "validation") if diverged is None else ():
        scores = found.get(split)
        for key in SCORES:
            wanted[f"{split}.{key}"] = (int, float)
            if isinstance(scores, Mapping) and key in scores:
                found[f"{split}.{key}"] = scores[key]
    for key, kind in wanted.items():
        value = found.get(key)
        is_number = kind is not bool and kind is not str
        if not isinstance(value, kind) or (is_number and isinstance(value, bool)):
            raise UserError(
                f"{path} has no usable '{key}' (found {value!r}): it was edited or written by "
                f"another version. {_train_again(path.parent)}"
            )
    return found


def _read_history(path: Path, epochs: int) -> pd.DataFrame:
    try:
        history = pd.read_csv(path)
        missing = [column for column in HISTORY_COLUMNS if column not in history]
        if missing:
            raise ValueError(f"no column '{missing[0]}'")
        history = history.astype(dict.fromkeys(HISTORY_COLUMNS, float)).astype({"epoch": int})
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(
            f"{path} is not a training history ({error}): it was cut short or edited. "
            f"{_train_again(path.parent)}"
        ) from error
    if history["epoch"].tolist() != list(range(1, epochs + 1)):
        raise UserError(
            f"{path} should have one row for each of {epochs} epochs, in order, but has "
            f"{len(history)} rows: it was cut short or edited. {_train_again(path.parent)}"
        )
    return history


def _read_predictions(path: Path) -> Predictions:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            logits, labels = arrays["logits"], arrays["labels"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} cannot be read ({error}): it was cut short or edited. "
            f"{_train_again(path.parent)}"
        ) from error
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or labels.dtype.kind not in "iu":
        raise UserError(
            f"{path} should hold 'logits' (images x classes) and whole-number 'labels' (images), "
            f"but holds shapes {logits.shape} and {labels.shape}. {_train_again(path.parent)}"
        )
    if not len(labels) or labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise UserError(
            f"{path} should have labels from 0 to {logits.shape[1] - 1}, at least one. "
            f"{_train_again(path.parent)}"
        )
    if not np.isfinite(logits).all():
        raise UserError(
            f"{path} holds logits that are not finite, which no run writes: it was edited. "
            f"{_train_again(path.parent)}"
        )
    return Predictions(logits.astype(np.float32), labels.astype(np.int64))
