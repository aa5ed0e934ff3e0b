"""The two official layouts of CIFAR-100 and CIFAR-10, read into one `Dataset`.

The layouts are described on https://www.cs.toronto.edu/~kriz/cifar.html and in A. Krizhevsky,
Learning Multiple Layers of Features from Tiny Images (2009), chapter 3.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bakeoff.data.archive import Archive, open_archive
from bakeoff.data.dataset import Dataset, DataSource, Images, Labels, Split
from bakeoff.data.published import PublishedConfig
from bakeoff.data.unpickle import load_pickle
from bakeoff.errors import UserError

IMAGE_SHAPE = (3, 32, 32)
PIXELS = math.prod(IMAGE_SHAPE)
MAX_NAMES = 256
LABELS = ("class", "superclass")


class _Labelled(NamedTuple):
    """Images with their labels: the class, and then the superclass, if there are any."""

    images: Images
    labels: list[Labels]


def read_cifar(path: Path, config: PublishedConfig) -> Dataset:
    """Read the archive or unpacked folder `path`, of the binary or the python layout.

    The number of classes is that of the class names.

    Raises:
        UserError: for what `open_archive` refuses, and where records, labels and names do not fit together.
    """
    archive = open_archive(path, config)
    names = _all_names(archive)
    train, test = (
        _read_split(archive, files, names) for files in (archive.layout.train, archive.layout.test)
    )
    classes, grouped = names[0], len(names) > 1
    return Dataset(
        name=archive.published.name
        if archive.official
        else path.absolute().name.removesuffix(".tar.gz"),
        train=Split(train.images, train.labels[0]),
        test=Split(test.images, test.labels[0]),
        classes=classes,
        superclasses=names[1] if grouped else None,
        class_to_superclass=_class_to_superclass(train, test, classes, path) if grouped else None,
        source=DataSource(path.absolute().name, archive.md5),
    )


def _all_names(archive: Archive) -> list[tuple[str, ...]]:
    """Return the names of each label, in the order of `labels` of what is published."""
    kinds = archive.published.labels
    if archive.binary:
        # The official files end in an empty line.
        return [
            _names(
                archive.members[kind.names_file].rstrip().splitlines(),
                f"{kind.names_file} in '{archive.path}'",
            )
            for kind in kinds
        ]
    (file,) = archive.layout.names
    meta = load_pickle(archive.members[file], f"{file} in '{archive.path}'")
    return [
        _names(
            _entry(meta, kind.names_entry, file, archive),
            f"'{kind.names_entry}' of {file} in '{archive.path}'",
        )
        for kind in kinds
    ]


def _read_split(
    archive: Archive, files: tuple[str, ...], names: list[tuple[str, ...]]
) -> _Labelled:
    read = _binary_file if archive.binary else _python_file
    parts = [read(archive, file) for file in files]
    for file, part in zip(files, parts, strict=True):
        labelled = zip(LABELS, part.labels, names, strict=False)
        for what, labels, known in labelled:
            _check_range(labels, len(known), f"{what} label of {file} in '{archive.path}'")
    split = _Labelled(
        np.concatenate([part.images for part in parts]) if len(parts) > 1 else parts[0].images,
        [np.concatenate(labels) for labels in zip(*(part.labels for part in parts), strict=True)],
    )
    if archive.md5 is None:
        where = f"{' + '.join(files)} in '{archive.path}'"
        _check_balance(split.labels[0], len(names[0]), where)
    return split


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


def _binary_file(archive: Archive, file: str) -> _Labelled:
    content, labels = archive.members[file], len(archive.published.labels)
    record = labels + PIXELS
    if not content or len(content) % record:
        raise UserError(
            f"{file} in '{archive.path}' is truncated or altered: it has {len(content)} bytes, "
            f"expected a multiple of {record} (one record an image); use a whole copy."
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, record)
    return _Labelled(
        records[:, labels:].reshape(-1, *IMAGE_SHAPE),
        [records[:, column].astype(np.int64) for column in reversed(range(labels))],
    )


def _python_file(archive: Archive, file: str) -> _Labelled:
    content = load_pickle(archive.members[file], f"{file} in '{archive.path}'")
    entries = [kind.entry for kind in archive.published.labels]
    try:
        data, *labels = (
            np.asarray(_entry(content, key, file, archive)) for key in ("data", *entries)
        )
    except ValueError as error:
        raise UserError(f"{file} in '{archive.path}' is altered: {error}.") from error
    n = len(data) if data.ndim else 0
    fitting = all(each.shape == (n,) and each.dtype.kind in "iu" for each in labels)
    if n == 0 or data.shape != (n, PIXELS) or data.dtype != np.uint8 or not fitting:
        found = ", ".join(str(each.shape) for each in (data, *labels))
        raise UserError(
            f"{file} in '{archive.path}' is altered: expected data of bytes, N x {PIXELS}, and N whole labels in "
            f"{' and '.join(entries)}, found {data.dtype} {found}."
        )
    return _Labelled(data.reshape(-1, *IMAGE_SHAPE), [each.astype(np.int64) for each in labels])


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
    train: _Labelled, test: _Labelled, classes: tuple[str, ...], path: Path
) -> tuple[int, ...]:
    mapping = np.full(len(classes), -1)
    fine, coarse = train.labels
    mapping[fine] = coarse
    for fine, coarse in (train.labels, test.labels):
        wrong = np.flatnonzero(mapping[fine] != coarse)
        if wrong.size:
            name = classes[fine[wrong[0]]]
            raise UserError(
                f"'{path}' gives the class '{name}' more than one superclass, or none in train; "
                "expected each class in train, with one superclass."
            )
    if (mapping < 0).any():
        name = classes[int(np.argmin(mapping))]
        raise UserError(f"'{path}' has no training image of the class '{name}'.")
    return tuple(int(m) for m in mapping)
