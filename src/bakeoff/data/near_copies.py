"""Images that are nearly the same as another one: saved again, brightened, at half the resolution, or mirrored.

A perceptual hash that keeps its numbers: an image is shrunk to 8 x 8, its mean is taken off, and two images are held
to be one picture where the correlation of these, in grey and in colour, is at least `ALIKE`. Of 12,000 different
photographs no two are so alike (`docs/own-data.md` has what is found and what is missed). Images without contrast
have no such hash; those of them that are equal are exact copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bakeoff.data.dataset import Images, Labels, Split
from bakeoff.data.duplicates import equal_images
from bakeoff.files import write_csv

FILE = "near_copies.csv"
COLUMNS = ("split", "row", "class", "of_split", "of_row", "of_class", "likeness", "mirrored")
ALIKE = 0.98
SIDE = 8
FLAT = 2.0  # levels of standard deviation below which an image has no contrast
BLOCK = 256  # images compared with all at once

Hashes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NearCopy:
    """An image (`row` of `split`, class `label`) and the earlier one that it is nearly the same as."""

    split: str
    row: int
    label: int
    of_split: str
    of_row: int
    of_label: int
    likeness: float
    mirrored: bool


@dataclass(frozen=True)
class NearCopies:
    """For each image that is nearly the same as an earlier one, the most alike of those; train comes before test.

    Of a test image it is one in train, where there is any.
    """

    copies: tuple[NearCopy, ...]

    @property
    def test_in_train(self) -> tuple[int, ...]:
        """Rows of the test images that nearly stand in train."""
        return tuple(c.row for c in self.copies if (c.split, c.of_split) == ("test", "train"))

    def within(self, split: str) -> int:
        """Return how many images of `split` are nearly the same as an earlier one of it."""
        return sum(c.split == c.of_split == split for c in self.copies)

    def sentences(self) -> list[str]:
        """Return what a person should know of them; nothing where there are none."""
        said = []
        if count := len(self.test_in_train):
            said.append(
                f"Test images that nearly stand in train: {count} (saved again, brightened, mirrored or the like)."
            )
        odd = sum(c.label != c.of_label for c in self.copies)
        if odd:
            said.append(f"Images that are nearly the same as one of another class: {odd}.")
        said += [
            f"Images of {split} that are nearly the same as another one of {split}: {count}."
            for split in ("train", "test")
            if (count := self.within(split))
        ]
        return said


def find_near_copies(train: Split, test: Split, equal: Labels | None = None) -> NearCopies:
    """Return the images that are nearly the same as another one, without those that are equal to the last bit.

    All pairs are compared, a block of images at a time: for 60,000 images some twenty seconds of a processor. `equal`
    is what `equal_images` said, if it was asked.
    """
    splits = (("train", train), ("test", test))
    names = [name for name, split in splits for _ in range(len(split.fine))]
    rows = [row for _, split in splits for row in range(len(split.fine))]
    labels = np.concatenate([train.fine, test.fine])
    hashes = [np.concatenate(parts) for parts in zip(*(map(_hashes, (train, test))), strict=True)]
    equal = equal_images(train, test) if equal is None else equal
    found = []
    for j, i, likeness, mirrored in _pairs(hashes[0], hashes[1], equal, len(train.fine)):
        of = (names[i], rows[i], int(labels[i]))
        found.append(NearCopy(names[j], rows[j], int(labels[j]), *of, likeness, mirrored))
    return NearCopies(tuple(found))


def write_near_copies(root: Path, copies: NearCopies, classes: Sequence[str]) -> None:
    """Write `near_copies.csv` to the folder `root` atomically; without any it has its heading alone."""
    rows = (
        (
            *(c.split, c.row, classes[c.label], c.of_split, c.of_row, classes[c.of_label]),
            *(f"{c.likeness:.4f}", c.mirrored),
        )
        for c in copies.copies
    )
    write_csv(root / FILE, COLUMNS, rows)


def _pairs(
    grey: Hashes, colour: Hashes, equal: npt.NDArray[np.int64], train: int
) -> list[tuple[int, int, float, bool]]:
    """Return (image, earlier image, likeness, whether mirrored) of the images that are nearly the same as another.

    Of the first `train` images the most alike of all earlier ones, of the others that of the first `train`, if any.
    """
    found = []
    count = len(grey)
    for start in range(0, count, BLOCK):
        block = np.arange(start, min(start + BLOCK, count))
        best: dict[int, tuple[bool, float, int, bool]] = {}
        for mirrored in (False, True):
            own = _mirrored(grey[block], 1) if mirrored else grey[block]
            likeness = own @ grey[: block[-1] + 1].T
            j, i = np.nonzero(likeness >= ALIKE)
            kept = (i < block[j]) & (equal[block[j]] != equal[i])
            j, i = j[kept], i[kept]
            own = _mirrored(colour[block], 3) if mirrored else colour[block]
            exact = np.einsum("nd,nd->n", own[j], colour[i])
            for n in np.flatnonzero(exact >= ALIKE):
                image, of = int(block[j[n]]), int(i[n])
                # In train before test, then the most alike; of mirrored and not, what is not.
                rank = (image >= train > of, float(exact[n]), of, mirrored)
                if image not in best or rank[:2] > best[image][:2]:
                    best[image] = rank
        found += [(j, of, like, flip) for j, (_, like, of, flip) in sorted(best.items())]
    return found


def _hashes(split: Split) -> tuple[Hashes, Hashes]:
    """Return what is compared: of grey (N x 64) and of colour (N x 192), of length one, or zero without contrast."""
    small = np.concatenate(
        [_shrunk(split.images[k : k + BLOCK]) for k in range(0, len(split.fine), BLOCK)]
    )
    return _unit(small.mean(axis=1, keepdims=True)), _unit(small)


def _shrunk(images: Images) -> Hashes:
    """Return images, N x 3 x H x H, as the means of 8 x 8 parts: N x 3 x 8 x 8."""
    # Rounded, so that parts lie in a mirrored image as they do in the image.
    edges = np.round(np.arange(SIDE) * images.shape[-1] / SIDE).astype(int)
    sizes = np.diff([*edges, images.shape[-1]])
    sums = np.add.reduceat(images.astype(np.float32), edges, axis=2)
    sums = np.add.reduceat(sums, edges, axis=3)
    return np.asarray(sums / np.outer(sizes, sizes), dtype=np.float32)


def _unit(small: Hashes) -> Hashes:
    flat = small.reshape(len(small), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(flat, axis=1, keepdims=True)
    contrast = norm >= FLAT * np.sqrt(flat.shape[1])
    return np.where(contrast, flat / np.maximum(norm, 1e-6), 0).astype(np.float32)


def _mirrored(hashes: Hashes, channels: int) -> Hashes:
    parts = hashes.reshape(len(hashes), channels, SIDE, SIDE)
    return np.ascontiguousarray(parts[..., ::-1]).reshape(len(hashes), -1)
