"""Parquet files as the Hugging Face hub ships them: `train*.parquet`, `test*.parquet`, perhaps `validation*.parquet`.

Needs pyarrow: `pip install 'bakeoff[parquet]'`; the project's environment has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from bakeoff.data.config import DataDescription
from bakeoff.data.own import OwnConfig, checked
from bakeoff.errors import UserError, did_you_mean
from bakeoff.settings import Label, Line

if TYPE_CHECKING:
    from bakeoff.data.dataset import Dataset


class Data(OwnConfig):
    """The data of a study on parquet files."""

    TITLE: ClassVar[Mapping[str, str]] = {"en": "images in parquet files", "zh": "Parquet 图像"}
    WHAT = "a folder with train*.parquet and test*.parquet"

    image_column: Line = "image"
    """Column of the images: encoded as files, or arrays."""
    label_column: Line = "label"
    """Column of the labels: whole numbers from 0, or names."""
    class_names: Annotated[tuple[Label, ...], Field(strict=False, min_length=2)] | None = None
    """Names of the classes in the order of their numbers; null takes those of the file, if it has any."""

    def describe(self) -> DataDescription:
        """Return what the labels and the files' own description tell."""
        try:
            names, labels = self._labels("train") if self.path else ((), ())
        except (OSError, UserError):
            names, labels = (), ()
        return self.described(max(2, len(names)), max(1, len(labels)), exact=bool(labels))

    def check(self) -> None:
        """Look at the files' descriptions and their labels.

        Raises:
            UserError: a file, a column or pyarrow is missing.
        """
        super().check()
        for split in ("train", "test"):
            self._labels(split)

    def read(self, source: Path | None) -> Dataset:
        """Return the images of all files."""
        return self.at(source)._read()

    def _read(self) -> Dataset:
        import numpy as np  # noqa: PLC0415  # not for each parse

        from bakeoff.data.dataset import Dataset, DataSource, Split  # noqa: PLC0415
        from bakeoff.data.pictures import read_all  # noqa: PLC0415

        names, _ = self._labels("train")

        def split(name: str) -> Split:
            own, labels = self._labels(name)
            if odd := sorted(set(own) - set(names)):
                raise UserError(f"{self.path}: {name} has labels that train lacks: {odd[:5]}.")
            numbers = [names.index(own[label]) for label in labels]
            skip = self.skip_unreadable
            sources = self._images(name)
            return read_all(sources, numbers, self.image_size, self.aspect, skip_unreadable=skip)

        train, test, held_out = split("train"), split("test"), None
        if self._files("validation"):
            extra = split("validation")
            held_out = np.arange(len(extra.fine)) + len(train.fine)
            train = train.followed_by(extra)
        shown = self.class_names or names
        if len(shown) != len(names):
            raise UserError(
                f"data.class_names has {len(shown)} names, but {self.path} has {len(names)} classes."
            )
        where = DataSource(None, None)
        dataset = Dataset(self.describe().name, train, test, shown, None, None, where, held_out)
        return checked(dataset, str(self.path))

    def _files(self, split: str) -> list[Path]:
        assert self.path is not None
        return sorted(self.path.glob(f"{split}*.parquet"))

    def _labels(self, split: str) -> tuple[tuple[str, ...], Sequence[int]]:
        """Return the names of the classes, and for each image the number of its own."""
        files = self._files(split)
        if not files:
            raise UserError(
                f"data.path: '{self.path}' has no {split}*.parquet; expected {self.WHAT}."
            )
        states = tuple((file, file.stat().st_mtime_ns) for file in files)
        return _read_labels(states, self.label_column)

    def _images(self, split: str) -> Any:
        """Yield what to call each image and a function that opens it; a file is read in parts."""
        import numpy as np  # noqa: PLC0415  # not for each parse

        from bakeoff.data.pictures import decoded, from_array  # noqa: PLC0415

        for file in self._files(split):
            parquet = _opened(file, self.image_column)
            number = 0
            for batch in parquet.iter_batches(columns=[self.image_column], batch_size=1000):
                for value in batch.column(0).to_pylist():
                    name = f"{file.name}, row {number}"
                    content = value.get("bytes") if isinstance(value, dict) else value
                    number += 1
                    if isinstance(content, bytes):
                        yield name, decoded(content)
                    else:
                        pixels = np.asarray(content)
                        yield name, lambda pixels=pixels, name=name: from_array(pixels, name)


@lru_cache(maxsize=8)
def _read_labels(
    files: tuple[tuple[Path, int], ...], column: str
) -> tuple[tuple[str, ...], Sequence[int]]:
    """Return names and labels, read once for each state of the files."""
    values: list[Any] = []
    named: Sequence[str] | None = None
    for file, _ in files:
        parquet = _opened(file, column)
        values += parquet.read(columns=[column]).column(0).to_pylist()
        named = named or _names_of_hub(parquet, column)
    if all(isinstance(value, str) for value in values):
        names = sorted(set(values))
        place = {name: number for number, name in enumerate(names)}
        return tuple(names), [place[value] for value in values]
    if not all(isinstance(value, int) and value >= 0 for value in values):
        raise UserError(
            f"{files[0][0]}: column '{column}' holds other labels than whole numbers from 0, or names."
        )
    count = len(named) if named else max(values, default=0) + 1
    if max(values, default=0) >= count:
        raise UserError(
            f"{files[0][0]}: column '{column}' holds {max(values)}, but {count} classes are named."
        )
    return tuple(named or (f"class {number}" for number in range(count))), values


def _names_of_hub(parquet: Any, column: str) -> Sequence[str] | None:
    """Return the names of classes that the hub writes into a file's metadata, if it has."""
    content = (parquet.schema_arrow.metadata or {}).get(b"huggingface", b"")
    try:
        names = json.loads(content)["info"]["features"][column]["names"]
    except (TypeError, ValueError, KeyError):
        return None
    return [str(name) for name in names]


def _opened(file: Path, column: str) -> Any:
    try:
        from pyarrow import ArrowInvalid  # noqa: PLC0415  # an extra, and not for each parse
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError:
        raise UserError(
            "data.kind is parquet, which needs pyarrow. Install it: pip install 'bakeoff[parquet]'."
        ) from None
    try:
        parquet = ParquetFile(file)
    except ArrowInvalid as error:
        raise UserError(f"'{file}' is no parquet file that can be read ({error}).") from None
    names = parquet.schema_arrow.names
    if column not in names:
        raise UserError(
            f"'{file}' has no column '{column}'{did_you_mean(column, names)}; it has {', '.join(names[:8])}. Set "
            "data.image_column and data.label_column."
        )
    return parquet
