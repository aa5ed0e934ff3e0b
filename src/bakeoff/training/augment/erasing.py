"""Rectangles set to the mean colour: cutout and random erasing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Rectangles that are tried for one image until one fits, as in torchvision and timm.
ATTEMPTS = 10
DRAWS_FOR_ERASING = 3 + 2 * ATTEMPTS
DRAWS_FOR_CUTOUT = 2
AREA = (0.02, 1 / 3)
ASPECT = (0.3, 1 / 0.3)


def cutout_rectangles(draws: Tensor, side: int, height: int, width: int) -> Tensor:
    """Return squares around uniformly drawn pixels; what is outside the image is cut off.

    DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout"
    (2017), section 3.2: the square may leave the image.

    Args:
        draws: (B, 2), uniform in [0, 1).
        side: of the square, in pixels.
        height, width: of the images.

    Returns:
        int64 (B, 4): top, bottom, left, right; bottom and right are exclusive. They may lie outside
        the image.
    """
    top = (draws[:, 0] * height).long() - side // 2
    left = (draws[:, 1] * width).long() - side // 2
    return torch.stack([top, top + side, left, left + side], dim=1)


def erasing_rectangles(draws: Tensor, probability: float, height: int, width: int) -> Tensor:
    """Return rectangles of random area and aspect, each with `probability`; the others are empty.

    Zhong et al., "Random erasing data augmentation" (AAAI 2020), algorithm 1: the area is 2 % to a
    third of the image, the ratio of height to width 0.3 to 3.33, the place uniform. The ratio is
    uniform on a logarithmic scale, as in torchvision and timm. An image for which none of ten
    rectangles is smaller than the image stays whole.

    Args:
        draws: (B, DRAWS_FOR_ERASING), uniform in [0, 1).
        probability: of a rectangle.
        height, width: of the images.

    Returns:
        int64 (B, 4): top, bottom, left, right; bottom and right are exclusive.
    """
    # float64: the last bit of a float32 exp may depend on an element's place in the batch, and
    # rounding would now and then make a pixel of it.
    chance, down, across, areas, aspects = draws.double().split_with_sizes(
        [1, 1, 1, ATTEMPTS, ATTEMPTS], dim=1
    )
    area = height * width * _between(areas, *AREA)
    aspect = _between(aspects, math.log(ASPECT[0]), math.log(ASPECT[1])).exp()
    heights = (area * aspect).sqrt().round().long()
    widths = (area / aspect).sqrt().round().long()
    fits = (heights < height) & (widths < width)
    first = fits.int().argmax(dim=1, keepdim=True)
    wanted = fits.gather(1, first) & (chance < probability)
    tall, wide = (sizes.gather(1, first) * wanted for sizes in (heights, widths))
    top = (down * (height + 1 - tall)).long()
    left = (across * (width + 1 - wide)).long()
    return torch.cat([top, top + tall, left, left + wide], dim=1)


def erase(images: Tensor, rectangles: Tensor) -> Tensor:
    """Set `rectangles` (int64 (B, 4)) of `images` (float (B, C, H, W)) to zero, in place.

    Returns `images`. Zero is the mean colour of normalised images.
    """
    top, bottom, left, right = rectangles[:, :, None].unbind(dim=1)
    rows = torch.arange(images.shape[2], device=images.device)
    columns = torch.arange(images.shape[3], device=images.device)
    inside_rows = (rows >= top) & (rows < bottom)
    inside_columns = (columns >= left) & (columns < right)
    outside = ~(inside_rows[:, :, None] & inside_columns[:, None, :])
    # A product with 0 and 1 is many times faster on a CPU than filling by a mask.
    return images.mul_(outside[:, None].to(images.dtype))


def _between(draws: Tensor, low: float, high: float) -> Tensor:
    return low + draws * (high - low)
