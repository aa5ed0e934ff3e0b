"""Drawing the images. Lengths are in 32nds of the image's side, whatever its size in pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from bakeoff.data.dataset import Images, Labels
from bakeoff.data.drawn.catalogue import COPIES, Indices, Looks
from bakeoff.data.drawn.forms import HUES, OUTLINES, TEXTURES, TURN, Field, rgb

SIDE = 32
CHUNK = 500 * SIDE**2  # pixels drawn together: few enough for the cache
USUAL = 0.5  # difficulty at which all that varies does so as it is written here
BEHIND, IN_FRONT = 5, 3  # dots and strokes around the shapes

# For the layouts, in the order of COPIES.
NUMBER = np.array(tuple(COPIES.values()))
RADIUS = np.array([10.8, 6.6, 7.6, 5.8], np.float32)
PERIOD = np.array([5.8, 4.8, 5.0, 4.6], np.float32)  # of the texture
REACH = np.array(
    [6.0, 4.2, 4.6, 4.0], np.float32
)  # from the middle of the image to that of the layout
SPREAD = np.array([0.0, 8.25, 7.6, 8.8], np.float32)  # from there to each shape


def draw_split(
    looks: Looks, images: int, size: int, difficulty: float, seed: int, split: int
) -> tuple[Images, Labels]:
    """Draw a split: image i, of `size` pixels, shows class i modulo the number of classes.

    Equal arguments give equal images, and more images begin with the same ones. (Different processors may round a few
    values to the neighbouring level.)

    Args:
        looks: of each class.
        images: how many.
        size: height and width in pixels.
        difficulty: 0 to 1: how much the images of a class differ, and how much else there is in them.
        seed: with `split`, chooses the random streams.
        split: 0 for train, 1 for test.
    """
    labels = np.arange(images, dtype=np.int64) % len(looks.outline)
    pixels = np.empty((images, 3, size, size), np.uint8)
    chunk = max(1, CHUNK // size**2)
    for start in range(0, images, chunk):
        part = np.arange(start, min(start + chunk, images))
        shown = Looks(*(each[labels[part]] for each in looks))
        pixels[part] = _Canvas(part, size, difficulty / USUAL, (seed, split)).draw(shown)
    return pixels, labels


class _Canvas:
    """Several images at once, each with random numbers of its own.

    Those of an image are from the Philox counter generator (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3,
    SC 2011) with seed and split as its key and the image's index in the counter.
    """

    NUMBERS = 256  # uniform ones at hand for an image

    def __init__(self, indices: Indices, size: int, strength: float, key: tuple[int, int]) -> None:
        n = len(indices)
        self._strength = strength
        self._pixel = SIDE / size
        self._y, self._x = (
            np.mgrid[:size, :size].astype(np.float32) - (size - 1) / 2
        ) * self._pixel
        self._uniform = np.empty((n, self.NUMBERS), np.float32)
        self._noise = np.empty((n, 3, size, size), np.float32)
        for row, index in enumerate(indices):
            bits = np.random.Philox(key=list(key), counter=[0, 0, 0, int(index)])
            rng = np.random.Generator(bits)
            rng.random(out=self._uniform[row], dtype=np.float32)
            rng.standard_normal(out=self._noise[row], dtype=np.float32)
        self._used = 0
        self._colours = self._background()

    def draw(self, looks: Looks) -> Images:
        """Return the images, uint8, N x 3 x size x size."""
        for _ in range(round(BEHIND * self._strength)):
            self._clutter(width=4)
        self._shapes(looks)
        for _ in range(round(IN_FRONT * self._strength)):
            self._clutter(width=5)
        return self._exposed()

    def _draw(self, low: float = 0.0, high: float = 1.0) -> Field:
        """Return the next number of each image, N x 1 x 1, uniform in [low, high)."""
        column = self._uniform[:, self._used, None, None]
        self._used += 1
        return low + column * (high - low)

    def _around(self, middle: float, width: float) -> Field:
        """Return numbers that lie the further around `middle` the more difficult the images are."""
        return middle + self._draw(-width, width) * self._strength

    def _normal(self, sd: float) -> Field:
        """Return bell-shaped numbers, without tails, so that no image is beyond recognition."""
        total = self._draw(-1, 1) + self._draw(-1, 1) + self._draw(-1, 1) + self._draw(-1, 1)
        return total * (sd * math.sqrt(3 / 4) * self._strength)

    def _background(self) -> Field:
        """Return two colours that flow into each other in soft waves, N x 3 x size x size, on the 0..1 scale."""
        x, y = _turned(self._x, self._y, self._draw(0, np.pi))
        bend = self._draw(0, 5) * np.sin(y / 7 + self._draw(0, TURN))
        wave = np.sin((x + bend) * TURN / self._draw(24, 60) + self._draw(0, TURN))
        start, end = (
            rgb(
                self._draw(), np.clip(self._around(0.37, 0.28), 0, 0.75), self._draw(0.3, 0.85)
            ).swapaxes(0, 1)
            for _ in range(2)
        )
        return start + (end - start) * (0.5 + 0.5 * wave)[:, None]

    def _clutter(self, width: float) -> None:
        """Paint one dot or stroke of any colour, at any place."""
        x, y = self._x - self._draw(-16, 16), self._y - self._draw(-16, 16)
        along, across = _turned(x, y, self._draw(0, np.pi))
        beyond = np.maximum(np.abs(along) - self._draw(0, 5), 0)
        distance = np.hypot(beyond, across) - self._draw(0.6, width / 2)
        colour = rgb(self._draw(), self._draw(0.2, 0.9), self._draw(0.3, 1.0)).swapaxes(0, 1)
        _blend(self._colours, self._coverage(distance) * self._draw(0.3, 0.9), colour)

    def _shapes(self, looks: Looks) -> None:
        """Paint the shape of each image, or its copies, in the image's look."""
        spread, number = _column(SPREAD[looks.layout]), _column(NUMBER[looks.layout])
        reach = _column(REACH[looks.layout])
        middle_x, middle_y = (self._around(0, 1) * reach for _ in range(2))
        direction = self._draw(0, TURN)
        radius = _column(RADIUS[looks.layout]) * self._around(0.91, 0.21)
        period = _column(PERIOD[looks.layout]) * self._around(1.02, 0.12)
        grain, warp = self._draw(0, np.pi), self._draw(0, 0.19) * self._strength
        opacity = np.maximum(1 - 0.5 * self._strength * self._draw() ** 2, 0.25)
        first, second = self._pair_of_colours(looks.hue)
        for copy in range(NUMBER.max()):
            # Numbers are drawn for copies that are not shown too: an image's stream knows no classes.
            place = direction + copy * TURN / number + self._normal(0.15)
            away = spread * self._around(1, 0.15)
            x, y = _turned(
                self._x - middle_x - away * np.cos(place),
                self._y - middle_y - away * np.sin(place),
                self._normal(0.3),
            )
            u, v = _turned(x / period, y / period, grain)
            u, v = u + self._draw(-0.5, 0.5), v + self._draw(-0.5, 0.5)
            scale = radius * self._around(1, 0.1)
            x, y = x / scale, y / scale
            # Slow waves, as if the shape had been cut by hand.
            x, y = (
                x + warp * np.sin(3 * y + self._draw(0, TURN)),
                y + warp * np.sin(3 * x + self._draw(0, TURN)),
            )
            shown = np.flatnonzero(NUMBER[looks.layout] > copy)
            distance = scale[shown] * _each(OUTLINES, looks.outline[shown], x[shown], y[shown])
            wave = _each(TEXTURES, looks.texture[shown], u[shown], v[shown])
            part = self._colours[shown]
            part *= 1 - 0.45 * np.clip(1 - distance / 2.5, 0, 1)[:, None]  # a shadow
            share = np.clip(0.5 + 1.2 * wave, 0, 1)[:, None]
            colour = first[shown] + (second[shown] - first[shown]) * share
            _blend(part, self._coverage(distance) * opacity[shown], colour)
            self._colours[shown] = part

    def _pair_of_colours(self, hue: Indices) -> tuple[Field, Field]:
        """Return the named colour, varied, and a pale or dark second one: N x 3 x 1 x 1 each."""
        tone = _column(np.array(tuple(HUES.values()), np.float32)[hue]) + self._normal(0.046)
        saturation, value = self._draw(0.6, 0.95), self._draw(0.6, 0.98)
        pale = self._draw() < 0.75
        contrast = np.maximum(1 - 0.7 * self._strength * self._draw() ** 2, 0.1)
        second_saturation = np.where(pale, saturation * (1 - 0.9 * contrast), saturation)
        second_value = np.where(pale, 0.97, value * (1 - 0.75 * contrast))
        return (
            rgb(tone, saturation, value).swapaxes(0, 1),
            rgb(tone, second_saturation, second_value).swapaxes(0, 1),
        )

    def _exposed(self) -> Images:
        """Light the images unevenly, vary exposure and contrast, add noise, and round to bytes."""
        angle, strength = self._draw(0, TURN), self._strength
        light = np.cos(angle) * self._x + np.sin(angle) * self._y
        light = 1 + self._draw(0, 0.35) * strength * light / SIDE
        contrast, shift = self._around(0.95, 0.2)[:, None], self._around(0, 0.12)[:, None]
        noise = self._noise * (strength * (0.01 + 0.04 * self._draw() ** 2))[:, None]
        exposed = (self._colours * light[:, None] - 0.5) * contrast + 0.5 + shift + noise
        levels: Images = np.clip(exposed * 255 + 0.5, 0, 255).astype(np.uint8)
        return levels

    def _coverage(self, distance: Field) -> Field:
        """Return the share of each pixel that lies inside an outline."""
        coverage: Field = np.clip(0.5 - distance / self._pixel, 0, 1)
        return coverage


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
    """Return `values`, one for each image, as N x 1 x 1, to meet pixels."""
    return values[:, None, None]


def _turned(x: Field, y: Field, angle: Field) -> tuple[Field, Field]:
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * x + sin * y, cos * y - sin * x


def _blend(canvas: Field, coverage: Field, colour: Field) -> None:
    canvas += (colour - canvas) * coverage[:, None]
