"""What a run does at its end is tried before its start: odd networks work, or are told in one sentence."""

from __future__ import annotations

import argparse
import errno
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import nn

from bakeoff.data.config import DataConfig
from bakeoff.errors import UserError
from bakeoff.evaluation.results import RunPaths, as_stored
from bakeoff.evaluation.run import execute
from bakeoff.models.describe import describe_one
from bakeoff.models.factory import build
from bakeoff.models.macs import count_macs
from bakeoff.models.weights import load_weights
from bakeoff.models.weights_files import check_whole
from bakeoff.study.networks import describe_networks, is_shipped
from bakeoff.support.interrupts import InterruptedRunError, StopRequest
from bakeoff.support.rehearsal import rehearse_without_data
from bakeoff.training.batches import cut_epoch, smallest_micro_batch
from bakeoff.workflow import with_single_images
from tests.support.project import REPOSITORY
from tests.support.runs import CODE, prepare_data, spec_with

VARIANTS: dict[str, dict[str, Any]] = yaml.safe_load(
    (REPOSITORY / "config" / "models.yaml").read_text(encoding="utf-8")
)
ODD = REPOSITORY / "tests" / "support" / "odd_networks.py"

# What is said of each network of odd_networks.py; nothing of one that works.
TOLD = {
    "weight_norm": None,
    "old_weight_norm": None,
    "shared": None,
    "huge_logits": None,
    "encoder": None,
    "recurrent": None,
    "deep": None,
    "normalised_after_pooling": None,
    "dropout_in_evaluation": None,
    "numpy_in_evaluation": None,
    "nan_in_evaluation": "not finite before any training",
    "nan_in_training": "not finite after one step of training on 4 images",
    "own_generator_in_evaluation": "without a generator of its own",
    "hidden_state": "has to be a parameter or a persistent buffer",
    "random_buffer": "Register that as a buffer",
    "does_not_load_back": "Unexpected key(s) in state_dict",
    "extra_state": "holds _extra_state, which is dict and cannot be stored",
    "sparse_buffer": "holds sparse, which is torch.sparse_coo and cannot be stored",
    "lazy": "gets its size in the first forward pass only",
    "without_parameters": "no parameter that could be trained",
    "views": "write reshape or flatten in place of view",
    "ten_outputs": "logits of shape (2, 10) for 2 image(s), but the data have 100 classes",
    "more_outputs": "logits of shape (2, 1000) for 2 image(s), but the data have 100 classes",
    "tuple_in_training": "In training mode the network returns tuple",
    "whole_numbers": "torch.int64",
    "detached": "does not require grad",
    "changed_in_place": "modified by an inplace operation",
    "no_module": "returns int, expected a torch.nn.Module",
}


def user_model(file: Path, function: str) -> dict[str, Any]:
    return {
        "builder": f"{file}:{function}",
        "args": {},
        "input_policy": "native32",
        "pretrained": False,
    }


def told_of(models: dict[str, Any], folder: Path, **options: Any) -> dict[str, str]:
    """Return {variant: what is said of it} for those of `models` that are refused."""
    try:
        describe_networks(models, 100, 32, folder / "networks.json", **options)
    except UserError as error:
        lines = (line.removeprefix("variant ").partition(": ") for line in str(error).splitlines())
        return {name: text for name, _, text in lines}
    return {}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return told_of(
        {name: user_model(ODD, name) for name in TOLD}, tmp_path_factory.mktemp("networks")
    )


@pytest.mark.parametrize("name", TOLD)
def test_odd_networks_work_or_are_told_before_any_job(name: str, told: dict[str, str]) -> None:
    expected = TOLD[name]
    if expected is None:
        assert name not in told
    else:
        assert expected in told[name]


