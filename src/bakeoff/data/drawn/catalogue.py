"""Which classes there are, and what each of them looks like."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bakeoff.data.drawn.forms import HUES, OUTLINES, TEXTURES

Indices = npt.NDArray[np.int64]

COPIES = {"": 1, " trio": 3, " pair": 2, " quartet": 4}
"""Layouts: how many copies of a shape stand together."""
# Texture and colour of the classes of one shape, relative to those of its first class. Of the first four, two textures
# meet two colours in all ways, so that neither texture nor colour tells the class.
FIRST = ((0, 0), (0, 1), (1, 0), (1, 1), (3, 3))
PATTERNS = np.array(sorted(np.ndindex(len(TEXTURES), len(HUES)), key=lambda p: (p not in FIRST, p)))


class Looks(NamedTuple):
    """What images have in common, as indices into outlines, layouts, textures and colours: arrays of equal length."""

    outline: Indices
    layout: Indices
    texture: Indices
    hue: Indices


def shape_of_class(classes: int, shapes: int) -> Indices:
    """Return the shape of each class, as its index: each shape has as many classes as the others, or one more."""
    return np.arange(classes) * shapes // classes


def catalogue(classes: int, shapes: int) -> Looks:
    """Return the looks of `classes` classes of `shapes` shapes."""
    shape = shape_of_class(classes, shapes)
    texture, hue = PATTERNS[np.arange(classes) - np.searchsorted(shape, shape)].T
    block, step = np.divmod(shape, len(TEXTURES))
    layout, outline = np.divmod(shape, len(OUTLINES))
    return Looks(
        outline=outline,
        layout=layout,
        texture=(texture + step) % len(TEXTURES),
        hue=(hue + 2 * step + block) % len(HUES),
    )


def shape_names(shapes: int) -> tuple[str, ...]:
    """Return the names of the first `shapes` shapes, such as "disk" and "disk trio"."""
    return tuple(outline + layout for layout in COPIES for outline in OUTLINES)[:shapes]


def class_names(classes: int, shapes: int) -> tuple[str, ...]:
    """Return the names of the classes, such as "striped red disk"."""
    textures, hues, names = tuple(TEXTURES), tuple(HUES), shape_names(shapes)
    looks, shape = catalogue(classes, shapes), shape_of_class(classes, shapes)
    return tuple(
        f"{textures[texture]} {hues[hue]} {names[which]}"
        for texture, hue, which in zip(looks.texture, looks.hue, shape, strict=True)
    )
