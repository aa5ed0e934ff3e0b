"""RandAugment and TrivialAugment."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms import v2

from bakeoff.training.augment.policy import (
    OPERATIONS,
    apply_operations,
    randaugment,
    trivialaugment,
)
from bakeoff.training.random import uniform
from tests.support.augmentation import noise, pictures

# Our names of operations and torchvision's.
TORCHVISION = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
}


# RandAugment and TrivialAugment


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_is_torchvisions(name: str):
    images = torch.cat([pictures(6), noise(2)])
    table = trivialaugment().magnitudes[OPERATIONS.index(name)].unique()
    reference = v2.TrivialAugmentWide()
    for magnitude in table.tolist():
        expected = torch.stack(
            [
                reference._apply_image_or_video_transform(
                    image,
                    TORCHVISION[name],
                    magnitude,
                    v2.InterpolationMode.NEAREST,
                    {type(image): None},
                )
                for image in images
            ]
        )
        kinds = torch.full((len(images),), OPERATIONS.index(name))
        ours = apply_operations(images.clone(), kinds, torch.full((len(images),), magnitude))
        difference = (ours.int() - expected.int()).abs()
        if name in ("shear_x", "shear_y", "rotate"):
            # Where a pixel comes from exactly between two, rounding decides which of them it is.
            assert (difference > 0).float().mean() < 0.02
        elif name in ("brightness", "color", "contrast", "sharpness"):
            assert difference.max() <= 1
            assert (difference > 0).float().mean() < 0.03, magnitude
        else:
            assert difference.max() == 0


@pytest.mark.parametrize("policy", ["randaugment", "trivialaugment"])
def test_magnitudes_are_torchvisions(policy: str):
    reference = {"randaugment": v2.RandAugment, "trivialaugment": v2.TrivialAugmentWide}[policy]
    assert set(TORCHVISION.values()) == set(reference._AUGMENTATION_SPACE)
    for bin_number in range(0, 31, 3):
        if policy == "randaugment":
            table = randaugment(2, bin_number, 24, 40).magnitudes
        else:
            table = trivialaugment().magnitudes[:, [bin_number, 31 + bin_number]]
        for name, magnitudes in zip(OPERATIONS, table, strict=True):
            values, signed = reference._AUGMENTATION_SPACE[TORCHVISION[name]]
            expected = values(31, 24, 40)
            value = 0.0 if expected is None else float(expected[bin_number])
            if name.startswith("translate"):
                value = int(value)
            both = [value, -value if signed else value]
            assert magnitudes.tolist() == pytest.approx(both, abs=1e-5), name


def test_a_mixed_batch_is_what_each_image_would_be_alone():
    images = pictures(56)
    kinds = torch.arange(56) % len(OPERATIONS)
    table = trivialaugment().magnitudes
    magnitudes = table[kinds, torch.arange(56) % table.shape[1]]
    together = apply_operations(images.clone(), kinds, magnitudes)
    for i in range(56):
        alone = apply_operations(images[i : i + 1].clone(), kinds[i : i + 1], magnitudes[i : i + 1])
        assert torch.equal(together[i], alone[0])


def test_policies_draw_every_operation_and_magnitude_equally(monkeypatch):
    seen: list[tuple[Tensor, Tensor]] = []

    def note(images: Tensor, operation: Tensor, magnitude: Tensor) -> Tensor:
        seen.append((operation, magnitude))
        return images

    monkeypatch.setattr("bakeoff.training.augment.policy.apply_operations", note)
    count = 20_000
    for policy in (randaugment(3, 9, 32, 32), trivialaugment()):
        seen.clear()
        draws = uniform(0, 0, torch.arange(count), "policy", policy.draws)
        policy.apply(torch.zeros(count, 3, 1, 1, dtype=torch.uint8), draws)
        assert len(seen) == policy.layers
        for operation, magnitude in seen:
            counts = operation.bincount(minlength=len(OPERATIONS))
            assert stats.chisquare(counts.numpy()).pvalue > 1e-3
            rotated = magnitude[operation == OPERATIONS.index("rotate")]
            values, times = rotated.unique(return_counts=True)
            assert len(values) == policy.magnitudes[OPERATIONS.index("rotate")].unique().numel()
            # No rotation is there twice, with either sign.
            weights = np.where(values == 0, 2, 1)
            expected = weights / weights.sum() * len(rotated)
            assert stats.chisquare(times.numpy(), expected).pvalue > 1e-3
