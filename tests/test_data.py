"""Archives, downloads and prepared data: what is accepted, what is refused, and what is written."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from bakeoff.data import (
    DataConfig,
    check,
    download,
    fetch,
    load_meta,
    load_split,
    load_validation_indices,
    prepare,
    verify,
)
from bakeoff.data import archive as archive_module
from bakeoff.data.preparation import channel_statistics, hold_out
from bakeoff.data.sampling import Purpose, stratified_sample
from bakeoff.errors import UserError

FINE = ("apple", "boy", "cloud", "dog", "elm", "fox")
COARSE = ("nature", "beings")
TO_COARSE = (0, 1, 0, 1, 0, 1)
PER_CLASS = {"train": 10, "test": 4}


# --- Small archives of both layouts -------------------------------------------------------------


def records(split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images, fine and coarse labels, shuffled as in the official files."""
    rng = np.random.default_rng(1 if split == "train" else 2)
    fine = rng.permutation(np.repeat(np.arange(len(FINE)), PER_CLASS[split]))
    images = rng.integers(0, 256, (len(fine), 3, 32, 32), dtype=np.uint8)
    return images, fine, np.array(TO_COARSE)[fine]


def binary_files() -> dict[str, bytes]:
    files = {
        "fine_label_names.txt": ("\n".join(FINE) + "\n").encode(),
        "coarse_label_names.txt": ("\n".join(COARSE) + "\n\n").encode(),
    }
    for split in ("train", "test"):
        images, fine, coarse = records(split)
        labels = np.stack([coarse, fine], axis=1).astype(np.uint8)
        rows = np.concatenate([labels, images.reshape(len(fine), -1)], axis=1)
        files[f"{split}.bin"] = rows.tobytes()
    return files


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Writes bytes as the strings of Python 2, as the official files have them."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_string(self, value: bytes) -> None:
        self.write(b"T" + len(value).to_bytes(4, "little") + value)
        self.memoize(value)

    dispatch[bytes] = save_string


def python2_pickle(value: object) -> bytes:
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(value)
    return stream.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")


def python_files() -> dict[str, bytes]:
    files = {
        "meta": python2_pickle(
            {
                b"fine_label_names": [n.encode() for n in FINE],
                b"coarse_label_names": [n.encode() for n in COARSE],
            }
        )
    }
    for split in ("train", "test"):
        images, fine, coarse = records(split)
        files[split] = python2_pickle(
            {
                b"data": images.reshape(len(fine), -1),
                b"fine_labels": fine.tolist(),
                b"coarse_labels": coarse.tolist(),
                b"batch_label": b"a batch",
            }
        )
    return files


