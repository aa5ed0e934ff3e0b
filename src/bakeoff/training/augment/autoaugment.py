"""AutoAugment: one of 25 learned pairs of operations for each image, on whole batches.

Cubuk et al., "AutoAugment: learning augmentation strategies from data" (CVPR 2019), section 3 and table 7: the policy
that was found on CIFAR-10, which the paper also uses on CIFAR-100. Pairs and strengths are torchvision's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms import v2

from bakeoff.training.augment.policy import OPERATIONS, apply_operations

STRENGTHS = 10
# Our names of torchvision's operations. Inverting is solarizing from the threshold 0 on.
NAMES = {
    "ShearX": "shear_x",
    "ShearY": "shear_y",
    "TranslateX": "translate_x",
    "TranslateY": "translate_y",
    "Rotate": "rotate",
    "Brightness": "brightness",
    "Color": "color",
    "Contrast": "contrast",
    "Sharpness": "sharpness",
    "Posterize": "posterize",
    "Solarize": "solarize",
    "AutoContrast": "autocontrast",
    "Equalize": "equalize",
    "Invert": "solarize",
}
IDENTITY = OPERATIONS.index("identity")


@dataclass(frozen=True)
class Pairs:
    """What is drawn for each image: one of P pairs of operations, each with a probability."""

    operations: Tensor
    """int64 (P, 2): position in OPERATIONS."""
    probabilities: Tensor
    """float32 (P, 2)."""
    magnitudes: Tensor
    """float32 (P, 2, 2): both signs, which are equally likely, and equal where an operation has none."""

    @property
    def draws(self) -> int:
        """Uniform draws for each image: which pair, and for each operation whether and with which sign."""
        return 1 + 2 * self.operations.shape[1]

    def to(self, device: torch.device) -> Pairs:
        """Return the pairs with their tables on `device`."""
        tables = (self.operations, self.probabilities, self.magnitudes)
        return Pairs(*(table.to(device) for table in tables))

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """Return the augmented images.

        Args:
            images: uint8 (B, 3, H, W); changed in place.
            draws: float32 (B, self.draws), uniform in [0, 1).
        """
        pair = (draws[:, 0] * len(self.operations)).long()
        for step in range(self.operations.shape[1]):
            happens = draws[:, 1 + 2 * step] < self.probabilities[pair, step]
            sign = (draws[:, 2 + 2 * step] * 2).long()
            operation = torch.where(happens, self.operations[pair, step], IDENTITY)
            images = apply_operations(images, operation, self.magnitudes[pair, step, sign])
        return images


def autoaugment(height: int, width: int) -> Pairs:
    """Return the policy for images of `height` x `width`; translations are a share of them."""
    source = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)
    pairs = source._policies
    magnitudes = torch.zeros(len(pairs), 2, 2)
    for number, pair in enumerate(pairs):
        for step, (name, _, strength) in enumerate(pair):
            values, signed = source._AUGMENTATION_SPACE[name]
            found = values(STRENGTHS, height, width)
            value = torch.tensor(0.0) if found is None else found[strength].float()
            if name.startswith("Translate"):
                value = value.trunc()  # to whole pixels, as torchvision does
            magnitudes[number, step] = torch.stack([value, -value if signed else value])
    return Pairs(
        torch.tensor([[OPERATIONS.index(NAMES[name]) for name, _, _ in pair] for pair in pairs]),
        torch.tensor([[probability for _, probability, _ in pair] for pair in pairs]),
        magnitudes,
    )
