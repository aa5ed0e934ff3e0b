"""What a study says about its data, whatever their kind. The Snakefile imports this at each parse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from bakeoff.data.kinds import find_kind, is_kind, kind_names
from bakeoff.settings import WHOLE, Count, Seed, Settings

if TYPE_CHECKING:
    from bakeoff.data.dataset import Dataset

    KindName = str
else:

    def _named(value: object, handler: ValidatorFunctionWrapHandler) -> str:
        return str(value) if is_kind(value) else handler(value)

    KindName = Annotated[
        Literal[kind_names()],
        WrapValidator(_named),
        WithJsonSchema(
            {
                "anyOf": [
                    {"enum": list(kind_names()), "type": "string"},
                    {"pattern": r"\.py:\w+$", "type": "string"},
                ]
            }
        ),
    ]


@dataclass(frozen=True)
class DataDescription:
    """What is known of a data set before it is prepared."""

    name: str
    """What configurations and tables call it: that of its kind, unless the images are the user's own."""
    title: Mapping[str, str]
    """What to call it to a person, in English (`en`) and Chinese (`zh`)."""
    classes: int
    image_size: int
    """Height and width in pixels."""
    superclasses: int | None
    """None where classes are not grouped."""
    train_images: int
    """With those held out, and before `data.limit`."""
    exact: bool
    """Whether `train_images` is known; otherwise it is a guess, good enough to plan by."""


class ValidationConfig(Settings):
    """The part of train that is held out, stratified by class, for every choice that is made."""

    images: Count = 5000
    """How many images are held out."""
    seed: Seed = 0
    """Which ones."""


class LimitConfig(Settings):
    """The most images that a split keeps, stratified by class; null keeps all."""

    train: Count | None = None
    """Images of train to keep."""
    test: Count | None = None
    """Images of test to keep."""


class DataConfig(Settings):
    """The data of a study."""

    # Each kind is a subclass with settings of its own: see `bakeoff.data.kinds`. What is validated as this class
    # becomes one of its kind's. Settings that only other kinds have are left out: they may stand in a file over which
    # another kind is laid.

    PLACES: ClassVar[frozenset[str]] = frozenset()
    """Settings that say where the data are found, and not what they are."""
    TITLE: ClassVar[Mapping[str, str]]
    """What to call data of this kind to a person, in English and Chinese."""

    kind: KindName
    """What the data are, such as cifar100 (as published) or shapes (drawn), or path/to/file.py:Class of your own."""
    classes: Annotated[int, Field(ge=2), WHOLE] | None = None
    """How many classes the data have; null is the number that is usual for their kind."""
    image_size: Annotated[int, Field(ge=16, le=224), WHOLE] = 32
    """Height and width of the images in pixels."""
    limit: LimitConfig = LimitConfig()
    """A stratified part of each split, for quick studies; null takes all."""
    validation: ValidationConfig = ValidationConfig()
    """The part of train that is held out, stratified by class, for every choice that is made."""

    def describe(self) -> DataDescription:
        """Return what is known of the data before they are prepared."""
        raise NotImplementedError

    def mistakes(self) -> Iterator[tuple[Sequence[str], str]]:
        """Yield (path of a setting, sentence) for settings that do not go together."""
        yield from ()

    def fetched(self) -> Path | None:
        """Return the file that `download` makes, None where nothing can be downloaded."""
        return None

    def download(self, destination: Path) -> None:
        """Fetch the data to `destination`; only called where `fetched` names a file."""
        raise NotImplementedError

    def sources(self) -> Sequence[Path]:
        """Return the files or folders that the data are read from: the user's own, or the one that is fetched."""
        return ()

    def check(self) -> None:
        """Look, without reading the data, whether the user's own files are there.

        Raises:
            UserError: one is missing, or is nothing that could be read.
        """

    def read(self, source: Path | None) -> Dataset:
        """Return the data.

        Args:
            source: the first of `sources`; None for that of the configuration.

        Raises:
            UserError: the data are refused.
        """
        raise NotImplementedError

    def decides(self) -> dict[str, Any]:
        """Return the settings that decide the prepared data."""
        settings = self.model_dump(mode="json", exclude=set(self.PLACES))
        return settings | {"classes": self.describe().classes}

    @model_validator(mode="wrap")
    @classmethod
    def _of_its_kind(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Any:
        if cls is not DataConfig or not isinstance(value, Mapping):
            return handler(value)
        kind = value.get("kind")
        own = find_kind(str(kind)) if is_kind(kind) else cls
        others = {key for name in kind_names() for key in find_kind(name).model_fields}
        mine = {k: v for k, v in value.items() if k in own.model_fields or k not in others}
        return handler(mine) if own is cls else own.model_validate(mine)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> Any:
        made = handler.resolve_ref_schema(handler(core_schema))
        if cls is DataConfig:
            for name in kind_names():
                own = handler.resolve_ref_schema(handler(find_kind(name).__pydantic_core_schema__))
                made["properties"] = own["properties"] | made["properties"]
        return made
