"""Arrays in one `.npz` file, as MedMNIST has them: images and labels of `train_`, `test_` and perhaps `val_`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from bakeoff.data.config import DataDescription
from bakeoff.data.own import OwnConfig, checked
from bakeoff.errors import UserError
from bakeoff.settings import Label

if TYPE_CHECKING:
    from bakeoff.data.dataset import Dataset, Labels

NEEDED = ("train_images", "train_labels", "test_images", "test_labels")


class Data(OwnConfig):
    """The data of a study on arrays."""

    TITLE: ClassVar[Mapping[str, str]] = {"en": "arrays of images", "zh": "图像数组"}
    WHAT = "an .npz file with train_images, train_labels, test_images and test_labels"

    class_names: Annotated[tuple[Label, ...], Field(strict=False, min_length=2)] | None = None
    """Names of the classes in the order of their numbers; null calls them class 0, class 1, ..."""

    def describe(self) -> DataDescription:
        """Return what the labels tell; they are small."""
        try:
            labels = _labels(self.path) if self.path else None
        except (OSError, UserError):
            labels = None
        if labels is None:
            return self.described(2, 1, exact=False)
        return self.described(max(2, int(labels.max(initial=0)) + 1), len(labels), exact=True)

    def check(self) -> None:
        """Look whether the file has the arrays.

        Raises:
            UserError: it has not.
        """
        super().check()
        assert self.path is not None
        _labels(self.path)

    def read(self, source: Path | None) -> Dataset:
        """Return the images of all arrays."""
        return self.at(source)._read()

    def _read(self) -> Dataset:
        import numpy as np  # noqa: PLC0415  # not for each parse

        from bakeoff.data.dataset import Dataset, DataSource, Split  # noqa: PLC0415
        from bakeoff.data.pictures import from_array, read_all  # noqa: PLC0415

        assert self.path is not None
        classes = self.describe().classes
        with _opened(self.path) as arrays:

            def split(name: str) -> Split:
                images, labels = (
                    arrays[f"{name}_images"],
                    _flat(arrays[f"{name}_labels"], self.path),
                )
                if len(images) != len(labels):
                    raise UserError(
                        f"{self.path}: {name}_images has {len(images)} images, but {name}_labels has "
                        f"{len(labels)} labels."
                    )
                if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
                    raise UserError(
                        f"{self.path}: {name}_labels holds {labels.min()} to {labels.max()}, expected 0 to "
                        f"{classes - 1}."
                    )
                sources = [
                    (f"{name}_images[{i}]", lambda i=i: from_array(images[i], str(self.path)))
                    for i in range(len(images))
                ]
                skip = self.skip_unreadable
                return read_all(sources, labels, self.image_size, self.aspect, skip_unreadable=skip)

            train, test, held_out = split("train"), split("test"), None
            if "val_images" in arrays and "val_labels" in arrays:
                own = split("val")
                held_out = np.arange(len(own.fine)) + len(train.fine)
                train = train.followed_by(own)
        names = self.class_names or tuple(f"class {number}" for number in range(classes))
        if len(names) != classes:
            raise UserError(
                f"data.class_names has {len(names)} names, but {self.path} has {classes} classes."
            )
        dataset = Dataset(
            self.describe().name, train, test, names, None, None, DataSource(None, None), held_out
        )
        return checked(dataset, str(self.path))


def _opened(path: Path) -> Any:
    import numpy as np  # noqa: PLC0415  # not for each parse

    try:
        arrays = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise UserError(
            f"data.path: '{path}' is no .npz file that can be read ({error})."
        ) from None
    if not hasattr(arrays, "files"):
        raise UserError(f"data.path: '{path}' is one array, expected {Data.WHAT}.")
    if lacking := [name for name in NEEDED if name not in arrays.files]:
        raise UserError(
            f"data.path: '{path}' lacks {', '.join(lacking)}; it has {', '.join(arrays.files[:8])}."
        )
    return arrays


def _labels(path: Path) -> Labels:
    status = path.stat()
    return _train_labels(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _train_labels(path: Path, size: int, changed: int) -> Labels:
    """Return the labels of train, read once for each state of the file."""
    del size, changed
    with _opened(path) as arrays:
        return _flat(arrays["train_labels"], path)


def _flat(labels: Any, path: Path | None) -> Labels:
    """Return labels, N or N x 1 whole numbers, as int64, N."""
    import numpy as np  # noqa: PLC0415  # not for each parse

    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        shape = " x ".join(map(str, labels.shape))
        raise UserError(
            f"{path}: labels are {shape} numbers of type {labels.dtype}, expected one whole number for each image."
        )
    flat: Labels = labels.astype(np.int64)
    return flat
