"""What a study says about its data.

Standard library only, because the Snakefile imports this at each parse.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError, did_you_mean

KINDS = ("archive", "shapes")

# Krizhevsky's own page, https://www.cs.toronto.edu/~kriz/cifar.html, gives addresses and checksums.
OFFICIAL_URLS = ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",)
OFFICIAL_MD5 = {
    "03b5dce01913d631647c71ecec9e9cb8": "cifar-100-binary.tar.gz",
    "eb9058c3a382ffc7106e4002c42a8d85": "cifar-100-python.tar.gz",
}


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


@dataclass(frozen=True)
class ValidationConfig:
    """How many images of train are held out (stratified by class), and the seed that picks them."""

    images: int = 5000
    seed: int = 0


@dataclass(frozen=True)
class ShapesConfig:
    """Size and seed of the built-in data set `shapes`."""

    train_images: int = 6000
    test_images: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class LimitConfig:
    """The most images that a split keeps, chosen stratified by class; None keeps all."""

    train: int | None = None
    test: int | None = None


@dataclass(frozen=True)
class DataConfig:
    """The `data` section of a study.

    `archive` is a local `.tar.gz` or unpacked folder, or None to download from `urls` in their
    order. `md5` is a checksum that is accepted besides the official ones.
    """

    kind: str
    archive: Path | None = None
    urls: tuple[str, ...] = OFFICIAL_URLS
    md5: str | None = None
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    shapes: ShapesConfig = field(default_factory=ShapesConfig)
    limit: LimitConfig = field(default_factory=LimitConfig)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> DataConfig:
        """Build the configuration from the JSON of `specs/data.json`; absent keys take defaults.

        Raises UserError where `kind` is unknown.
        """
        kind = str(mapping.get("kind"))
        if kind not in KINDS:
            raise UserError(
                f"data.kind is '{kind}', expected one of {', '.join(KINDS)}"
                f"{did_you_mean(kind, KINDS)}."
            )
        archive, md5 = mapping.get("archive"), mapping.get("md5")
        return cls(
            kind=kind,
            archive=Path(archive).expanduser() if archive else None,
            urls=tuple(mapping.get("urls") or OFFICIAL_URLS),
            md5=str(md5).lower() if md5 else None,
            validation=ValidationConfig(**mapping.get("validation") or {}),
            shapes=ShapesConfig(**mapping.get("shapes") or {}),
            limit=LimitConfig(**mapping.get("limit") or {}),
        )

    @property
    def accepted_md5(self) -> frozenset[str]:
        """Checksums of the archives that may be opened."""
        return frozenset(OFFICIAL_MD5) | ({self.md5} if self.md5 else frozenset())


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
