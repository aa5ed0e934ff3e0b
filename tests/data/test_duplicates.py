"""Images that are there more than once."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.data import prepare
from bakeoff.data.dataset import Split
from bakeoff.data.duplicates import find_duplicates
from tests.data.test_own import config, folder, picture


def split(labels: list[int], seeds: list[int]) -> Split:
    """Return an image drawn from each seed: equal seeds give equal images."""
    images = [np.random.default_rng(seed).integers(0, 256, (3, 16, 16), np.uint8) for seed in seeds]
    return Split(np.stack(images), np.array(labels, np.int64))


def test_copies_are_found_within_and_across_splits() -> None:
    # Train rows 0, 2 and 4 are one image, in two classes; train 1 and test 1 another; test 0 and 2 a third.
    train, test = split([0, 1, 0, 1, 1], [1, 2, 1, 3, 1]), split([0, 1, 0], [9, 2, 9])
    found = find_duplicates(train, test)
    assert [(c.group, c.split, c.row, c.label) for c in found.copies] == [
        (1, "train", 0, 0),
        (1, "train", 2, 0),
        (1, "train", 4, 1),
        (2, "train", 1, 1),
        (2, "test", 1, 1),
        (3, "test", 0, 0),
        (3, "test", 2, 0),
    ]
    assert found.test_in_train == (1,)
    assert found.contradictory == 1
    assert (found.within("train"), found.within("test")) == (2, 1)
    assert len(found.sentences()) == 4


def test_one_level_of_one_pixel_makes_another_image() -> None:
    train, test = split([0], [1]), split([0], [1])
    assert find_duplicates(train, test).test_in_train == (0,)
    test.images[0, 2, 15, 15] ^= 1
    assert find_duplicates(train, test).copies == ()
    assert find_duplicates(train, test).sentences() == []


def test_preparation_lists_them_and_warns(tmp_path: Path, caplog: Any) -> None:
    root = folder(tmp_path / "photos", train=8, test=3)
    # The same pixels under another class, and in test.
    picture(0).save(root / "train" / "bear" / "zz.png")
    picture(0).save(root / "test" / "apple" / "zz.png")
    with caplog.at_level(logging.WARNING):
        prepare(config("image_folder", root), None, tmp_path / "data")
    with (tmp_path / "data" / "duplicates.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["split"], row["row"], row["class"]) for row in rows] == [
        ("train", "0", "apple"),
        ("train", "16", "bear"),
        ("test", "3", "apple"),
    ]
    assert {row["group"] for row in rows} == {"1"}
    assert "also stand in train, pixel for pixel: 1." in caplog.text
    assert "different labels: 1." in caplog.text


def test_without_copies_there_is_a_heading_and_no_warning(tmp_path: Path, caplog: Any) -> None:
    root = folder(tmp_path / "photos", train=8, test=3)
    prepare(config("image_folder", root), None, tmp_path / "data")
    assert (tmp_path / "data" / "duplicates.csv").read_text() == "group,split,row,class\n"
    assert "duplicates.csv" not in caplog.text
