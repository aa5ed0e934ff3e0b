"""A data set in memory, as the readers and the generator hand it to the preparation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

IMAGE_SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class Source:
    """Where the data came from: file name and md5 of the archive; None where there was none."""

    file: str | None
    md5: str | None


@dataclass(frozen=True)
class Split:
    """`images` uint8 N x 3 x 32 x 32 (planes R, G, B), `fine` and `coarse` int64 N."""

    images: Images
    fine: Labels
    coarse: Labels

    def take(self, indices: Labels) -> Split:
        """Return the split that holds the images at `indices`, in that order."""
        return Split(self.images[indices], self.fine[indices], self.coarse[indices])


@dataclass(frozen=True)
class Dataset:
    """Both splits and the names of their labels; `class_to_superclass[fine]` is the coarse one."""

    name: str
    kind: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    superclasses: tuple[str, ...]
    class_to_superclass: tuple[int, ...]
    source: Source
