"""The layers of an image, painted on canvases of float32, n x 3 x 32 x 32, on the 0..1 scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bakeoff.data.dataset import IMAGE_SHAPE, Images
from bakeoff.data.shapes.catalogue import Indices, Looks
from bakeoff.data.shapes.colour import HUES, rgb
from bakeoff.data.shapes.draws import Draws
from bakeoff.data.shapes.geometry import OUTLINES, Field
from bakeoff.data.shapes.textures import TEXTURES

SIZE = IMAGE_SHAPE[-1]
# Pixel centres, from the middle of the image.
Y, X = np.mgrid[:SIZE, :SIZE].astype(np.float32) - (SIZE - 1) / 2
TURN = 2 * np.pi

# In pixels, for the layouts "single" and "trio".
RADIUS = np.array([10.8, 6.6], np.float32)
PERIOD = np.array([5.8, 4.8], np.float32)  # of the texture
REACH = np.array([6.0, 4.2], np.float32)  # how far from the middle of the image the layout may be
SPREAD = np.array([0.0, 8.25], np.float32)  # from the middle of the layout to each shape
COPIES = np.array([1, 3])

HUE_JITTER = 0.046  # standard deviation, in turns: neighbouring hues meet at about 0.1
SHADOW = 0.45
EDGE = 1.2  # steepness of the borders between the two colours of a texture


def background(draws: Draws) -> Field:
    """Return canvases of two colours that flow into each other in soft waves."""
    angle, length = draws.uniform(0, np.pi), draws.uniform(24, 60)
    x, y = _turned(X, Y, angle)
    bend = draws.uniform(0, 5) * np.sin(y / 7 + draws.uniform(0, TURN))
    wave = np.sin((x + bend) * TURN / length + draws.uniform(0, TURN))
    mix = (0.5 + 0.5 * wave)[:, None]
    start, end = (
        rgb(draws.uniform(), draws.uniform(0.1, 0.65), draws.uniform(0.3, 0.85)).swapaxes(0, 1)
        for _ in range(2)
    )
    return start + (end - start) * mix


def paint_clutter(canvas: Field, draws: Draws, width: float) -> None:
    """Paint one dot or stroke up to `width` pixels wide, of any colour, at any place."""
    x, y = X - draws.uniform(-16, 16), Y - draws.uniform(-16, 16)
    angle, half_length = draws.uniform(0, np.pi), draws.uniform(0, 5)
    along, across = _turned(x, y, angle)
    beyond = np.maximum(np.abs(along) - half_length, 0)
    distance = np.hypot(beyond, across) - draws.uniform(0.6, width / 2)
    colour = rgb(draws.uniform(), draws.uniform(0.2, 0.9), draws.uniform(0.3, 1.0))
    _blend(canvas, _coverage(distance) * draws.uniform(0.3, 0.9), colour.swapaxes(0, 1))


def paint_shapes(canvas: Field, draws: Draws, looks: Looks) -> None:
    """Paint the shape of each image, or its three copies, in the image's look."""
    middle_x, middle_y = (draws.uniform(-1, 1) * _column(REACH[looks.layout]) for _ in range(2))
    direction = draws.uniform(0, TURN)
    radius = _column(RADIUS[looks.layout]) * draws.uniform(0.7, 1.12)
    period = _column(PERIOD[looks.layout]) * draws.uniform(0.9, 1.15)
    grain = draws.uniform(0, np.pi)
    warp = draws.uniform(0, 0.19)
    opacity = 1 - 0.5 * draws.uniform() ** 2
    first, second = _colours(draws, looks.hue)
    for copy in range(COPIES.max()):
        # Numbers are drawn for copies that are not shown too: an image's stream knows no classes.
        place = direction + copy * TURN / int(COPIES.max()) + draws.normal(0.15)
        away = _column(SPREAD[looks.layout]) * draws.uniform(0.85, 1.15)
        x, y = _turned(
            X - middle_x - away * np.cos(place),
            Y - middle_y - away * np.sin(place),
            draws.normal(0.3),
        )
        u, v = _turned(x / period, y / period, grain)
        u, v = u + draws.uniform(-0.5, 0.5), v + draws.uniform(-0.5, 0.5)
        scale = radius * draws.uniform(0.9, 1.1)
        x, y = _warped(x / scale, y / scale, warp, draws)

        shown = np.flatnonzero(COPIES[looks.layout] > copy)
        distance = scale[shown] * _each(OUTLINES, looks.outline[shown], x[shown], y[shown])
        wave = _each(TEXTURES, looks.texture[shown], u[shown], v[shown])
        share = np.clip(0.5 + EDGE * wave, 0, 1)[:, None]
        part = canvas[shown]
        part *= 1 - SHADOW * np.clip(1 - distance / 2.5, 0, 1)[:, None]
        colour = first[shown] + (second[shown] - first[shown]) * share
        _blend(part, _coverage(distance) * opacity[shown], colour)
        canvas[shown] = part


