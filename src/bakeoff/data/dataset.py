"""A data set in memory, as the readers and the generator hand it to the preparation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
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
class Origin:
    """What a split was read from: how many pictures of each width and height, and the names of those left out."""

    sizes: Mapping[tuple[int, int], int]
    left_out: tuple[str, ...] = ()

    def __add__(self, other: Origin) -> Origin:
        sizes = Counter(self.sizes) + Counter(other.sizes)
        return Origin(dict(sizes), (*self.left_out, *other.left_out))


@dataclass(frozen=True)
class Split:
    """`images` uint8 N x 3 x H x H (planes R, G, B), `fine` int64 N: the class; `origin` of a user's pictures."""

    images: Images
    fine: Labels
    origin: Origin | None = None

    def take(self, indices: Labels) -> Split:
        """Return the split that holds the images at `indices`, in that order."""
        return Split(self.images[indices], self.fine[indices], self.origin)

    def followed_by(self, other: Split) -> Split:
        """Return the images of both."""
        origin = self.origin + other.origin if self.origin and other.origin else None
        return Split(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.fine, other.fine]),
            origin,
        )


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

    @property
    def origin(self) -> Origin:
        """What both splits were read from."""
        origins = [split.origin for split in (self.train, self.test) if split.origin is not None]
        if not origins:
            size = self.train.images.shape[-1]
            return Origin({(size, size): len(self.train.fine) + len(self.test.fine)})
        # One folder that was cut is the origin of both.
        return origins[0] if origins[0] is origins[-1] else origins[0] + origins[-1]
