"""Images that are there more than once: their pixels, as they were prepared, are equal to the last bit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bakeoff.data.dataset import Images, Labels, Split
from bakeoff.files import write_csv

FILE = "duplicates.csv"
COLUMNS = ("group", "split", "row", "class")


@dataclass(frozen=True)
class Copy:
    """One of several equal images: `row` counts in the arrays of `split` ("train" or "test"), `label` is its class."""

    group: int
    split: str
    row: int
    label: int


@dataclass(frozen=True)
class Duplicates:
    """All images that are there more than once, by group of equal ones."""

    copies: tuple[Copy, ...]

    @property
    def groups(self) -> tuple[tuple[Copy, ...], ...]:
        """The copies of each image together."""
        found: dict[int, list[Copy]] = {}
        for copy in self.copies:
            found.setdefault(copy.group, []).append(copy)
        return tuple(map(tuple, found.values()))

    def within(self, split: str) -> int:
        """Return how many images of `split` repeat an earlier one of it."""
        counts = [sum(copy.split == split for copy in group) for group in self.groups]
        return sum(max(0, count - 1) for count in counts)

    @property
    def test_in_train(self) -> tuple[int, ...]:
        """Rows of the test images that also stand in train."""
        return tuple(
            copy.row
            for group in self.groups
            if any(copy.split == "train" for copy in group)
            for copy in group
            if copy.split == "test"
        )

    @property
    def contradictory(self) -> int:
        """How many different images have copies in more than one class."""
        return sum(len({copy.label for copy in group}) > 1 for group in self.groups)

    def sentences(self) -> list[str]:
        """Return what a person should know of them, the gravest first; nothing where there are none."""
        said = []
        if count := len(self.test_in_train):
            said.append(
                f"Test images that also stand in train, pixel for pixel: {count}. They measure memory, not skill: "
                "accuracy on them is too high."
            )
        if count := self.contradictory:
            said.append(
                f"Images whose copies have different labels: {count}. No network can be right on all of them."
            )
        said += [
            f"Images of {split} that repeat another one of {split}: {count}."
            for split in ("train", "test")
            if (count := self.within(split))
        ]
        return said


def find_duplicates(train: Split, test: Split, equal: Labels | None = None) -> Duplicates:
    """Return the equal images of both splits; train includes those held out.

    16 bytes are kept of each image (BLAKE2b), whatever its size. `equal` is what `equal_images` said, if it was asked.
    """
    inverse = equal_images(train, test) if equal is None else equal
    _, first, counts = np.unique(inverse, return_index=True, return_counts=True)
    rows = np.flatnonzero(counts[inverse] > 1)
    # Groups are numbered by their first image, so that the file reads in the order of the data.
    rows = rows[np.lexsort((rows, first[inverse[rows]]))]
    numbers: dict[int, int] = {}
    copies = []
    for row in map(int, rows):
        group = numbers.setdefault(int(inverse[row]), len(numbers) + 1)
        own = row < len(train.fine)
        place = row if own else row - len(train.fine)
        labels: Labels = train.fine if own else test.fine
        copies.append(Copy(group, "train" if own else "test", place, int(labels[place])))
    return Duplicates(tuple(copies))


def equal_images(train: Split, test: Split) -> Labels:
    """Return a number for each image of both splits, train first, which equal images have in common: int64, N."""
    digests = np.concatenate([_digests(train.images), _digests(test.images)])
    return np.unique(digests, return_inverse=True)[1].reshape(-1).astype(np.int64)


def write_duplicates(root: Path, duplicates: Duplicates, classes: Sequence[str]) -> None:
    """Write `duplicates.csv` to the folder `root` atomically; without duplicates it has its heading alone."""
    rows = ((c.group, c.split, c.row, classes[c.label]) for c in duplicates.copies)
    write_csv(root / FILE, COLUMNS, rows)


def _digests(images: Images) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    """Return 32 hexadecimal digits of each image; NumPy would strip zero bytes from plain digests."""
    found = [
        hashlib.blake2b(np.ascontiguousarray(i).data, digest_size=16).hexdigest() for i in images
    ]
    return np.array(found, dtype="S32")