def expose(canvas: Field, draws: Draws) -> Images:
    """Light the canvases unevenly, vary exposure and contrast, add noise, and round to bytes."""
    angle = draws.uniform(0, TURN)
    light = 1 + draws.uniform(0, 0.35) * (np.cos(angle) * X + np.sin(angle) * Y) / SIZE
    contrast = draws.uniform(0.75, 1.15)[:, None]
    shift = draws.uniform(-0.12, 0.12)[:, None]
    noise = draws.noise * (0.01 + 0.04 * draws.uniform() ** 2)[:, None]
    exposed = (canvas * light[:, None] - 0.5) * contrast + 0.5 + shift + noise
    levels: Images = np.clip(exposed * 255 + 0.5, 0, 255).astype(np.uint8)
    return levels


def _colours(draws: Draws, hue: Indices) -> tuple[Field, Field]:
    """Return the named colour, jittered, and a pale or dark second one: n x 3 x 1 x 1 each."""
    named = np.array(tuple(HUES.values()), np.float32)[hue]
    tone = _column(named) + draws.normal(HUE_JITTER)
    saturation, value = draws.uniform(0.6, 0.95), draws.uniform(0.6, 0.98)
    pale = draws.uniform() < 0.75
    strength = 1 - 0.7 * draws.uniform() ** 2
    second_saturation = np.where(pale, saturation * (1 - 0.9 * strength), saturation)
    second_value = np.where(pale, 0.97, value * (1 - 0.75 * strength))
    return (
        rgb(tone, saturation, value).swapaxes(0, 1),
        rgb(tone, second_saturation, second_value).swapaxes(0, 1),
    )


def _each(
    functions: Mapping[str, Callable[[Field, Field], Field]], which: Indices, a: Field, b: Field
) -> Field:
    """Apply to each row of `a` and `b` the function at the index that `which` gives for it."""
    result = np.empty_like(a)
    for index, function in enumerate(functions.values()):
        rows = np.flatnonzero(which == index)
        result[rows] = function(a[rows], b[rows])
    return result


def _column(values: Field) -> Field:
    """Return `values`, one for each image, as n x 1 x 1, to meet pixels."""
    return values[:, None, None]


def _turned(x: Field, y: Field, angle: Field) -> tuple[Field, Field]:
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * x + sin * y, cos * y - sin * x


def _warped(x: Field, y: Field, strength: Field, draws: Draws) -> tuple[Field, Field]:
    """Bend the plane in slow waves, as if the shape had been cut by hand."""
    return (
        x + strength * np.sin(3 * y + draws.uniform(0, TURN)),
        y + strength * np.sin(3 * x + draws.uniform(0, TURN)),
    )


def _coverage(distance: Field) -> Field:
    """Share of each pixel inside an outline whose signed distance is given in pixels."""
    coverage: Field = np.clip(0.5 - distance, 0, 1)
    return coverage


def _blend(canvas: Field, coverage: Field, colour: Field) -> None:
    canvas += (colour - canvas) * coverage[:, None]
