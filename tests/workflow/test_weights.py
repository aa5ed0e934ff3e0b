"""Pretrained weights in the workflow: fetched once, locked, and refused before any job where they are not right."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from bakeoff.errors import UserError
from bakeoff.files import file_digest, write_json
from bakeoff.models.weights_files import Lock, WeightsSource, check_weights, check_whole, lock_path
from tests.support.hub import Hub
from tests.support.project import Project, make_project
from tests.support.study import small_study

REPOSITORY = "timm/test_resnet.r160_in1k"
FILE = "resources/weights/test_resnet.r160_in1k.safetensors"
LOCK = "resources/weights/test_resnet.r160_in1k.lock.json"
ENTRY: dict[str, Any] = {
    "family": "Tiny",
    "builder": "timm",
    "args": {"name": "test_resnet", "unstride": ["conv1.0", "maxpool"]},
    "input_policy": "native32",
    "pretrained": True,
    "weights": {"hub": REPOSITORY, "file": "model.safetensors"},
}


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of weights for 1000 classes, as timm publishes them."""
    torch.manual_seed(1)
    file = tmp_path_factory.mktemp("imagenet") / "model.safetensors"
    save_file(timm.create_model("test_resnet", num_classes=1000).state_dict(), file)
    return file


@pytest.fixture
def hub(imagenet: Path) -> Iterator[Hub]:
    hub = Hub(REPOSITORY, imagenet.read_bytes())
    yield hub
    hub.close()


def tiny_study(folder: Path, **entry: Any) -> Project:
    """Return a project whose only variant is a pretrained one; `entry` is laid over it."""
    project = make_project(folder / "project", small_study({"variants": ["tiny"], "ablations": []}))
    project.edit("config/models.yaml", lambda models: models | {"tiny": ENTRY | entry})
    return project


