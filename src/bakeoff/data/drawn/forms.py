"""Outlines, textures and colours of drawn shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating[Any]]
Form = Callable[[Field, Field], Field]

TURN = 2 * math.pi
SIN_60 = math.sqrt(3) / 2


def _star(x: Field, y: Field) -> Field:
    half = math.pi / 5
    # Fold the plane into half a point, whose edge runs from its tip (1.1, 0) to the notch.
    angle = np.abs(np.mod(np.arctan2(x, -y) + half, 2 * half) - half)
    notch_x, notch_y = 0.5 * math.cos(half), 0.5 * math.sin(half)
    length = math.hypot(notch_y, 1.1 - notch_x)
    along, across = notch_y / length, (1.1 - notch_x) / length
    edge: Field = np.hypot(x, y) * (np.cos(angle) * along + np.sin(angle) * across)
    return edge - 1.1 * along


def _heart(x: Field, y: Field) -> Field:
    # A square on its corner, with half disks on its upper sides; the fold |x| leaves one of them.
    root, a = math.sqrt(0.5), 0.56
    right, left = (np.abs(x) - y) * root, (-np.abs(x) - y) * root
    box = np.maximum(np.abs(right + a * 0.4), np.abs(left + a * 0.4)) - a
    lobe = np.hypot(right - a * 0.6, left + a * 0.4) - a
    distance: Field = np.minimum(box, lobe)
    return distance


OUTLINES: Mapping[str, Form] = {
    "disk": lambda x, y: np.hypot(x, y) - 0.92,
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.72) - 0.25,
    "crescent": lambda x, y: np.maximum(np.hypot(x, y) - 0.92, 0.72 - np.hypot(x - 0.5, y)),
    "square": lambda x, y: np.maximum(np.abs(x), np.abs(y)) - 0.8,
    "triangle": lambda x, y: np.maximum(np.abs(x) * SIN_60 - y * 0.5, y) - 0.58,
    "hexagon": lambda x, y: np.maximum(np.abs(x) * SIN_60 + np.abs(y) * 0.5, np.abs(y)) - 0.86,
    "star": _star,
    "cross": lambda x, y: np.maximum(
        np.maximum(np.abs(x), np.abs(y)) - 0.95, np.minimum(np.abs(x), np.abs(y)) - 0.32
    ),
    "heart": _heart,
    "flower": lambda x, y: (np.hypot(x, y) - 0.76 - 0.24 * np.cos(6 * np.arctan2(y, x))) * 0.75,
}
"""Signed distances, negative inside, of coordinates in radii of the shape (y points down). Some are bounds of the true
distance only, which is enough to smooth an edge over one pixel. After I. Quilez, "2D distance functions"."""

TEXTURES: Mapping[str, Form] = {
    "solid": lambda u, _: np.full_like(u, -1),
    "striped": lambda u, _: np.sin(TURN * u),
    "checkered": lambda u, v: np.sin(TURN * u) * np.sin(TURN * v) * 2,
    "dotted": lambda u, v: np.cos(TURN * u) + np.cos(TURN * v) - 0.6,
    "ringed": lambda u, v: np.sin(TURN * np.hypot(u, v)),
}
"""Waves, positive where the second colour goes, of coordinates in periods from the middle of the shape."""

HUES: Mapping[str, float] = {
    "red": 0.985,
    "amber": 0.115,
    "green": 0.36,
    "blue": 0.59,
    "purple": 0.79,
}
"""In turns of the colour circle, spaced so that neighbours just touch when they vary as they usually do."""


def rgb(hue: Field, saturation: Field, value: Field) -> Field:
    """Return RGB on the 0..1 scale, the channel in a new first axis, of HSV colours.

    `hue` is in turns and wraps around. A. R. Smith, Color Gamut Transform Pairs, SIGGRAPH 1978.
    """
    offsets = np.array([5, 3, 1], np.float32).reshape(3, *(1,) * hue.ndim)
    sector = np.mod(offsets + hue * 6, 6)
    channels: Field = value * (1 - saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1))
    return channels
