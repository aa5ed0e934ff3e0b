"""The networks behind a comparison or an ablation: which runs they have, and their scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bakeoff.analysis.runs import METRICS, Run, load_runs
from bakeoff.analysis.statistics import Answers, Means, groups, jackknifed, summarise
from bakeoff.errors import UserError
from bakeoff.files import read_json
from bakeoff.study.metric import Metric


@dataclass(frozen=True, eq=False)
class NetworkRuns:
    """One architecture with all its finished runs; several variants may resolve to it.

    `scores` has one row per run, in the order of the seeds: seed, epochs, top1, balanced, score (the one of the two
    that decides), macro_f1, top5, loss, ece, brier, worst_class_top1, superclass_top1, val_top1 (percent, nats for
    loss), best_epoch_gain (points of val_top1 by which the best epoch is above the last one), train_hours, gpu_hours,
    images_per_s, peak_memory_mb, device, outcome.
    """

    name: str
    answers: Answers
    scores: pd.DataFrame
    params: int
    macs: float
    input_size: int
    pretrained: bool
    without: NDArray[np.float64]
    """Of each run, Brier score and calibration error without one group of images each: S x 2 x G."""


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of a question.

    `finished` has those with at least one finished run. `diverged` has one row per run that left the finite numbers:
    variant, seed, epochs (of the recipe), train_hours, gpu_hours, images_per_s, peak_memory_mb, device, outcome.
    `labels` (N) are the classes of the test images, and `metric` says which accuracy decides.
    """

    finished: Mapping[str, NetworkRuns]
    diverged: pd.DataFrame
    labels: NDArray[np.int64]
    metric: Metric = "top1"

    def means(self, metric: Metric | None = None) -> Means:
        """Return the means of the finished networks: of the accuracy that decides, or of `metric`."""
        balanced = (metric or self.metric) == "balanced"
        return summarise(
            [network.answers for network in self.finished.values()],
            self.labels if balanced else None,
        )

    def beside(self) -> dict[str, Means]:
        """Return {score that is no accuracy: its means of the finished networks, as shares of its largest value}."""
        return {
            name: jackknifed(
                [each.scores[name].to_numpy() / most for each in self.finished.values()],
                [each.without[:, place] / most for each in self.finished.values()],
                len(self.labels),
            )
            for place, (name, most) in enumerate(MOST.items())
        }

    def on(self, images: NDArray[np.int64]) -> Networks:
        """Return the same networks as tested on some of the images; their scores stay those on all."""
        finished = {
            name: replace(
                each, answers=Answers(each.answers.seeds, each.answers.correct[:, images])
            )
            for name, each in self.finished.items()
        }
        return replace(self, finished=finished, labels=self.labels[images])

    def count_diverged(self, name: str) -> int:
        """Return how many runs of a network diverged."""
        return int((self.diverged["variant"] == name).sum())

    def told(self, display: Mapping[str, str]) -> str:
        """Return a sentence for a caption that says which runs diverged; empty where none did."""
        told = []
        for name in dict.fromkeys(self.diverged["variant"]):
            count, network = self.count_diverged(name), self.finished.get(name)
            total = count + (len(network.answers.seeds) if network else 0)
            told.append(f"{display.get(name, name)} ({count} of {total} runs)")
        return f" Diverged, and in no mean: {', '.join(told)}." if told else ""


MOST = {"brier": 2.0, "ece": 100.0}
"""{score of `Predictions.jackknife`: its largest value}"""
DIVERGED = (
    *("variant", "seed", "epochs", "train_hours", "gpu_hours", "images_per_s"),
    *("peak_memory_mb", "device", "outcome"),
)


