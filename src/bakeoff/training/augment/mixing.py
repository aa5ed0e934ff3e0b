"""Mixup and CutMix, with the semantics of timm's `Mixup` in its mode `batch`."""

from __future__ import annotations

import numpy as np
from torch import Tensor


def mix(
    images: Tensor, labels: Tensor, classes: int, seed: int, *, mixup: float, cutmix: float
) -> tuple[Tensor, Tensor]:
    """Return the images mixed with those of the reversed batch, and the targets that go with them.

    One weight lambda ~ Beta(alpha, alpha) for the whole batch (Zhang et al., "mixup", ICLR 2018,
    section 2; Yun et al., "CutMix", ICCV 2019, section 3.1). If both are on, each batch draws one
    of them with equal chance. timm draws from NumPy's global state; here all draws come from
    `seed`.

    Args:
        images: float (B, C, H, W); unchanged.
        labels: int64 (B,).
        classes: number of classes.
        seed: of this micro-batch.
        mixup, cutmix: alpha of each; 0 is off. At least one is positive.

    Returns:
        float (B, C, H, W) and float32 (B, classes), whose rows sum to 1.
    """
    # timm takes seconds to import, and most recipes do not mix.
    from timm.data.mixup import mixup_target  # noqa: PLC0415

    generator = np.random.Generator(np.random.Philox(seed))
    cuts = generator.random() < 0.5 if mixup > 0 and cutmix > 0 else cutmix > 0
    alpha = cutmix if cuts else mixup
    share = float(generator.beta(alpha, alpha))
    other = images.flip(0)
    if cuts:
        top, bottom, left, right = cutmix_box(generator, share, images.shape[-2], images.shape[-1])
        mixed = images.clone()
        mixed[:, :, top:bottom, left:right] = other[:, :, top:bottom, left:right]
        # The box may have been cut off at the border: targets follow the pixels.
        share = 1 - (bottom - top) * (right - left) / (images.shape[-2] * images.shape[-1])
    else:
        mixed = other.mul_(1 - share).add_(images, alpha=share)
    return mixed, mixup_target(labels, classes, lam=share)


def cutmix_box(
    generator: np.random.Generator, share: float, height: int, width: int
) -> tuple[int, int, int, int]:
    """Return top, bottom, left, right (exclusive) of a box around a uniformly drawn pixel.

    Its sides are sqrt(1 - share) of the image's (Yun et al., 2019, equation 2), cut off at the
    border.
    """
    ratio = (1 - share) ** 0.5
    edges: list[int] = []
    for size in (height, width):
        side = int(size * ratio)
        first = int(generator.integers(size)) - side // 2
        edges += [max(first, 0), min(first + side, size)]
    top, bottom, left, right = edges
    return top, bottom, left, right
