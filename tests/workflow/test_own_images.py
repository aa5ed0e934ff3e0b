"""docs/own-data.md, done: from a folder of photographs to the deck."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pptx import Presentation
from sklearn.datasets import load_digits

from tests.support.photos import write_photos
from tests.support.project import REPOSITORY, Project, make_project

SMALL = {
    "variants": ["resnet_20", "ghost_resnet_20"],
    "ablations": [],
    "seeds": {"comparison": [0], "ablations": [0]},
    "recipe_overrides": {"epochs": 1, "global_batch": 8, "micro_batch": 8},
    "data": {"image_size": 16, "validation": {"images": 8}},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("own") / "project")
    write_photos(made.folder / "photos")
    return made


def small() -> list[str]:
    return [f"{key}={json.dumps(value)}" for key, value in SMALL.items()]


def test_a_folder_of_photographs_becomes_a_deck(project: Project) -> None:
    text = (REPOSITORY / "docs" / "own-data.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    snakemake (.*)$", text, flags=re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        done = project.snakemake(*command.split(), "--config", *small())
        assert done.returncode == 0, done.stdout + done.stderr
    root = project.folder / "results" / "photos"
    meta = json.loads((root / "data" / "meta.json").read_text())
    assert meta["classes"] == ["cat", "dog"]
    assert (meta["train_images"], meta["test_images"], meta["image_size"]) == (60, 18, 16)
    deck = Presentation(root / "slides" / "deck.en.pptx")
    words = " ".join(s.text_frame.text for p in deck.slides for s in p.shapes if s.has_text_frame)
    assert "my photos" in words
    _balanced(project, commands[1].split(), root)
    # The same images elsewhere are the same data; one image more are others.
    (project.folder / "photos").rename(project.folder / "moved")
    elsewhere = json.dumps(SMALL["data"] | {"path": "moved"})
    other = [*small()[:-1], f"data={elsewhere}"]
    example = ("--configfile", "config/examples/image_folder.yaml", "--config")
    done = project.snakemake("-n", "all", *example, *other)
    assert "Nothing to be done" in done.stdout + done.stderr
    Image.new("RGB", (9, 9)).save(project.folder / "moved" / "train" / "cat" / "new.jpg")
    done = project.snakemake("-n", "all", *example, *other)
    assert re.search(r"train +2", done.stdout), done.stdout + done.stderr


def _balanced(project: Project, command: list[str], root: Path) -> None:
    """Let balanced accuracy decide: of two classes, one has twice as many images. Nothing is trained again for it."""
    made = "results/photos/data_card/data_card.md"
    done = project.snakemake(made, *command, "--config", *small(), "metric=balanced")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rule train" not in done.stdout + done.stderr
    models = pd.read_csv(root / "comparison" / "models.csv").set_index("variant")
    for name, row in models.iterrows():
        with np.load(root / "runs" / name / "seed0" / "predictions.npz") as stored:
            right, labels = stored["logits"].argmax(axis=1) == stored["labels"], stored["labels"]
        each = [100 * right[labels == label].mean() for label in (0, 1)]
        assert row["score_mean"] == row["balanced_mean"] == pytest.approx(np.mean(each), abs=1e-5)
        assert row["top1_mean"] == pytest.approx(100 * right.mean(), abs=1e-5)
    report = (root / "report" / "report.md").read_text(encoding="utf-8")
    assert "Balanced accuracy decides: every class counts the same" in report
    deck = Presentation(root / "slides" / "deck.en.pptx")
    shapes = [shape for page in deck.slides for shape in page.shapes]
    charts = [shape.chart for shape in shapes if shape.has_chart]
    assert any(
        plot.series[0].name.startswith("Balanced accuracy") for c in charts for plot in c.plots
    )
    words = " ".join(shape.text_frame.text for shape in shapes if shape.has_text_frame)
    assert "balanced accuracy, in which every class counts the same" in words
    card = (root / "data_card" / "data_card.md").read_text(encoding="utf-8")
    assert "20 (cat) to 40 (dog), 2 times as many" in card
    assert "66.7 % of the test images" in card
    assert (root / "data_card" / "data_card.png").stat().st_size > 5000
    # As it was, for what comes after.
    done = project.snakemake(*command, "--config", *small())
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_of_arrays_is_planned(project: Project) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = rng.integers(0, 256, (60, 28, 28), np.uint8)
    np.savez(
        project.folder / "arrays.npz",
        train_images=images, train_labels=labels, test_images=images, test_labels=labels,
    )  # fmt: skip
    done = project.snakemake(
        "-n", "all", "--configfile", "config/examples/npz.yaml", "--config", *small()
    )
    assert done.returncode == 0, done.stderr
    (project.folder / "arrays.npz").unlink()
    done = project.snakemake(
        "-n", "all", "--configfile", "config/examples/npz.yaml", "--config", *small()
    )
    assert done.returncode == 2
    assert "data.path: 'arrays.npz' does not exist" in done.stderr


def write_digits(project: Project, kind: str) -> str:
    """Write scikit-learn's digits: 8 x 8 pixels, 16 levels of grey, ten classes. Return where they are."""
    digits = load_digits()
    images = (digits.images * (255 / 16)).astype(np.uint8)
    train = np.arange(len(images)) % 4 != 0
    if kind == "npz":
        np.savez(
            project.folder / "digits.npz",
            train_images=images[train], train_labels=digits.target[train],
            test_images=images[~train], test_labels=digits.target[~train],
        )  # fmt: skip
        return "digits.npz"
    for number, (image, label) in enumerate(zip(images, digits.target, strict=True)):
        place = project.folder / "digits" / ("train" if train[number] else "test") / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    return "digits"


@pytest.mark.parametrize("kind", ["npz", "image_folder"])
def test_digits_are_told_apart(project: Project, kind: str) -> None:
    settings = {
        **SMALL,
        "name": "digits",
        "results_root": f"results/digits_{kind}",
        "variants": ["resnet_20"],
        "data": {
            "kind": kind,
            "path": write_digits(project, kind),
            "image_size": 16,
            "validation": {"images": 100},
        },
        "recipe_overrides": {
            **{"epochs": 5, "global_batch": 32, "micro_batch": 32, "warmup_epochs": 0.5},
            **{"learning_rate": {"base": 0.2}, "augmentation": {"flip": False, "crop_padding": 1}},
        },
    }
    given = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    root = f"results/digits_{kind}"
    run, report = f"{root}/runs/resnet_20/seed0/metrics.json", f"{root}/report/report.md"
    done = project.snakemake(run, report, "--config", *given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((project.folder / run).read_text())["test"]["top1"] > 90
    assert "10 classes, 16 x 16 pixels" in (project.folder / report).read_text(encoding="utf-8")
