"""Random numbers that follow from counters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from bakeoff.training.random import derive_seed, permutation, uniform
from tests.support.augmentation import cuda

# Random numbers


def splitmix64(state: int) -> int:
    """SplitMix64's output function on Python integers."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
    return state ^ (state >> 31)


def test_uniform_is_the_hash_that_it_is_said_to_be():
    gamma, key = 0x9E3779B97F4A7C15, derive_seed(11, 5, "crop")
    index = [0, 1, 49_999, 2**40]
    expected = [
        [
            (splitmix64((splitmix64((i * gamma + key) % 2**64) + j * gamma) % 2**64) >> 40) / 2**24
            for j in (1, 2, 3)
        ]
        for i in index
    ]
    drawn = uniform(11, 5, torch.tensor(index), "crop", 3)
    assert drawn.dtype == torch.float32
    assert drawn.tolist() == expected


def test_uniform_is_uniform():
    draws = uniform(0, 0, torch.arange(50_000), "crop", 4)
    assert draws.min() >= 0 and draws.max() < 1
    for column in draws.T:
        assert stats.kstest(column.numpy(), "uniform").pvalue > 1e-3
    # Low bits too: they decide nothing in a crop, but would show a weak mix.
    low = (draws * 2**24).long() % 64
    for column in low.T:
        assert stats.chisquare(column.bincount(minlength=64).numpy()).pvalue > 1e-3


@pytest.mark.parametrize(
    "other",
    [
        lambda: uniform(0, 0, torch.arange(1, 50_001), "crop", 2)[:, 0],
        lambda: uniform(0, 0, torch.arange(50_000) + 2**32, "crop", 2)[:, 0],
        lambda: uniform(0, 1, torch.arange(50_000), "crop", 2)[:, 0],
        lambda: uniform(1, 0, torch.arange(50_000), "crop", 2)[:, 0],
        lambda: uniform(0, 0, torch.arange(50_000), "erasing", 2)[:, 0],
        lambda: uniform(0, 0, torch.arange(50_000), 1, 2)[:, 0],
        lambda: uniform(0, 0, torch.arange(50_000), "crop", 2)[:, 1],
    ],
    ids=["next image", "far image", "epoch", "seed", "stream", "numbered stream", "draw"],
)
def test_draws_are_independent(other: Callable[[], Tensor]):
    one = uniform(0, 0, torch.arange(50_000), "crop", 2)[:, 0]
    cells = (one * 16).long() * 16 + (other() * 16).long()
    assert stats.chisquare(cells.bincount(minlength=256).numpy()).pvalue > 1e-4


def test_a_bit_of_the_index_changes_half_of_the_bits():
    index = torch.arange(2_000)
    for bit in range(0, 63, 7):
        before = (uniform(0, 0, index, "crop", 1) * 2**24).long()
        after = (uniform(0, 0, index ^ (1 << bit), "crop", 1) * 2**24).long()
        changed = [(difference).bit_count() for difference in (before ^ after).flatten().tolist()]
        assert np.mean(changed) == pytest.approx(12, abs=0.3)


def test_a_draw_depends_on_its_own_counter_alone():
    index = torch.tensor([5, 9, 5])
    draws = uniform(0, 0, index, "crop", 6)
    assert torch.equal(draws[0], draws[2])
    assert torch.equal(uniform(0, 0, index[1:2], "crop", 2), draws[1:2, :2])


def test_permutation():
    orders = [permutation(4, epoch, 1_000) for epoch in range(3)] + [permutation(5, 0, 1_000)]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(1_000))
    for number, order in enumerate(orders):
        for other in orders[:number]:
            assert (order == other).sum() < 10
    assert torch.equal(orders[0], permutation(4, 0, 1_000))


def test_permutation_puts_every_image_everywhere():
    places = torch.stack([permutation(0, epoch, 8) for epoch in range(4_000)])
    for image in range(8):
        counts = (places == image).sum(dim=0)
        assert stats.chisquare(counts.numpy()).pvalue > 1e-4


def test_derive_seed_keeps_parts_apart():
    parts = [(), (1,), ("1",), (1, 2), (2, 1), (12,), ("a", "bc"), ("ab", "c"), ("abc",), (-1, 2)]
    seeds = [derive_seed(*part) for part in parts]
    assert len(set(seeds)) == len(parts)
    assert derive_seed(1, 2) == seeds[3]
    for seed in seeds:
        assert 0 <= seed < 2**63
        torch.Generator().manual_seed(seed)


@cuda
def test_a_gpu_draws_the_same():
    index = torch.arange(10_000)
    assert torch.equal(
        uniform(1, 2, index, "crop", 5), uniform(1, 2, index.cuda(), "crop", 5).cpu()
    )
