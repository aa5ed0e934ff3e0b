"""A whole study on data of another size, with few classes that are not grouped; nothing of it is told for CIFAR-100."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from pptx import Presentation

from tests.support.project import make_project
from tests.support.study import small_study

SIZE, CLASSES = 24, 3


def flat_study() -> dict[str, Any]:
    """Return a small study of two variants on `CLASSES` classes of `SIZE` pixels."""
    study = small_study()
    shapes = {"train_images": 200, "test_images": 100, "seed": 0}
    study["data"] |= {"classes": CLASSES, "image_size": SIZE, "shapes": shapes}
    study["seeds"] = {"comparison": [0], "ablations": [0]}
    return study | {"variants": ["resnet_20", "ghost_resnet_20"], "ablations": []}


def test_all_is_made_of_few_classes_without_superclasses_at_another_size(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", flat_study())
    done = project.snakemake("results/report/report.md", "results/slides/deck.en.pptx")
    assert done.returncode == 0, done.stdout + done.stderr
    results = project.folder / "results"
    meta = json.loads((results / "data/meta.json").read_text())
    assert (len(meta["classes"]), meta["image_size"], meta["superclasses"]) == (CLASSES, SIZE, None)
    assert not list((results / "data").glob("*coarse*"))
    assert not list((results / "figures").glob("superclass*"))
    models = pd.read_csv(results / "comparison/models.csv")
    assert models["superclass_top1_mean"].isna().all()
    assert (models["input_size"] == SIZE).all()
    # Both were built for these data: by the run, and by the profile.
    for variant in ("resnet_20", "ghost_resnet_20"):
        run = json.loads((results / f"runs/{variant}/seed0/metrics.json").read_text())
        profile = json.loads((results / f"profiles/{variant}.json").read_text())
        assert (run["params"], run["macs"]) == (profile["params"], profile["macs"])
    report = (results / "report/report.md").read_text(encoding="utf-8")
    assert (
        f"Data: drawn images (not CIFAR-100), {CLASSES} classes, {SIZE} x {SIZE} pixels." in report
    )
    deck = Presentation(results / "slides/deck.en.pptx")
    words = " ".join(s.text_frame.text for p in deck.slides for s in p.shapes if s.has_text_frame)
    assert "superclass" not in words
    assert "{" not in words


def test_what_a_network_cannot_do_at_a_size_is_told_before_any_job(tmp_path: Path) -> None:
    study = flat_study() | {"variants": ["resnet_20", "mlp_mixer_tiny"]}
    study["data"]["image_size"] = 30
    project = make_project(tmp_path / "project", study)
    refused = project.snakemake("-n", "all")
    assert refused.returncode == 2
    assert "variant mlp_mixer_tiny: Builder 'mlp_mixer'" in refused.stderr
    assert "does not divide image_size 30" in refused.stderr
    assert "resnet_20" not in refused.stderr
    assert "Traceback" not in refused.stderr
