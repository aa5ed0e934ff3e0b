"""Claims as a claims file writes them: published figures that the study tests."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from bakeoff.settings import Count, Line, Name, NotNegative, Settings

Unit = Literal["percent", "points", "percent_per_million", "percent_fewer", "million"]
MeasureKind = Literal["top1", "param_efficiency", "delta", "params_reduction", "params"]
UNITS: dict[MeasureKind, Unit] = {
    "top1": "percent",
    "param_efficiency": "percent_per_million",
    "delta": "points",
    "params_reduction": "percent_fewer",
    "params": "million",
}


def _fillable(text: str) -> str:
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        raise ValueError(
            "has a brace without its other half. Write {{ or }} for a brace that is meant."
        ) from None
    for _, name, form, conversion in parts:
        if name is not None and (name, form, conversion) != ("claimed", "", None):
            shown = f"{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}"
            raise ValueError(f"has {{{shown}}}, but only {{claimed}} can be filled in.")
    return text


Sentence = Annotated[Line, AfterValidator(_fillable)]


class Statements(Settings):
    """A sentence in both languages, with {claimed} for the figure."""

    en: Sentence
    """In English, with {claimed} for the figure."""
    zh: Sentence
    """In Chinese, with {claimed} for the figure."""


class Requires(Settings):
    """Conditions under which the study can test a claim."""

    dataset: Line | None = None
    """Name of the data set."""
    min_epochs: Count | None = None
    """Fewest epochs, of an arm and of its baseline."""
    protocol: Literal["uniform", "tuned", "fast"] | None = None
    """Name of the protocol."""
    pretrained: bool | None = None
    """Whether the networks start from ImageNet weights."""


class Measure(Settings):
    """What is measured: of a variant, or of an arm of an ablation."""

    kind: MeasureKind
    """The quantity."""
    variant: Name | None = Field(default=None, validate_default=True)
    """Of which variant."""
    ablation: Name | None = Field(default=None, validate_default=True)
    """Of which ablation."""
    arm: Line | None = Field(default=None, validate_default=True)
    """Of which arm; best takes the largest."""

    @field_validator("variant", "ablation", "arm")
    @classmethod
    def _belongs_to_the_kind(cls, value: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        of_an_arm = kind in ("delta", "params_reduction")
        if kind and value is None and of_an_arm == (info.field_name != "variant"):
            raise ValueError(f"is missing, which kind '{kind}' needs.")
        return value


class ClaimConfig(Settings):
    """A published figure, and how the study tests it."""

    id: Name
    """Name of the claim."""
    source: Line
    """Where it was made."""
    statement: Statements
    """What is claimed, in words."""
    origin: Literal["talk", "paper"] = "paper"
    """Whose claim it is; those of the original talk and those of papers are counted apart."""
    claimed: Annotated[float, Field(allow_inf_nan=False)]
    """The figure."""
    measure: Measure
    """What is measured."""
    unit: Unit
    """Its unit."""
    relation: Literal["at_least", "at_most", "equals"]
    """How the figure is meant."""
    tolerance: NotNegative = 0.0
    """How far off still counts as agreement, in the claim's own unit."""
    requires: Requires = Requires()
    """Conditions under which the study can test it."""

    @field_validator("unit")
    @classmethod
    def _is_that_of_the_measure(cls, value: Unit, info: ValidationInfo) -> Unit:
        measure = info.data.get("measure")
        if measure is not None and value != UNITS[measure.kind]:
            raise ValueError(
                f"is '{value}', but a measure of kind '{measure.kind}' is in '{UNITS[measure.kind]}'."
            )
        return value
