"""The table "to add ..., touch ..." of docs/architecture.md, done for real: what it takes, and what becomes stale."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd
import pytest

from tests.support.checkout import Checkout
from tests.support.project import REPOSITORY
from tests.support.small_jobs import AFTER_COMPARISON, AFTER_RUNS, COMPARED, EVERY_RUN

Check = Callable[[Checkout], None]


@dataclass(frozen=True)
class Addition:
    """What somebody adds, and what has to follow from it."""

    files: int
    """How many may be touched."""
    stale: set[str]
    check: Check
    new: Mapping[str, str] = field(default_factory=dict)
    """New files: {path: content}."""
    behind: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Edited files: {path: {a text that stands in it once: what is put behind it}}."""
    asked: tuple[str, ...] = ()
    """How the study is asked for what was added."""


def make(checkout: Checkout, *arguments: str) -> None:
    done = checkout.snakemake(*arguments)
    assert done.returncode == 0, done.stderr


def the_figure_is_drawn_from_its_table(checkout: Checkout) -> None:
    make(checkout, "results/figures/model_names.png")
    record = json.loads((checkout.folder / "results/records/figures/model_names.json").read_text())
    assert list(record["reads"]) == ["comparison/models.csv"]


def the_column_is_in_all_forms_of_the_table(checkout: Checkout) -> None:
    make(checkout, "comparison")
    folder = checkout.folder / "results" / "comparison"
    worst = pd.read_csv(folder / "runs.csv").groupby("variant")["top1"].min()
    shown = pd.read_csv(folder / "models.csv").set_index("variant")["top1_worst"]
    assert shown.to_dict() == pytest.approx(worst.to_dict(), rel=1e-6)
    assert "Worst seed (%)" in (folder / "models.md").read_text()
    assert r"Worst seed (\%)" in (folder / "models.tex").read_text()


def the_key_reaches_the_training(checkout: Checkout) -> None:
    run = checkout.folder / "results/runs/resnet_20/seed0"
    before = (run / "history.csv").read_text()
    target = "results/runs/resnet_20/seed0/metrics.json"
    make(checkout, target, "--config", 'recipe_overrides={"more_smoothing": 0.3}')
    provenance = json.loads((run / "provenance.json").read_text())
    assert provenance["configuration"]["recipe"]["more_smoothing"] == 0.3
    assert (run / "history.csv").read_text() != before
    done = checkout.snakemake("-n", target, "--config", 'recipe_overrides={"more_smoothing": -1}')
    assert "recipe_overrides.more_smoothing is -1" in done.stderr


def the_family_can_be_trained(checkout: Checkout) -> None:
    make(checkout, "results/runs/mine/seed0/metrics.json", *WITH_MINE)
    metrics = json.loads((checkout.folder / "results/runs/mine/seed0/metrics.json").read_text())
    assert metrics["params"] == 3 * 32**2 * 100 + 100


def the_kind_is_prepared_by_its_own_code(checkout: Checkout) -> None:
    other = ("--config", "results_root=results/greys", "data={kind: greys, levels: 4}")
    make(checkout, "results/greys/data/meta.json", *other)
    root = checkout.folder / "results" / "greys"
    meta = json.loads((root / "data/meta.json").read_text())
    assert (meta["name"], len(meta["classes"]), meta["train_images"]) == ("greys", 4, 160)
    record = json.loads((root / "records/data.json").read_text())
    assert "bakeoff.data.kinds.greys" in record["code"]
    assert "bakeoff.data.kinds.shapes" not in record["code"]
    wrong = checkout.snakemake("-n", "all", "--config", "data={kind: greys, levels: many}")
    assert 'data.levels is "many", expected a whole number. How many grey' in wrong.stderr


WITH_MINE = ("--config", f"variants={json.dumps([*sorted(COMPARED), 'mine'])}")

