"""Drawing the images."""

from __future__ import annotations

import numpy as np

from bakeoff.data.config import ShapesConfig
from bakeoff.data.dataset import IMAGE_SHAPE, Dataset, Images, Source, Split
from bakeoff.data.shapes.catalogue import Looks, catalogue, class_names, superclass_names
from bakeoff.data.shapes.draws import Draws
from bakeoff.data.shapes.painting import background, expose, paint_clutter, paint_shapes
from bakeoff.errors import UserError

TRAIN, TEST = 0, 1  # keys of the random streams
CHUNK = 500  # images drawn together: small enough for the cache
BEHIND, IN_FRONT = 5, 3  # clutter around the shapes


def make_shapes(config: ShapesConfig) -> Dataset:
    """Draw both splits; image i of a split shows class i mod 100.

    The same configuration gives the same images, and larger splits begin with the images of
    smaller ones. (Different processors may round a few values to the neighbouring level.)
    """
    return Dataset(
        name="shapes",
        kind="shapes",
        train=draw_split(config.seed, TRAIN, config.train_images),
        test=draw_split(config.seed, TEST, config.test_images),
        classes=class_names(),
        superclasses=superclass_names(),
        class_to_superclass=tuple(catalogue().superclass.tolist()),
        source=Source(None, None),
    )


def draw_split(seed: int, split: int, images: int) -> Split:
    """Draw the first `images` images of a split; `seed` and `split` choose the random streams.

    Raises UserError where there are fewer images than classes or the seed is out of range.
    """
    looks = catalogue()
    if images < len(looks):
        raise UserError(
            f"data.shapes: {images} images were asked for; expected at least {len(looks)}, one "
            "for each class, in both train_images and test_images."
        )
    if not 0 <= seed < 2**63:
        raise UserError(f"data.shapes.seed is {seed}; expected 0 to 2^63 - 1.")
    fine = np.arange(images, dtype=np.int64) % len(looks)
    pixels = np.empty((images, *IMAGE_SHAPE), np.uint8)
    for start in range(0, images, CHUNK):
        chunk = np.arange(start, min(start + CHUNK, images))
        pixels[chunk] = _draw(Draws(seed, split, chunk), looks.take(fine[chunk]))
    return Split(pixels, fine, looks.superclass[fine])


def _draw(draws: Draws, looks: Looks) -> Images:
    canvas = background(draws)
    for _ in range(BEHIND):
        paint_clutter(canvas, draws, width=4)
    paint_shapes(canvas, draws, looks)
    for _ in range(IN_FRONT):
        paint_clutter(canvas, draws, width=5)
    return expose(canvas, draws)