def load_networks(
    entries: Iterable[Mapping[str, Any]],
    runs_dir: str | Path,
    superclass_of: NDArray[np.int64] | None = None,
    metric: Metric = "top1",
) -> Networks:
    """Read the runs that `entries` (with `run` and `seeds`) name, each network once; `metric` decides.

    Raises:
        UserError: an entry has no seeds, a run is missing or damaged, or runs do not belong together:
            other test images, or another network under the same name.
    """
    seeds_of: dict[str, set[int]] = {}
    for entry in entries:
        seeds_of.setdefault(entry["run"], set()).update(entry["seeds"])
    networks, diverged = {}, []
    labels: NDArray[np.int64] | None = None
    for name, seeds in seeds_of.items():
        if not seeds:
            raise UserError(f"Variant '{name}' has no seeds. Give it at least one under 'seeds'.")
        rows, correct, without = [], [], []
        runs = load_runs(runs_dir, name, sorted(seeds))
        size = _common_size(runs)
        diverged += [
            {"variant": name} | _of_run(run) for run in runs if run.diverged_at is not None
        ]
        finished = [run for run in runs if run.diverged_at is None]
        for run in finished:
            predictions = run.predictions()
            labels = predictions.labels if labels is None else labels
            if not np.array_equal(labels, predictions.labels):
                raise UserError(
                    f"{run.folder} was tested on other images than the runs before it, so they "
                    "cannot be compared. Delete the runs of the older data and train them again."
                )
            if superclass_of is not None and len(superclass_of) != predictions.logits.shape[1]:
                raise UserError(
                    f"{run.folder} has {predictions.logits.shape[1]} classes, the data set "
                    f"{len(superclass_of)}. Give the meta.json of the data it was trained on."
                )
            correct.append(predictions.correct())
            without.append(predictions.jackknife(groups(len(labels))))
            rows.append(
                {
                    "top1": (top1 := 100 * float(correct[-1].mean())),
                    "balanced": (balanced := predictions.balanced_accuracy()),
                    "score": balanced if metric == "balanced" else top1,
                    "macro_f1": predictions.macro_f1(),
                    "top5": 100 * predictions.correct(5).mean(),
                    "loss": predictions.cross_entropy(),
                    "ece": predictions.calibration_error(),
                    "brier": predictions.brier_score(),
                    "worst_class_top1": predictions.worst_class_accuracy(),
                    "superclass_top1": (
                        np.nan
                        if superclass_of is None
                        else predictions.superclass_accuracy(superclass_of)
                    ),
                    "val_top1": run.metrics["validation"]["top1"],
                    "best_epoch_gain": _best_epoch_gain(run),
                }
                | _of_run(run)
            )
        if finished:
            answers = Answers(tuple(run.seed for run in finished), np.stack(correct))
            scores = pd.DataFrame(rows).pipe(
                lambda frame: frame[["seed", "epochs", *frame.columns.drop(["seed", "epochs"])]]
            )
            networks[name] = NetworkRuns(
                name,
                answers,
                scores,
                *size,
                bool(runs[0].metrics["pretrained"]),
                np.stack(without),
            )
    return Networks(
        networks,
        pd.DataFrame(diverged, columns=DIVERGED),
        np.empty(0, dtype=np.int64) if labels is None else labels,
        metric,
    )


def _best_epoch_gain(run: Run) -> float:
    """Return by how much the best epoch on held-out images is above the last one: what picking it would flatter by."""
    scores = run.history["val_top1"]
    return float(scores.max() - scores.iloc[-1])


def _of_run(run: Run) -> dict[str, Any]:
    """Return what is known of a run however it ended."""
    return {
        "seed": run.seed,
        "epochs": run.epochs,
        "train_hours": run.metrics["wall_hours"],
        "gpu_hours": run.metrics["gpu_hours"],
        "images_per_s": run.metrics["images_per_s"],
        "peak_memory_mb": run.metrics["peak_memory_mb"],
        "device": run.metrics["device"],
        "outcome": run.outcome,
    }


def same_network_as(names: Iterable[str], entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return for each of `entries` what it is the same network as, or an empty string.

    That is the earlier one of `names` that uses the same runs, or else the variant whose runs are
    used when it is not the entry's own.
    """
    first: dict[str, str] = {}
    same = []
    for name, entry in zip(names, entries, strict=True):
        own = entry["run"] == entry["variant"]
        same.append(first.get(entry["run"], "" if own else entry["run"]))
        first.setdefault(entry["run"], name)
    return same


def read_superclasses(meta: str | Path) -> NDArray[np.int64] | None:
    """Return the superclass of each class from a data set's meta.json; None where classes are not grouped."""
    try:
        found = read_json(meta)["class_to_superclass"]
        return None if found is None else np.asarray(found, dtype=np.int64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{meta} has no usable 'class_to_superclass' ({error!r}). Run the rule 'prepare' again."
        ) from error


def _common_size(runs: list[Run]) -> tuple[int, float, int]:
    sizes = {
        (int(run.metrics["params"]), float(run.metrics["macs"]), int(run.metrics["input_size"]))
        for run in runs
    }
    if len(sizes) > 1:
        folder = runs[0].folder.parent
        raise UserError(
            f"The runs in {folder} are of different networks: their {METRICS} disagree on params, "
            f"macs or input_size ({sorted(sizes)}). Delete {folder} and train all seeds again."
        )
    return sizes.pop()
