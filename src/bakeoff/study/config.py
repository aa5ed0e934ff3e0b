"""What the files in `config/` may say, typed: each key is written once, here or where it is used.

`bakeoff.training.recipe` has the recipes, `bakeoff.data.config` the data, `bakeoff.study.claims` the claims. The JSON
schemas in `workflow/schemas`, by which editors complete and check, are made from these models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, TypeAdapter

from bakeoff.data.config import DataConfig
from bakeoff.settings import (
    WHOLE,
    Count,
    Label,
    Line,
    MaybeLine,
    Name,
    Names,
    NotNegative,
    Plain,
    Seeds,
    Settings,
    Sha256,
)
from bakeoff.study.claims import ClaimConfig
from bakeoff.study.growth import SettleConfig
from bakeoff.study.metric import Metric
from bakeoff.training.recipe import Recipe


def _auto_or_number(value: object) -> object:
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError(f"is {value!r}, expected auto or a whole number of at least 1.")


InputPolicyName = Annotated[str, Field(pattern="^(native32|resize[1-9][0-9]*)$")]


class SeedLists(Settings):
    """The seeds with which each variant and each arm is trained."""

    comparison: Seeds
    """A list of different whole numbers."""
    ablations: Seeds
    """A list of different whole numbers."""


class WeightsFolder(Settings):
    """Where pretrained weights are kept."""

    dir: Line = "resources/weights"
    """Folder of the files of pretrained weights."""


class Price(Settings):
    """What the plan multiplies GPU hours by."""

    gpu_hour: NotNegative = 0.0
    """Price of an hour of one GPU."""
    currency: Label = "USD"
    """Its currency, as it is to be printed."""


class Files(Settings):
    """The other configuration files."""

    models: Line = "config/models.yaml"
    """The variants."""
    recipes: Line = "config/recipes.yaml"
    """The recipes."""
    ablations: Line = "config/ablations.yaml"
    """The ablations."""
    claims: Line = "config/claims.yaml"
    """The claims that the study tests."""
    slides: Line = "config/slides.yaml"
    """The text of the deck."""
    talk: Line = "config/talk.yaml"
    """Who gives the talk, and where."""


class StudyConfig(Settings):
    """The configuration of a study: config.yaml and what is laid over it."""

    name: Annotated[str, Field(pattern="^[A-Za-z0-9_-]+$", max_length=64)]
    """Name of the study, printed on its tables, figures and slides."""
    results_root: Annotated[
        str, Field(pattern=r"^/?[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")
    ]
    """Folder of the study's results, relative to the working directory."""
    protocol: Literal["uniform", "tuned", "fast"]
    """Which recipe a variant gets: uniform and fast are recipes of that name, tuned is the variant's own."""
    data: DataConfig
    """The data of the study."""
    seeds: SeedLists
    """The seeds with which each variant and each arm is trained."""
    margin: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Differences within so many points count as equivalent, where that can be shown."""
    metric: Metric = "top1"
    """Which accuracy decides: top1 counts every test image the same, balanced every class."""
    settle: SettleConfig | None = None
    """Which questions `snakemake settle` adds seeds for, and what that may cost; null adds none."""
    variants: Annotated[Names, Field(min_length=1)]
    """Names from models.yaml, in the order of the comparison."""
    ablations: Names = ()
    """Names from ablations.yaml."""
    recipe_overrides: dict[str, Any] = Field(default_factory=dict)
    """Laid over every recipe of the study; keys as in recipes.yaml."""
    variant_overrides: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Laid over single variants; keys as in models.yaml."""
    versions: Literal["strict", "compatible", "ignore"] = "compatible"
    """When another version of torch or timm makes a run stale."""
    deterministic: bool = False
    """Bit-identical repeats on a GPU too, at a cost in speed."""
    tensorboard: bool = False
    """Also write event files for TensorBoard."""
    checkpoint_minutes: NotNegative = 10.0
    """Longest time between two checkpoints of a run. It changes no result."""
    cuda_graphs: bool = True
    """Launch a micro-batch's operations on a GPU as one graph. It changes no result."""
    weights: WeightsFolder = WeightsFolder()
    """Where pretrained weights are kept."""
    gpus: Annotated[
        int | str,
        PlainValidator(_auto_or_number, json_schema_input_type=Literal["auto"] | Count),
    ] = "auto"
    """GPUs of each run: auto follows the plan, a number is for every run. It changes no result."""
    price: Price = Price()
    """What the plan multiplies GPU hours by."""
    files: Files = Files()
    """The other configuration files."""


class Asked(Settings):
    """What is given with --config to a target that asks or settles something, and is no part of a study."""

    target: Line = ""
    """File that `why` and `adopt` are about."""
    reason: Line = ""
    """Why a change is harmless; `adopt` keeps it."""
    remove: bool = False
    """Whether `clean_orphans` removes what it finds."""
    file: Line = ""
    """File that `trace` is about; the English deck if absent."""
    number: Line = ""
    """Number that `trace` looks for, as it is shown."""
    slide: Count | None = None
    """Slide on which `trace` looks, counted from 1."""
    with_weights: bool = False
    """Whether `archive` packs the weights of the runs."""


