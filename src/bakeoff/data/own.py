"""Settings that all kinds of a user's own images share, and what is checked of them whatever they are read from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator

from bakeoff.data.config import DataConfig, DataDescription
from bakeoff.errors import UserError
from bakeoff.settings import Label

if TYPE_CHECKING:
    from bakeoff.data.dataset import Dataset

Aspect = Literal["crop", "pad", "stretch"]


class OwnConfig(DataConfig):
    """Images of a user's own."""

    PLACES: ClassVar[frozenset[str]] = frozenset({"path"})
    WHAT: ClassVar[str]
    """What `path` has to be, for a person."""

    path: Annotated[Path, Field(strict=False)] | None = None
    """Where the images are. Moving them makes nothing stale."""
    title: Label | None = None
    """What tables, figures and slides call these images; null says "own images"."""
    aspect: Aspect = "crop"
    """How images that are not square become so: crop takes the middle, pad adds black, stretch distorts."""
    skip_unreadable: bool = False
    """Leave out files that are no readable images, and say how many, instead of refusing them."""

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value else None

    def mistakes(self) -> Iterator[tuple[Sequence[str], str]]:
        """Yield that the images are missing."""
        if self.path is None:
            yield ("path",), f"data.path is missing. It is {self.WHAT}."

    def sources(self) -> Sequence[Path]:
        """Return where the images are."""
        return (self.path,) if self.path else ()

    def check(self) -> None:
        """Look whether the images are there.

        Raises:
            UserError: they are not.
        """
        if self.path is None or not self.path.exists():
            raise UserError(f"data.path: '{self.path}' does not exist; expected {self.WHAT}.")
        if not os.access(self.path, os.R_OK):
            raise UserError(f"data.path: '{self.path}' is not readable; mend its permissions.")

    def at(self, source: Path | None) -> Self:
        """Return the settings with the place that a job was given, which its spec does not have."""
        return self.model_copy(update={"path": source}) if source else self

    def described(self, classes: int, train_images: int, *, exact: bool) -> DataDescription:
        """Return the description of images of which this much is known."""
        own: Mapping[str, str] = {"en": "own images", "zh": "自有图像"}
        return DataDescription(
            # Not the name of the folder, which may be moved.
            name=self.title or "own_images",
            title={language: self.title or text for language, text in own.items()},
            classes=self.classes or classes,
            image_size=self.image_size,
            superclasses=None,
            train_images=train_images,
            exact=exact,
        )


def checked(dataset: Dataset, where: str) -> Dataset:
    """Return images as they are, if a study can be made of them.

    Raises:
        UserError: a split is empty, or a class has too few images.
    """
    import numpy as np  # noqa: PLC0415  # not for each parse

    names = dataset.classes
    for split, least in (("train", 2), ("test", 1)):
        labels = getattr(dataset, split).fine
        counts = np.bincount(labels, minlength=len(names))
        few = [f"'{names[i]}' ({counts[i]})" for i in np.flatnonzero(counts < least)]
        if few:
            more = f" and {len(few) - 5} more" if len(few) > 5 else ""
            raise UserError(
                f"{where}: these classes have fewer than {least} images in {split}: {', '.join(few[:5])}{more}. "
                "Add images, or leave the classes out of both splits."
            )
    return dataset