# A user's file that misbehaves while it is imported or called.
FILES = {
    "prints": (
        "import os\n"
        "print('{\"name\": 1}')\n"
        "os.write(1, b'from C')\n"
        "from torch import nn\n"
        "def f(num_classes, image_size, input_policy):\n"
        "    print('building')\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(3 * image_size**2, num_classes))\n",
        None,
    ),
    "syntax": ("def f(:\n", "SyntaxError: invalid syntax (syntax.py, line 1)"),
    # A SyntaxError or, in older Pythons, a ValueError.
    "null": ("x = '\0'\n", "null bytes"),
    "exits": ("import sys; sys.exit(3)\n", "exits.py fails when it is imported: SystemExit: 3"),
    "asks": ("input()\n", "EOFError"),
    "raises": ("{}['key']\n", "KeyError: 'key'"),
    "recurses": ("def f(num_classes, image_size, input_policy): return f(1, 2, 3)", "RecursionError"),
    "crashes": (
        "import ctypes\ndef f(num_classes, image_size, input_policy): ctypes.string_at(0)",
        "crashes.py:f' ended the process that looked at its network (SIGSEGV): it printed nothing.",
    ),
    "ends": (
        "import os\nprint('last words')\nos._exit(7)",
        "ends.py:f' ended the process that looked at its network (exit code 7): last words.",
    ),
}  # fmt: skip


def test_no_file_of_the_users_spoils_the_answers_about_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, (source, _) in FILES.items():
        (tmp_path / f"{name}.py").write_text(source)
    models = {name: user_model(tmp_path / f"{name}.py", "f") for name in FILES}
    said = told_of(models, tmp_path)
    assert set(said) == {name for name, (_, expected) in FILES.items() if expected}
    for name, text in said.items():
        expected = FILES[name][1]
        assert expected is not None
        assert expected in text
        assert f"{name}.py" in text
    assert "variant prints: rehearsal" in capfd.readouterr().err
    # What is right is not looked at again.
    assert len(json.loads((tmp_path / "networks.json").read_text())) == 1
    (tmp_path / "syntax.py").write_text("# mended\n" + FILES["prints"][0])
    assert "syntax" not in told_of(models, tmp_path)


# The knowledge that spares a study the rehearsal of Bakeoff's own networks

KINDS = {
    (entry["builder"], entry["args"].get("name")): name
    for name, entry in reversed(list(VARIANTS.items()))
}


# Of more than 20 M parameters, which take 5 to 20 s each.
LARGE = {"convnext_tiny", "coatnet_0_224", "cspresnet50", "resnest50d", "mixer_b16_224"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow)
        if timm_name in LARGE or builder == "hornet"
        else name
        for (builder, timm_name), name in sorted(KINDS.items(), key=str)
    ],
)
def test_a_network_of_each_kind_passes_the_rehearsal(name: str) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rehearse_without_data(VARIANTS[name], 100, 32)
    torch.set_num_threads(threads)


def test_shipped_variants_need_no_rehearsal_and_others_do() -> None:
    assert [name for name, entry in VARIANTS.items() if not is_shipped(entry)] == []
    assert not is_shipped({"builder": "timm", "args": {"name": "resnet18"}})
    assert not is_shipped({"builder": "timm", "args": {"name": "cspresnet50", "unstride": []}})
    assert not is_shipped(user_model(ODD, "shared"))


# Multiply-accumulates


