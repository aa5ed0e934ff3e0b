"""The two official layouts of CIFAR-100, read into one `Dataset`.

The layouts are described on https://www.cs.toronto.edu/~kriz/cifar.html and in A. Krizhevsky,
Learning Multiple Layers of Features from Tiny Images (2009), chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from bakeoff.data.archive import Archive, open_archive
from bakeoff.data.config import BINARY
from bakeoff.data.dataset import IMAGE_SHAPE, Dataset, Labels, Source, Split
from bakeoff.data.unpickle import load_pickle
from bakeoff.errors import UserError

PIXELS = math.prod(IMAGE_SHAPE)
RECORD = 2 + PIXELS  # coarse label, fine label, pixels
MAX_NAMES = 256


def read_cifar(path: Path, accepted_md5: Collection[str]) -> Dataset:
    """Read the archive or unpacked folder `path`, of the binary or the python layout.

    The number of classes is that of the class names. Raises UserError for what `open_archive`
    refuses, and where records, labels and names do not fit together.
    """
    archive = open_archive(path, accepted_md5)
    read = _read_binary if archive.layout is BINARY else _read_python
    train, test, classes, superclasses = read(archive)
    for split, file in ((train, archive.layout.train), (test, archive.layout.test)):
        name = f"{file} in '{path}'"
        _check_range(split.fine, len(classes), f"class label of {name}")
        _check_range(split.coarse, len(superclasses), f"superclass label of {name}")
        if archive.md5 is None:
            _check_balance(split.fine, len(classes), name)
    return Dataset(
        name="cifar-100" if archive.official else path.absolute().name.removesuffix(".tar.gz"),
        kind="archive",
        train=train,
        test=test,
        classes=classes,
        superclasses=superclasses,
        class_to_superclass=_class_to_superclass(train, test, classes, path),
        source=Source(path.absolute().name, archive.md5),
    )


_Parts = tuple[Split, Split, tuple[str, ...], tuple[str, ...]]


def _read_binary(archive: Archive) -> _Parts:
    # The official files end in an empty line.
    fine_names, coarse_names = (
        _names(archive.members[file].rstrip().splitlines(), f"{file} in '{archive.path}'")
        for file in archive.layout.names
    )
    return (
        _binary_split(archive, archive.layout.train),
        _binary_split(archive, archive.layout.test),
        fine_names,
        coarse_names,
    )


def _names(found: object, where: str) -> tuple[str, ...]:
    """Return the names of classes or superclasses, if they are some that tables can tell apart."""
    if not isinstance(found, list | tuple):
        raise UserError(
            f"{where} is altered: expected a list of names, found a {type(found).__name__}."
        )
    names: list[str] = []
    for item in found:
        text = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
        name = text.strip() if isinstance(text, str) else ""
        if not name or not name.isprintable() or "\ufffd" in name:
            raise UserError(
                f"{where} has {item!r:.100} as name {len(names)}; expected a printable line of UTF-8."
            )
        if name in names:
            raise UserError(
                f"{where} has the name '{name:.100}' twice; expected another for each label."
            )
        names.append(name)
    if not 1 <= len(names) <= MAX_NAMES:
        raise UserError(
            f"{where} has {len(names)} names; expected 1 to {MAX_NAMES}, as a label is one byte."
        )
    return tuple(names)


def _binary_split(archive: Archive, file: str) -> Split:
    content = archive.members[file]
    if not content or len(content) % RECORD:
        raise UserError(
            f"{file} in '{archive.path}' is truncated or altered: it has {len(content)} bytes, "
            f"expected a multiple of {RECORD} (one record an image); use a whole copy."
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    return Split(
        images=records[:, 2:].reshape(-1, *IMAGE_SHAPE),
        fine=records[:, 1].astype(np.int64),
        coarse=records[:, 0].astype(np.int64),
    )


def _read_python(archive: Archive) -> _Parts:
    meta_file = archive.layout.names[0]
    meta = load_pickle(archive.members[meta_file], f"{meta_file} in '{archive.path}'")
    fine_names, coarse_names = (
        _names(
            _entry(meta, key, meta_file, archive),
            f"'{key}' of {meta_file} in '{archive.path}'",
        )
        for key in ("fine_label_names", "coarse_label_names")
    )
    return (
        _python_split(archive, archive.layout.train),
        _python_split(archive, archive.layout.test),
        fine_names,
        coarse_names,
    )


def _python_split(archive: Archive, file: str) -> Split:
    content = load_pickle(archive.members[file], f"{file} in '{archive.path}'")
    try:
        data, fine, coarse = (
            np.asarray(_entry(content, key, file, archive))
            for key in ("data", "fine_labels", "coarse_labels")
        )
    except ValueError as error:
        raise UserError(f"{file} in '{archive.path}' is altered: {error}.") from error
    shapes = (data.shape, fine.shape, coarse.shape)
    n = len(data) if data.ndim else 0
    integers = fine.dtype.kind in "iu" and coarse.dtype.kind in "iu"
    if n == 0 or shapes != ((n, PIXELS), (n,), (n,)) or data.dtype != np.uint8 or not integers:
        raise UserError(
            f"{file} in '{archive.path}' is altered: expected data of bytes, N x {PIXELS}, and two "
            f"lists of N whole labels, found {data.dtype} {shapes[0]}, {shapes[1]}, {shapes[2]}."
        )
    return Split(data.reshape(-1, *IMAGE_SHAPE), fine.astype(np.int64), coarse.astype(np.int64))


def _entry(content: dict[str, Any], key: str, file: str, archive: Archive) -> Any:
    if key not in content:
        raise UserError(
            f"{file} in '{archive.path}' lacks the entry '{key}' of the official python layout."
        )
    return content[key]


def _check_range(labels: Labels, names: int, what: str) -> None:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= names:
        raise UserError(
            f"A {what} is {low if low < 0 else high}; expected 0 to {names - 1}, as there are "
            f"{names} names. The file is altered, or the names belong to other data."
        )


def _check_balance(labels: Labels, classes: int, what: str) -> None:
    """Find a binary file that lost whole records, which its size does not tell."""
    counts = np.bincount(labels, minlength=classes)
    if counts.min() != counts.max():
        raise UserError(
            f"{what} is truncated or altered: its classes have {counts.min()} to {counts.max()} "
            "images, expected the same number of each. Unpack the archive again; pack unbalanced "
            "data of your own as a .tar.gz and set data.md5 to its checksum."
        )


def _class_to_superclass(
    train: Split, test: Split, classes: tuple[str, ...], path: Path
) -> tuple[int, ...]:
    mapping = np.full(len(classes), -1)
    mapping[train.fine] = train.coarse
    for split in (train, test):
        wrong = np.flatnonzero(mapping[split.fine] != split.coarse)
        if wrong.size:
            name = classes[split.fine[wrong[0]]]
            raise UserError(
                f"'{path}' gives the class '{name}' more than one superclass, or none in train; "
                "expected each class in train, with one superclass."
            )
    if (mapping < 0).any():
        name = classes[int(np.argmin(mapping))]
        raise UserError(f"'{path}' has no training image of the class '{name}'.")
    return tuple(int(m) for m in mapping)
