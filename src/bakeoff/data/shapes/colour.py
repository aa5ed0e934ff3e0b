"""Colours of the drawn images."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from bakeoff.data.shapes.geometry import Field

# Names and hues, in turns of the colour circle, spaced so that neighbours just touch when jittered.
HUES: Mapping[str, float] = MappingProxyType(
    {"red": 0.985, "amber": 0.115, "green": 0.36, "blue": 0.59, "purple": 0.79}
)


def rgb(hue: Field, saturation: Field, value: Field) -> Field:
    """Return RGB on the 0..1 scale, the channel in a new first axis, of HSV colours.

    `hue` is in turns and wraps around. A. R. Smith, Color Gamut Transform Pairs, SIGGRAPH 1978.
    """
    offsets = np.array([5, 3, 1], np.float32).reshape(3, *(1,) * hue.ndim)
    sector = np.mod(offsets + hue * 6, 6)
    ramp = np.clip(np.minimum(sector, 4 - sector), 0, 1)
    channels: Field = value * (1 - saturation * ramp)
    return channels