def test_macs_are_the_same_on_any_device() -> None:
    spec = user_model(ODD, "encoder")
    # 16 tokens of 64 channels, two layers with four projections, two products and two linear maps of 128 channels.
    layer = 16 * (4 * 64 * 64 + 2 * 64 * 128) + 2 * 16 * 16 * 64
    expected = 16 * 64 * 3 * 8 * 8 + 2 * layer + 64 * 100
    assert describe_one(spec, 100, 32).macs == expected
    assert count_macs(build(spec, 100, 32), 32) == expected
    # Four gates of 32 on 96 + 32 inputs, for each of 32 rows.
    spec = user_model(ODD, "recurrent")
    expected = 32 * 4 * 32 * (96 + 32) + 32 * 100
    assert describe_one(spec, 100, 32).macs == expected
    assert count_macs(build(spec, 100, 32), 32) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (VARIANTS["coatnet_0"], 1_256_856_576),
        (
            {"builder": "timm", "args": {"name": "vit_tiny_patch16_224"}, "input_policy": "resize224"},
            1_253_510_400,
        ),
    ],
)  # fmt: skip
def test_macs_of_fused_attention(spec: dict[str, Any], expected: int) -> None:
    assert describe_one(spec, 100, 32).macs == expected
    assert count_macs(build(spec, 100, 32), 224 if "resize224" in spec.values() else 32) == expected


# Runs


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_data(tmp_path_factory.mktemp("prepared"))


def run(name: str, data: Path, folder: Path, **recipe: Any) -> dict[str, Any]:
    """Train a network of odd_networks.py and return its spec."""
    spec = spec_with({"epochs": 1, "warmup_epochs": 0, **recipe}, user_model(ODD, name))
    paths = RunPaths(data, folder / "run", folder / "checkpoints")
    execute(spec, 0, paths, gpus=0, checkpoint_minutes=1, code=CODE)
    return spec


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("shared", np.float16),
        ("weight_norm", np.float16),
        ("encoder", np.float16),
        ("huge_logits", np.float32),
    ],
)
def test_a_stored_network_gives_the_stored_predictions(
    name: str, kind: type, data: Path, tmp_path: Path
) -> None:
    # So slow that even the logits in millions stay finite.
    spec = run(name, data, tmp_path, learning_rate={"base": 1e-9, "per_images": 1})
    network = build(spec["model"], 100, 32)
    network.load_state_dict(load_file(tmp_path / "run" / "model.safetensors"))
    with np.load(tmp_path / "run" / "predictions.npz") as stored:
        logits, labels = stored["logits"], stored["labels"]
    assert logits.dtype == kind
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["top1"] == pytest.approx(100 * (logits.argmax(1) == labels).mean())
    assert metrics["macs"] == describe_one(spec["model"], 100, 32).macs
    meta = json.loads((data / "meta.json").read_text())
    mean, std = (torch.tensor(meta[key])[:, None, None] for key in ("mean", "std"))
    images = torch.from_numpy(np.load(data / "test_images.npy")[:25])
    with torch.inference_mode():
        again = network.eval()((images / 255 - mean) / std)
    np.testing.assert_allclose(logits[:25], again, rtol=2e-3, atol=2e-3)


def test_logits_are_stored_as_float16_where_that_loses_little() -> None:
    assert as_stored(torch.tensor([[-100.0, 0.1, 100.0]])).dtype == torch.float16
    # The spacing of float16 is 4 at 5,000.
    for value in (5001.0, 65_504.0, 1e6):
        logits = torch.tensor([[value, value - 1]])
        assert torch.equal(as_stored(logits), logits)


@pytest.mark.parametrize(
    ("name", "recipe", "expected"),
    [
        ("nan_in_evaluation", {}, "not finite before any training"),
        ("views", {}, r"could not be trained.*\(odd_networks.py, line \d+\)"),
        ("normalised_after_pooling", {"micro_batch": 1}, "more than 1 value per channel"),
    ],
)
def test_a_run_refuses_before_its_first_step(
    name: str, recipe: dict[str, Any], expected: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"^small/seed0: .*{expected}"):
        run(name, data, tmp_path, **recipe)
    assert not (tmp_path / "run").exists()
    assert list((tmp_path / "checkpoints").iterdir()) == []


# Micro-batches of a single image


def test_the_smallest_micro_batch_of_an_epoch() -> None:
    for images, batch, micro in [(7, 3, 2), (400, 100, 25), (45_000, 1024, 128), (5, 9, 2)]:
        parts = [part for step in cut_epoch(images, batch, micro) for part in step.micro_batches]
        assert smallest_micro_batch(images, batch, micro) == min(part.images for part in parts)


