"""Claims as a claims file writes them: published figures that the study tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from bakeoff.settings import Count, Line, Name, Names, NotNegative, Settings
from bakeoff.study.metric import Metric

Unit = Literal[
    "percent", "points", "percent_per_million", "percent_fewer", "million", "hours", "times"
]
MeasureKind = Literal[
    "top1",
    "params",
    "param_efficiency",
    "hours",
    "gpu_hours",
    "delta",
    "mean_delta",
    "arm_contrast",
    "params_reduction",
    "difference",
    "lead",
    "group_contrast",
    "efficiency_ratio",
    "efficiency_lead",
    "speed_lead",
    "pareto",
    "all_of",
]
Cost = Literal["params", "macs", "gpu_hours", "latency"]
EXTREMES = ("shortest", "longest")
"""In place of a variant, where a time is measured: that of all whose runs are the shortest or the longest."""


@dataclass(frozen=True)
class Kind:
    """A kind of measure: the unit of its figure, and what it is a measure of."""

    unit: Unit | None
    """None where it is that of its parts."""
    of: tuple[str, ...]
    """The keys that it needs."""
    is_time: bool = False

    @property
    def judged(self) -> bool:
        """Whether it is about differences that the study gives verdicts on: of the accuracy that decides."""
        return (self.unit in ("points", "times") and not self.is_time) or "cost" in self.of


KINDS: Mapping[MeasureKind, Kind] = {
    "top1": Kind("percent", ("variant",)),
    "params": Kind("million", ("variant",)),
    "param_efficiency": Kind("percent_per_million", ("variant",)),
    "hours": Kind("hours", ("variant",), is_time=True),
    "gpu_hours": Kind("hours", ("variant",), is_time=True),
    "delta": Kind("points", ("ablation", "arm")),
    "mean_delta": Kind("points", ("ablation",)),
    "arm_contrast": Kind("points", ("ablation", "arm", "than")),
    "params_reduction": Kind("percent_fewer", ("ablation", "arm")),
    "difference": Kind("points", ("variant", "other")),
    "lead": Kind("points", ("variant",)),
    "group_contrast": Kind("points", ("group",)),
    "efficiency_ratio": Kind("times", ("variant", "other")),
    "efficiency_lead": Kind("times", ("variant",)),
    "speed_lead": Kind("times", ("variant",), is_time=True),
    "pareto": Kind("percent", ("variant", "cost")),
    "all_of": Kind(None, ("of",)),
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
    epochs: Count | None = None
    """Just so many epochs; for a time."""
    protocol: Literal["uniform", "tuned", "fast"] | None = None
    """Name of the protocol."""
    metric: Metric = "top1"
    """Which accuracy a claim about differences is about."""
    pretrained: bool | None = None
    """Whether the networks start from ImageNet weights."""
    device: Line | None = None
    """Part of the name of the device that was trained on; for a time."""
    gpus: Count | None = None
    """How many GPUs a run was trained on; for a time."""


def _needed(value: object, info: ValidationInfo) -> object:
    """Hold a key of a measure against its kind: it is there where the kind needs it, and nowhere else."""
    kind = info.data.get("kind")
    if kind is None:
        return value
    needs = info.field_name in KINDS[kind].of
    if needs and not value:
        raise ValueError(f"is missing, which kind '{kind}' needs.")
    if value and not needs:
        needed = ", ".join(KINDS[kind].of)
        raise ValueError(f"is not for kind '{kind}', which needs {needed}. Leave it out.")
    return value


class AnyPart(Settings):
    """What is measured, of one kind."""

    kind: MeasureKind
    """The quantity."""
    variant: Annotated[Name | None, AfterValidator(_needed)] = Field(None, validate_default=True)
    """Of which variant; of a time also shortest or longest, which take that of all variants."""
    other: Annotated[Name | None, AfterValidator(_needed)] = Field(None, validate_default=True)
    """The variant that it is compared with."""
    group: Annotated[Names, AfterValidator(_needed)] = Field((), validate_default=True)
    """The variants that are compared with all others."""
    ablation: Annotated[Name | None, AfterValidator(_needed)] = Field(None, validate_default=True)
    """Of which ablation."""
    arm: Annotated[Line | None, AfterValidator(_needed)] = Field(None, validate_default=True)
    """Of which arm; best takes the largest, worst the smallest."""
    than: Annotated[Line | None, AfterValidator(_needed)] = Field(None, validate_default=True)
    """The arm that it is compared with; others takes the best of all others but the baseline."""
    cost: Annotated[Cost | None, AfterValidator(_needed)] = Field(None, validate_default=True)
    """Of a front: what accuracy is bought with."""


class Part(AnyPart):
    """A measure that is part of another."""


class Measure(AnyPart):
    """What is measured: of variants, or of arms of ablations."""

    of: Annotated[tuple[Part, ...], AfterValidator(_needed)] = Field(
        (), validate_default=True, strict=False
    )
    """The measures of which the least counts, of one unit; for the kind all_of."""

    @field_validator("of")
    @classmethod
    def _have_one_unit(cls, value: tuple[Part, ...]) -> tuple[Part, ...]:
        units = {KINDS[part.kind].unit for part in value}
        if None in units:
            raise ValueError("holds a measure of kind 'all_of'. Name its parts here.")
        if len(units) > 1:
            raise ValueError(
                f"holds measures in {', '.join(sorted(map(str, units)))}, expected one unit."
            )
        return value

    @property
    def unit(self) -> Unit:
        """The unit of its figure."""
        unit = KINDS[self.of[0].kind if self.of else self.kind].unit
        assert unit is not None  # parts have one
        return unit

    @property
    def parts(self) -> tuple[AnyPart, ...]:
        """The measures that it is made of: its parts, or itself."""
        return self.of or (self,)


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
    """The figure; for "better", a difference of 0 points or a ratio of 1."""
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
        if measure is not None and value != measure.unit:
            raise ValueError(
                f"is '{value}', but a measure of kind '{measure.kind}' is in '{measure.unit}'."
            )
        return value

    @field_validator("requires")
    @classmethod
    def _fits_the_measure(cls, value: Requires, info: ValidationInfo) -> Requires:
        measure = info.data.get("measure")
        if measure is None or all(KINDS[part.kind].is_time for part in measure.parts):
            return value
        for key in ("epochs", "device", "gpus"):
            if getattr(value, key) is not None:
                raise ValueError(
                    f"has {key}, which is for measures of a time, but this one is of kind '{measure.kind}'. Leave it "
                    "out."
                )
        return value
