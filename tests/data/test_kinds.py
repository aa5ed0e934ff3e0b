"""Kinds of data: what is said of them before they are prepared is what is prepared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bakeoff.data import DataConfig, load_meta, load_split, prepare, verify
from bakeoff.data.dataset import Dataset
from bakeoff.data.kinds import find_kind, kind_names
from bakeoff.data.own import OwnConfig
from bakeoff.errors import UserError
from bakeoff.study.figures import find_figures
from tests.support.archives import md5, python2_pickle, records, tar_bytes

NAMES = ("apple", "boy", "cloud", "dog", "elm", "fox")
BATCHES = 5


def cifar10_files(binary: bool) -> dict[str, bytes]:
    """Return the files of a small archive in the layout of CIFAR-10: train is in five parts."""
    files = {}
    for split in ("train", "test"):
        images, labels, _ = records(split)
        parts = BATCHES if split == "train" else 1
        for number, rows in enumerate(np.array_split(np.arange(len(labels)), parts), start=1):
            name = f"data_batch_{number}" if split == "train" else "test_batch"
            pixels, classes = images[rows].reshape(len(rows), -1), labels[rows]
            if binary:
                records_of = np.concatenate([classes[:, None].astype(np.uint8), pixels], axis=1)
                files[f"{name}.bin"] = records_of.tobytes()
            else:
                files[name] = python2_pickle({b"data": pixels, b"labels": classes.tolist()})
    if binary:
        return files | {"batches.meta.txt": ("\n".join(NAMES) + "\n\n").encode()}
    return files | {"batches.meta": python2_pickle({b"label_names": [n.encode() for n in NAMES]})}


def cifar10(path: Path, files: dict[str, bytes], **changes: Any) -> DataConfig:
    path.write_bytes(tar_bytes(files, "cifar-10/"))
    given = {"archive": str(path), "md5": md5(path.read_bytes()), "classes": len(NAMES)}
    return DataConfig.model_validate(
        {"kind": "cifar10", "validation": {"images": 12}, **given, **changes}
    )


@pytest.mark.parametrize("binary", [True, False])
def test_cifar10_is_read_in_both_layouts_and_has_no_superclasses(
    tmp_path: Path, binary: bool
) -> None:
    config = cifar10(tmp_path / "a.tar.gz", cifar10_files(binary))
    for name in ("train_coarse.npy", "test_coarse.npy"):
        # Of other data that were prepared there before.
        (tmp_path / "data").mkdir(exist_ok=True)
        np.save(tmp_path / "data" / name, np.zeros(3, np.int64))
    prepare(config, None, tmp_path / "data")
    for split in ("train", "test"):
        images, labels, superclasses = load_split(tmp_path / "data", split)
        expected, classes, _ = records(split)
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(labels, classes)
        assert superclasses is None
    meta = load_meta(tmp_path / "data")
    assert (meta.kind, meta.classes) == ("cifar10", NAMES)
    assert meta.superclasses is meta.class_to_superclass is None
    assert not list((tmp_path / "data").glob("*coarse*"))
    verify(tmp_path / "data")


def test_a_batch_that_is_missing_or_cut_is_named(tmp_path: Path) -> None:
    files = cifar10_files(binary=True)
    cut = files | {"data_batch_3.bin": files["data_batch_3.bin"][:-1]}
    with pytest.raises(UserError, match=r"data_batch_3\.bin.*a multiple of 3073"):
        prepare(cifar10(tmp_path / "cut.tar.gz", cut), None, tmp_path / "data")
    del files["data_batch_4.bin"]
    with pytest.raises(UserError, match=r"lacks files: expected data_batch_1\.bin"):
        prepare(cifar10(tmp_path / "a.tar.gz", files), None, tmp_path / "data")


def test_the_number_of_classes_is_what_was_said(tmp_path: Path) -> None:
    config = cifar10(tmp_path / "a.tar.gz", cifar10_files(binary=True), classes=None)
    usual = r"data\.classes is 10, which is usual .* have 6 classes\. Set data\.classes to 6\."
    with pytest.raises(UserError, match=usual):
        prepare(config, None, tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("kind", kind_names())
def test_a_kind_says_what_it_is(kind: str) -> None:
    config = DataConfig.model_validate({"kind": kind})
    described = config.describe()
    assert type(config) is find_kind(kind)
    assert set(described.title) == {"en", "zh"}
    assert described.name == ("own_images" if isinstance(config, OwnConfig) else kind)
    assert config.decides() == type(config).model_validate(config.decides()).decides()


def test_settings_of_other_kinds_say_nothing_and_unknown_ones_are_refused() -> None:
    given = {"kind": "shapes", "archive": "nowhere", "md5": 3, "shapes": {"seed": 4}}
    assert "archive" not in DataConfig.model_validate(given).model_dump()
    with pytest.raises(ValidationError, match="shape\n"):
        DataConfig.model_validate({**given, "shape": {}})


def draw(classes: int, size: int = 32, **shapes: Any) -> Dataset:
    given = {"kind": "shapes", "classes": classes, "image_size": size, "shapes": shapes}
    config, dataset = DataConfig.model_validate(given), None
    assert not list(config.mistakes())
    dataset, described = config.read(None), config.describe()
    assert dataset.train.images.shape == (described.train_images, 3, size, size)
    assert len(dataset.classes) == described.classes == classes
    assert len(dataset.superclasses or ()) == (described.superclasses or 0)
    return dataset


@pytest.mark.parametrize(
    ("classes", "size", "superclasses"),
    [(2, 16, None), (3, 24, 3), (7, 48, 2), (10, 96, None), (100, 16, 4), (999, 16, 40)],
)
def test_any_number_of_classes_is_drawn_at_any_size(
    classes: int, size: int, superclasses: int | None
) -> None:
    images = {"train_images": max(200, classes), "test_images": max(100, classes)}
    dataset = draw(classes, size, **images, superclasses=superclasses)
    assert len(set(dataset.classes)) == classes
    assert np.ptp(np.bincount(dataset.train.fine, minlength=classes)) <= 1
    if superclasses:
        sizes = np.bincount(np.array(dataset.class_to_superclass))
        assert len(sizes) == superclasses and np.ptp(sizes) <= 1
        for name, which in zip(dataset.classes, dataset.class_to_superclass or (), strict=True):
            assert name.split(" ", 2)[2] == (dataset.superclasses or ())[which]


def test_an_image_is_the_same_at_another_size() -> None:
    few = {"train_images": 200, "test_images": 100, "difficulty": 0.0}
    large, small = (draw(10, size, **few).train.images for size in (64, 32))
    halved = large.reshape(-1, 3, 32, 2, 32, 2).mean(axis=(3, 5))
    assert np.abs(halved - small).mean() < 4, "levels: only edges and fine textures differ"


def test_the_more_difficult_the_less_a_class_looks_alike() -> None:
    def spread(difficulty: float) -> float:
        drawn = draw(5, train_images=500, test_images=100, difficulty=difficulty).train
        of_each = [drawn.images[drawn.fine == c].astype(float).std(axis=0).mean() for c in range(5)]
        return float(np.mean(of_each))

    spreads = [spread(difficulty) for difficulty in (0.0, 0.5, 1.0)]
    assert spreads[0] + 5 < spreads[1] < spreads[2] - 5, spreads


def test_a_study_has_the_figures_that_its_data_have_something_for() -> None:
    grouped, flat = (set(find_figures(["eca"], superclasses=has)) for has in (True, False))
    assert grouped - flat == {"superclass_confusion"}
    assert "ablation_deltas" in flat
    assert "ablation_deltas" not in find_figures([], superclasses=True)