def test_a_micro_batch_of_one_image_is_told_where_it_cannot_be(tmp_path: Path) -> None:
    models = {"own": user_model(ODD, "normalised_after_pooling"), "ours": VARIANTS["resnet_20"]}
    said = told_of(models, tmp_path, single=frozenset(models))
    assert set(said) == {"own"}
    assert "micro-batch of a single image" in said["own"]
    assert "set recipe_overrides.micro_batch to a larger number" in said["own"]


DRAWN = {"train_images": 603, "test_images": 100, "seed": 0}


@pytest.mark.parametrize(
    ("data", "batches", "expected"),
    [
        ({"kind": "cifar100"}, (128, 64), False),
        ({"kind": "cifar100"}, (128, 1), True),
        # 503 images are trained on, in steps of 5 and 6.
        ({"kind": "shapes", "shapes": DRAWN}, (6, 2), True),
        ({"kind": "shapes", "shapes": DRAWN}, (6, 6), False),
        # How many images a user's own archive has is not known yet.
        ({"kind": "cifar100", "md5": "0" * 32, "limit": {"train": 603}}, (6, 2), False),
    ],
)
def test_micro_batches_of_one_image_follow_from_the_configuration(
    data: dict[str, Any], batches: tuple[int, int], expected: bool
) -> None:
    recipe = dict(zip(("global_batch", "micro_batch"), batches, strict=True))
    study: Any = SimpleNamespace(
        data=DataConfig.model_validate({**data, "validation": {"images": 100, "seed": 0}}),
        variants={"only": SimpleNamespace(recipe=recipe)},
    )
    assert with_single_images(study) == ({"only"} if expected else set())


# Files of weights


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_with_other_objects_tells_how_to_keep_its_tensors(
    zipped: bool, tmp_path: Path
) -> None:
    network = nn.Linear(3, 100)
    state = {"model": network.state_dict(), "args": argparse.Namespace(lr=1)}
    file = tmp_path / "it's mine.pth"
    torch.save(state, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"argparse\.Namespace") as caught:
        load_weights(network, file)
    command = str(caught.value).split("`")[1]
    assert "emove" not in str(caught.value).replace(command, "")
    python = command.replace("python", sys.executable, 1)
    subprocess.run(["bash", "-c", python], check=True)
    load_weights(network, tmp_path / "it's mine-tensors.pth")


def test_weights_that_are_not_finite_are_told_by_file(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 100))
    state = network.state_dict()
    state["0.bias"] = torch.full((3,), float("nan"))
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(
        UserError, match=r"w\.safetensors hold values that are not finite .*0\.bias"
    ):
        load_weights(network, tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_the_only_copy_of_weights_is_not_to_be_lost(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"junk")
    with pytest.raises(UserError, match=f"{name}.*put the whole file there") as caught:
        check_whole(tmp_path / name)
        load_weights(nn.Linear(1, 1), tmp_path / name)
    assert "remove" not in str(caught.value)


# What a rehearsal says and leaves behind


def test_a_rehearsal_says_nothing_of_its_own_epoch(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="bakeoff"):
        run("shared", data, tmp_path)
    epochs = [line for line in caplog.messages if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/1"]
    assert "resumed" not in caplog.text


def test_a_run_that_is_told_to_stop_in_its_rehearsal(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StopRequest, "__init__", lambda self: setattr(self, "signal", "SIGTERM"))
    with pytest.raises(InterruptedRunError, match="small/seed0: stopped by SIGTERM before its"):
        run("shared", data, tmp_path)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_disk_is_not_blamed_on_the_network(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "there")

    monkeypatch.setattr("bakeoff.evaluation.results.write_history", full)
    with pytest.raises(UserError, match="there cannot be used: the disk is full"):
        run("shared", data, tmp_path)
