"""What a study says about its data. The Snakefile imports this at each parse."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from bakeoff.errors import UserError
from bakeoff.settings import WHOLE, Count, Md5, Seed, Settings

# Krizhevsky's own page, https://www.cs.toronto.edu/~kriz/cifar.html, gives addresses and checksums.
OFFICIAL_URLS = ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",)
OFFICIAL_MD5 = {
    "03b5dce01913d631647c71ecec9e9cb8": "cifar-100-binary.tar.gz",
    "eb9058c3a382ffc7106e4002c42a8d85": "cifar-100-python.tar.gz",
}
OFFICIAL_TRAIN_IMAGES = 50_000
CLASSES = 100
IMAGE_SIZE = 32
"""Height and width in pixels."""

Url = Annotated[str, Field(pattern="^https?://")]


@dataclass(frozen=True)
class Layout:
    """The files of an official archive; those in `names` name the classes and superclasses."""

    name: str
    train: str
    test: str
    names: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """All files that the layout needs."""
        return (self.train, self.test, *self.names)


BINARY = Layout(
    "binary", "train.bin", "test.bin", ("fine_label_names.txt", "coarse_label_names.txt")
)
PYTHON = Layout("python", "train", "test", ("meta",))
LAYOUTS = (BINARY, PYTHON)


class ValidationConfig(Settings):
    """The part of train that is held out, stratified by class, for every choice that is made."""

    images: Count = 5000
    """How many images are held out."""
    seed: Seed = 0
    """Which ones."""


class ShapesConfig(Settings):
    """Size and seed of the built-in data set `shapes`."""

    train_images: Annotated[int, Field(ge=200, le=500_000), WHOLE] = 6000
    """Images in the train split."""
    test_images: Annotated[int, Field(ge=100, le=100_000), WHOLE] = 2000
    """Images in the test split."""
    seed: Seed = 0
    """Seed of the drawing."""


class LimitConfig(Settings):
    """The most images that a split keeps, stratified by class; null keeps all."""

    train: Count | None = None
    """Images of train to keep."""
    test: Count | None = None
    """Images of test to keep."""


class DataConfig(Settings):
    """The data of a study."""

    kind: Literal["archive", "shapes"]
    """archive: CIFAR-100 as published (or in its layout); shapes: drawn by the study itself."""
    archive: Annotated[Path, Field(strict=False)] | None = None
    """A local .tar.gz or unpacked folder; null downloads the official archive."""
    urls: Annotated[tuple[Url, ...], Field(strict=False, min_length=1)] = OFFICIAL_URLS
    """Where the official archive is fetched from, tried in this order."""
    md5: Md5 | None = None
    """Checksum of another archive that you trust; null accepts the two official ones."""
    shapes: ShapesConfig | None = None
    """Size and seed of the drawn data set (kind: shapes)."""
    limit: LimitConfig = LimitConfig()
    """A stratified part of each split, for quick studies; null takes all."""
    validation: ValidationConfig = ValidationConfig()
    """The part of train that is held out, stratified by class, for every choice that is made."""

    @field_validator("archive")
    @classmethod
    def _is_a_path(cls, value: Path | None) -> Path | None:
        if value == Path():
            raise ValueError("is empty, expected a path, or null to download the archive.")
        return value.expanduser() if value else None

    @property
    def accepted_md5(self) -> frozenset[str]:
        """Checksums of the archives that may be opened."""
        return frozenset(OFFICIAL_MD5) | ({self.md5} if self.md5 else frozenset())

    @property
    def official(self) -> bool:
        """Whether these are the images of CIFAR-100 as published."""
        return self.kind == "archive" and (self.md5 is None or self.md5 in OFFICIAL_MD5)


def check(config: DataConfig) -> None:
    """Check, without reading any data, that the archive of `config` is there and can be read.

    Raises UserError otherwise. Passes where the data are to be drawn or downloaded.
    """
    if config.kind != "archive" or config.archive is None:
        return
    path = config.archive
    if not path.exists():
        raise UserError(
            f"data.archive: '{path}' does not exist; give the path of the official CIFAR-100 "
            "archive or of its unpacked folder, or null to download it."
        )
    if not os.access(path, os.R_OK):
        raise UserError(f"data.archive: '{path}' is not readable; mend its permissions.")
    if path.is_dir():
        folder_layout(path)
    elif not path.is_file() or path.stat().st_size == 0:
        raise UserError(
            f"data.archive: '{path}' is empty or no regular file; expected a .tar.gz archive or "
            "an unpacked folder."
        )


def folder_layout(folder: Path) -> Layout:
    """Return the layout whose files `folder` holds; UserError where there is none."""
    for layout in LAYOUTS:
        if all((folder / name).is_file() for name in layout.files):
            return layout
    raise UserError(
        f"data.archive: the folder '{folder}' is no unpacked CIFAR-100 archive; expected the files "
        + " or ".join(", ".join(layout.files) for layout in LAYOUTS)
        + " directly inside it."
    )
