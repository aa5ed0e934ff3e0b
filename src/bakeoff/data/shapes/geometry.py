"""Outlines as signed distances: negative inside, in units of the radius of the shape.

Each function takes float32 coordinates x and y of one shape (y points down) and returns an array
of their size. The formulas follow the practice of I. Quilez, "2D distance functions"; some are
only bounds of the true distance, which is enough to smooth an edge over one pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating[Any]]
Outline = Callable[[Field, Field], Field]

SIN_60 = math.sqrt(3) / 2


def disk(x: Field, y: Field) -> Field:
    """Signed distance of a disk."""
    distance: Field = np.hypot(x, y) - 0.92
    return distance


def ring(x: Field, y: Field) -> Field:
    """Signed distance of a ring with a wide hole."""
    distance: Field = np.abs(np.hypot(x, y) - 0.72) - 0.25
    return distance


def crescent(x: Field, y: Field) -> Field:
    """Signed distance of a moon that opens to the right."""
    distance: Field = np.maximum(disk(x, y), 0.72 - np.hypot(x - 0.5, y))
    return distance


def square(x: Field, y: Field) -> Field:
    """Signed distance of a square."""
    return np.maximum(np.abs(x), np.abs(y)) - 0.8


def triangle(x: Field, y: Field) -> Field:
    """Signed distance of an equilateral triangle that stands on a side."""
    side = np.abs(x) * SIN_60 - y * 0.5
    return np.maximum(side, y) - 0.58


def hexagon(x: Field, y: Field) -> Field:
    """Signed distance of a regular hexagon that stands on a side."""
    slanted = np.abs(x) * SIN_60 + np.abs(y) * 0.5
    return np.maximum(slanted, np.abs(y)) - 0.86


def star(x: Field, y: Field) -> Field:
    """Signed distance of a five-pointed star with a point on top."""
    half = math.pi / 5
    # Fold the plane into half a point, whose edge runs from its tip (1.1, 0) to the notch.
    angle = np.abs(np.mod(np.arctan2(x, -y) + half, 2 * half) - half)
    notch_x, notch_y = 0.5 * math.cos(half), 0.5 * math.sin(half)
    length = math.hypot(notch_y, 1.1 - notch_x)
    along, across = notch_y / length, (1.1 - notch_x) / length
    edge: Field = np.hypot(x, y) * (np.cos(angle) * along + np.sin(angle) * across)
    return edge - 1.1 * along


def cross(x: Field, y: Field) -> Field:
    """Signed distance of a plus sign."""
    long, short = np.maximum(np.abs(x), np.abs(y)), np.minimum(np.abs(x), np.abs(y))
    return np.maximum(long - 0.95, short - 0.32)


def heart(x: Field, y: Field) -> Field:
    """Signed distance of a heart: a square on its corner, with half disks on its upper sides."""
    root = math.sqrt(0.5)
    a = 0.56
    right, left = (np.abs(x) - y) * root, (-np.abs(x) - y) * root
    # In the turned frame the square is |right|, |left| <= a; the fold |x| leaves one half disk.
    box = np.maximum(np.abs(right + a * 0.4), np.abs(left + a * 0.4)) - a
    lobe = np.hypot(right - a * 0.6, left + a * 0.4) - a
    distance: Field = np.minimum(box, lobe)
    return distance


def flower(x: Field, y: Field) -> Field:
    """Signed distance (a bound) of a flower with six petals."""
    petals = np.cos(6 * np.arctan2(y, x))
    distance: Field = (np.hypot(x, y) - 0.76 - 0.24 * petals) * 0.75
    return distance


OUTLINES: Mapping[str, Outline] = MappingProxyType(
    {
        "disk": disk,
        "ring": ring,
        "crescent": crescent,
        "square": square,
        "triangle": triangle,
        "hexagon": hexagon,
        "star": star,
        "cross": cross,
        "heart": heart,
        "flower": flower,
    }
)
