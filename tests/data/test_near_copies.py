"""Images that are nearly the same as another one."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from bakeoff.data.dataset import Split
from bakeoff.data.near_copies import find_near_copies, write_near_copies

SIZE = 32


def photograph(seed: int, size: int = SIZE) -> Image.Image:
    """Return an image with coarse and fine structure, different for each seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8))
    fine = rng.normal(0, 12, (size, size, 3))
    pixels = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)) + fine
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def split(*images: Image.Image, labels: list[int] | None = None) -> Split:
    pixels = np.stack([np.asarray(image).transpose(2, 0, 1) for image in images])
    return Split(pixels, np.array(labels or [0] * len(images)))


def saved_again(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def halved(image: Image.Image) -> Image.Image:
    size = image.size
    return image.resize((size[0] // 2, size[1] // 2), Image.Resampling.BICUBIC).resize(size)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved again": saved_again,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.7),
    "at half the resolution": halved,
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("size", [30, 32, 64])
def test_a_picture_that_was_changed_a_little_is_found(change: str, size: int) -> None:
    train = split(*(photograph(seed, size) for seed in range(300)))
    test = split(CHANGES[change](photograph(7, size)), photograph(1000, size), labels=[1, 0])
    (copy,) = find_near_copies(train, test).copies
    assert (copy.split, copy.row, copy.label) == ("test", 0, 1)
    assert (copy.of_split, copy.of_row, copy.of_label) == ("train", 7, 0)
    assert copy.mirrored == (change == "mirrored") and 0.98 <= copy.likeness <= 1.00001


def test_different_pictures_exact_copies_and_flat_images_are_not_near_copies() -> None:
    flat = [Image.new("RGB", (SIZE, SIZE), (level,) * 3) for level in (0, 1, 200)]
    grey = Image.fromarray(
        np.full((SIZE, SIZE, 3), 90, np.uint8) + np.eye(SIZE, dtype=np.uint8)[..., None]
    )
    first = photograph(0)
    train = split(first, *flat, grey, *(photograph(seed) for seed in range(1, 200)))
    assert find_near_copies(train, split(first, flat[0], flat[2])).copies == ()


def test_colour_counts() -> None:
    pixels = np.asarray(photograph(0))
    other = Image.fromarray(np.ascontiguousarray(pixels[..., [1, 2, 0]]))
    assert find_near_copies(split(photograph(0)), split(other)).copies == ()


def test_of_a_test_image_the_copy_in_train_is_told_before_one_in_test() -> None:
    train = split(photograph(1), saved_again(photograph(5)), labels=[0, 1])
    test = split(photograph(5), CHANGES["less contrast"](photograph(5)))
    found = find_near_copies(train, test)
    assert [(c.row, c.of_split, c.of_row) for c in found.copies] == [
        (0, "train", 1),
        (1, "train", 1),
    ]
    assert found.test_in_train == (0, 1) and found.within("test") == 0
    assert found.sentences() == [
        "Test images that nearly stand in train: 2 (saved again, brightened, mirrored or the like).",
        "Images that are nearly the same as one of another class: 2.",
    ]
    inside = find_near_copies(
        split(photograph(1), saved_again(photograph(1))), split(photograph(2))
    )
    assert inside.sentences() == [
        "Images of train that are nearly the same as another one of train: 1."
    ]


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    images = [photograph(seed) for seed in range(40)]
    train, test = (
        split(*images, saved_again(images[3])),
        split(halved(images[20]), saved_again(images[39])),
    )
    whole = find_near_copies(train, test)
    assert [(c.split, c.row, c.of_row) for c in whole.copies] == [
        ("train", 40, 3),
        ("test", 0, 20),
        ("test", 1, 39),
    ]
    monkeypatch.setattr("bakeoff.data.near_copies.BLOCK", 7)
    parts = find_near_copies(train, test)
    assert [(c.split, c.row, c.of_row) for c in parts.copies] == [
        (c.split, c.row, c.of_row) for c in whole.copies
    ]
    write_near_copies(tmp_path, whole, ["cat", "dog"])
    rows = list(csv.DictReader((tmp_path / "near_copies.csv").open()))
    assert [row["of_row"] for row in rows] == ["3", "20", "39"]
    assert rows[0]["class"] == "cat" and rows[0]["mirrored"] == "False"
