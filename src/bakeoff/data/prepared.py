"""Prepared data on disk: a folder of arrays that every run maps into memory, and what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bakeoff.data.arrays import META, SPLITS, VALIDATION, array_names
from bakeoff.data.dataset import DataSource, Images, Labels, Split
from bakeoff.errors import UserError
from bakeoff.files import atomic_path, read_json, write_json


@dataclass(frozen=True)
class DataMeta:
    """What `meta.json` says.

    `superclasses` and `class_to_superclass` are None where classes are not grouped. `mean` and `std` are per channel,
    on the 0..1 scale, of the training images that are not held out. `train_images` counts the rows of the train split,
    those held out included. `checksum` is `arrays_checksum` of the folder.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    superclasses: tuple[str, ...] | None
    class_to_superclass: tuple[int, ...] | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    image_size: int
    train_images: int
    validation_images: int
    test_images: int
    checksum: str
    source: DataSource


def load_split(root: str | Path, split: str) -> tuple[Images, Labels, Labels | None]:
    """Return images, classes and superclasses of `split` ("train" or "test") of the folder `root`.

    Images are uint8, N x 3 x H x H (planes R, G, B), mapped read-only from disk; labels are int64, N, and there are no
    superclasses (None) where classes are not grouped.

    Raises:
        UserError: a file is missing or is no such array.
    """
    if split not in SPLITS:
        raise UserError(f"'{split}' is no split; expected {' or '.join(SPLITS)}.")
    images = _load_array(root, f"{split}_images", mapped=True)
    fine = _load_array(root, f"{split}_fine")
    coarse = _load_array(root, f"{split}_coarse") if _grouped(root) else None
    square = images.ndim == 4 and images.shape[2] == images.shape[3]
    if (
        not square
        or images.shape[:2] != (len(fine), 3)
        or (coarse is not None and coarse.shape != fine.shape)
    ):
        raise _altered(root, f"the shapes of its {split} arrays do not fit together")
    return images, fine, coarse


def load_validation_indices(root: str | Path) -> Labels:
    """Return the sorted indices (int64) of the images of train that are held out for validation."""
    return _load_array(root, VALIDATION)


def load_meta(root: str | Path) -> DataMeta:
    """Return what `meta.json` of `root` says.

    Raises:
        UserError: it is missing or broken.
    """
    path = Path(root) / META
    try:
        content = dict(read_json(path))
        content["source"] = DataSource(**content["source"])
        values = {f.name: _frozen(content[f.name]) for f in fields(DataMeta)}
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (ValueError, KeyError, TypeError) as error:
        raise _altered(root, f"{META} cannot be read ({error!r})") from error
    return DataMeta(**values)


def verify(root: str | Path) -> None:
    """Recompute the checksum of the arrays in `root`.

    Raises:
        UserError: meta.json has another.
    """
    if arrays_checksum(root) != load_meta(root).checksum:
        raise _altered(root, f"the arrays do not have the checksum that {META} gives")


def arrays_checksum(root: str | Path) -> str:
    """Return the SHA-256 over name, type, shape and bytes of each array in `root`, in hex."""
    digest = hashlib.sha256()
    for name in array_names(_grouped(root)):
        array = _load_array(root, name, mapped=True)
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def write_arrays(
    root: str | Path,
    train: Split,
    test: Split,
    validation: Labels,
    class_to_superclass: Sequence[int] | None,
) -> None:
    """Write all arrays to the folder `root`, each atomically, after removing its `meta.json`.

    A folder without `meta.json` is unfinished: `write_meta` completes it.
    """
    root = Path(root)
    (root / META).unlink(missing_ok=True)
    for split, content in zip(SPLITS, (train, test), strict=True):
        _save_array(root, f"{split}_images", content.images)
        _save_array(root, f"{split}_fine", content.fine)
        if class_to_superclass is None:
            # Of other data that were prepared here before.
            (root / f"{split}_coarse.npy").unlink(missing_ok=True)
        else:
            _save_array(root, f"{split}_coarse", np.array(class_to_superclass)[content.fine])
    _save_array(root, VALIDATION, validation)


def write_meta(root: str | Path, meta: DataMeta) -> None:
    """Write `meta.json` of the folder `root` atomically."""
    write_json(Path(root) / META, asdict(meta))


def _save_array(root: Path, name: str, array: npt.NDArray[Any]) -> None:
    with atomic_path(root / f"{name}.npy") as temporary:
        np.save(temporary, np.ascontiguousarray(array))


def _grouped(root: str | Path) -> bool:
    return (Path(root) / "train_coarse.npy").exists()


def _load_array(root: str | Path, name: str, mapped: bool = False) -> npt.NDArray[Any]:
    path = Path(root) / f"{name}.npy"
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (ValueError, EOFError, OSError) as error:
        raise _altered(root, f"{path.name} is no whole array ({error})") from error
    if array.dtype != (np.uint8 if name.endswith("images") else np.int64):
        raise _altered(root, f"{path.name} holds {array.dtype}")
    return array


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _missing(path: Path) -> UserError:
    return UserError(f"'{path}' is missing: the data are not prepared; run the rule `prepare`.")


def _altered(root: str | Path, what: str) -> UserError:
    return UserError(
        f"The prepared data in '{root}' are truncated or altered: {what}. Delete the folder and "
        "run the rule `prepare` again."
    )
