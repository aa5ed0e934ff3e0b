"""Whatever a network keeps or draws: one answer, which follows from what is saved, or a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from bakeoff.data import DataConfig, prepare
from bakeoff.data.prepared import load_meta, load_split
from bakeoff.errors import UserError
from bakeoff.evaluation.results import RunPaths, as_stored
from bakeoff.evaluation.run import execute
from bakeoff.files import read_json
from bakeoff.models.factory import build, load_variants
from bakeoff.support.checkpoint import save_checkpoint
from bakeoff.support.interrupts import InterruptedRunError
from bakeoff.training.augment import AugmentConfig, InputPipeline
from bakeoff.training.devices import on_device
from bakeoff.training.loop import Trainer
from bakeoff.training.predict import predict
from bakeoff.training.reproducible import check_reproducible
from tests.support import stateful_networks
from tests.support.project import REPOSITORY
from tests.support.runs import CODE, DATA, spec_with, train
from tests.support.stateful_networks import odd

VARIANTS = load_variants(REPOSITORY / "config" / "models.yaml")
# Those that differ by more than an ablated detail; building the largest takes most of their time.
DISTINCT = [name for name in VARIANTS if "_20_" not in name]
LARGE = {
    "convnext_tiny_timm",
    "coatnet_0",
    "cspresnet50",
    "hornet_tiny",
    "mlp_mixer_b16",
    "resnest50d",
}
# Two steps of one micro-batch and one of two, and two batches to predict.
TINY = {"epochs": 1, "global_batch": 6, "micro_batch": 4}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "data"
    shapes = {"train_images": 200, "test_images": 100, "seed": 0}
    few = {"validation": {"images": 8, "seed": 0}, "limit": {"train": 24, "test": 7}}
    config = DATA | few | {"shapes": shapes}
    prepare(DataConfig.model_validate(config), None, folder)
    return folder


def odd_spec(layer: str, **recipe: Any) -> dict[str, Any]:
    builder = f"{stateful_networks.__file__}:odd"
    return spec_with(TINY | recipe, {"builder": builder, "args": {"layer": layer}})


def paths(data: Path, folder: Path) -> RunPaths:
    return RunPaths(data, folder / "run", folder / "checkpoints")


def assert_saved_weights_predict(spec: dict[str, Any], data: Path, run: Path) -> None:
    """Assert that a new network with the run's saved weights predicts what the run has predicted."""
    meta = load_meta(data)
    torch.manual_seed(99)
    network = build(spec["model"], len(meta.classes), meta.image_size)
    network.load_state_dict(load_file(run / "model.safetensors"))
    images, *_ = load_split(data, "test")
    pipeline = InputPipeline(
        torch.from_numpy(np.array(images)),
        mean=meta.mean,
        std=meta.std,
        config=AugmentConfig(),
        input_size=meta.image_size,
        device=torch.device("cpu"),
        seed=0,
        interpolation="bilinear",
        memory_format=torch.channels_last,
    )
    logits = predict(
        on_device(network, torch.device("cpu")).eval(),
        pipeline.eval_batch,
        torch.arange(len(images)),
        Accelerator(cpu=True),
        spec["recipe"]["micro_batch"],
    )
    with np.load(run / "predictions.npz") as stored:
        np.testing.assert_array_equal(as_stored(logits).numpy(), stored["logits"])


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in DISTINCT],
)
def test_every_variant_predicts_what_it_has_predicted(
    name: str, data: Path, tmp_path: Path
) -> None:
    entry = VARIANTS[name]
    model = {"builder": entry["builder"], "args": entry.get("args", {})}
    spec = spec_with(TINY | {"ema_decay": 0.9}, model)
    execute(spec, 0, paths(data, tmp_path), gpus=0, checkpoint_minutes=1, code=CODE)
    assert_saved_weights_predict(spec, data, tmp_path / "run")


