"""docs/own-data.md, done: from a folder of photographs to the deck."""

from __future__ import annotations

import json
import re

import numpy as np
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
    assert len(commands) == 2
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


def test_digits_are_told_apart(project: Project) -> None:
    """Scikit-learn's: 8 x 8 pixels, 16 levels of grey, ten classes."""
    digits = load_digits()
    images = (digits.images * (255 / 16)).astype(np.uint8)
    train = np.arange(len(images)) % 4 != 0
    np.savez(
        project.folder / "digits.npz",
        train_images=images[train], train_labels=digits.target[train],
        test_images=images[~train], test_labels=digits.target[~train],
    )  # fmt: skip
    settings = {
        **SMALL,
        "name": "digits",
        "results_root": "results/digits",
        "variants": ["resnet_20"],
        "data": {
            "kind": "npz",
            "path": "digits.npz",
            "image_size": 16,
            "validation": {"images": 100},
        },
        "recipe_overrides": {
            **{"epochs": 5, "global_batch": 32, "micro_batch": 32, "warmup_epochs": 0.5},
            **{"learning_rate": {"base": 0.2}, "augmentation": {"flip": False, "crop_padding": 1}},
        },
    }
    given = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    run = "results/digits/runs/resnet_20/seed0/metrics.json"
    done = project.snakemake(run, "--config", *given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((project.folder / run).read_text())["test"]["top1"] > 90
