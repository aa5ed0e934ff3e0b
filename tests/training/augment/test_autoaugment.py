"""AutoAugment."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2

from bakeoff.training.augment import InputPipeline
from bakeoff.training.augment.autoaugment import autoaugment
from bakeoff.training.augment.policy import OPERATIONS
from bakeoff.training.random import uniform
from bakeoff.training.recipe import AugmentConfig
from tests.support.augmentation import MEAN, STD, noise, pictures

SIDE = 32
NEVER, ALWAYS = 1 - 2**-24, 0.0


def draws(pair: int, chances: tuple[float, float], sign: float) -> Tensor:
    """Return what one image draws."""
    return torch.tensor([(pair + 0.5) / 25, chances[0], sign, chances[1], sign])


def test_the_policy_is_the_papers() -> None:
    # Table 7 of the paper, the first two and the last of the pairs found on CIFAR-10.
    policy = autoaugment(SIDE, SIDE)
    rows = {
        0: (("solarize", 0.1, 0.0), ("contrast", 0.2, 0.6)),
        1: (("rotate", 0.7, 20 / 3), ("translate_x", 0.3, 14.0)),
        24: (("translate_y", 0.7, 14.0), ("autocontrast", 0.9, 0.0)),
    }
    assert policy.operations.shape == (25, 2)
    for pair, steps in rows.items():
        for step, (name, probability, magnitude) in enumerate(steps):
            assert OPERATIONS[policy.operations[pair, step]] == name
            assert policy.probabilities[pair, step].item() == pytest.approx(probability)
            assert policy.magnitudes[pair, step, 0].item() == pytest.approx(magnitude)


@pytest.mark.parametrize("sign", [0.0, 0.9])
def test_each_pair_does_what_torchvision_does(sign: float) -> None:
    images = torch.cat([pictures(6), noise(2)])
    policy = autoaugment(SIDE, SIDE)
    reference = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)
    for number, pair in enumerate(reference._policies):
        for step, (name, probability, strength) in enumerate(pair):
            chances = (ALWAYS, NEVER) if step == 0 else (NEVER, ALWAYS)
            chosen = draws(number, chances, sign).expand(len(images), -1)
            ours = policy.apply(images.clone(), chosen)
            if probability == 0:
                assert torch.equal(ours, images)
                continue
            values, signed = reference._AUGMENTATION_SPACE[name]
            found = values(10, SIDE, SIDE)
            magnitude = 0.0 if found is None else float(found[strength])
            magnitude *= -1 if signed and sign >= 0.5 else 1
            expected = torch.stack(
                [
                    reference._apply_image_or_video_transform(
                        image, name, magnitude, v2.InterpolationMode.NEAREST, {type(image): None}
                    )
                    for image in images
                ]
            )
            difference = (ours.int() - expected.int()).abs()
            if name in ("ShearX", "ShearY", "Rotate"):
                # Where a pixel comes from exactly between two, rounding decides which of them it is.
                assert (difference > 0).float().mean() < 0.02, name
            else:
                assert difference.max() <= 1, name
                assert (difference > 0).float().mean() < 0.05, name


def test_operations_happen_as_often_as_the_policy_says(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def note(images: Tensor, operation: Tensor, magnitude: Tensor) -> Tensor:
        seen.append((operation, magnitude))
        return images

    monkeypatch.setattr("bakeoff.training.augment.autoaugment.apply_operations", note)
    policy, count = autoaugment(SIDE, SIDE), 50_000
    drawn = uniform(0, 0, torch.arange(count), "policy", policy.draws)
    policy.apply(torch.zeros(count, 3, 1, 1, dtype=torch.uint8), drawn)
    pair = (drawn[:, 0] * 25).long()
    assert (pair.bincount(minlength=25) - count / 25).abs().max() < 200
    for step, (operation, magnitude) in enumerate(seen):
        for number in range(25):
            mine = operation[pair == number]
            wanted = policy.operations[number, step]
            share = (mine == wanted).float().mean().item()
            assert share == pytest.approx(policy.probabilities[number, step].item(), abs=0.05)
            assert ((mine == wanted) | (mine == OPERATIONS.index("identity"))).all()
        # Both directions of a rotation, and of every shift.
        signed = magnitude[operation == OPERATIONS.index("translate_y")]
        if len(signed):
            assert (signed > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_an_image_is_augmented_as_if_it_were_alone() -> None:
    images = noise(50)
    config = AugmentConfig(policy="autoaugment", crop_padding=4, flip=True)
    pipeline = InputPipeline(images, MEAN, STD, config, SIDE, device="cpu", seed=3)
    together = pipeline.train_batch(torch.arange(50), epoch=1)
    plain = pipeline.eval_batch(torch.arange(50))
    assert (together != plain).flatten(1).any(dim=1).sum() > 40
    for index in (0, 7, 49):
        alone = pipeline.train_batch(torch.tensor([index]), epoch=1)
        assert torch.equal(alone[0], together[index])