def online(hub: Hub) -> dict[str, str]:
    """Return the environment in which the hub is the only network."""
    return {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return all that snakemake said; a dry run logs to standard output."""
    return done.stdout + done.stderr


def run_of(seed: int) -> str:
    return f"results/runs/tiny/seed{seed}/metrics.json"


def test_weights_are_fetched_once_and_trained_from(tmp_path: Path, hub: Hub) -> None:
    project = tiny_study(tmp_path)
    done = project.snakemake(run_of(0), run_of(1), **online(hub))
    assert done.returncode == 0, done.stderr
    # One transfer for two runs; neither training went to the network.
    assert hub.ranges == [None]
    assert (project.folder / FILE).read_bytes() == hub.content
    lock = json.loads((project.folder / LOCK).read_text())
    assert lock["revision"] == hub.commit
    assert lock["sha256"] == file_digest(project.folder / FILE)

    log = (project.folder / "results/logs/train/tiny/seed0.log").read_text()
    assert "fresh: fc.weight, fc.bias; left out: fc.weight, fc.bias" in log
    run = (project.folder / run_of(0)).parent
    assert json.loads((run / "metrics.json").read_text())["pretrained"] is True
    origin = json.loads((run / "provenance.json").read_text())
    assert origin["pretrained_weights"] == lock

    # Runs that are complete need their weights no more.
    (project.folder / FILE).unlink()
    assert "Nothing to be done" in project.snakemake("-n", run_of(0), run_of(1)).stdout
    project.edit("config/config.yaml", lambda config: config["seeds"].update(comparison=[0, 1, 2]))
    missing = project.snakemake("-n", "comparison")
    assert missing.returncode != 0
    assert f"snakemake --force {LOCK}" in said(missing)
    hub.ranges = []
    again = project.snakemake("--force", LOCK, **online(hub))
    assert again.returncode == 0, again.stderr
    assert json.loads((project.folder / LOCK).read_text()) == lock
    planned = project.snakemake("-n", "comparison").stdout
    assert "fetch_weights" not in planned
    assert re.search(r"^train +1$", planned, flags=re.MULTILINE)


def test_weights_put_there_need_no_network(tmp_path: Path, imagenet: Path) -> None:
    project = tiny_study(tmp_path)
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
    elsewhere = project.folder / "shared" / "weights"
    elsewhere.mkdir(parents=True)
    project.edit(
        "config/config.yaml", lambda config: config.update(weights={"dir": "shared/weights"})
    )
    file = elsewhere / Path(FILE).name
    file.write_bytes(imagenet.read_bytes()[:-1000])
    truncated = project.snakemake("-n", run_of(0), **nowhere)
    assert truncated.returncode != 0
    assert f"Variant tiny: The weights shared/weights/{file.name} are incomplete" in said(truncated)
    # What does not start from the weights is not held up.
    assert project.snakemake("-n", "results/data/meta.json").returncode == 0

    file.unlink()
    unreachable = project.snakemake(run_of(0), **nowhere)
    assert unreachable.returncode != 0
    assert f"put the file at shared/weights/{file.name}" in unreachable.stderr
    assert not (project.folder / "results/logs/train").exists()

    file.write_bytes(imagenet.read_bytes())
    done = project.snakemake(run_of(0), **nowhere)
    assert done.returncode == 0, done.stderr
    assert json.loads(lock_path(file).read_text())["revision"] is None


def test_weights_of_another_network_start_no_training(tmp_path: Path) -> None:
    project = tiny_study(tmp_path)
    file = project.folder / FILE
    file.parent.mkdir(parents=True)
    save_file(timm.create_model("test_efficientnet").state_dict(), file)
    content = file.read_bytes()
    done = project.snakemake(LOCK)
    assert done.returncode != 0
    assert "do not fit the network" in said(done)
    # Training waits for the lock.
    assert not (project.folder / LOCK).exists()
    assert file.read_bytes() == content


def test_mistakes_about_weights_are_mistakes_of_the_configuration(tmp_path: Path) -> None:
    project = tiny_study(tmp_path, weights={"interpolation": "bilinear"})
    project.edit(
        "config/models.yaml",
        lambda models: (
            models
            | {
                "one": ENTRY,
                "two": ENTRY | {"weights": {"hub": "someone/test_resnet.r160_in1k"}},
            }
        ),
    )
    done = project.snakemake("-n", "all")
    assert done.returncode != 0
    assert "tiny: pretrained is true, but weights names neither hub" in done.stderr
    assert (
        "two.weights and one.weights would be one file named 'test_resnet.r160_in1k'" in done.stderr
    )


# Before any job: `check_weights`

SOURCE = WeightsSource(REPOSITORY, "model.safetensors")


@pytest.fixture
def locked(tmp_path: Path, imagenet: Path) -> Path:
    """Return weights with their lock."""
    file = tmp_path / "net.safetensors"
    file.write_bytes(imagenet.read_bytes())
    lock = Lock(SOURCE.hub, SOURCE.file, Hub.commit, file_digest(file), file.stat().st_size)
    write_json(lock_path(file), asdict(lock))
    return file


def test_right_weights_pass(locked: Path) -> None:
    check_weights(SOURCE, locked)
    check_weights(replace(SOURCE, revision=Hub.commit, sha256=file_digest(locked)), locked)
    check_weights(replace(SOURCE, revision="main"), locked)
    lock_path(locked).unlink()
    check_weights(SOURCE, locked)


def test_weights_that_are_to_be_fetched_pass(tmp_path: Path) -> None:
    check_weights(SOURCE, tmp_path / "net.safetensors")
    with pytest.raises(UserError, match=r"weights\.dir"):
        check_weights(WeightsSource(None, "net.safetensors"), tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    "source",
    [
        replace(SOURCE, hub="timm/test_resnet.other"),
        replace(SOURCE, file="other.safetensors"),
        replace(SOURCE, revision="f" * 40),
        replace(SOURCE, sha256="0" * 64),
        WeightsSource(None, "net.safetensors"),
    ],
)
def test_the_lock_of_other_weights_is_refused(locked: Path, source: WeightsSource) -> None:
    with pytest.raises(UserError, match="remove the lock"):
        check_weights(source, locked)


def test_a_file_of_another_size_or_content_is_refused(locked: Path) -> None:
    state = load_file(locked)
    save_file({**state, "fc.bias": state["fc.bias"] + 1}, locked)
    with pytest.raises(UserError, match="SHA-256"):
        check_weights(SOURCE, locked)
    save_file({**state, "more": torch.zeros(3)}, locked)
    with pytest.raises(UserError, match="bytes"):
        check_weights(SOURCE, locked)


def test_a_stated_checksum_is_met_before_there_is_a_lock(locked: Path) -> None:
    lock_path(locked).unlink()
    with pytest.raises(UserError, match="SHA-256"):
        check_weights(replace(SOURCE, sha256="0" * 64), locked)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no safetensors file"),
        (b"<html>not found</html>", "no safetensors file"),
        (struct.pack("<Q", 1000) + b'{"fc.bias": ', "incomplete"),
        (struct.pack("<Q", 4) + b"null", "no safetensors file"),
        (struct.pack("<Q", 2) + b"{}" + b"more", "damaged"),
    ],
)
def test_what_is_no_whole_file_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "net.safetensors"
    file.write_bytes(content)
    with pytest.raises(UserError, match=told):
        check_whole(file)