def tar_bytes(files: dict[str, bytes], folder: str = "cifar-100/", mode: str = "w:gz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(folder + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def config(**changes: Any) -> DataConfig:
    return DataConfig.model_validate(
        {"kind": "archive", "validation": {"images": 12, "seed": 0}, **changes}
    )


def write_archive(path: Path, files: dict[str, bytes], **options: Any) -> DataConfig:
    """Write the archive and return a configuration that names it and accepts its checksum."""
    content = tar_bytes(files, **options)
    path.write_bytes(content)
    return config(archive=str(path), md5=md5(content))


def write_folder(folder: Path, files: dict[str, bytes]) -> DataConfig:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return config(archive=str(folder))


def assert_prepared_as_archived(root: Path) -> None:
    for split in ("train", "test"):
        images, fine, coarse = load_split(root, split)
        expected = records(split)
        np.testing.assert_array_equal(images, expected[0])
        np.testing.assert_array_equal(fine, expected[1])
        np.testing.assert_array_equal(coarse, expected[2])
        assert images.dtype == np.uint8
        assert fine.dtype == coarse.dtype == np.int64


# --- Preparing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("files", [binary_files, python_files])
def test_both_layouts_give_the_same_prepared_data(tmp_path: Path, files: Any) -> None:
    cfg = write_archive(tmp_path / "mine.tar.gz", files())
    prepare(cfg, tmp_path / "mine.tar.gz", tmp_path / "data")
    assert_prepared_as_archived(tmp_path / "data")
    meta = load_meta(tmp_path / "data")
    assert meta.name == "mine"
    assert meta.kind == "archive"
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
            "shapes": {"train_images": 300, "test_images": 100, "seed": 1},
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
        "meta.json",
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


# --- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [lambda b: b[:-100], lambda b: b[:50] + b"?" + b[51:]])
def test_truncated_or_altered_archive_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Any
) -> None:
    path = tmp_path / "a.tar.gz"
    cfg = write_archive(path, binary_files())
    path.write_bytes(damage(path.read_bytes()))
    monkeypatch.setattr(tarfile, "open", lambda *_a, **_k: pytest.fail("opened unchecked"))
    with pytest.raises(UserError, match=r"a\.tar\.gz' is truncated or altered.*md5"):
        prepare(cfg, path, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_unknown_checksum_is_accepted_only_when_configured(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    cfg = write_archive(path, binary_files())
    with pytest.raises(UserError, match=re.escape(f"set data.md5 to {cfg.md5}")):
        prepare(config(archive=str(path)), path, tmp_path / "data")
    prepare(cfg, path, tmp_path / "data")


@pytest.mark.parametrize("name", ["../train.bin", "/etc/train.bin", "a/../../x", "C:\\x"])
def test_members_that_would_escape_are_refused(tmp_path: Path, name: str) -> None:
    cfg = write_archive(tmp_path / "a.tar.gz", {name: b"x"} | binary_files(), folder="")
    with pytest.raises(UserError, match="is refused: its member"):
        prepare(cfg, None, tmp_path / "data")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("cifar/train.bin")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    (tmp_path / "a.tar").write_bytes(stream.getvalue())
    cfg = config(archive=str(tmp_path / "a.tar"), md5=md5(stream.getvalue()))
    with pytest.raises(UserError, match=r"refused.*cifar/train\.bin"):
        prepare(cfg, None, tmp_path / "data")


def test_archive_that_lacks_or_repeats_a_file_is_named(tmp_path: Path) -> None:
    files = binary_files()
    twice = write_archive(tmp_path / "twice.tar.gz", files | {"old/test.bin": b""})
    with pytest.raises(UserError, match=r"two files named test\.bin"):
        prepare(twice, None, tmp_path / "data")
    del files["test.bin"]
    with pytest.raises(UserError, match=r"lacks files: expected train\.bin"):
        prepare(write_archive(tmp_path / "a.tar.gz", files), None, tmp_path / "data")


def test_a_file_that_is_no_tar_is_named_even_with_the_right_checksum(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"hello")
    with pytest.raises(UserError, match=r"cannot be read as a \.tar\.gz"):
        prepare(
            config(archive=str(tmp_path / "a.tar.gz"), md5=md5(b"hello")), None, tmp_path / "data"
        )


class Harmful:
    """A pickle that runs a command when it is opened without care."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (self.command,))


def test_harmful_pickle_does_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "was-here"
    files = python_files() | {"train": pickle.dumps({"data": Harmful(f"touch {mark}")}, 2)}
    cfg = write_archive(tmp_path / "a.tar.gz", files)
    with pytest.raises(UserError, match=r"train in .* is refused: it asks for \w+\.system"):
        prepare(cfg, None, tmp_path / "data")
    assert not mark.exists()


def test_pickles_of_a_folder_are_opened_only_if_they_are_the_official_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = python_files()
    cfg = write_folder(tmp_path / "cifar", files)
    with pytest.raises(UserError, match=r"cifar/train' is truncated or altered"):
        prepare(cfg, None, tmp_path / "data")
    known = {name: md5(content) for name, content in files.items()}
    monkeypatch.setattr(archive_module, "OFFICIAL_PICKLE_MD5", known)
    prepare(cfg, None, tmp_path / "data")
    assert_prepared_as_archived(tmp_path / "data")
    assert load_meta(tmp_path / "data").name == "cifar-100"


RECORD = 3074


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train.bin": lambda b: b[:-1]}, r"train\.bin.*truncated or altered.*multiple of 3074"),
        ({"test.bin": lambda b: b[:-RECORD]}, r"test\.bin.*3 to 4 images"),
        ({"test.bin": lambda _: b""}, r"test\.bin.*0 bytes"),
        ({"train.bin": lambda b: b[:1] + b"\xff" + b[2:]}, r"class label of train\.bin.*255"),
        ({"train.bin": lambda b: b"\x02" + b[1:]}, r"superclass label of train\.bin.*0 to 1"),
        ({"fine_label_names.txt": lambda _: b"apple\nboy\n"}, r"expected 0 to 1, as there are 2"),
    ],
)
def test_altered_folder_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    files = binary_files()
    for name, alter in change.items():
        files[name] = alter(files[name])
    with pytest.raises(UserError, match=message):
        prepare(write_folder(tmp_path / "cifar", files), None, tmp_path / "data")


def test_a_class_in_two_superclasses_is_named(tmp_path: Path) -> None:
    files = binary_files()
    content = bytearray(files["test.bin"])
    content[0] = 1 - content[0]
    files["test.bin"] = bytes(content)
    name = FINE[content[1]]
    with pytest.raises(UserError, match=f"class '{name}' more than one superclass"):
        prepare(write_folder(tmp_path / "cifar", files), None, tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train", {"data": np.zeros((2, 5), np.uint8)}, "lacks the entry 'fine_labels'"),
        (
            "train",
            {"data": np.zeros((2, 5), np.uint8), "fine_labels": [0, 1], "coarse_labels": [0, 1]},
            "expected data of bytes, N x 3072",
        ),
        ("meta", [1, 2], "expected a dictionary"),
    ],
)
def test_altered_pickle_is_named(tmp_path: Path, name: str, content: Any, message: str) -> None:
    cfg = write_archive(tmp_path / "a.tar.gz", python_files() | {name: pickle.dumps(content, 2)})
    with pytest.raises(UserError, match=message):
        prepare(cfg, None, tmp_path / "data")


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
    cfg = DataConfig.model_validate({"kind": "archive", "archive": None, "md5": None})
    assert cfg.archive is None
    assert cfg.urls == ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",)
    assert "03b5dce01913d631647c71ecec9e9cb8" in cfg.accepted_md5
    assert "eb9058c3a382ffc7106e4002c42a8d85" in cfg.accepted_md5
    assert cfg.validation.images == 5000


def test_check_finds_a_wrong_path_before_any_job(tmp_path: Path) -> None:
    check(config())
    check(DataConfig.model_validate({"kind": "shapes", "archive": "nowhere", "shapes": {}}))
    (tmp_path / "empty.tar.gz").touch()
    (tmp_path / "folder").mkdir()
    for name, message in (
        ("nowhere.tar.gz", "does not exist"),
        ("empty.tar.gz", "is empty"),
        ("folder", r"no unpacked CIFAR-100 archive; expected the files train\.bin"),
    ):
        with pytest.raises(UserError, match=rf"data\.archive.*{name}' ?.*{message}"):
            check(config(archive=str(tmp_path / name)))
    check(write_folder(tmp_path / "good", binary_files()))


def test_importing_the_package_is_cheap() -> None:
    code = (
        "import sys; from bakeoff.data import DataConfig, check; "
        "print(sorted({'numpy', 'requests', 'tqdm', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- Downloading --------------------------------------------------------------------------------


@dataclass
class Mirror:
    """A web server with one file, that can be told to misbehave."""

    content: bytes
    breaks: list[int] = field(default_factory=list)  # bytes sent before each of the first answers
    ranges: bool = True
    status: int | None = None
    content_type: str = "application/gzip"
    encoding: str | None = None
    shift: int = 0  # the part that is sent begins so many bytes late
    asked: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        if self.status is not None:
            request.send_error(self.status)
            return
        start = 0
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                request.send_error(416)
                return
            start += self.shift
            request.send_response(206)
            size = len(self.content)
            request.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            request.send_response(200)
        body = self.content[start:]
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Content-Type", self.content_type)
        if self.encoding:
            request.send_header("Content-Encoding", self.encoding)
        request.end_headers()
        request.wfile.write(body[: self.breaks.pop(0)] if self.breaks else body)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(fetch, "PAUSE_S", 0)
    monkeypatch.setenv("NO_PROXY", "*")
    servers = []

    def start(mirror: Mirror) -> Mirror:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        mirror.url = f"http://127.0.0.1:{server.server_port}/data.tar.gz"
        return mirror

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


CONTENT = np.random.default_rng(0).bytes(700_000)


def download_from(*mirrors: Mirror, md5_of: bytes = CONTENT) -> DataConfig:
    return config(urls=[m.url for m in mirrors], md5=md5(md5_of))


def part_of(destination: Path) -> Path:
    return destination.with_name(destination.name + ".part")


def test_a_download_arrives_whole_and_is_not_repeated(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT)), tmp_path / "new" / "data.tar.gz"
    download(download_from(mirror), target)
    download(download_from(mirror), target)
    assert target.read_bytes() == CONTENT
    assert not part_of(target).exists()
    assert mirror.asked == [None]


def test_a_broken_transfer_goes_on_where_it_broke(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT, breaks=[300_000, 100_000])), tmp_path / "data"
    download(download_from(mirror), target)
    assert target.read_bytes() == CONTENT
    assert mirror.asked == [None, "bytes=300000-", "bytes=400000-"]


def test_a_partial_file_of_an_earlier_call_is_used(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT)), tmp_path / "data"
    part_of(target).write_bytes(CONTENT[:1000])
    download(download_from(mirror), target)
    assert target.read_bytes() == CONTENT
    assert mirror.asked == ["bytes=1000-"]


def test_a_complete_partial_file_needs_no_network(tmp_path: Path) -> None:
    target = tmp_path / "data"
    part_of(target).write_bytes(CONTENT)
    download(config(urls=["http://127.0.0.1:9/"], md5=md5(CONTENT)), target)
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_again(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT, ranges=False)), tmp_path / "data"
    part_of(target).write_bytes(CONTENT[:1000])
    download(download_from(mirror), target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("stale", [b"x" * 1000, b"x" * 800_000], ids=["other", "too long"])
def test_a_bad_partial_file_is_replaced(tmp_path: Path, serve: Any, stale: bytes) -> None:
    mirror, target = serve(Mirror(CONTENT)), tmp_path / "data"
    part_of(target).write_bytes(stale)
    download(download_from(mirror), target)
    assert target.read_bytes() == CONTENT
    assert mirror.asked == [f"bytes={len(stale)}-", None]


def test_mirrors_are_tried_in_order(tmp_path: Path, serve: Any) -> None:
    bad = [
        serve(Mirror(CONTENT, status=404)),
        serve(Mirror(b"<html>log in</html>", content_type="text/html; charset=utf-8")),
        serve(Mirror(b"something else")),
    ]
    good, unused, target = serve(Mirror(CONTENT)), serve(Mirror(CONTENT)), tmp_path / "data"
    download(download_from(*bad, good, unused), target)
    assert target.read_bytes() == CONTENT
    assert [len(m.asked) for m in (*bad, good, unused)] == [1, 1, 1, 1, 0]


def test_a_web_page_does_not_replace_a_good_partial_file(tmp_path: Path, serve: Any) -> None:
    portal = serve(Mirror(b"<html>", ranges=False, content_type="text/html"))
    target = tmp_path / "data"
    part_of(target).write_bytes(CONTENT[:1000])
    with pytest.raises(UserError, match="web page"):
        download(download_from(portal), target)
    assert part_of(target).read_bytes() == CONTENT[:1000]


def test_a_server_that_sends_another_part_is_not_believed(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT, shift=10)), tmp_path / "data"
    part_of(target).write_bytes(CONTENT[:1000])
    with pytest.raises(UserError, match="another part of the file"):
        download(download_from(mirror), target)
    assert part_of(target).read_bytes() == CONTENT[:1000]


def test_a_server_that_calls_gzip_an_encoding_is_not_unpacked(tmp_path: Path, serve: Any) -> None:
    content = tar_bytes(binary_files())
    mirror, target = serve(Mirror(content, encoding="x-gzip")), tmp_path / "data"
    download(download_from(mirror, md5_of=content), target)
    assert target.read_bytes() == content


def test_an_altered_file_is_named_and_not_kept(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT[:-1] + b"?")), tmp_path / "data"
    with pytest.raises(UserError, match=r"altered or another one \(its md5 is \w{32}, expected"):
        download(download_from(mirror), target)
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_file_is_named_and_its_beginning_kept(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT, breaks=[1000, 0, 0, 0])), tmp_path / "data"
    with pytest.raises(UserError, match="truncated at 1000 of 700000 bytes"):
        download(download_from(mirror), target)
    assert not target.exists()
    assert part_of(target).read_bytes() == CONTENT[:1000]


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        download(config(urls=["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"]), tmp_path / "data")
    message = str(caught.value)
    for part in ("127.0.0.1:9/a", "127.0.0.1:9/b", "no answer", "set data.archive", "shapes"):
        assert part in message
    assert list(tmp_path.iterdir()) == []
