"""Settings of data that are published as an archive: where it is found, and which archives are accepted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, field_validator

from bakeoff.data.config import DataConfig, DataDescription
from bakeoff.errors import UserError
from bakeoff.settings import Md5

if TYPE_CHECKING:
    from bakeoff.data.dataset import Dataset

Url = Annotated[str, Field(pattern="^https?://")]


@dataclass(frozen=True)
class ArchiveLayout:
    """The files of an archive; those in `names` name the classes and superclasses."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """All files that the layout needs."""
        return (*self.train, *self.test, *self.names)


@dataclass(frozen=True)
class LabelNames:
    """How an archive calls one of its labels."""

    entry: str
    """The labels, in a pickle of images."""
    names_entry: str
    """Their names, in the pickle of names."""
    names_file: str
    """The file of their names, in the binary layout."""


@dataclass(frozen=True)
class Published:
    """A published data set: its archives, and what is in them."""

    name: str
    url: str
    md5: Mapping[str, str]
    """{MD5: name} of the official archives."""
    pickle_md5: Mapping[str, str]
    """{file: MD5} of the python layout. In a folder there is no archive to check, and no pickle is opened on trust."""
    binary: ArchiveLayout
    python: ArchiveLayout
    labels: tuple[LabelNames, ...]
    """The class, and then the superclass, if there is one; a binary record has them the other way round."""
    classes: int
    superclasses: int | None
    train_images: int
    archive_bytes: float

    @property
    def layouts(self) -> tuple[ArchiveLayout, ArchiveLayout]:
        """Both layouts."""
        return self.binary, self.python


class PublishedConfig(DataConfig):
    """Data that are published as an archive, or a user's own in the same layout."""

    PUBLISHED: ClassVar[Published]
    IMAGE_SIZE: ClassVar[int] = 32
    PLACES = frozenset({"archive", "urls"})

    archive: Annotated[Path, Field(strict=False)] | None = None
    """A local .tar.gz or unpacked folder; null downloads the official archive."""
    urls: Annotated[tuple[Url, ...], Field(strict=False, min_length=1)] | None = None
    """Where the official archive is fetched from, tried in this order; null is where it is published."""
    md5: Md5 | None = None
    """Checksum of another archive that you trust; null accepts the official ones."""

    @field_validator("archive")
    @classmethod
    def _is_a_path(cls, value: Path | None) -> Path | None:
        if value == Path():
            raise ValueError("is empty, expected a path, or null to download the archive.")
        return value.expanduser() if value else None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the official archive is fetched from."""
        return self.urls or (self.PUBLISHED.url,)

    @property
    def accepted_md5(self) -> frozenset[str]:
        """Checksums of the archives that may be opened."""
        return frozenset(self.PUBLISHED.md5) | ({self.md5} if self.md5 else frozenset())

    @property
    def official(self) -> bool:
        """Whether these are the images as published."""
        return self.md5 is None or self.md5 in self.PUBLISHED.md5

    def describe(self) -> DataDescription:
        """Return what is published, or what can be told of a user's own archive by its size."""
        known, name = self.PUBLISHED, self.kind
        title = dict(self.TITLE)
        if not self.official:
            name = self.archive.name.removesuffix(".tar.gz") if self.archive else "custom"
            title = {"en": name, "zh": name}
        elif self.limit.train or self.limit.test:
            # What holds for all of it need not hold here, and claims about it are not tested.
            name = f"{name}_part"
            title = {"en": f"a part of {title['en']}", "zh": f"{title['zh']}的一部分"}
        images = known.train_images
        if not self.official and self.archive is not None and self.archive.is_file():
            images = max(1, round(images * self.archive.stat().st_size / known.archive_bytes))
        return DataDescription(
            name=name,
            title=title,
            classes=self.classes or known.classes,
            image_size=self.IMAGE_SIZE,
            superclasses=known.superclasses,
            train_images=images,
            exact=self.official,
        )

    def mistakes(self) -> Iterator[tuple[Sequence[str], str]]:
        """Yield what does not fit the published images."""
        known, title = self.PUBLISHED, self.TITLE["en"]
        folder = self.archive is not None and self.archive.is_dir()
        if self.official and not folder and self.classes not in (None, known.classes):
            yield (
                ("classes",),
                f"data.classes is {self.classes}, but {title} has {known.classes}. Leave it out.",
            )
        if self.image_size != self.IMAGE_SIZE:
            yield (
                ("image_size",),
                f"data.image_size is {self.image_size}, but the images of {title} have {self.IMAGE_SIZE} pixels. "
                "Leave it out; input_policy enlarges images for a network.",
            )

    def fetched(self) -> Path:
        """Return where the official archive is fetched to."""
        return Path("resources") / self.PUBLISHED.url.rpartition("/")[2]

    def download(self, destination: Path) -> None:
        """Fetch the official archive; see `bakeoff.data.fetch.download`."""
        from bakeoff.data.fetch import download  # noqa: PLC0415  # requests is not for each parse

        download(self, destination)

    def sources(self) -> Sequence[Path]:
        """Return the archive or unpacked folder."""
        return (self.archive or self.fetched(),)

    def check(self) -> None:
        """Look whether the archive is there and can be read; what is to be downloaded passes.

        Raises:
            UserError: it is not.
        """
        path = self.archive
        if path is None:
            return
        if not path.exists():
            raise UserError(
                f"data.archive: '{path}' does not exist; give the path of the official {self.TITLE['en']} "
                "archive or of its unpacked folder, or null to download it."
            )
        if not os.access(path, os.R_OK):
            raise UserError(f"data.archive: '{path}' is not readable; mend its permissions.")
        if path.is_dir():
            self.folder_layout(path)
        elif not path.is_file() or path.stat().st_size == 0:
            raise UserError(
                f"data.archive: '{path}' is empty or no regular file; expected a .tar.gz archive or "
                "an unpacked folder."
            )

    def folder_layout(self, folder: Path) -> ArchiveLayout:
        """Return the layout whose files `folder` holds.

        Raises:
            UserError: there is none.
        """
        layouts = self.PUBLISHED.layouts
        for layout in layouts:
            if all((folder / name).is_file() for name in layout.files):
                return layout
        raise UserError(
            f"data.archive: the folder '{folder}' is no unpacked {self.TITLE['en']} archive; expected the files "
            + " or ".join(", ".join(layout.files) for layout in layouts)
            + " directly inside it."
        )

    def read(self, source: Path | None) -> Dataset:
        """Return the images of the archive; see `bakeoff.data.cifar.read_cifar`."""
        from bakeoff.data.cifar import read_cifar  # noqa: PLC0415  # NumPy is not for each parse

        path = source or self.archive
        if path is None:
            raise UserError(
                "data.archive is null and nothing was downloaded; run the rule `download`."
            )
        return read_cifar(path, self)
