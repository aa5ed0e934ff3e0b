"""Images that the study draws itself: shapes with a texture and a colour, any number of classes, at any size.

A class is a texture and a colour on a shape: "striped red disk", "dotted blue heart trio". Size, place, turn, light,
noise, background and clutter vary from image to image and say nothing about the class.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from bakeoff.data.config import DataConfig, DataDescription
from bakeoff.settings import WHOLE, Seed, Settings

if TYPE_CHECKING:
    from bakeoff.data.dataset import Dataset

USUAL_CLASSES = 100
# Of the catalogue: ten outlines in four layouts, each in five textures and five colours.
MOST_SHAPES, MOST_PATTERNS, OUTLINES = 40, 25, 10


class ShapesConfig(Settings):
    """Size, seed and difficulty of the drawn images."""

    train_images: Annotated[int, Field(ge=200, le=500_000), WHOLE] = 6000
    """Images in the train split."""
    test_images: Annotated[int, Field(ge=100, le=100_000), WHOLE] = 2000
    """Images in the test split."""
    seed: Seed = 0
    """Seed of the drawing."""
    difficulty: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How much images of a class differ, and how much noise and clutter is in them: 0 is clean, 1 hard to see."""
    superclasses: Annotated[int, Field(ge=2, le=MOST_SHAPES), WHOLE] | None = None
    """How many shapes the classes are grouped by; null does not group them."""


class Data(DataConfig):
    """The data of a study on drawn images."""

    TITLE: ClassVar[Mapping[str, str]] = {"en": "drawn images", "zh": "程序绘制的图像"}

    classes: Annotated[int, Field(ge=2, le=MOST_SHAPES * MOST_PATTERNS), WHOLE] | None = None
    """How many classes are drawn; null draws 100."""
    shapes: ShapesConfig | None = None
    """Size, seed and difficulty of the drawn images."""

    @property
    def drawing(self) -> ShapesConfig:
        """The settings of the drawing."""
        return self.shapes or ShapesConfig()

    @property
    def number_of_shapes(self) -> int:
        """How many shapes there are; each has as many classes as the others, or one more."""
        classes = self.describe().classes
        least = math.ceil(classes / MOST_PATTERNS)
        free = max(least, OUTLINES, round(2 * math.sqrt(classes)))
        return self.drawing.superclasses or min(free, classes, MOST_SHAPES)

    def describe(self) -> DataDescription:
        """Return what will be drawn."""
        return DataDescription(
            name="shapes",
            title=dict(self.TITLE),
            classes=self.classes or USUAL_CLASSES,
            image_size=self.image_size,
            superclasses=self.drawing.superclasses,
            train_images=self.drawing.train_images,
            exact=True,
        )

    def mistakes(self) -> Iterator[tuple[Sequence[str], str]]:
        """Yield what cannot be drawn."""
        if self.shapes is None:
            yield (
                ("kind",),
                "data.kind is 'shapes', but data.shapes is missing. It gives train_images, test_images and seed.",
            )
            return
        classes, shapes = self.describe().classes, self.shapes
        for split, images in (("train", shapes.train_images), ("test", shapes.test_images)):
            if images < classes:
                yield (
                    ("shapes", f"{split}_images"),
                    f"data.shapes.{split}_images is {images}, expected at least {classes}, one image of each class.",
                )
        least, most = math.ceil(classes / MOST_PATTERNS), classes
        if shapes.superclasses and not least <= shapes.superclasses <= most:
            yield (
                ("shapes", "superclasses"),
                f"data.shapes.superclasses is {shapes.superclasses}, expected {max(2, least)} to {most} for "
                f"{classes} classes, or null.",
            )

    def read(self, source: Path | None) -> Dataset:
        """Draw both splits."""
        from bakeoff.data.dataset import Dataset, DataSource, Split  # noqa: PLC0415  # NumPy is not for each parse
        from bakeoff.data.drawn import catalogue, drawing  # noqa: PLC0415

        del source  # There is none.
        config, classes, shapes = self.drawing, self.describe().classes, self.number_of_shapes
        looks = catalogue.catalogue(classes, shapes)
        train, test = (
            Split(
                *drawing.draw_split(
                    looks, images, self.image_size, config.difficulty, config.seed, split
                )
            )
            for split, images in enumerate((config.train_images, config.test_images))
        )
        grouped = config.superclasses is not None
        return Dataset(
            name="shapes",
            train=train,
            test=test,
            classes=catalogue.class_names(classes, shapes),
            superclasses=catalogue.shape_names(shapes) if grouped else None,
            class_to_superclass=tuple(catalogue.shape_of_class(classes, shapes).tolist())
            if grouped
            else None,
            source=DataSource(None, None),
        )
