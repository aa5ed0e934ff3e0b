"""Pictures of any kind as square RGB arrays of one size.

Grey becomes three equal channels; transparency is laid on white; palettes and other colour spaces are converted; of 16
bits the upper eight are kept; pictures are turned as their camera says (EXIF).
"""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from bakeoff.data.dataset import Images, Labels, Origin, Split
from bakeoff.data.own import Aspect
from bakeoff.errors import UserError

Picture = Image.Image
LISTED, TOLD_EVERY = 5, 10_000

log = logging.getLogger(__name__)


def to_square(picture: Picture, size: int, aspect: Aspect) -> Images:
    """Return a picture as uint8, 3 x `size` x `size`, resized with antialiasing where it has another size."""
    picture = in_colour(ImageOps.exif_transpose(picture))
    if picture.size != (size, size):
        target, method = (size, size), Image.Resampling.BICUBIC
        if aspect == "crop":
            picture = ImageOps.fit(picture, target, method)
        elif aspect == "pad":
            picture = ImageOps.pad(picture, target, method, color="black")
        else:
            picture = picture.resize(target, method)
    return np.asarray(picture).transpose(2, 0, 1)


def in_colour(picture: Picture) -> Picture:
    """Return a picture in RGB."""
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture).astype(np.float64)
        # Of 16 bits the upper eight; smaller numbers are 8 bits in a larger type.
        levels = values / 257 if values.max(initial=0) > 255 else values
        picture = Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))
    if "A" in picture.mode or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def from_array(pixels: npt.NDArray[np.generic], where: str) -> Picture:
    """Return a picture from H x W, H x W x 1, H x W x 3 or H x W x 4 numbers from 0 to 255, or 0 to 65535 in 16 bits.

    Raises:
        UserError: it has another shape.
        ValueError: it has other numbers.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        shape = " x ".join(map(str, pixels.shape))
        raise UserError(f"{where}: an image is {shape}, expected H x W or H x W x 3.")
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)  # type: ignore[operator]
    if pixels.dtype != np.uint8:
        values = pixels.astype(np.float64)
        if not ((values >= 0) & (values <= 255)).all():
            raise ValueError(
                f"holds numbers of type {pixels.dtype} outside of 0 to 255; images are stored as bytes"
            )
        # Shares of one, or levels in a larger type: a picture with no number above 1 is the former.
        scale = (
            255 if np.issubdtype(pixels.dtype, np.floating) and values.max(initial=0) <= 1 else 1
        )
        pixels = (scale * values).round().astype(np.uint8)
    return Image.fromarray(pixels)


def read_all(
    sources: Iterable[tuple[str, Callable[[], Picture]]],
    labels: Sequence[int] | Labels,
    size: int,
    aspect: Aspect,
    *,
    skip_unreadable: bool,
) -> Split:
    """Return all pictures, `size` x `size`, with their labels, and what they were before.

    Args:
        sources: for each picture, what to call it and a function that opens it; one is held at a time.
        labels: of each.
        size: of the squares.
        aspect: how pictures that are not square become so.
        skip_unreadable: leave out what cannot be read.

    Raises:
        UserError: some cannot be read; the first few are named.
    """
    count = len(labels)
    images = np.empty((count, 3, size, size), np.uint8)
    kept: list[int] = []
    bad: dict[str, str] = {}
    sizes: Counter[tuple[int, int]] = Counter()
    for number, (name, open_picture) in enumerate(sources):
        try:
            with open_picture() as picture:
                images[len(kept)] = to_square(picture, size, aspect)
                sizes[picture.size] += 1
            kept.append(number)
        except (
            OSError,
            SyntaxError,
            ValueError,
            UnidentifiedImageError,
            Image.DecompressionBombError,
        ) as error:
            bad[name] = f"{name} ({error})"
        if (number + 1) % TOLD_EVERY == 0:
            log.info("%d of %d images read", number + 1, count)
    if bad and not skip_unreadable:
        more = f", and {len(bad) - LISTED} more" if len(bad) > LISTED else ""
        raise UserError(
            f"{len(bad)} of {count} files are no images that can be read: "
            f"{', '.join(list(bad.values())[:LISTED])}{more}. "
            "Replace them, or set data.skip_unreadable to true."
        )
    if bad:
        log.warning("%d of %d files cannot be read and are left out", len(bad), count)
    numbers = np.asarray(labels, np.int64)[np.array(kept, np.int64)]
    return Split(images[: len(kept)], numbers, Origin(dict(sizes), tuple(bad)))


def opened(path: str | Path) -> Callable[[], Picture]:
    """Return the function that opens a file."""
    return lambda: Image.open(path)


def decoded(content: bytes) -> Callable[[], Picture]:
    """Return the function that opens the bytes of a file."""
    return lambda: Image.open(io.BytesIO(content))
