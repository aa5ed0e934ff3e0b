"""A user's own images: folders and arrays."""

from __future__ import annotations

import io
import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from bakeoff.data import DataConfig, load_meta, load_split, load_validation_indices, prepare
from bakeoff.data.pictures import from_array, in_colour, to_square
from bakeoff.errors import UserError
from tests.support.archives import binary_files, write_folder
from tests.support.project import REPOSITORY

CLASSES = ("apple", "bear", "cat")
SIZE = 16


def picture(seed: int, size: tuple[int, int] = (SIZE, SIZE)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(pixels)


def folder(root: Path, **counts: int) -> Path:
    """Write `counts` images of each class to each split."""
    for number, (split, count) in enumerate(counts.items()):
        for label, name in enumerate(CLASSES):
            place = root / split / name if split != "all" else root / name
            place.mkdir(parents=True)
            for image in range(count):
                picture(1000 * number + 100 * label + image).save(place / f"{image:03}.png")
    return root


def config(kind: str, path: Path, **changes: Any) -> DataConfig:
    settings = {"kind": kind, "path": str(path), "image_size": SIZE, "validation": {"images": 6}}
    return DataConfig.model_validate(settings | changes)


def arrays(path: Path, root: Path) -> Path:
    """Write the images of a folder as arrays."""
    content = {}
    for split, name in (("train", "train"), ("test", "test"), ("validation", "val")):
        files = sorted((root / split).glob("*/*.png"))
        if files:
            content[f"{name}_images"] = np.stack([np.asarray(Image.open(f)) for f in files])
            content[f"{name}_labels"] = np.array([[CLASSES.index(f.parent.name)] for f in files])
    np.savez(path, **content)
    return path


def test_an_archive_as_folder_arrays_and_parquet_is_the_same_data(tmp_path: Path) -> None:
    spec = spec_from_file_location("prepare", REPOSITORY / "benchmarks/prepare.py")
    assert spec is not None and spec.loader is not None
    benchmark = module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    archive = write_folder(tmp_path / "cifar", binary_files())
    assert benchmark.agree(archive, tmp_path) == dict.fromkeys(benchmark.FORMS, True)
    # It would see a label that is wrong.
    labels = np.load(tmp_path / "npz" / "test_fine.npy")
    np.save(tmp_path / "npz" / "test_fine.npy", labels[::-1])
    assert benchmark.content(tmp_path / "npz")[0] != benchmark.content(tmp_path / "archive")[0]


def test_a_folder_and_arrays_of_the_same_images_are_the_same_data(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", train=8, test=3)
    named = {"class_names": list(CLASSES)}
    prepare(config("image_folder", root), None, tmp_path / "a")
    prepare(config("npz", arrays(tmp_path / "a.npz", root), **named), None, tmp_path / "b")
    one, other = load_meta(tmp_path / "a"), load_meta(tmp_path / "b")
    assert one.classes == other.classes == CLASSES
    assert (one.train_images, one.validation_images, one.test_images) == (24, 6, 9)
    assert one.checksum == other.checksum
    images, labels, _ = load_split(tmp_path / "a", "train")
    first = np.asarray(Image.open(root / "train" / "apple" / "000.png")).transpose(2, 0, 1)
    np.testing.assert_array_equal(images[0], first)
    assert labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8


@pytest.mark.parametrize("kind", ["image_folder", "npz"])
def test_a_validation_split_of_its_own_is_held_out(kind: str, tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", train=5, test=3, validation=2)
    path = root if kind == "image_folder" else arrays(tmp_path / "a.npz", root)
    own = config(kind, path)
    prepare(own, None, tmp_path / "data")
    meta = load_meta(tmp_path / "data")
    assert (meta.train_images, meta.validation_images) == (21, 6)
    assert load_validation_indices(tmp_path / "data").tolist() == list(range(15, 21))
    images, _, _ = load_split(tmp_path / "data", "train")
    first = np.asarray(Image.open(root / "validation" / "apple" / "000.png")).transpose(2, 0, 1)
    np.testing.assert_array_equal(images[15], first)
    limited = config(kind, path, limit={"train": 9})
    with pytest.raises(UserError, match=r"data\.limit\.train to null"):
        prepare(limited, None, tmp_path / "b")


def test_one_folder_is_split_once_and_stratified(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", all=10)
    split = config("image_folder", root, test_share=0.3)
    prepare(split, None, tmp_path / "a")
    prepare(split, None, tmp_path / "b")
    assert load_meta(tmp_path / "a").checksum == load_meta(tmp_path / "b").checksum
    _, train, _ = load_split(tmp_path / "a", "train")
    _, test, _ = load_split(tmp_path / "a", "test")
    assert np.bincount(train).tolist() == [7, 7, 7]
    assert np.bincount(test).tolist() == [3, 3, 3]
    prepare(config("image_folder", root, test_share=0.3, test_seed=1), None, tmp_path / "c")
    assert load_meta(tmp_path / "c").checksum != load_meta(tmp_path / "a").checksum


def test_where_the_images_are_is_no_part_of_what_they_are(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", train=4, test=2)
    before = config("image_folder", root)
    moved = config("image_folder", root.rename(tmp_path / "elsewhere"))
    assert before.decides() == moved.decides() | {"classes": before.decides()["classes"]}
    assert moved.describe().name == before.describe().name == "own_images"
    assert config("image_folder", tmp_path / "elsewhere", title="my photos").describe().title == {
        "en": "my photos",
        "zh": "my photos",
    }


def test_the_study_is_planned_by_what_the_names_tell(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", train=4, test=2)
    (root / "train" / ".hidden").mkdir()
    (root / "train" / "cat" / ".DS_Store").write_text("x")
    (root / "train" / "cat" / "again").symlink_to(root / "train" / "cat", target_is_directory=True)
    described = config("image_folder", root).describe()
    assert (described.classes, described.train_images) == (3, 12)
    assert config("npz", arrays(tmp_path / "a.npz", root)).describe().classes == 3


def bad_folder(root: Path, fault: str) -> None:
    match fault:
        case "classes":
            (root / "test" / "cat").rename(root / "test" / "cow")
        case "empty":
            for file in (root / "train" / "cat").iterdir():
                file.unlink()
        case "no test":
            (root / "test").rename(root / "tests")
        case "one class":
            for split in ("train", "test"):
                for name in ("bear", "cat"):
                    (root / split / name).rename(root / f"{split}_{name}")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("classes", "only one of them has cat, cow"),
        ("empty", "hold no file: cat"),
        ("no test", "set data.test_share"),
        ("one class", "has 1 class folder"),
    ],
)
def test_folders_that_are_no_study_are_told_without_reading(
    fault: str, expected: str, tmp_path: Path
) -> None:
    root = folder(tmp_path / "photos", train=4, test=2)
    bad_folder(root, fault)
    with pytest.raises(UserError, match=expected):
        config("image_folder", root).check()


def test_unreadable_files_are_named_or_left_out(tmp_path: Path, caplog: Any) -> None:
    root = folder(tmp_path / "photos", train=6, test=2)
    whole = (root / "train" / "cat" / "000.png").read_bytes()
    (root / "train" / "cat" / "000.png").write_bytes(whole[: len(whole) // 2])
    (root / "train" / "cat" / "notes.txt").write_text("no image")
    with pytest.raises(UserError, match=r"2 of 19 files.*000\.png.*notes\.txt"):
        prepare(config("image_folder", root), None, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    prepare(config("image_folder", root, skip_unreadable=True), None, tmp_path / "a")
    assert load_meta(tmp_path / "a").train_images == 17
    assert "2 of 19 files cannot be read" in caplog.text


def test_a_class_with_one_image_is_told(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", train=4, test=2)
    for file in sorted((root / "train" / "cat").iterdir())[1:]:
        file.unlink()
    with pytest.raises(UserError, match=r"fewer than 2 images in train: 'cat' \(1\)"):
        prepare(config("image_folder", root), None, tmp_path / "a")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"test_images": None}, "lacks test_images"),
        ({"train_labels": np.zeros((12, 2), int)}, r"labels are 12 x 2"),
        ({"train_labels": np.full(12, 0.5)}, "expected one whole number"),
        ({"test_labels": np.full(6, 7)}, "test_labels holds 7 to 7, expected 0 to 2"),
        (
            {"train_images": np.zeros((11, 8, 8), np.uint8)},
            "has 11 images, but train_labels has 12",
        ),
        ({"train_images": np.zeros((12, 8, 8, 5), np.uint8)}, "an image is 8 x 8 x 5"),
        ({"train_images": np.full((12, 8, 8), 300)}, "outside of 0 to 255"),
    ],
)
def test_arrays_that_are_no_data_set_are_told(
    change: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    path = arrays(tmp_path / "a.npz", folder(tmp_path / "photos", train=4, test=2))
    with np.load(path) as found:
        content = {**found, **change}
    np.savez(path, **{key: value for key, value in content.items() if value is not None})
    with pytest.raises(UserError, match=expected):
        own = config("npz", path)
        own.check()
        prepare(own, None, tmp_path / "data")


def test_a_missing_path_is_told() -> None:
    own = DataConfig.model_validate({"kind": "npz"})
    assert [text for _, text in own.mistakes()] == [
        "data.path is missing. It is an .npz file with train_images, train_labels, test_images and test_labels."
    ]
    with pytest.raises(UserError, match=r"'nowhere\.npz' does not exist"):
        config("npz", Path("nowhere.npz")).check()
    with pytest.raises(ValidationError):
        config("image_folder", Path("x"), aspect="bend")


# --- pictures


def saved(image: Image.Image, form: str, **options: Any) -> Image.Image:
    content = io.BytesIO()
    image.save(content, form, **options)
    return Image.open(content)


def test_every_mode_becomes_rgb() -> None:
    grey = Image.fromarray(np.full((4, 4), 77, np.uint8))
    assert np.asarray(in_colour(grey)).tolist() == [[[77] * 3] * 4] * 4
    sixteen = Image.fromarray(np.full((4, 4), 77 * 257, np.uint16))
    assert np.asarray(in_colour(saved(sixteen, "PNG")))[0, 0].tolist() == [77] * 3
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert np.asarray(in_colour(clear))[0, 0].tolist() == [255] * 3
    palette = Image.new("RGB", (4, 4), (200, 10, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert np.asarray(in_colour(saved(palette, "PNG")))[0, 0].tolist() == [200, 10, 30]
    assert np.asarray(in_colour(Image.new("CMYK", (4, 4))))[0, 0].tolist() == [255] * 3
    black = Image.new("1", (4, 4))
    assert np.asarray(in_colour(black)).max() == 0


def test_a_picture_is_turned_as_its_camera_says() -> None:
    image = Image.new("RGB", (8, 4), "white")
    image.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned clockwise to be upright
    turned = to_square(saved(image, "PNG", exif=exif), 8, "stretch")
    assert turned[1, 0, -1] < 128 < turned[0, 0, -1]  # red is at the right now


@pytest.mark.parametrize(("aspect", "edge"), [("crop", 200), ("pad", 0), ("stretch", 200)])
def test_pictures_become_squares(aspect: Any, edge: int) -> None:
    wide = Image.new("RGB", (64, 32), (200, 200, 200))
    square = to_square(wide, 16, aspect)
    assert square.shape == (3, 16, 16)
    assert square[0, 0, 8] == edge
    assert square[0, 8, 8] == 200


def test_small_pictures_are_antialiased() -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    small = to_square(Image.fromarray(stripes), 16, "crop")
    assert abs(small.astype(int) - 127).max() < 40


def test_shares_of_one_are_levels() -> None:
    halves = from_array(np.full((4, 4), 0.5, np.float32), "x")
    assert np.asarray(halves).max() in (127, 128)
    assert np.asarray(from_array(np.full((4, 4, 1), 9, np.int32), "x")).max() == 9


# --- parquet


def parquet(place: Path, root: Path, **changes: Any) -> Path:
    """Write the images of a folder as the hub does: the files' bytes, and names in the metadata."""
    place.mkdir()
    for split in ("train", "test", "validation"):
        files = sorted((root / split).glob("*/*.png"))
        if not files:
            continue
        columns = {
            "image": [{"bytes": f.read_bytes(), "path": f.name} for f in files],
            "label": [CLASSES.index(f.parent.name) for f in files],
        }
        described = {"info": {"features": {"label": {"names": list(CLASSES)}}}}
        table = pa.table(columns | changes).replace_schema_metadata(
            {"huggingface": json.dumps(described)}
        )
        half = len(files) // 2
        for number, part in enumerate((table[:half], table[half:])):
            pq.write_table(part, place / f"{split}-0000{number}-of-00002.parquet")
    return place


def test_parquet_files_of_the_same_images_are_the_same_data(tmp_path: Path) -> None:
    root = folder(tmp_path / "photos", train=6, test=2, validation=2)
    prepare(config("image_folder", root), None, tmp_path / "a")
    own = config("parquet", parquet(tmp_path / "hub", root))
    assert own.describe().classes == 3
    prepare(own, None, tmp_path / "b")
    one, other = load_meta(tmp_path / "a"), load_meta(tmp_path / "b")
    assert other.classes == CLASSES
    assert one.checksum == other.checksum


def test_labels_may_be_names_and_images_arrays(tmp_path: Path) -> None:
    place = tmp_path / "hub"
    place.mkdir()
    for split in ("train", "test"):
        table = {"pixels": [[[9] * 4] * 4] * 6, "kind": ["b", "a"] * 3}
        pq.write_table(pa.table(table), place / f"{split}.parquet")
    own = config(
        "parquet", place, image_column="pixels", label_column="kind", validation={"images": 2}
    )
    prepare(own, None, tmp_path / "a")
    assert load_meta(tmp_path / "a").classes == ("a", "b")
    images, labels, _ = load_split(tmp_path / "a", "train")
    assert images.min() == images.max() == 9
    assert labels.tolist() == [1, 0] * 3
    with pytest.raises(UserError, match=r"no column 'label'.*it has pixels, kind"):
        config("parquet", place).check()


def test_files_that_are_no_parquet_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "hub"
    place.mkdir()
    with pytest.raises(UserError, match=r"has no train\*\.parquet"):
        config("parquet", place).check()
    (place / "train.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="no parquet file that can be read"):
        config("parquet", place).check()
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r"needs pyarrow.*bakeoff\[parquet\]"):
        config("parquet", place).check()
