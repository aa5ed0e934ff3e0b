"""A micro-batch as one CUDA graph computes what its operations compute one by one; what cannot be recorded is not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bakeoff.models import create_model
from bakeoff.support.interrupts import StopRequest
from bakeoff.training.augment import InputPipeline
from bakeoff.training.buffers import Buffers
from bakeoff.training.compute import changes, python_state
from bakeoff.training.devices import make_accelerator, set_up_arithmetic
from bakeoff.training.loop import Task, Trainer
from bakeoff.training.random import seed_everything
from bakeoff.training.recipe import AugmentConfig, LearningRateConfig, OptimizerConfig, Recipe

CLASSES = 10
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Plain(nn.Module):
    """Convolution, BatchNorm, dropout and a linear layer; other networks here add one thing to it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        features = self.drop(self.norm(self.stem(images)).relu()).mean((2, 3))
        return self.head(self.extra(features))

    def extra(self, features: Tensor) -> Tensor:
        return features


class Counts(Plain):
    calls = 0

    def extra(self, features: Tensor) -> Tensor:
        self.calls += self.training
        return features * (1 + self.calls % 2)


class DrawsInPython(Plain):
    def extra(self, features: Tensor) -> Tensor:
        return features * random.random() if self.training else features


class DrawsOnTheCpu(Plain):
    def extra(self, features: Tensor) -> Tensor:
        return features * float(torch.rand(())) if self.training else features


class Replaces(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(8))

    def extra(self, features: Tensor) -> Tensor:
        if self.training:
            self.seen = features.detach().float().mean(0)
        return features


class Waits(Plain):
    def extra(self, features: Tensor) -> Tensor:
        return features * 2 if features.sum().item() > 0 else features


REFUSED: dict[type[Plain], str] = {
    Counts: "Counts.calls",
    DrawsInPython: "Python's random state",
    DrawsOnTheCpu: "the CPU's random state",
    Replaces: "Replaces.seen",
}


@pytest.mark.parametrize("network", REFUSED, ids=lambda each: each.__name__)
def test_what_a_forward_pass_changes_beside_tensors_is_named(network: type[Plain]) -> None:
    model, images = network().train(), torch.randn(4, 3, 8, 8)
    # On a GPU it draws from the GPU's generator.
    model.drop.p = 0.0
    buffers, before = Buffers(model), python_state(model)
    model(images)
    found = changes(before, python_state(model))
    buffers.take_moves()
    assert (buffers.replaced or found) == REFUSED[network]


def test_a_network_of_tensors_alone_changes_nothing_else() -> None:
    model, images = create_model("eca_resnet_20").train(), torch.randn(2, 3, 32, 32)
    buffers, before = Buffers(model), python_state(model)
    model(images)
    buffers.take_moves()
    assert changes(before, python_state(model)) is None
    assert buffers.replaced is None


RECIPES = {
    "sgd": {"optimizer": OptimizerConfig(name="sgd", nesterov=True)},
    "adamw, mixed, averaged, clipped": {
        "optimizer": OptimizerConfig(name="adamw"),
        "augmentation": AugmentConfig(crop_padding=4, flip=True, mixup=0.8, cutmix=1.0),
        "ema_decay": 0.99,
        "gradient_clip": 1.0,
    },
}


@pytest.fixture
def deterministic() -> Iterator[None]:
    set_up_arithmetic(1, True)
    yield
    torch.use_deterministic_algorithms(False)


def trainer(
    make: Callable[[], nn.Module], folder: Path, recipe: str = "sgd", *, graphs: bool
) -> Trainer:
    seed_everything(0)
    network = make()
    values = {"augmentation": AugmentConfig(crop_padding=4, flip=True), **RECIPES[recipe]}
    # 185 images make micro-batches of 30 and 31.
    chosen = Recipe(
        epochs=3,
        global_batch=64,
        micro_batch=32,
        learning_rate=LearningRateConfig(base=0.05, per_images=64),
        precision="fp16",
        **values,
    )
    accelerator = make_accelerator(1, chosen.precision)
    images = torch.randint(256, (205, 3, 32, 32), dtype=torch.uint8)
    task = Task(
        title="test",
        key="test",
        seed=0,
        images=InputPipeline(
            images,
            (0.5, 0.5, 0.5),
            (0.25, 0.25, 0.25),
            chosen.augmentation,
            32,
            device=accelerator.device,
            seed=0,
            memory_format=torch.channels_last,
        ),
        labels=torch.randint(CLASSES, (205,)),
        train=torch.arange(185),
        validation=torch.arange(185, 205),
        classes=CLASSES,
        checkpoints=folder,
        graphs=graphs,
    )
    return Trainer(network, chosen, task, accelerator, StopRequest())


def trained(each: Trainer) -> list[Tensor]:
    each.fit()
    return [value.cpu() for value in (*each.network.state_dict().values(), each.sums)]


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@gpu
@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", ["plain", "resnet_20", "convnext_tiny"])
def test_a_graph_gives_the_same_bits(name: str, recipe: str, tmp_path: Path) -> None:
    def make() -> nn.Module:
        if name == "plain":
            return Plain()
        return create_model(name, num_classes=CLASSES)

    one = trainer(make, tmp_path / "one", recipe, graphs=True)
    other = trainer(make, tmp_path / "other", recipe, graphs=False)
    assert equal(trained(one), trained(other))
    assert sorted(one.compute._recorded) == [30, 31]
    assert not other.compute._recorded


@gpu
@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("network", [*REFUSED, Waits], ids=lambda each: each.__name__)
def test_what_cannot_be_recorded_trains_as_without(
    network: type[Plain], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    one = trainer(network, tmp_path / "one", graphs=True)
    other = trainer(network, tmp_path / "other", graphs=False)
    assert equal(trained(one), trained(other))
    assert not one.compute._recorded
    assert "computed without CUDA graphs" in caplog.text
    # The next run in this process is not disturbed.
    third = trainer(Plain, tmp_path / "third", graphs=True)
    assert trained(third)
    assert third.compute._recorded
