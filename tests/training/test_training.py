"""The engine: one answer whoever computes it, and after whatever happened in between."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import signal
import subprocess
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import nn

from bakeoff.analysis.runs import load_run
from bakeoff.errors import UserError
from bakeoff.evaluation.results import RunPaths
from bakeoff.evaluation.run import execute
from bakeoff.files import read_json
from bakeoff.support import checkpoint
from bakeoff.support.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from bakeoff.support.interrupts import INTERRUPTED, InterruptedRunError
from bakeoff.training.batches import cut_epoch
from bakeoff.training.devices import check_disk, check_gpu_memory, check_gpus, supports
from bakeoff.training.gradients import neutral_gradients, summed, take_gradients
from bakeoff.training.loop import Trainer
from bakeoff.training.optimization import WeightAverage, learning_rate, parameter_groups
from bakeoff.training.predict import predict, score
from bakeoff.training.recipe import Recipe
from tests.support.project import REPOSITORY, project_environment
from tests.support.runs import CODE, SPEC, prepare_data, spec_with, train, train_command

# 400 images to train on make 4 steps an epoch and 4 micro-batches a step.
RECIPE = Recipe.model_validate(SPEC["recipe"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_data(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = train(SPEC, data, folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def history(run: Path) -> list[dict[str, str]]:
    """Return the rows of history.csv without what is measured in seconds."""
    with (run / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        del row["seconds"], row["images_per_s"]
    return rows


def assert_identical(one: Path, other: Path) -> None:
    """Assert that two runs agree bit for bit in weights, history and predictions."""
    assert history(one) == history(other)
    assert_same_result(one, other)


def assert_same_result(one: Path, other: Path) -> None:
    """Assert that two runs agree bit for bit in weights and predictions."""
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    with np.load(one / "predictions.npz") as mine, np.load(other / "predictions.npz") as theirs:
        for name in ("logits", "labels"):
            np.testing.assert_array_equal(mine[name], theirs[name])


# --- how an epoch is cut


@pytest.mark.parametrize("images", [1, 7, 128, 1000, 45_000])
@pytest.mark.parametrize(
    ("global_batch", "micro_batch"), [(1024, 128), (100, 30), (64, 64), (7, 3)]
)
def test_every_image_is_in_one_micro_batch(
    images: int, global_batch: int, micro_batch: int
) -> None:
    steps = cut_epoch(images, global_batch, micro_batch)
    parts = [part for step in steps for part in step.micro_batches]
    assert [parts[0].start, parts[-1].stop] == [0, images]
    assert all(before.stop == after.start for before, after in pairwise(parts))
    assert max(step.images for step in steps) <= global_batch
    assert max(part.images for part in parts) <= micro_batch
    sizes = [step.images for step in steps]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("world", [1, 2, 3, 8])
def test_processes_share_a_step_without_overlap(world: int) -> None:
    step = cut_epoch(45_000, 1024, 128)[0]
    taken = [part for rank in range(world) for part in step.of_rank(rank, world)]
    assert sorted(taken, key=lambda part: part.number) == list(step.micro_batches)


# --- the order of sums


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 7, 8, 13])
@pytest.mark.parametrize("processes", [1, 2, 4, 8])
def test_sums_have_the_same_bits_on_any_power_of_two_of_processes(
    parts: int, processes: int
) -> None:
    values = torch.randn(parts, 50, generator=torch.Generator().manual_seed(parts))
    values[:, 0] = -0.0

    def value(part: int) -> list[torch.Tensor]:
        return [values[part].clone()]

    (alone,) = summed(range(parts), value)
    shares = [range(parts)[rank::processes] for rank in range(processes)]
    sums = [(summed(mine, value) if mine else neutral_gradients(values[:1]))[0] for mine in shares]
    (together,) = summed(range(processes), lambda rank: [sums[rank]])
    assert torch.equal(together, alone)
    assert torch.equal(together.signbit(), alone.signbit())
    torch.testing.assert_close(alone, values.sum(dim=0))


def test_gradients_are_taken_and_missing_ones_are_zero() -> None:
    used, unused = torch.ones(3, requires_grad=True), torch.ones(2, requires_grad=True)
    (2 * used).sum().backward()
    taken = take_gradients([used, unused])
    assert [value.tolist() for value in taken] == [[2.0] * 3, [0.0] * 2]
    assert used.grad is None


# --- optimization


def test_learning_rate_warms_up_and_anneals() -> None:
    rates = [learning_rate(step, 4, RECIPE) for step in range(8)]
    peak = 0.1 * 100 / 256
    assert rates[:4] == pytest.approx([peak / 4, peak / 2, 3 * peak / 4, peak])
    assert rates[4] == pytest.approx(peak)
    assert rates[6] == pytest.approx(peak / 2)
    assert 0 < rates[7] < rates[6]


def test_norms_and_biases_can_be_exempt_from_decay() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    groups = parameter_groups(model, 0.1, decay_norm_and_bias=False)
    assert [(len(g["params"]), g["weight_decay"]) for g in groups] == [(1, 0.1), (3, 0.0)]
    assert len(parameter_groups(model, 0.1, decay_norm_and_bias=True)) == 1


def test_weight_average_forgets_its_start() -> None:
    weight = torch.zeros(1)
    average = WeightAverage([weight], decay=0.99)
    weight.fill_(1.0)
    for step in range(20):
        average.update(step)
    assert average.values[0].item() > 0.95
    assert average.values[0].item() < 1.0


# --- evaluation


def test_scores_by_hand() -> None:
    # The answer is the row's own number; further classes score lower the further they are.
    logits = -(torch.arange(10.0) - torch.arange(4.0)[:, None]).abs()
    labels = torch.tensor([0, 1, 0, 9])
    scores = score(logits, labels)
    assert scores.top1 == 50.0
    assert scores.top5 == 75.0
    assert scores.images == 4
    sums = [math.log(sum(math.exp(-abs(j - i)) for j in range(10))) for i in range(4)]
    assert scores.loss == pytest.approx((sum(sums) + 0 + 0 + 2 + 6) / 4)


def test_of_equal_logits_the_first_class_counts_and_nan_is_never_right() -> None:
    logits = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [math.nan] * 3, [0.0, 1.0, math.nan]])
    assert score(logits[:2], torch.tensor([0, 1])).top1 == 50.0
    assert score(logits[2:], torch.tensor([0, 1])).top1 == 0.0


def test_predictions_keep_the_order_of_the_images() -> None:
    images = torch.arange(7.0)[:, None]
    logits = predict(
        nn.Identity(), lambda index: images[index], torch.arange(7), Accelerator(cpu=True), 3
    )
    assert logits.flatten().tolist() == list(range(7))


# --- checkpoints


def test_the_newest_two_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, {"key": "k", "step": step})
    assert [path.name for path in checkpoints(tmp_path)] == [
        "step-000000002.pt",
        "step-000000003.pt",
    ]
    state = load_checkpoint(tmp_path, "k")
    assert state is not None
    assert state["step"] == 3


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_checkpoint_is_set_aside(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (1, 2):
        save_checkpoint(tmp_path, step, {"key": "k", "step": step})
    newest = checkpoints(tmp_path)[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes({"truncated": content[:-9], "flipped": content, "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        state = load_checkpoint(tmp_path, "k")
    assert state is not None
    assert state["step"] == 1
    assert "damaged" in caplog.text
    assert newest.with_suffix(".damaged").exists()


def test_a_checkpoint_of_another_configuration_is_not_resumed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {"key": "before the edit"})
    assert load_checkpoint(tmp_path, "after the edit") is None
    assert checkpoints(tmp_path) == []


def test_a_full_disk_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, 1, {"key": "k"})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_bytes", full)
    with pytest.raises(UserError, match="No space is left"):
        save_checkpoint(tmp_path, 2, {"key": "k"})
    assert load_checkpoint(tmp_path, "k") is not None


# --- preflight


@pytest.mark.parametrize(
    ("built", "capability", "expected"),
    [
        (["sm_70", "sm_80", "sm_90"], (7, 0), True),
        (["sm_75", "sm_80", "sm_90"], (7, 0), False),
        (["sm_80"], (8, 6), True),
        (["sm_86"], (8, 0), False),
        (["sm_90", "compute_90"], (12, 0), True),
        (["sm_90a", "sm_120"], (12, 0), True),
    ],
)
def test_kernels_for_a_gpu(built: list[str], capability: tuple[int, int], expected: bool) -> None:
    assert supports(built, *capability) is expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_gpus_that_are_not_there() -> None:
    with pytest.raises(UserError, match=r"given 2 GPU\(s\), but 0 are visible.*profiles/cpu"):
        check_gpus(2)


def test_a_gpu_that_somebody_else_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla V100")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (15 * 2**30, 16 * 2**30))
    check_gpu_memory(1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * 2**30, 16 * 2**30))
    with pytest.raises(UserError, match=r"GPU 1 \(Tesla V100\) has 3.0 of 16.0 GiB free"):
        check_gpu_memory(1)


def test_too_little_disk(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="GiB free; a run needs"):
        check_disk(tmp_path / "not" / "yet", needed=2**60)


# --- whole runs


def test_the_files_of_a_run(undisturbed: Path) -> None:
    metrics = json.loads((undisturbed / "metrics.json").read_text())
    assert metrics["test"]["images"] == 203
    assert metrics["validation"]["images"] == 100
    assert metrics["epochs"] == len(history(undisturbed)) == 2
    with np.load(undisturbed / "predictions.npz") as predictions:
        assert predictions["logits"].dtype == np.float16
        assert predictions["logits"].shape == (203, 100)
        hits = (predictions["logits"].argmax(1) == predictions["labels"]).mean()
    assert metrics["test"]["top1"] == pytest.approx(100 * hits, abs=1e-9)
    assert history(undisturbed)[-1]["val_top1"] == str(metrics["validation"]["top1"])
    weights = load_file(undisturbed / "model.safetensors")
    assert metrics["params"] == sum(
        v.numel() for k, v in weights.items() if "running" not in k and "num_b" not in k
    )
    origin = json.loads((undisturbed / "provenance.json").read_text())
    assert origin["configuration"] == SPEC
    assert "bakeoff.training.loop" in origin["sources"]
    assert "bakeoff.models.cifar_resnet" in origin["sources"]
    assert origin["versions"]["torch"] == version("torch")
    assert not (undisturbed.parent / "checkpoints").exists()


def test_the_same_run_twice_is_bit_identical(undisturbed: Path, data: Path, tmp_path: Path) -> None:
    assert train(SPEC, data, tmp_path).returncode == 0
    assert_identical(tmp_path / "run", undisturbed)


def test_another_seed_is_another_run(undisturbed: Path, data: Path, tmp_path: Path) -> None:
    assert train(SPEC, data, tmp_path, seed=1).returncode == 0
    assert history(tmp_path / "run") != history(undisturbed)


def interrupted(spec: dict[str, Any], data: Path, folder: Path, number: int, after: int) -> int:
    """Train, send signal `number` once `after` checkpoints were written or replaced; return the exit code."""
    command = train_command(spec, data, folder, "--checkpoint-minutes", "0")
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=project_environment(), stderr=subprocess.PIPE
    )
    seen: set[str] = set()
    while len(seen) < after and process.poll() is None:
        seen |= {path.name for path in checkpoints(folder / "checkpoints")}
        time.sleep(0.005)
    process.send_signal(number)
    process.communicate()
    return process.returncode


def test_killed_and_started_again(undisturbed: Path, data: Path, tmp_path: Path) -> None:
    for after in (1, 2):
        assert interrupted(SPEC, data, tmp_path, signal.SIGKILL, after) == -signal.SIGKILL
    assert checkpoints(tmp_path / "checkpoints")
    done = train(SPEC, data, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "resumed at step" in (tmp_path / "log.txt").read_text()
    assert_identical(tmp_path / "run", undisturbed)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_told_to_stop(
    undisturbed: Path, data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    assert interrupted(SPEC, data, tmp_path, number, 1) == INTERRUPTED
    assert "the checkpoint is saved" in (tmp_path / "log.txt").read_text()
    assert train(SPEC, data, tmp_path).returncode == 0
    assert_identical(tmp_path / "run", undisturbed)


@pytest.mark.parametrize("step", [3, 4, 5])
def test_told_to_stop_before_and_after_the_end_of_an_epoch(
    undisturbed: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    train_step = Trainer._train_step

    def told(self: Trainer, *arguments: Any) -> None:
        train_step(self, *arguments)
        if self.progress.step + 1 == step:
            self.stop.signal = "SIGTERM"

    monkeypatch.setattr(Trainer, "_train_step", told)
    paths = RunPaths(data, tmp_path / "run", tmp_path / "checkpoints")
    with pytest.raises(InterruptedRunError, match=f"stopped at step {step} "):
        execute(SPEC, 0, paths, gpus=0, checkpoint_minutes=1, code=CODE)
    assert train(SPEC, data, tmp_path).returncode == 0
    assert_identical(tmp_path / "run", undisturbed)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_that_diverges_says_where_and_is_done(
    data: Path, tmp_path: Path, processes: int
) -> None:
    spec = spec_with({"learning_rate": {"base": 1e20, "per_images": 1}})
    done = train(spec, data, tmp_path, "--processes", str(processes))
    assert done.returncode == 0, done.stderr
    told = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert "diverged" in told and "the loss is not finite at step" in told
    assert "Traceback" not in told
    metrics = read_json(tmp_path / "run" / "metrics.json")
    assert metrics["test"] is None and metrics["validation"] is None
    assert metrics["diverged"]["what"] == "loss"
    assert 0 < metrics["diverged"]["step"] <= 20
    assert not (tmp_path / "checkpoints").exists()
    folder = tmp_path / metrics["variant"] / f"seed{metrics['seed']}"
    folder.parent.mkdir()
    (tmp_path / "run").rename(folder)
    run = load_run(folder)
    assert run.diverged_at == metrics["diverged"]["step"]
    assert len(run.history) == metrics["diverged"]["epoch"]
    with pytest.raises(UserError, match="diverged"):
        run.predictions()


def test_logits_that_are_not_finite_are_an_outcome_too(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_a_number(*arguments: Any) -> torch.Tensor:
        logits = predict(*arguments)
        # A rehearsal looks at a few images.
        return logits.fill_(torch.nan) if len(logits) > 100 else logits

    monkeypatch.setattr("bakeoff.evaluation.results.predict", not_a_number)
    paths = RunPaths(data, tmp_path / "run", tmp_path / "checkpoints")
    execute(SPEC, 0, paths, gpus=0, checkpoint_minutes=1, code=CODE)
    metrics = read_json(tmp_path / "run" / "metrics.json")
    assert metrics["diverged"]["what"] == "logits"
    assert metrics["diverged"]["epoch"] == SPEC["recipe"]["epochs"]
    assert load_file(tmp_path / "run" / "model.safetensors") == {}


def test_too_little_gpu_memory_names_the_setting(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("bakeoff.training.loop.Trainer._gradients", out_of_memory)
    paths = RunPaths(data, tmp_path / "run", tmp_path / "checkpoints")
    with pytest.raises(UserError, match=r"too little memory.*recipe_overrides\.micro_batch"):
        execute(SPEC, 0, paths, gpus=0, checkpoint_minutes=1, code=CODE)


def test_tensorboard_changes_no_weight(undisturbed: Path, data: Path, tmp_path: Path) -> None:
    done = train(SPEC, data, tmp_path, "--tensorboard", str(tmp_path / "events"))
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "events").glob("events.out.tfevents.*"))
    assert_identical(tmp_path / "run", undisturbed)


def test_compiling_falls_back_where_it_cannot(data: Path, tmp_path: Path) -> None:
    # There is no compiler on PATH: torch.compile cannot generate code for the CPU.
    command = train_command(spec_with({"compile": True, "epochs": 1}), data, tmp_path)
    environment = {
        **project_environment(),
        "CXX": "/nowhere/c++",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
    }
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epochs"] == 1


@pytest.mark.slow
def test_killed_at_ten_moments(data: Path, tmp_path: Path) -> None:
    spec = spec_with({"epochs": 12})
    assert train(spec, data, tmp_path / "calm").returncode == 0
    moments = np.random.default_rng(0).integers(1, 6, size=10)
    for after in moments:
        interrupted(spec, data, tmp_path / "stormy", signal.SIGKILL, int(after))
    done = train(spec, data, tmp_path / "stormy")
    assert done.returncode == 0, done.stderr
    assert_identical(tmp_path / "stormy" / "run", tmp_path / "calm" / "run")


def test_altered_data_are_refused(data: Path, tmp_path: Path) -> None:
    import shutil  # noqa: PLC0415

    shutil.copytree(data, tmp_path / "data")
    labels = np.load(tmp_path / "data" / "test_fine.npy")
    labels[0] = (labels[0] + 1) % 100
    np.save(tmp_path / "data" / "test_fine.npy", labels)
    done = train(SPEC, tmp_path / "data", tmp_path / "run")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


# Five epochs are 20 steps (15 where they are larger).
WORLD = {
    "resnet_20": spec_with({"epochs": 5}, {"args": {"depth": 20}}),
    # 400 images in steps of 134 or 133, cut into 3 micro-batches: two processes cannot share them evenly.
    "uneven": spec_with({"epochs": 5, "global_batch": 150, "micro_batch": 50}),
    "average, mixing and drop path": spec_with(
        {
            "epochs": 5,
            "ema_decay": 0.9,
            "optimizer": {
                **SPEC["recipe"]["optimizer"],
                "name": "adamw",
                "decay_norm_and_bias": False,
            },
            "learning_rate": {"base": 0.001, "per_images": 100},
            "augmentation": {"crop_padding": 4, "flip": True, "mixup": 0.8, "cutmix": 1.0},
        },
        {
            "builder": "convnext_cifar",
            "args": {"depths": [1, 1, 1, 1], "dims": [16, 16, 32, 32], "drop_path_rate": 0.3},
        },
    ),
}


def assert_one_answer(spec: dict[str, Any], data: Path, folder: Path, processes: list[int]) -> None:
    runs = {}
    for number in processes:
        done = train(spec, data, folder / str(number), "--processes", str(number))
        assert done.returncode == 0, done.stderr
        runs[number] = folder / str(number) / "run"
        assert json.loads((runs[number] / "metrics.json").read_text())["processes"] == number
    first, *others = runs.values()
    for other in others:
        assert_same_result(first, other)


@pytest.mark.parametrize("name", WORLD)
def test_one_answer_on_one_and_two_processes(name: str, data: Path, tmp_path: Path) -> None:
    assert_one_answer(WORLD[name], data, tmp_path, [1, 2])


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLD)
def test_one_answer_on_four_processes(name: str, data: Path, tmp_path: Path) -> None:
    assert_one_answer(WORLD[name], data, tmp_path, [1, 4])


def alive(folder: Path) -> list[int]:
    """Return the processes that train in `folder`; zombies do not count."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_text()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(folder) in words and state != "Z":
                found.append(int(entry.name))
    return found


def test_no_process_is_left_when_the_launcher_is_killed(data: Path, tmp_path: Path) -> None:
    spec = spec_with({"epochs": 1000})
    command = train_command(spec, data, tmp_path, "--processes", "2", "--checkpoint-minutes", "0")
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=project_environment(), stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not checkpoints(tmp_path / "checkpoints") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(alive(tmp_path)) >= 3
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while alive(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(tmp_path) == []
