"""The operations of RandAugment and TrivialAugment on batches, each image with its own magnitude.

Every function takes uint8 (B, 3, H, W) and magnitudes (B,), and returns new uint8 images. They
compute what `torchvision.transforms.v2.functional` computes for one image and one magnitude, up to
one grey level where torchvision truncates a float32 that lies on the edge of two levels. Sums are of
whole numbers and exact, and every other step rounds each value by itself: the result for an image
does not depend on the rest of the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import autocontrast_image, equalize_image

Operation = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Warp:
    """For each image, how it is moved, each (B,): at most one of these is not zero."""

    shear_x: Tensor
    """Pixels to the left for each row below the upper edge."""
    shear_y: Tensor
    """Pixels upwards for each column right of the left edge."""
    translate_x: Tensor
    """Pixels to the right, whole."""
    translate_y: Tensor
    """Pixels down, whole."""
    rotate: Tensor
    """Degrees counter-clockwise around the centre."""


def warp(images: Tensor, by: Warp) -> Tensor:
    """Return the moved images, with nearest-neighbour sampling and black where nothing was."""
    height, width = images.shape[-2:]
    y = torch.arange(height, dtype=torch.float32, device=images.device)[:, None]
    x = torch.arange(width, dtype=torch.float32, device=images.device)
    up, across = y - (height - 1) / 2, x - (width - 1) / 2
    # Rounded from float64: the last bit of a float32 sine may depend on the element's neighbours.
    angle = _each(by.rotate.double().deg2rad(), 3)
    cosine, sine = angle.cos().float(), angle.sin().float()
    # Where each pixel comes from. With a zero angle these are exactly the pixel's own place.
    source_x = cosine * across - sine * up + (width - 1) / 2
    source_x = source_x + _each(by.shear_x, 3) * (y + 0.5) - _each(by.translate_x, 3)
    source_y = sine * across + cosine * up + (height - 1) / 2
    source_y = source_y + _each(by.shear_y, 3) * (x + 0.5) - _each(by.translate_y, 3)
    column, row = source_x.round().long(), source_y.round().long()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    place = torch.where(inside, row * width + column, 0).flatten(1)
    moved = images.flatten(2).gather(2, place[:, None].expand(-1, images.shape[1], -1))
    return moved.view_as(images) * inside[:, None]


def brightness(images: Tensor, magnitude: Tensor) -> Tensor:
    """Multiply by 1 + magnitude."""
    return _to_uint8(images.float().mul_(_each(1 + magnitude)))


def color(images: Tensor, magnitude: Tensor) -> Tensor:
    """Move away from the grey image (magnitude > 0) or towards it."""
    return _blend(images, _grey(images), magnitude)


def contrast(images: Tensor, magnitude: Tensor) -> Tensor:
    """Move away from the mean grey of the image (magnitude > 0) or towards it."""
    # The mean is one division of a sum that is exact in any order, as its terms are whole numbers.
    return _blend(images, _grey(images).mean(dim=(1, 2, 3), keepdim=True), magnitude)


def sharpness(images: Tensor, magnitude: Tensor) -> Tensor:
    """Move away from the smoothed image (magnitude > 0) or towards it; border pixels stay."""
    if min(images.shape[-2:]) < 3:
        return images.clone()
    levels = images.float()
    rows = levels[..., :-2, :] + levels[..., 1:-1, :] + levels[..., 2:, :]
    around = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    inner = levels[..., 1:-1, 1:-1]
    # The kernel has 5 in the middle and 1 around it, 13 in all; 6 rounds to the nearest.
    smooth = ((around + 4 * inner + 6) / 13).floor_()
    result = images.clone()
    result[..., 1:-1, 1:-1] = _blend(inner, smooth, magnitude)
    return result


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest `bits` of the 8 bits of each value."""
    return images & _each((256 - 2 ** (8 - bits.int())).to(torch.uint8))


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """Invert the values of at least 255 x threshold."""
    lowest = _each((255 * threshold).ceil().to(torch.uint8))
    # Inverting a value is inverting its bits.
    return images ^ (images >= lowest).to(torch.uint8).mul_(255)


def autocontrast(images: Tensor, magnitude: Tensor) -> Tensor:
    """Stretch each channel to the whole range; the magnitude is ignored."""
    stretched: Tensor = autocontrast_image(images)
    return stretched


def equalize(images: Tensor, magnitude: Tensor) -> Tensor:
    """Flatten the histogram of each channel; the magnitude is ignored."""
    flattened: Tensor = equalize_image(images)
    return flattened


def _each(values: Tensor, dimensions: int = 4) -> Tensor:
    """Return `values` (B,) shaped to be broadcast over images of that many dimensions."""
    return values.view(-1, *[1] * (dimensions - 1))


def _grey(images: Tensor) -> Tensor:
    """Return the luma (ITU-R BT.601, torchvision's weights), rounded down: float32 (B, 1, H, W)."""
    red, green, blue = images.float().split_with_sizes([1, 1, 1], dim=1)
    # Weights of 1e-4 as whole numbers: sums are exact, and no quotient rounds up to a whole number.
    return (2989 * red + 5870 * green + 1140 * blue).div_(10_000).floor_()


def _blend(images: Tensor, other: Tensor, magnitude: Tensor) -> Tensor:
    """Return images + magnitude x (images - other), as uint8; `other` is float32."""
    return _to_uint8((images - other).mul_(_each(magnitude)).add_(images))


def _to_uint8(values: Tensor) -> Tensor:
    """Return `values` limited to 0..255 and rounded down."""
    return values.clamp_(0, 255).to(torch.uint8)
