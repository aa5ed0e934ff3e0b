"""A data set in memory, as the readers and the generator hand it to the preparation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DataSource:
    """Where the data came from: file name and md5 of the archive; None where there was none."""

    file: str | None
    md5: str | None


@dataclass(frozen=True)
class Split:
    """`images` uint8 N x 3 x H x H (planes R, G, B), `fine` int64 N: the class."""

    images: Images
    fine: Labels

    def take(self, indices: Labels) -> Split:
        """Return the split that holds the images at `indices`, in that order."""
        return Split(self.images[indices], self.fine[indices])


@dataclass(frozen=True)
class Dataset:
    """Both splits and the names of their labels; superclasses are None where classes are not grouped."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    superclasses: tuple[str, ...] | None
    class_to_superclass: tuple[int, ...] | None
    source: DataSource
    held_out: Labels | None = None
    """Images of train that come from a validation split of their own; None where some have to be chosen."""
