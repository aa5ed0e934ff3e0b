"""The data card: what the images of a study are, on a page of Markdown with a figure. `snakemake data_card`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bakeoff.data.dataset import Images, Labels
from bakeoff.data.near_copies import FILE as NEAR_COPIES
from bakeoff.data.prepared import DataMeta, load_meta, load_split, load_validation_indices
from bakeoff.data.reading import FILE as READING
from bakeoff.data.reading import Reading, load_reading
from bakeoff.data_card.figure import Pair, draw_card
from bakeoff.files import write_text
from bakeoff.markup import markdown

SIZES_SHOWN, FILES_SHOWN, CLASSES_SHOWN, PAIRS_SHOWN = 10, 20, 200, 12
PIXELS_COUNTED = 1000  # images averaged at once


@dataclass(frozen=True)
class Counts:
    """Images of each class, in the order of the classes, int64 K."""

    train: Labels
    held_out: Labels
    test: Labels


def write_card(title: str, data: Path, out: Path) -> None:
    """Write `data_card.md` and `data_card.png` to the folder `out`.

    Args:
        title: what to call the data.
        data: folder of the prepared data.
        out: where the card goes.

    Raises:
        UserError: the prepared data are missing or damaged.
    """
    meta, found = load_meta(data), load_reading(data / READING)
    train, labels, _ = load_split(data, "train")
    test, test_labels, _ = load_split(data, "test")
    held_out = load_validation_indices(data)
    classes = len(meta.classes)
    counts = Counts(
        np.bincount(np.delete(labels, held_out), minlength=classes),
        np.bincount(labels[held_out], minlength=classes),
        np.bincount(test_labels, minlength=classes),
    )
    images = {"train": train, "test": test}
    pairs = [Pair(images[a][i], images[b][j]) for a, i, b, j in _near_pairs(data / NEAR_COPIES)]
    draw_card(
        out / "data_card.png",
        meta.classes,
        _samples(train, labels, classes),
        (counts.train + counts.held_out, counts.test),
        mean_image(train),
        pairs,
    )
    write_text(out / "data_card.md", "\n\n".join(_parts(title, meta, counts, found)) + "\n")


def mean_image(images: Images) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the mean of N x 3 x H x H images, H x H x 3, on the 0..255 scale; a block at a time."""
    total = np.zeros(images.shape[1:])
    for start in range(0, len(images), PIXELS_COUNTED):
        total += images[start : start + PIXELS_COUNTED].sum(axis=0, dtype=np.int64)
    return np.asarray((total / len(images)).transpose(1, 2, 0))


def _samples(images: Images, labels: Labels, classes: int) -> list[Images]:
    """Return the first training image of each class, 3 x H x H."""
    first = {int(labels[row]): row for row in reversed(range(len(labels)))}
    return [images[first[label]] for label in range(classes)]


def _near_pairs(path: Path) -> list[tuple[str, int, str, int]]:
    """Return the first images that are nearly the same as another: those of test in train come first."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows.sort(key=lambda row: (row["split"], row["of_split"]) != ("test", "train"))
    return [
        (row["split"], int(row["row"]), row["of_split"], int(row["of_row"]))
        for row in rows[:PAIRS_SHOWN]
    ]


def _parts(title: str, meta: DataMeta, counts: Counts, found: Reading) -> Iterator[str]:
    yield f"# Data card: {markdown(title)}"
    yield "![Samples, class balance, mean image and near copies](data_card.png)"
    yield "\n".join(f"- {line}" for line in _facts(meta, counts, found))
    yield "## Copies"
    told = [f"- {markdown(sentence)}" for sentence in found.sentences]
    yield (
        "\n".join(told)
        if told
        else "No image is there twice, and none is nearly the same as another."
    )
    yield (
        "All of them are listed in `data/duplicates.csv` and `data/near_copies.csv`. Nothing is left out for it; the "
        "tables of the study say what the accuracy is without the test images that also stand in train."
    )
    if found.left_out:
        yield "## Files that were left out"
        more = found.left_out - len(found.left_out_files[:FILES_SHOWN])
        names = [f"- `{name}`" for name in found.left_out_files[:FILES_SHOWN]]
        yield "\n".join([*names, *([f"- and {more:,} more"] if more > 0 else [])])
    yield "## Classes"
    yield _table(meta.classes, counts)


def _facts(meta: DataMeta, counts: Counts, found: Reading) -> Iterator[str]:
    each = counts.train + counts.held_out
    yield (
        f"{len(meta.classes):,} classes, {meta.image_size} x {meta.image_size} pixels: {counts.train.sum():,} images "
        f"to train on, {counts.held_out.sum():,} held out, {counts.test.sum():,} to test on."
    )
    smallest, largest = int(each.argmin()), int(each.argmax())
    if each[smallest] == each[largest]:
        yield f"Every class has {each[0]:,} images in train, those held out included."
    else:
        yield (
            f"Images of a class in train, those held out included: {each[smallest]:,} "
            f"({markdown(meta.classes[smallest])}) to {each[largest]:,} ({markdown(meta.classes[largest])}), "
            f"{each[largest] / each[smallest]:.3g} times as many."
        )
        yield (
            "Who always names the largest class is right on "
            f"{100 * counts.test[largest] / counts.test.sum():.1f} % of the test images. Where that matters, "
            "`metric: balanced` lets every class count the same."
        )
    if len(found.sizes) == 1:
        width, height, _ = found.sizes[0]
        yield f"All pictures were {width} x {height} pixels."
    else:
        shown = ", ".join(f"{w} x {h} ({n:,})" for w, h, n in found.sizes[:SIZES_SHOWN])
        more = len(found.sizes) - SIZES_SHOWN
        short = [min(w, h) for w, h, _ in found.sizes]
        yield (
            f"Pictures were of {len(found.sizes):,} sizes: {shown}{f' and {more:,} more' if more > 0 else ''}. Shorter "
            f"sides: {min(short)} to {max(short)} pixels."
        )
        if min(short) < meta.image_size:
            small = sum(n for w, h, n in found.sizes if min(w, h) < meta.image_size)
            yield f"Pictures that had to be made larger: {small:,}."
    yield f"Files left out, because they are no images that can be read: {found.left_out:,}."
    channels = zip(("red", "green", "blue"), meta.mean, meta.std, strict=True)
    shown = ", ".join(f"{name} {mean:.3f} ({std:.3f})" for name, mean, std in channels)
    yield f"Mean and standard deviation of the images to train on, on a scale of 0 to 1: {shown}."
    yield f"Checksum of the prepared arrays (SHA-256): `{meta.checksum}`."


def _table(classes: Sequence[str], counts: Counts) -> str:
    lines = ["| Class | Train | Held out | Test |", "| :-- | --: | --: | --: |"]
    numbers = zip(classes, counts.train, counts.held_out, counts.test, strict=True)
    lines += [
        f"| {markdown(name)} | {train:,} | {held:,} | {test:,} |"
        for name, train, held, test in list(numbers)[:CLASSES_SHOWN]
    ]
    if (more := len(classes) - CLASSES_SHOWN) > 0:
        lines.append(f"| and {more:,} more | | | |")
    return "\n".join(lines)
