"""RandAugment and TrivialAugment: random operations of random strength, on whole batches.

The operations and their ranges are those of torchvision's `RandAugment` and `TrivialAugmentWide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from bakeoff.training.augment import operations
from bakeoff.training.augment.operations import Operation, Warp, warp
from bakeoff.training.recipe import MAGNITUDE_BINS

# Draws for one operation: which one, and its magnitude.
DRAWS_PER_LAYER = 2

# Movements, all of which one `warp` does, and the rest.
WARPS = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
COLOURS: dict[str, Operation] = {
    "brightness": operations.brightness,
    "color": operations.color,
    "contrast": operations.contrast,
    "sharpness": operations.sharpness,
    "posterize": operations.posterize,
    "solarize": operations.solarize,
    "autocontrast": operations.autocontrast,
    "equalize": operations.equalize,
}
OPERATIONS = ("identity", *WARPS, *COLOURS)
SIGNED = frozenset({*WARPS, "brightness", "color", "contrast", "sharpness"})


@dataclass(frozen=True)
class Policy:
    """What is drawn for each image: `layers` times one of OPERATIONS, of random magnitude."""

    layers: int
    magnitudes: Tensor
    """float32 (operations, K): the K magnitudes of an operation, which are equally likely."""

    @property
    def draws(self) -> int:
        """Uniform draws for each image."""
        return DRAWS_PER_LAYER * self.layers

    def to(self, device: torch.device) -> Policy:
        """Return the policy with its table on `device`."""
        return Policy(self.layers, self.magnitudes.to(device))

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """Return the augmented images.

        Args:
            images: uint8 (B, 3, H, W); changed in place.
            draws: float32 (B, self.draws), uniform in [0, 1).
        """
        kinds, levels = self.magnitudes.shape
        for layer in range(self.layers):
            operation = (draws[:, DRAWS_PER_LAYER * layer] * kinds).long()
            level = (draws[:, DRAWS_PER_LAYER * layer + 1] * levels).long()
            images = apply_operations(images, operation, self.magnitudes[operation, level])
        return images


def randaugment(layers: int, magnitude: int, height: int, width: int) -> Policy:
    """Return RandAugment (Cubuk et al., 2020): `layers` operations, all of one strength.

    Args:
        layers: operations for each image.
        magnitude: bin of the strength, from 0 (none) to 30.
        height, width: of the images; translations are a share of them.
    """
    table = _magnitudes(
        shear=0.3,
        shift=(150 / 331 * width, 150 / 331 * height),
        rotate=30.0,
        colour=0.9,
        lost_bits=4,
    )
    return Policy(layers, table[:, :, magnitude])


def trivialaugment() -> Policy:
    """Return TrivialAugment (Müller and Hutter, 2021), wide: one operation of any strength."""
    table = _magnitudes(shear=0.99, shift=(32.0, 32.0), rotate=135.0, colour=0.99, lost_bits=6)
    return Policy(1, table.flatten(1))


def apply_operations(images: Tensor, operation: Tensor, magnitude: Tensor) -> Tensor:
    """Apply to each image its operation, in place, and return the images.

    Args:
        images: uint8 (B, 3, H, W).
        operation: int64 (B,): position in OPERATIONS.
        magnitude: float32 (B,), with its sign; see `operations` for units.
    """
    order = operation.argsort(stable=True)
    counts = operation.bincount(minlength=len(OPERATIONS))
    # The one time that the host waits for the device: sizes decide which kernels run.
    groups = dict(zip(OPERATIONS, order.split_with_sizes(counts.tolist()), strict=True))
    moved = torch.cat([groups[name] for name in WARPS])
    if len(moved):
        amounts = {
            name: torch.where(operation[moved] == OPERATIONS.index(name), magnitude[moved], 0.0)
            for name in WARPS
        }
        images[moved] = warp(images[moved], Warp(**amounts))
    for name, function in COLOURS.items():
        chosen = groups[name]
        if len(chosen):
            images[chosen] = function(images[chosen], magnitude[chosen])
    return images


def _magnitudes(
    shear: float, shift: tuple[float, float], rotate: float, colour: float, lost_bits: int
) -> Tensor:
    """Return float32 (operations, 2, bins), from no change to the strongest, which is given here.

    The middle dimension is the sign of those that have one.

    Args:
        shear: pixels for each pixel.
        shift: whole pixels along x and y.
        rotate: degrees.
        colour: what is added to or taken from a factor of 1.
        lost_bits: of 8.
    """
    # float32 throughout: its last bit decides which whole pixel some translations are cut to.
    up_to = partial(torch.linspace, 0.0, steps=MAGNITUDE_BINS)
    colours = dict.fromkeys(("brightness", "color", "contrast", "sharpness"), up_to(colour))
    rows = {
        "shear_x": up_to(shear),
        "shear_y": up_to(shear),
        "translate_x": up_to(shift[0]).trunc(),
        "translate_y": up_to(shift[1]).trunc(),
        "rotate": up_to(rotate),
        "posterize": (8 - up_to(lost_bits)).round(),
        "solarize": torch.linspace(1.0, 0.0, MAGNITUDE_BINS),
        **colours,
    }
    nothing = torch.zeros(MAGNITUDE_BINS)
    table = torch.stack([rows.get(name, nothing) for name in OPERATIONS])
    signs = torch.tensor([-1.0 if name in SIGNED else 1.0 for name in OPERATIONS])
    return torch.stack([table, table * signs[:, None]], dim=1)
