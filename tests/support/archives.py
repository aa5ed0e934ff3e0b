"""Small archives of both layouts of CIFAR-100."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bakeoff.data import (
    DataConfig,
    load_split,
)

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
        {
            "kind": "cifar100",
            "classes": len(FINE),
            "validation": {"images": 12, "seed": 0},
            **changes,
        }
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
