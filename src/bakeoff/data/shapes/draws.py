"""Random numbers that belong to an image, not to the run that draws it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bakeoff.data.dataset import IMAGE_SHAPE
from bakeoff.data.shapes.geometry import Field


class Draws:
    """Random numbers of several images at once, each from a stream of its own.

    The stream of an image is the Philox counter generator (Salmon et al., Parallel Random Numbers:
    As Easy as 1, 2, 3, SC 2011) with seed and split as its key and the index of the image in the
    counter: an image stays the same when more of them are drawn, in any order.
    """

    WIDTH = 168  # uniform numbers at hand for one image

    def __init__(self, seed: int, split: int, indices: npt.NDArray[np.int64]) -> None:
        n = len(indices)
        self._uniform = np.empty((n, self.WIDTH), np.float32)
        self.noise = np.empty((n, *IMAGE_SHAPE), np.float32)  # standard normal, one for each value
        for row, index in enumerate(indices):
            bits = np.random.Philox(key=[seed, split], counter=[0, 0, 0, int(index)])
            rng = np.random.Generator(bits)
            rng.random(out=self._uniform[row], dtype=np.float32)
            rng.standard_normal(out=self.noise[row], dtype=np.float32)
        self._used = 0

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Field:
        """Return the next number of every image, N x 1 x 1, uniform in [low, high)."""
        column = self._uniform[:, self._used, None, None]
        self._used += 1
        return low + column * (high - low)

    def normal(self, sd: float) -> Field:
        """Return the next number of every image, N x 1 x 1: bell-shaped, within +-3.5 `sd`.

        The sum of four uniform numbers: it has no tails, so that no image is beyond recognition.
        """
        total = (
            self.uniform(-1, 1) + self.uniform(-1, 1) + self.uniform(-1, 1) + self.uniform(-1, 1)
        )
        return total * (sd * math.sqrt(3 / 4))