ADDITIONS = {
    "a figure": Addition(
        files=2,
        new={
            "src/bakeoff/figures/model_names.py": """
from bakeoff.analysis.tables import read_table
from bakeoff.figures.sheet import drawing

READS = ("models",)
CATEGORY = "Comparison"
CAPTION = "The variants."


def plot(models, sheet):
    with drawing(sheet, 2) as figure:
        figure.text(0, 0, " ".join(read_table(models, ("display",))["display"]))
"""
        },
        stale={"plot model_names", "report", "provenance"},
        check=the_figure_is_drawn_from_its_table,
    ),
    "a column of `models.csv`": Addition(
        files=1,
        behind={
            "src/bakeoff/analysis/comparison.py": {
                '    Column("ece_mean", "ECE (%)", ",.2f", ("ece_ci_low", "ece_ci_high")),\n': (
                    '    Column("top1_worst", "Worst seed (%)", ",.2f"),\n'
                ),
                '                "family": entry["family"],\n': (
                    '                "top1_worst": network.scores["top1"].min(),\n'
                ),
            }
        },
        stale=AFTER_COMPARISON,
        check=the_column_is_in_all_forms_of_the_table,
    ),
    "a recipe's key": Addition(
        files=2,
        behind={
            "src/bakeoff/training/recipe.py": {
                '    """Label smoothing."""\n': "    more_smoothing: NotNegative = 0.0\n"
            },
            "src/bakeoff/training/loop.py": {
                "            recipe.label_smoothing": " + recipe.more_smoothing"
            },
        },
        stale={*EVERY_RUN, *AFTER_RUNS},
        check=the_key_reaches_the_training,
    ),
    "a kind of data": Addition(
        files=2,
        new={
            "src/bakeoff/data/kinds/greys.py": """
from typing import ClassVar

from bakeoff.data.config import DataConfig, DataDescription


class Data(DataConfig):
    TITLE: ClassVar = {"en": "grey levels", "zh": "灰度"}
    levels: int = 8
    \"\"\"How many grey levels there are.\"\"\"

    def describe(self):
        return DataDescription(
            "greys", self.TITLE, self.levels, self.image_size, None, 40 * self.levels, exact=True
        )

    def read(self, source):
        import numpy as np

        from bakeoff.data.dataset import DataSource, Dataset, Split

        def split(images):
            labels = np.arange(images) % self.levels
            shape = (images, 3, self.image_size, self.image_size)
            return Split(np.broadcast_to(labels[:, None, None, None] * 16, shape).astype(np.uint8), labels)

        names = tuple(f"level {level}" for level in range(self.levels))
        parts = split(40 * self.levels), split(20 * self.levels)
        return Dataset("greys", *parts, names, None, None, DataSource(None, None))
"""
        },
        stale=set(),
        check=the_kind_is_prepared_by_its_own_code,
    ),
    "a family with code of its own": Addition(
        files=2,
        new={
            "src/bakeoff/models/mine.py": """
from torch import nn

from bakeoff.models.registry import register_model


@register_model("mine")
def mine(num_classes, image_size, input_policy):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size**2, num_classes))
"""
        },
        behind={
            "config/models.yaml": {"\n# ResNet\n": "\nmine:\n  family: Mine\n  builder: mine\n"},
        },
        stale=set(),
        asked=WITH_MINE,
        check=the_family_can_be_trained,
    ),
}


def named(addition: str) -> list[str]:
    """Return the paths that a row of the table names."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {re.escape(addition)} \| (.*) \|$", page, re.MULTILINE)
    return re.findall(r"`([a-z_]+/[^`]*)`", row)


@pytest.mark.parametrize("name", ADDITIONS)
def test_an_addition_touches_what_the_table_says(spoilt: Checkout, name: str) -> None:
    addition = ADDITIONS[name]
    touched = {*addition.new, *addition.behind}
    assert len(touched) <= addition.files
    rows = [re.escape(path).replace(r"\{name\}", r"\w+") for path in named(name)]
    assert all(any(re.fullmatch(row, path) for row in rows) for path in touched), rows
    for path, content in addition.new.items():
        assert not (spoilt.folder / path).exists()
        (spoilt.folder / path).write_text(content, encoding="utf-8")
    for path, pieces in addition.behind.items():
        text = (spoilt.folder / path).read_text(encoding="utf-8")
        for before, put in pieces.items():
            assert text.count(before) == 1, before
            text = text.replace(before, before + put)
        (spoilt.folder / path).write_text(text, encoding="utf-8")
    assert spoilt.plan() == addition.stale
    addition.check(spoilt)
