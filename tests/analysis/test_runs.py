"""Reading runs, and refusing damaged ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

from bakeoff.analysis.runs import load_run, load_runs
from bakeoff.errors import UserError
from bakeoff.files import read_json
from tests.support.analysis import edit
from tests.support.project import REPOSITORY

# ---- Reading runs --------------------------------------------------------------------------------


def test_a_good_run_is_read(run: Path) -> None:
    loaded = load_run(run)
    assert (loaded.variant, loaded.seed, loaded.epochs) == ("net", 1, 4)
    assert list(loaded.history["epoch"]) == [1, 2, 3, 4]
    assert 100 * loaded.correct().mean() == pytest.approx(loaded.metrics["test"]["top1"])
    assert loaded.correct(5).sum() >= loaded.correct(1).sum()
    assert [r.seed for r in load_runs(run.parents[1], "net", (2, 0))] == [2, 0]


def test_the_made_up_runs_are_what_the_workflow_would_write(run: Path) -> None:
    schema = (REPOSITORY / "workflow/schemas/metrics.schema.yaml").read_text(encoding="utf-8")
    jsonschema.validate(read_json(run / "metrics.json"), yaml.safe_load(schema))


def cut(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) * 2 // 3])

    return damage


def repredict(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        with np.load(folder / "predictions.npz") as arrays:
            content = {name: arrays[name] for name in arrays.files}
        for name, change in changes.items():
            content[name] = change(content[name])
        np.savez(folder / "predictions.npz", **content)

    return damage


def nan_logit(logits: np.ndarray) -> np.ndarray:
    logits[7, 3] = np.nan
    return logits


DAMAGES = {
    "no metrics": ("metrics.json", lambda folder: (folder / "metrics.json").unlink()),
    "no history": ("history.csv", lambda folder: (folder / "history.csv").unlink()),
    "no predictions": ("predictions.npz", lambda folder: (folder / "predictions.npz").unlink()),
    "metrics cut": ("metrics.json", cut("metrics.json")),
    "history cut": ("history.csv", cut("history.csv")),
    "predictions cut": ("predictions.npz", cut("predictions.npz")),
    "accuracy raised": ("metrics.json", edit(test__top1=99.0)),
    "top-5 raised": ("metrics.json", edit(test__top5=99.99)),
    "other seed": ("metrics.json", edit(seed=2)),
    "text for number": ("metrics.json", edit(params="many")),
    "true for number": ("metrics.json", edit(params=True)),
    "no scores": ("metrics.json", edit(test={})),
    "fewer epochs": ("history.csv", edit(epochs=3)),
    "not finite": ("predictions.npz", repredict(logits=nan_logit)),
    "label out of range": ("predictions.npz", repredict(labels=lambda labels: labels + 1)),
    "fewer labels": ("predictions.npz", repredict(labels=lambda labels: labels[:-1])),
    "fewer images": (
        "predictions.npz",
        repredict(labels=lambda labels: labels[:-5], logits=lambda logits: logits[:-5]),
    ),
    "other order": ("metrics.json", repredict(labels=lambda labels: labels[::-1])),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_refused_with_the_name_of_the_file(run: Path, damage: str) -> None:
    name, do = DAMAGES[damage]
    do(run)
    with pytest.raises(UserError, match=re.escape(str(run / name))):
        load_run(run).predictions()


def test_predictions_are_read_only_when_asked_for(run: Path) -> None:
    cut("predictions.npz")(run)
    assert load_run(run).epochs == 4