@pytest.mark.parametrize("layer", ["instances", "twice", "keeps", "draws", "spectral"])
def test_an_odd_network_predicts_what_it_has_predicted_and_resumes(
    layer: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = odd_spec(layer, epochs=2)
    calm, stopped = tmp_path / "calm", tmp_path / "stopped"
    execute(spec, 0, paths(data, calm), gpus=0, checkpoint_minutes=1, code=CODE)
    assert_saved_weights_predict(spec, data, calm / "run")

    train_step = Trainer._train_step

    def told(self: Trainer, *arguments: Any) -> None:
        train_step(self, *arguments)
        if self.progress.step + 1 == 2:
            self.stop.signal = "SIGTERM"

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_train_step", told)
        with pytest.raises(InterruptedRunError):
            execute(spec, 0, paths(data, stopped), gpus=0, checkpoint_minutes=1, code=CODE)
    execute(spec, 0, paths(data, stopped), gpus=0, checkpoint_minutes=1, code=CODE)
    assert_same(calm, stopped)


@pytest.mark.parametrize("at_once", [1, 12, 10_000])
def test_a_run_augmented_ahead_is_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    augmentation = {"crop_padding": 4, "flip": True, "policy": "trivialaugment", "erasing": 0.5}
    spec = odd_spec("instances", epochs=2)
    spec = {**spec, "recipe": {**spec["recipe"], "augmentation": augmentation}}
    look_ahead, blocks = Trainer._look_ahead, []

    def ahead(self: Trainer, *arguments: Any) -> int:
        # As on a GPU.
        self.task.images.at_once = at_once
        blocks.append(look_ahead(self, *arguments))
        return blocks[-1]

    plain, other = tmp_path / "plain", tmp_path / "ahead"
    execute(spec, 0, paths(data, plain), gpus=0, checkpoint_minutes=1, code=CODE)
    monkeypatch.setattr(Trainer, "_look_ahead", ahead)
    execute(spec, 0, paths(data, other), gpus=0, checkpoint_minutes=1, code=CODE)
    # Two whole epochs, or the last two of several blocks of one.
    assert blocks[-2] == blocks[-1] if at_once == 10_000 else blocks[-2] < blocks[-1]
    assert_same(plain, other)


def assert_same(one: Path, other: Path) -> None:
    """Assert that two runs agree bit for bit in weights, buffers and predictions."""
    weights, others = (load_file(each / "run" / "model.safetensors") for each in (one, other))
    assert weights.keys() == others.keys()
    for name, value in weights.items():
        assert torch.equal(value, others[name]), name
    with (
        np.load(one / "run" / "predictions.npz") as mine,
        np.load(other / "run" / "predictions.npz") as theirs,
    ):
        np.testing.assert_array_equal(mine["logits"], theirs["logits"])


@pytest.mark.parametrize("several", ["2", pytest.param("4", marks=pytest.mark.slow)])
def test_an_odd_network_has_one_answer_on_any_number_of_processes(
    several: str, data: Path, tmp_path: Path
) -> None:
    spec = odd_spec("all", epochs=2, ema_decay=0.9)
    for processes in ("1", several):
        done = train(spec, data, tmp_path / processes, "--processes", processes)
        assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "1", tmp_path / several)
    assert_saved_weights_predict(spec, data, tmp_path / several / "run")


def test_the_order_of_a_set_is_the_same_in_each_process(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", number)
        done = train(odd_spec("named"), data, tmp_path / number)
        assert done.returncode == 0, done.stderr
    assert_same(tmp_path / "1", tmp_path / "2")


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("counts", "does not give the same result twice .* in training"),
        ("own generator", "does not give the same result twice .* in training"),
        ("unregistered", "predicts something else when its saved weights are loaded"),
        ("first images", r"changes its parameter layer\.scale"),
        ("late", "saved weights do not fit a new one"),
        ("unseeded", "other weights each time it is built"),
        ("lazy", "lazy layers"),
        ("synchronised", "layer layer is a SyncBatchNorm"),
    ],
)
def test_what_cannot_have_one_answer_is_refused(layer: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        check_reproducible(lambda: odd(10, 32, "native32", layer), 32)


def test_a_network_that_is_told_to_stop_after_a_bad_step_has_diverged_and_saves_no_such_weights(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_step = Trainer._train_step
    spec = odd_spec("instances", epochs=2)
    saved = []

    def spoiled(self: Trainer, *arguments: Any) -> None:
        train_step(self, *arguments)
        if self.progress.step + 1 == 4:
            # Of the fourth step, which no loss has seen yet.
            self.parameters[0].data[0] = torch.nan
            self.stop.signal = "SIGTERM"

    def save(folder: Path, step: int, state: Any) -> None:
        save_checkpoint(folder, step, state)
        saved.append(step)

    monkeypatch.setattr(Trainer, "_train_step", spoiled)
    monkeypatch.setattr("bakeoff.training.loop.save_checkpoint", save)
    execute(spec, 0, paths(data, tmp_path), gpus=0, checkpoint_minutes=0, code=CODE)
    assert max(saved) == 3
    how = read_json(paths(data, tmp_path).out / "metrics.json")["diverged"]
    assert (how["what"], how["step"]) == ("weights", 4)
    assert not (tmp_path / "checkpoints").exists()
