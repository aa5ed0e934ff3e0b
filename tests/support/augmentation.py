"""Images and pipelines for tests of augmentation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bakeoff.training.augment import AugmentConfig, InputPipeline

MEAN, STD = (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)
EVERYTHING = {
    "crop_padding": 4,
    "flip": True,
    "policy": "randaugment",
    "cutout": 8,
    "erasing": 0.5,
}


cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def noise(count: int, height: int = 32, width: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    shape = (count, 3, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def pictures(count: int, size: int = 32) -> Tensor:
    """Smooth images, of low and of high contrast, whose histograms are neither full nor flat."""
    coarse = noise(count, 5, 5).float()
    smooth = F.interpolate(coarse, (size, size), mode="bilinear", align_corners=True)
    span = torch.linspace(0.2, 1, count).view(-1, 1, 1, 1)
    return (smooth * span + 30 * (1 - span)).to(torch.uint8)


def pipeline(
    images: Tensor, config: dict[str, object] | None = None, size: int = 32, seed: int = 3
) -> InputPipeline:
    augment = AugmentConfig.model_validate(config or {})
    return InputPipeline(images, MEAN, STD, augment, size, device="cpu", seed=seed)


def normalised(images: Tensor) -> Tensor:
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (images.float() / 255 - mean) / std
