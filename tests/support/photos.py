"""A folder of photographs, as people have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_photos(root: Path) -> None:
    """Write photographs of two classes, of which one has twice as many."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 6)):
        for name, times in (("cat", 1), ("dog", 2)):
            place = root / split / name
            place.mkdir(parents=True)
            for number in range(count * times):
                pixels = rng.integers(0, 256, (30, 40, 3), np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.jpg")