class WeightsConfig(Settings):
    """Where the ImageNet weights of a variant come from, and what they expect."""

    hub: Annotated[Line, Field(pattern="^[^/]+/[^/]+$")] | None = None
    """Repository on the Hugging Face hub, such as timm/x."""
    file: Line | None = None
    """File in that repository; without hub, in weights.dir."""
    revision: Line | None = None
    """Branch, tag or commit of the repository."""
    sha256: Sha256 | None = None
    """Checksum of the file."""
    mean: Annotated[tuple[float, float, float], Field(strict=False)] | None = None
    """Normalisation that the weights expect, on the 0..1 scale; timm's own where not given."""
    std: Annotated[tuple[float, float, float], Field(strict=False)] | None = None
    """Normalisation that the weights expect, on the 0..1 scale; timm's own where not given."""
    interpolation: Literal["bilinear", "bicubic"] | None = None
    """Interpolation that the weights expect."""


class VariantConfig(Settings):
    """A variant: a network under a name."""

    display: Label | None = None
    """Name in tables and figures; the variant's own if absent."""
    family: Label
    """Family that it belongs to in tables and figures."""
    builder: Line
    """A name in MODEL_REGISTRY, or path/to/file.py:function."""
    args: dict[str, Plain] = Field(default_factory=dict)
    """Arguments of the builder."""
    input_policy: InputPolicyName = "native32"
    """native32: images as they are and a stem for small ones; resizeN: images resized to NxN, such as resize224."""
    pretrained: bool = False
    """Start from ImageNet weights."""
    weights: WeightsConfig | None = None
    """Where the ImageNet weights come from."""
    recipe: Name = "tuned_resnet"
    """Recipe under the protocol `tuned`."""
    paper: Line | None = None
    """Citation."""
    year: Annotated[int, Field(ge=1980, le=2100), WHOLE] | None = None
    """Year of the paper."""
    published: dict[str, Plain] | None = None
    """Figures of the paper, for the model card."""
    license: Line | None = None
    """License of any reference implementation."""
    adapted: str | None = None
    """What differs from the paper."""


class Title(Settings):
    """A title in both languages."""

    en: Line
    """Title in English."""
    zh: Line
    """Title in Chinese."""


class ArmConfig(Settings):
    """One arm of an ablation: a variant, and what is changed in it."""

    arm: Label
    """Name of the arm."""
    variant: Name
    """Name from models.yaml."""
    base_recipe: Name | None = None
    """Name from recipes.yaml, in place of the recipe that the protocol gives to the variant."""
    recipe: dict[str, Any] = Field(default_factory=dict)
    """Laid over the recipe of this arm, and over recipe_overrides; keys as in recipes.yaml."""
    pretrained: bool | None = None
    """Whether to start from the variant's ImageNet weights; the variant's own if absent."""
    input_policy: InputPolicyName | None = None
    """At which size the network sees the images; the variant's own if absent."""
    seeds: Annotated[Seeds, Field(min_length=2)] | None = None
    """Seeds of an arm that costs more than others, at least two; those of the study's ablations if absent."""


class AblationConfig(Settings):
    """A list of arms, one of which is the baseline."""

    title: Title
    """Title of its table and figure."""
    arms: Annotated[tuple[ArmConfig, ...], Field(strict=False, min_length=2)]
    """Its arms, in the order of its table."""
    baseline: Label
    """The arm that the others are compared with."""


class Member(Settings):
    """Somebody who took part."""

    name: Label
    """As the slides show it."""
    role: MaybeLine = ""
    """What they did."""


class Occasion(Settings):
    """What the slides of one language say of the talk. What is empty stands on no slide."""

    subtitle: MaybeLine = ""
    """Stands below the title."""
    presenter: MaybeLine = ""
    """Who speaks."""
    course: MaybeLine = ""
    """Course, seminar or conference."""
    date: MaybeLine = ""
    """Of the talk, as it is to be shown."""
    team: Annotated[tuple[Member, ...], Field(strict=False, max_length=12)] = ()
    """Those who took part, with what they did."""
    thanks: Annotated[tuple[Line, ...], Field(strict=False, max_length=8)] = ()
    """Whom the talk thanks."""


class TalkConfig(Settings):
    """The talk as an occasion: what no result says."""

    logo: MaybeLine = ""
    """PNG or JPEG file, relative to the working directory."""
    en: Occasion = Occasion()
    """For the deck in English."""
    zh: Occasion = Occasion()
    """For the deck in Chinese."""


STUDY = TypeAdapter(StudyConfig)
ASKED = TypeAdapter(Asked)
MODELS: TypeAdapter[dict[str, VariantConfig]] = TypeAdapter(dict[Name, VariantConfig])
RECIPES: TypeAdapter[dict[str, Recipe]] = TypeAdapter(dict[Name, Recipe])
ABLATIONS: TypeAdapter[dict[str, AblationConfig]] = TypeAdapter(dict[Name, AblationConfig])
CLAIMS: TypeAdapter[list[ClaimConfig]] = TypeAdapter(list[ClaimConfig])
TALK = TypeAdapter(TalkConfig)

KINDS: Mapping[str, TypeAdapter[Any]] = {
    "config": STUDY,
    "models": MODELS,
    "recipes": RECIPES,
    "ablations": ABLATIONS,
    "claims": CLAIMS,
    "talk": TALK,
}
"""{kind of file: what it holds}; `workflow/schemas/{kind}.schema.yaml` is made from it."""
