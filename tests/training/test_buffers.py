"""Buffers: a step moves them once, to one answer, and what is judged is what is saved."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from bakeoff.training.buffers import Buffers
from bakeoff.training.gradients import neutral_gradients, summed


def step(model: nn.Module, parts: list[Tensor], processes: int = 1) -> None:
    """Do with `model` what a step on `processes` processes does with its buffers."""
    buffers = Buffers(model)

    def moves(number: int) -> list[Tensor]:
        model(parts[number])
        # Beside a gradient, as there always is one.
        moved, others = buffers.take_moves()
        buffers.keep(number, others)
        return [torch.zeros(1), *moved]

    numbers = range(len(parts))
    shares = [numbers[rank::processes] for rank in range(processes)]
    idle = neutral_gradients([torch.zeros(1), *buffers.statistics])
    sums = [summed(mine, moves) if mine else idle for mine in shares]
    together = summed(range(processes), lambda rank: sums[rank])
    buffers.after_step(together[1:], len(parts), 1)


def test_running_statistics_move_once_a_step_towards_the_mean_of_micro_batches() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm2d(3, momentum=0.2), nn.BatchNorm2d(3, momentum=0.5))
    parts = [torch.randn(5, 3, 4, 4) + number for number in range(3)]
    expected = 0.8 * torch.zeros(3) + 0.2 * torch.stack([p.mean((0, 2, 3)) for p in parts]).mean(0)
    step(model, parts)
    torch.testing.assert_close(model[0].running_mean, expected)
    assert model[0].num_batches_tracked == 1


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_processes_agree_on_statistics(processes: int) -> None:
    torch.manual_seed(0)
    parts = [torch.randn(5, 3) for _ in range(12)]
    one, other = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    for number in range(4):
        mine = parts[3 * number : 3 * number + 3]
        step(one, mine)
        step(other, mine, processes)
    assert torch.equal(one.running_mean, other.running_mean)  # type: ignore[arg-type]
    assert torch.equal(one.running_var, other.running_var)  # type: ignore[arg-type]


def once(norm: nn.Module, images: Tensor) -> Tensor:
    return norm(images)  # type: ignore[no-any-return]


def twice(norm: nn.Module, images: Tensor) -> Tensor:
    return norm(5 + 10 * norm(images))  # type: ignore[no-any-return]


def frozen(norm: nn.Module, images: Tensor) -> Tensor:
    return norm.eval()(images)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("momentum", "use"),
    list(product([0.1, 0.5, None], [once, twice, frozen])),
)
def test_micro_batches_that_are_the_whole_step_move_statistics_as_pytorch_does(
    momentum: float | None, use: Callable[[nn.Module, Tensor], Tensor]
) -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(3, momentum=momentum)

        def forward(self, images: Tensor) -> Tensor:
            return use(self.norm, images)

    torch.manual_seed(0)
    ours, theirs = Network(), Network()
    for images in torch.randn(30, 50, 3):
        step(ours, [images])
        theirs(images)
    for mine, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(mine, other)
    if use is twice and momentum == 0.1:
        # Half way between the statistics of both uses, nearer to the second; 5 and 100 if that alone counted.
        torch.testing.assert_close(ours.norm.running_mean, torch.full((3,), 2.6), atol=0.2, rtol=0)
        torch.testing.assert_close(ours.norm.running_var, torch.full((3,), 53.0), atol=4, rtol=0)


class Skips(nn.Module):
    """Uses its layer for images that are positive."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(images) if images.mean() > 0 else images


def test_a_micro_batch_that_skips_a_layer_leaves_its_statistics() -> None:
    model = Skips()
    images = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    step(model, [images, -images])
    # Of two micro-batches one moved the mean by a tenth of the way to 2 and 4, and one by nothing.
    torch.testing.assert_close(model.norm.running_mean, torch.tensor([0.1, 0.2]))
    before = model.norm.running_var.clone()  # type: ignore[union-attr]
    for _ in range(3):
        step(model, [-images] * 3)
    assert torch.equal(model.norm.running_var, before)  # type: ignore[arg-type]


class Keeps(nn.Module):
    """Changes buffers in all ways there are: in place, by another tensor, through `.data`; of several types."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.tensor(0))
        self.register_buffer("seen", torch.tensor(False))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("last", torch.zeros(2, dtype=torch.float64), persistent=False)
        self.register_buffer("cache", torch.zeros(0), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        self.seen.fill_(True)
        self.mean = 0.5 * self.mean + 0.5 * images.mean(dim=0)
        self.last.data.copy_(images[0])
        self.cache = torch.ones(len(images))
        return images + self.calls


def test_other_buffers_become_what_the_first_micro_batch_made_of_them() -> None:
    model = Keeps()
    parts = [torch.full((2 + number, 2), 1.0 + number) for number in range(3)]
    step(model, parts)
    step(model, parts[1:])
    assert model.calls == 2
    assert model.seen
    assert model.mean.tolist() == [1.25, 1.25]
    assert model.last.tolist() == [2.0, 2.0]
