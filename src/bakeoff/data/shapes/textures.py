"""Textures: where the second colour goes.

Each function takes float32 coordinates u and v, in periods of the texture from the middle of the
shape, and returns a wave that is positive where the second colour goes, negative elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from bakeoff.data.shapes.geometry import Field

Texture = Callable[[Field, Field], Field]

TURN = 2 * np.pi


def solid(u: Field, v: Field) -> Field:
    """No second colour at all."""
    return np.full_like(u, -1)


def striped(u: Field, v: Field) -> Field:
    """Parallel stripes."""
    wave: Field = np.sin(TURN * u)
    return wave


def checkered(u: Field, v: Field) -> Field:
    """A chess board."""
    wave: Field = np.sin(TURN * u) * np.sin(TURN * v) * 2
    return wave


def dotted(u: Field, v: Field) -> Field:
    """Round dots on a square grid."""
    wave: Field = np.cos(TURN * u) + np.cos(TURN * v) - 0.6
    return wave


def ringed(u: Field, v: Field) -> Field:
    """Rings around the middle of the shape."""
    return np.sin(TURN * np.hypot(u, v))


TEXTURES: Mapping[str, Texture] = MappingProxyType(
    {
        "solid": solid,
        "striped": striped,
        "checkered": checkered,
        "dotted": dotted,
        "ringed": ringed,
    }
)
