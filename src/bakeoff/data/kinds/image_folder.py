"""A folder of class folders: `train/cat/1.jpg`, `test/cat/2.jpg`, perhaps `validation/`; or one folder that is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from bakeoff.data.config import DataDescription
from bakeoff.data.listing import by_parts, visible_files
from bakeoff.data.own import OwnConfig, checked
from bakeoff.errors import UserError
from bakeoff.settings import Seed

if TYPE_CHECKING:
    from bakeoff.data.dataset import Dataset

SPLITS = ("train", "test")


class Data(OwnConfig):
    """The data of a study on a folder of images."""

    TITLE: ClassVar[Mapping[str, str]] = {"en": "a folder of images", "zh": "图像文件夹"}
    WHAT = "a folder with train and test, each with a folder for each class"

    test_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share of the images that becomes the test split, where `path` has class folders and no train and test."""
    test_seed: Seed = 0
    """Which images those are."""

    def describe(self) -> DataDescription:
        """Return what the names of files and folders tell."""
        try:
            files = self._files(self._folder("train")) if self.path else {}
        except UserError:
            files = {}
        images = sum(map(len, files.values()))
        if self.test_share is not None:
            images -= round(images * self.test_share)
        return self.described(max(2, len(files)), max(1, images), exact=False)

    def check(self) -> None:
        """Look at the folders, without reading an image.

        Raises:
            UserError: one is missing or empty, or train and test have other classes.
        """
        super().check()
        self._class_names()

    def read(self, source: Path | None) -> Dataset:
        """Return the images of all folders."""
        return self.at(source)._read()

    def _read(self) -> Dataset:
        import numpy as np  # noqa: PLC0415  # not for each parse

        from bakeoff.data.dataset import Dataset, DataSource, Split  # noqa: PLC0415
        from bakeoff.data.pictures import opened, read_all  # noqa: PLC0415
        from bakeoff.data.sampling import Purpose, stratified_sample  # noqa: PLC0415

        names = self._class_names()

        def split(folder: Path) -> Split:
            files = self._files(folder)
            found = [
                (path, label) for label, name in enumerate(names) for path in files.get(name, ())
            ]
            sources = [(path, opened(path)) for path, _ in found]
            labels = [label for _, label in found]
            skip = self.skip_unreadable
            return read_all(sources, labels, self.image_size, self.aspect, skip_unreadable=skip)

        train = split(self._folder("train"))
        held_out = None
        if self.test_share is not None:
            size = round(len(train.fine) * self.test_share)
            chosen = stratified_sample(train.fine, size, self.test_seed, Purpose.TEST)
            rest = np.setdiff1d(np.arange(len(train.fine)), chosen)
            train, test = train.take(rest), train.take(chosen)
        else:
            test = split(self._folder("test"))
            if self._folder("validation").is_dir():
                own = split(self._folder("validation"))
                held_out = np.arange(len(own.fine)) + len(train.fine)
                train = train.followed_by(own)
        dataset = Dataset(
            name=self.describe().name,
            train=train,
            test=test,
            classes=tuple(names),
            superclasses=None,
            class_to_superclass=None,
            source=DataSource(None, None),
            held_out=held_out,
        )
        return checked(dataset, f"data.path ({self.path})")

    def _folder(self, split: str) -> Path:
        assert self.path is not None
        return self.path if self.test_share is not None else self.path / split

    def _class_names(self) -> Sequence[str]:
        """Return the names of the classes, which are those of the folders, in alphabetical order.

        Raises:
            UserError: the folders are not as they should be.
        """
        found = {}
        splits = ("train",) if self.test_share is not None else SPLITS
        for split in splits:
            folder = self._folder(split)
            if not folder.is_dir():
                raise UserError(
                    f"data.path: '{folder}' is no folder; expected {self.WHAT}. Where {self.path} has the class "
                    "folders itself, set data.test_share, such as 0.2."
                )
            files = self._files(folder)
            if empty := sorted(name for name, paths in files.items() if not paths):
                raise UserError(
                    f"data.path: these class folders in '{folder}' hold no file: {', '.join(empty[:5])}."
                )
            if len(files) < 2:
                raise UserError(
                    f"data.path: '{folder}' has {len(files)} class folder(s), expected at least two."
                )
            found[split] = set(files)
        first, *others = found.values()
        for names in others:
            if odd := sorted(first ^ names):
                raise UserError(
                    f"data.path: {' and '.join(splits)} have different classes; only one of them has "
                    f"{', '.join(odd[:5])}. Both need a folder for each class."
                )
        return sorted(first)

    def _files(self, folder: Path) -> dict[str, list[str]]:
        """Return {class: its files, sorted}; without hidden ones; links are followed, but never in a circle."""
        if not folder.is_dir():
            raise UserError(f"data.path: '{folder}' is no folder; expected {self.WHAT}.")
        return _listed(folder)


@lru_cache(maxsize=16)
def _listed(folder: Path) -> dict[str, list[str]]:
    """Return the files of each class folder. Each parse asks often, and there may be 200,000 of them."""
    return {
        entry.name: sorted(visible_files(entry), key=by_parts)
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and not entry.name.startswith(".")
    }
