"""Ablations over more than networks, through the real workflow: augmentation, and pretrained weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file

from bakeoff.files import read_json
from tests.support.project import Project, make_project
from tests.support.study import small_study

AUGMENTATION = ("--configfile", "config/augmentation.yaml")
PRETRAINING = ("--configfile", "config/pretraining.yaml")
WEIGHTS = "test_resnet.r160_in1k.safetensors"
TINY: Mapping[str, Any] = {
    "family": "Tiny",
    "display": "Tiny",
    "builder": "timm",
    "args": {"name": "test_resnet", "unstride": ["conv1.0", "maxpool"]},
    "weights": {"hub": "timm/test_resnet.r160_in1k", "file": "model.safetensors"},
}
NOWHERE = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}


def test_the_study_of_augmentation_has_a_run_for_each_treatment(tmp_path: Path) -> None:
    study = small_study({"ablations": [], "seeds": {"comparison": [0], "ablations": [0]}})
    project = make_project(tmp_path / "project", study)

    def shorten(ablations: dict[str, Any]) -> None:
        kept = ("crop and flip", "CutMix")
        entry = ablations["augmentation"]
        entry["arms"] = [arm for arm in entry["arms"] if arm["arm"] in kept]
        longer = {"epochs": 2, "augmentation": {"policy": "autoaugment"}}
        entry["arms"].append({"arm": "longer", "variant": "resnet_20", "recipe": longer})
        wild = {"learning_rate": {"base": 1e20}}
        entry["arms"].append({"arm": "wild", "variant": "resnet_20", "recipe": wild})

    project.edit("config/ablations.yaml", shorten)
    root = project.folder / "results/augmentation"
    done = project.snakemake("all", *AUGMENTATION)
    assert done.returncode == 0, done.stderr

    names = ["resnet_20", "resnet_20+cutmix1", "resnet_20+epochs2+autoaugment"]
    wild = "resnet_20+base1e20"
    assert sorted(path.name for path in (root / "runs").iterdir()) == sorted([*names, wild])
    table = pd.read_csv(root / "ablation/augmentation.csv").set_index("arm")
    assert table["variant"].tolist() == names
    assert table["epochs"].tolist() == [1, 1, 2]
    assert table["baseline_epochs"].tolist() == [1, 1, 1]
    assert (table["params_change_pct"] == 0).all()
    assert table["same_network_as"].isna().all()
    # One that diverges is told, and stops nothing.
    assert read_json(root / "runs" / wild / "seed0" / "metrics.json")["diverged"]["step"] > 0
    told = (root / "report/report.md").read_text(encoding="utf-8")
    assert "Diverged, and in no mean: wild (1 of 1 runs)." in told

    # Other treatments have other answers.
    logits = {name: (root / f"runs/{name}/seed0/predictions.npz").read_bytes() for name in names}
    assert len(set(logits.values())) == 3
    assert read_json(root / "runs/resnet_20+cutmix1/seed0/metrics.json")["variant"] == names[1]
    recipe = read_json(root / "runs/resnet_20+cutmix1/seed0/provenance.json")["configuration"]
    assert recipe["recipe"]["augmentation"]["cutmix"] == 1.0

    # What tells of the study knows these runs by their names.
    assert "ResNet-20 + cutmix 1" in (root / "report/report.md").read_text(encoding="utf-8")
    assert "CutMix" in (root / "figures/ablation_deltas.svg").read_text(encoding="utf-8")
    crate = read_json(root / "provenance/ro-crate-metadata.json")["@graph"]
    known = {entity["@id"] for entity in crate}
    parts = [part["@id"] for e in crate if "hasPart" in e for part in listed(e["hasPart"])]
    assert "../runs/resnet_20%2Bcutmix1/seed0/metrics.json" in known
    assert set(parts) <= known

    # One arm's recipe is that arm's alone.
    def weaken(ablations: dict[str, Any]) -> None:
        arms = {arm["arm"]: arm for arm in ablations["augmentation"]["arms"]}
        arms["CutMix"]["recipe"]["augmentation"]["cutmix"] = 0.5
        arms["longer"]["arm"] = "twice as long"

    project.edit("config/ablations.yaml", weaken)
    planned = project.snakemake("-n", "ablation", *AUGMENTATION)
    assert planned.returncode == 0, planned.stderr
    assert re.search(r"^train +1$", planned.stdout, flags=re.MULTILINE)
    assert "resnet_20+cutmix0.5" in planned.stdout


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.fixture
def pretraining(tmp_path: Path) -> Project:
    """Return a project whose study of pretraining has one tiny network."""
    study = small_study({"seeds": {"comparison": [0], "ablations": [0]}})
    project = make_project(tmp_path / "project", study)
    project.edit("config/models.yaml", lambda models: models | {"tiny": dict(TINY)})
    large = {"variant": "tiny", "input_policy": "resize40"}
    arms = [
        {"arm": "from scratch, 32 px", "variant": "tiny"},
        {"arm": "from scratch, 40 px", **large},
        {"arm": "from weights, 40 px", **large, "pretrained": True, "base_recipe": "finetune"},
    ]
    entry = {
        "title": {"en": "Weights", "zh": "权重"},
        "baseline": "from scratch, 40 px",
        "arms": arms,
    }
    project.edit("config/ablations.yaml", lambda all_: all_ | {"pretraining_tiny": entry})

    def choose(overlay: dict[str, Any]) -> None:
        overlay["variants"], overlay["ablations"] = ["tiny"], ["pretraining_tiny"]
        overlay["seeds"] = {"comparison": [0], "ablations": [0]}

    project.edit("config/pretraining.yaml", choose)
    return project


def test_pretraining_is_an_ablation(pretraining: Project) -> None:
    root = pretraining.folder / "results/pretraining"
    file = pretraining.folder / "resources/weights" / WEIGHTS
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    save_file(timm.create_model("test_resnet", num_classes=1000).state_dict(), file)
    target = "results/pretraining/ablation/pretraining_tiny.csv"
    done = pretraining.snakemake(target, *PRETRAINING, **NOWHERE)
    assert done.returncode == 0, done.stderr
    assert "Left out" not in done.stderr
    table = pd.read_csv(pretraining.folder / target).set_index("arm")
    small, large, weights = table.index
    assert table["variant"].tolist() == [
        *("tiny", "tiny+resize40", "tiny+weights+resize40+finetune")
    ]
    assert table["baseline"].unique().tolist() == [large]
    assert table.loc[[small, weights], "delta"].notna().all()
    assert table.loc[weights, "params_change_pct"] == 0
    assert table["same_network_as"].isna().all()
    # Columns of what it costs; there is no GPU here.
    assert table["gpu_hours"].isna().all()

    metrics = {
        name: read_json(root / f"runs/{name}/seed0/metrics.json") for name in table["variant"]
    }
    assert [each["pretrained"] for each in metrics.values()] == [False, False, True]
    assert [each["input_size"] for each in metrics.values()] == [32, 40, 40]
    origin = read_json(root / f"runs/{table['variant'].iloc[2]}/seed0/provenance.json")
    assert origin["pretrained_weights"]["file"] == "model.safetensors"
    assert origin["configuration"]["recipe"]["augmentation"]["mixup"] == 0.1
    assert origin["configuration"]["recipe"]["epochs"] == 1


def test_without_weights_and_network_pretraining_is_left_out_by_one_line(
    pretraining: Project,
) -> None:
    line = (
        "Left out: ablation pretraining_tiny, because pretrained weights are neither in resources/weights nor to be "
        f"fetched (http://127.0.0.1:9 does not answer). To have it, put there: {WEIGHTS}; or name their folder as "
        "weights.dir."
    )
    done = pretraining.snakemake("-n", "all", *PRETRAINING, **NOWHERE)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Left out") == 1
    assert line in done.stderr
    # The comparison is made all the same, of what needs no weights.
    assert re.search(r"^train +1$", done.stdout, flags=re.MULTILINE)
    assert "rule ablate" not in done.stdout


def test_mistakes_in_arms_are_told_before_the_first_job(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", small_study())

    def spoil(ablations: dict[str, Any]) -> None:
        arms = ablations["augmentation"]["arms"]
        arms[1]["recipe"] = {"policy": "autoaugment"}
        arms[2]["recipe"] = {}
        arms[3]["pretrained"] = True

    project.edit("config/ablations.yaml", spoil)
    done = project.snakemake("-n", "all", *AUGMENTATION)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if line.startswith("config/ablations.yaml")]
    assert len(said) == 3
    assert "augmentation.arms[1].recipe.policy is not a known key" in said[0]
    assert "Traceback" not in done.stderr
