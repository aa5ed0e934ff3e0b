"""Prepared data: what is written, what is held out, what went wrong, how it is configured."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.data import (
    DataConfig,
    load_meta,
    load_split,
    load_validation_indices,
    prepare,
    verify,
)
from bakeoff.data.preparation import channel_statistics, hold_out
from bakeoff.data.sampling import Purpose, stratified_sample
from bakeoff.errors import UserError
from tests.support.archives import (
    COARSE,
    FINE,
    TO_COARSE,
    assert_prepared_as_archived,
    binary_files,
    config,
    python_files,
    records,
    write_archive,
    write_folder,
)

# --- Preparing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [binary_files, python_files])
def test_both_layouts_give_the_same_prepared_data(tmp_path: Path, files: Any) -> None:
    cfg = write_archive(tmp_path / "mine.tar.gz", files())
    prepare(cfg, tmp_path / "mine.tar.gz", tmp_path / "data")
    assert_prepared_as_archived(tmp_path / "data")
    meta = load_meta(tmp_path / "data")
    assert meta.name == "mine"
    assert meta.kind == "cifar100"
    assert (meta.classes, meta.superclasses, meta.class_to_superclass) == (FINE, COARSE, TO_COARSE)
    assert (meta.train_images, meta.validation_images, meta.test_images) == (60, 12, 24)
    assert meta.image_size == 32
    assert (meta.source.file, meta.source.md5) == ("mine.tar.gz", cfg.md5)


def test_pickles_of_python_3_are_read_too(tmp_path: Path) -> None:
    files = {
        name: pickle.dumps(pickle.loads(content, encoding="bytes"), protocol=2)
        for name, content in python_files().items()
    }
    cfg = write_archive(tmp_path / "a.tar.gz", files)
    prepare(cfg, None, tmp_path / "data")
    assert_prepared_as_archived(tmp_path / "data")


def test_unpacked_folder_is_read(tmp_path: Path) -> None:
    prepare(write_folder(tmp_path / "cifar", binary_files()), None, tmp_path / "data")
    assert_prepared_as_archived(tmp_path / "data")
    assert load_meta(tmp_path / "data").source.md5 is None


def test_images_are_mapped_from_disk_and_read_only(tmp_path: Path) -> None:
    prepare(write_folder(tmp_path / "cifar", binary_files()), None, tmp_path / "data")
    images, _, _ = load_split(tmp_path / "data", "train")
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_mean_and_std_are_those_of_the_images_that_are_not_held_out(tmp_path: Path) -> None:
    prepare(write_folder(tmp_path / "cifar", binary_files()), None, tmp_path / "data")
    images, _, _ = load_split(tmp_path / "data", "train")
    kept = np.delete(images, load_validation_indices(tmp_path / "data"), axis=0) / 255
    meta = load_meta(tmp_path / "data")
    np.testing.assert_allclose(meta.mean, kept.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(meta.std, kept.std(axis=(0, 2, 3)), rtol=1e-12)
    assert not np.allclose(meta.mean, (images / 255).mean(axis=(0, 2, 3)), rtol=1e-12)


def test_statistics_of_known_channels() -> None:
    images = np.zeros((2, 3, 32, 32), np.uint8)
    images[:, 1] = 255
    images[0, 2] = 255
    assert channel_statistics(images) == ((0.0, 1.0, 0.5), (0.0, 0.0, 0.5))


def test_limit_keeps_a_stratified_part_and_the_rest_follows(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "cifar", binary_files()).archive
    cfg = config(
        archive=str(folder), limit={"train": 30, "test": 12}, validation={"images": 6, "seed": 4}
    )
    prepare(cfg, None, tmp_path / "data")
    images, fine, coarse = load_split(tmp_path / "data", "train")
    assert images.shape == (30, 3, 32, 32)
    assert set(np.bincount(fine)) == {5}
    assert set(np.bincount(load_split(tmp_path / "data", "test")[1])) == {2}
    assert set(np.bincount(fine[load_validation_indices(tmp_path / "data")])) == {1}
    all_images, all_fine, all_coarse = records("train")
    for image, label, superclass in zip(images, fine, coarse, strict=True):
        (index,) = np.flatnonzero((all_images == image).all(axis=(1, 2, 3)))
        assert (all_fine[index], all_coarse[index]) == (label, superclass)


def test_a_limit_beyond_the_data_keeps_them_all(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "cifar", binary_files()).archive
    prepare(config(archive=str(folder), limit={"train": 999}), None, tmp_path / "data")
    assert_prepared_as_archived(tmp_path / "data")


def test_shapes_are_prepared_without_an_archive(tmp_path: Path) -> None:
    cfg = DataConfig.model_validate(
        {
            "kind": "shapes",
            "shapes": {"train_images": 300, "test_images": 100, "seed": 1, "superclasses": 20},
            "validation": {"images": 100, "seed": 0},
        }
    )
    prepare(cfg, None, tmp_path)
    meta = load_meta(tmp_path)
    assert (meta.name, len(meta.classes), len(meta.superclasses)) == ("shapes", 100, 20)
    _, fine, coarse = load_split(tmp_path, "train")
    assert set(np.bincount(fine[load_validation_indices(tmp_path)])) == {1}
    assert (np.array(meta.class_to_superclass)[fine] == coarse).all()
    verify(tmp_path)


def test_preparing_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    cfg = write_folder(tmp_path / "cifar", binary_files())
    for out in ("a", "b"):
        prepare(cfg, None, tmp_path / out)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [
        "duplicates.csv",
        "meta.json",
        "near_copies.csv",
        "reading.json",
        "test_coarse.npy",
        "test_fine.npy",
        "test_images.npy",
        "train_coarse.npy",
        "train_fine.npy",
        "train_images.npy",
        "validation_indices.npy",
    ]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_failed_preparation_leaves_no_finished_folder(tmp_path: Path) -> None:
    cfg = write_folder(tmp_path / "cifar", binary_files())
    prepare(cfg, None, tmp_path / "data")
    (tmp_path / "data" / "train_fine.npy").unlink()
    (tmp_path / "data" / "train_fine.npy").mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match="train_fine"):
        prepare(cfg, None, tmp_path / "data")
    with pytest.raises(UserError, match="not prepared"):
        load_meta(tmp_path / "data")


# --- The validation split -----------------------------------------------------------------------


def test_validation_is_stratified_sorted_and_fixed_by_its_seed() -> None:
    fine = np.repeat(np.arange(100), 500)
    first, again, other = (hold_out(fine, 5000, seed) for seed in (0, 0, 1))
    assert set(np.bincount(fine[first])) == {50}
    assert (np.diff(first) > 0).all()
    np.testing.assert_array_equal(first, again)
    assert len(np.intersect1d(first, other)) < 1000


@pytest.mark.parametrize("size", [1, 7, 40, 99, 100])
def test_samples_keep_the_proportions_of_unequal_classes(size: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 3], [70, 25, 5]))
    sample = stratified_sample(labels, size, 0, Purpose.VALIDATION)
    assert len(np.unique(sample)) == size
    found = np.bincount(labels[sample], minlength=4)
    expected = size * np.array([70, 25, 0, 5]) / 100
    assert (np.abs(found - expected) <= 1).all()


def test_smaller_samples_are_part_of_larger_ones_and_purposes_are_independent() -> None:
    labels = np.repeat(np.arange(10), 100)
    small, large = (stratified_sample(labels, n, 3, Purpose.LIMIT_TRAIN) for n in (105, 333))
    assert np.isin(small, large).all()
    validation = stratified_sample(labels, 333, 3, Purpose.VALIDATION)
    assert len(np.intersect1d(validation, large)) < 200


@pytest.mark.parametrize("images", [0, 60, 61])
def test_a_validation_split_that_leaves_nothing_is_refused(images: int) -> None:
    with pytest.raises(UserError, match=r"data\.validation\.images.*1 to 59"):
        hold_out(np.repeat(np.arange(6), 10), images, 0)


# --- Prepared data that went wrong --------------------------------------------------------------


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    prepare(write_folder(tmp_path / "cifar", binary_files()), None, tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize("name", ["train_images", "test_coarse", "validation_indices"])
def test_verify_finds_one_altered_byte(prepared: Path, name: str) -> None:
    verify(prepared)
    path = prepared / f"{name}.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"truncated or altered.*checksum"):
        verify(prepared)


def test_loading_names_what_is_missing_or_truncated(prepared: Path) -> None:
    with pytest.raises(UserError, match="'valid' is no split"):
        load_split(prepared, "valid")
    path = prepared / "train_images.npy"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"train_images\.npy is no whole array"):
        load_split(prepared, "train")
    path.unlink()
    with pytest.raises(UserError, match=r"train_images\.npy' is missing.*prepare"):
        load_split(prepared, "train")
    np.save(prepared / "test_fine.npy", np.zeros(3))
    with pytest.raises(UserError, match=r"test_fine\.npy holds float64"):
        load_split(prepared, "test")
    (prepared / "meta.json").write_text("{}")
    with pytest.raises(UserError, match=r"meta\.json cannot be read"):
        load_meta(prepared)


def test_meta_is_plain_json_with_the_documented_keys(prepared: Path) -> None:
    content = json.loads((prepared / "meta.json").read_text())
    assert content["classes"] == list(FINE)
    assert content["source"] == {"file": "cifar", "md5": None}
    assert set(content) == {
        *("name", "kind", "classes", "superclasses", "class_to_superclass", "mean", "std"),
        *("image_size", "train_images", "validation_images", "test_images", "checksum", "source"),
    }


# --- The configuration --------------------------------------------------------------------------


def test_configuration_takes_the_official_archive_by_default() -> None:
    cfg = DataConfig.model_validate({"kind": "cifar100", "archive": None, "md5": None})
    assert cfg.archive is None
    assert cfg.addresses == ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",)
    assert "03b5dce01913d631647c71ecec9e9cb8" in cfg.accepted_md5
    assert "eb9058c3a382ffc7106e4002c42a8d85" in cfg.accepted_md5
    assert cfg.validation.images == 5000


def test_check_finds_a_wrong_path_before_any_job(tmp_path: Path) -> None:
    config().check()
    DataConfig.model_validate({"kind": "shapes", "archive": "nowhere", "shapes": {}}).check()
    (tmp_path / "empty.tar.gz").touch()
    (tmp_path / "folder").mkdir()
    for name, message in (
        ("nowhere.tar.gz", "does not exist"),
        ("empty.tar.gz", "is empty"),
        ("folder", r"no unpacked CIFAR-100 archive; expected the files train\.bin"),
    ):
        with pytest.raises(UserError, match=rf"data\.archive.*{name}' ?.*{message}"):
            config(archive=str(tmp_path / name)).check()
    write_folder(tmp_path / "good", binary_files()).check()


def test_importing_the_package_is_cheap() -> None:
    code = (
        "import sys; from bakeoff.data import DataConfig; "
        "print(sorted({'numpy', 'requests', 'tqdm', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
