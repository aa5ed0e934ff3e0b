"""Cutout and erasing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import v2

from bakeoff.training.augment.erasing import (
    DRAWS_FOR_ERASING,
    cutout_rectangles,
    erase,
    erasing_rectangles,
)
from bakeoff.training.random import uniform

# Erasing


def test_cutout():
    images = torch.ones(4_000, 3, 10, 8)
    draws = uniform(0, 0, torch.arange(4_000), "cutout", 2)
    erased = erase(images.clone(), cutout_rectangles(draws, 4, 10, 8))[:, 0] == 0
    rows, columns = erased.any(dim=2), erased.any(dim=1)
    assert torch.equal(erased, rows[:, :, None] & columns[:, None, :]), "a rectangle"
    heights, widths = rows.sum(dim=1), columns.sum(dim=1)
    # Around a pixel at row y, rows y - 2 to y + 1 are erased, as far as there are any.
    assert heights.min() == 2 and heights.max() == 4 and widths.min() == 2 and widths.max() == 4
    expected = torch.zeros(10)
    for y in range(10):
        expected[max(y - 2, 0) : y + 2] += 1 / 10
    torch.testing.assert_close(rows.float().mean(dim=0), expected, atol=0.03, rtol=0)


def test_erasing_is_distributed_like_torchvision():
    count, size = 3_000, 32
    draws = uniform(0, 0, torch.arange(count), "erasing", DRAWS_FOR_ERASING)
    top, bottom, left, right = erasing_rectangles(draws, 1.0, size, size).T
    assert (
        (top >= 0).all() and (left >= 0).all() and (bottom <= size).all() and (right <= size).all()
    )
    reference = v2.RandomErasing(p=1.0, scale=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3))
    image = torch.zeros(3, size, size)
    torch.manual_seed(0)
    expected = np.array(
        [
            [box[key] for key in "ijhw"]
            for box in (reference.make_params([image]) for _ in range(count))
        ],
        dtype=float,
    )
    ours = torch.stack([top, left, bottom - top, right - left], dim=1).numpy()
    for column in range(4):
        assert stats.ks_2samp(ours[:, column], expected[:, column]).pvalue > 1e-3
    areas = ours[:, 2] * ours[:, 3]
    assert stats.ks_2samp(areas, expected[:, 2] * expected[:, 3]).pvalue > 1e-3


def test_erasing_with_probability():
    draws = uniform(0, 0, torch.arange(4_000), "erasing", DRAWS_FOR_ERASING)
    images = torch.ones(4_000, 3, 16, 16)
    erased = erase(images, erasing_rectangles(draws, 0.25, 16, 16)) == 0
    assert torch.equal(erased[:, 0], erased[:, 2])
    assert erased.flatten(1).any(dim=1).float().mean() == pytest.approx(0.25, abs=0.03)
