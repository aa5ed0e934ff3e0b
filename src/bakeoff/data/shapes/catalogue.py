"""Which classes there are, and what each of them looks like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bakeoff.data.shapes.colour import HUES
from bakeoff.data.shapes.geometry import OUTLINES
from bakeoff.data.shapes.textures import TEXTURES

LAYOUTS = ("single", "trio")

# Texture and colour of the five classes of a superclass, relative to those of its first class. Two
# textures meet two colours in all four ways, so that neither texture nor colour tells the class.
# Stepped through as in `catalogue`, each of the 25 pairs falls to four superclasses.
PATTERNS = ((0, 0), (0, 1), (1, 0), (1, 1), (3, 3))


Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Looks:
    """What images of a class have in common, as indices into the tables of this package.

    Four arrays of equal length: one entry for each class, or for each of some images.
    """

    outline: Indices
    layout: Indices
    texture: Indices
    hue: Indices

    def __len__(self) -> int:
        return len(self.outline)

    @property
    def superclass(self) -> Indices:
        """Index of the superclass: first all single shapes, then all trios."""
        return self.layout * len(OUTLINES) + self.outline

    def take(self, classes: Indices) -> Looks:
        """Return the looks of images of the given classes."""
        return Looks(
            self.outline[classes], self.layout[classes], self.texture[classes], self.hue[classes]
        )


def catalogue() -> Looks:
    """Return the looks of the 100 classes; class c belongs to the superclass c // 5."""
    superclass = np.repeat(np.arange(len(LAYOUTS) * len(OUTLINES)), len(PATTERNS))
    layout, outline = np.divmod(superclass, len(OUTLINES))
    block, step = np.divmod(superclass, len(TEXTURES))
    texture, hue = np.tile(np.array(PATTERNS), (len(LAYOUTS) * len(OUTLINES), 1)).T
    return Looks(
        outline=outline,
        layout=layout,
        texture=(texture + step) % len(TEXTURES),
        hue=(hue + 2 * step + block) % len(HUES),
    )


def superclass_names() -> tuple[str, ...]:
    """Return the names of the 20 superclasses, such as "disk" and "disk trio"."""
    return tuple(outline + suffix for suffix in ("", " trio") for outline in OUTLINES)


def class_names() -> tuple[str, ...]:
    """Return the names of the 100 classes, such as "striped red disk"."""
    textures, hues, superclasses = tuple(TEXTURES), tuple(HUES), superclass_names()
    looks = catalogue()
    return tuple(
        f"{textures[texture]} {hues[hue]} {superclasses[superclass]}"
        for texture, hue, superclass in zip(looks.texture, looks.hue, looks.superclass, strict=True)
    )
