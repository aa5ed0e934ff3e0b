"""Mixup and CutMix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bakeoff.training.augment.mixing import mix
from bakeoff.training.random import derive_seed
from tests.support.augmentation import noise, normalised, pipeline

# Mixup and CutMix


def batch_to_mix() -> tuple[Tensor, Tensor]:
    images = normalised(noise(10, 16, 12))
    return images, torch.tensor([0, 1, 2, 3, 4, 0, 1, 2, 3, 3])


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.8, 0.0), (0.0, 1.0), (0.2, 1.0)])
def test_mixing_is_timms(monkeypatch, mixup: float, cutmix: float):
    from timm.data.mixup import Mixup  # noqa: PLC0415

    images, labels = batch_to_mix()
    for seed in range(12):
        ours, targets = mix(images, labels, 5, seed, mixup=mixup, cutmix=cutmix)
        generator = np.random.Generator(np.random.Philox(seed))
        # timm asks whether to mix at all, then draws as we do, both from NumPy's global state.
        chances = iter([lambda: 0.0, generator.random])
        monkeypatch.setattr(np.random, "rand", lambda chances=chances: next(chances)())
        monkeypatch.setattr(np.random, "beta", generator.beta)
        monkeypatch.setattr(
            np.random, "randint", lambda low, high, size, g=generator: g.integers(low, high)
        )
        reference = Mixup(mixup, cutmix, label_smoothing=0.0, num_classes=5)
        expected, expected_targets = reference(images.clone(), labels)
        torch.testing.assert_close(ours, expected)
        torch.testing.assert_close(targets, expected_targets)
        assert targets.dtype == torch.float32


def test_mixing_depends_on_its_seed_alone():
    images, labels = batch_to_mix()
    kept = images.clone()
    batches = pipeline(noise(1), {"mixup": 0.8, "cutmix": 1.0})
    first, targets = batches.mix(images, labels, 5, seed=derive_seed(0, 1, 2))
    np.random.seed(1)
    torch.manual_seed(1)
    again, targets_again = batches.mix(images, labels, 5, seed=derive_seed(0, 1, 2))
    assert torch.equal(first, again) and torch.equal(targets, targets_again)
    assert torch.equal(images, kept), "what was given is unchanged"
    assert not torch.equal(first, batches.mix(images, labels, 5, seed=derive_seed(0, 1, 3))[0])


def test_cutmix_targets_follow_pixels():
    images = torch.stack([torch.full((3, 16, 12), float(i)) for i in range(4)])
    labels = torch.arange(4)
    shares = []
    for seed in range(200):
        mixed, targets = mix(images, labels, 4, seed, mixup=0.0, cutmix=1.0)
        for i in range(4):
            own = (mixed[i] == i).float().mean()
            assert targets[i, i] == pytest.approx(float(own), abs=1e-6)
            assert targets[i, 3 - i] == pytest.approx(1 - float(own), abs=1e-6)
        shares.append(float(targets[0, 0]))
    assert 0.4 < np.mean(shares) < 0.75 and np.std(shares) > 0.15


def test_no_mixing_leaves_labels_alone():
    images, labels = batch_to_mix()
    same, same_labels = pipeline(noise(1)).mix(images, labels, 5, seed=0)
    assert same is images and same_labels is labels
