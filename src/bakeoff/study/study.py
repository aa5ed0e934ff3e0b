"""A study, resolved: who is trained how, with which seeds, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakeoff.data.config import DataConfig, DataDescription
from bakeoff.errors import UserError, did_you_mean
from bakeoff.study.arms import Ablation, Arm, ArmResolver, Recipes, Training
from bakeoff.study.checks import Whole, cross_mistakes, logo_mistake, recipe_name
from bakeoff.study.claims import ClaimConfig
from bakeoff.study.config import (
    KINDS,
    MODELS,
    RECIPES,
    STUDY,
    AblationConfig,
    Files,
    StudyConfig,
    TalkConfig,
    VariantConfig,
)
from bakeoff.study.growth import Growth, read_growth
from bakeoff.study.layers import (
    Layer,
    laid_over,
    load_yaml,
    merge,
    merge_layers,
    origin,
    said_by,
    without_words,
)
from bakeoff.study.networks import takes_drop_path
from bakeoff.study.validation import Where, dotted, in_file, parse
from bakeoff.training.recipe import Recipe


@dataclass(frozen=True)
class Variant:
    """A named model configuration, with the recipe that this study trains it by."""

    name: str
    family: str
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pretrained(self) -> bool:
        """Whether training starts from ImageNet weights."""
        return bool(self.model["pretrained"])


@dataclass(frozen=True)
class Study:
    """A whole study: everything that decides its results."""

    name: str
    root: str
    protocol: str
    deterministic: bool
    versions: str
    data: DataConfig
    comparison: tuple[str, ...]
    seeds: Mapping[str, tuple[int, ...]]
    variants: Mapping[str, Variant]
    ablations: Mapping[str, Ablation]
    claims: Sequence[ClaimConfig]
    slides: Mapping[str, Any]
    talk: TalkConfig
    config: StudyConfig
    """The configuration as a whole, with what decides no result."""
    growth: Growth = field(default_factory=Growth)
    """The seeds that were added to it since, and at how many looks it is judged."""
    left_out: str = ""
    """One line about ablations that are left out, and why."""

    @property
    def dataset(self) -> DataDescription:
        """What is known of the data before they are prepared."""
        return self.data.describe()

    def arms(self) -> Iterator[Arm]:
        """Yield each arm of each ablation."""
        for ablation in self.ablations.values():
            yield from ablation.arms


def load_study(
    layers: Sequence[Layer],
    folder: Path = Path(),
    check_slides: Callable[[Any, str], list[str]] | None = None,
) -> Study:
    """Return the study that `layers` of configuration describe.

    Args:
        layers: the base configuration first, what is laid over it after.
        folder: where the paths in the configuration start.
        check_slides: returns the mistakes in the content of a slides file, given its name.

    Raises:
        UserError: something is wrong; the message has one sentence, on a line of its own, for each mistake.
    """
    merged = merge_layers(layers)
    config: StudyConfig
    config, mistakes = parse(STUDY, merged, lambda path: f"{origin(layers, path)}: {dotted(path)}")
    names = _file_names(merged)
    contents, parsed = {}, {}
    for kind in ("models", "recipes", "ablations", "claims", "talk"):
        try:
            contents[kind] = load_yaml(folder / names[kind])
        except UserError as error:
            mistakes.append(str(error))
            continue
        parsed[kind], wrong = parse(KINDS[kind], contents[kind], in_file(names[kind]))
        mistakes += wrong
    try:
        slides = load_yaml(folder / names["slides"])
        mistakes += check_slides(slides, names["slides"]) if check_slides else []
    except UserError as error:
        mistakes.append(str(error))
    if "talk" in parsed and parsed["talk"] and (why := logo_mistake(parsed["talk"].logo, folder)):
        mistakes.append(f"{names['talk']}: {why}")
    if mistakes:
        raise UserError("\n".join(dict.fromkeys(mistakes)))

    ablations: Mapping[str, AblationConfig] = parsed["ablations"]
    models, mistakes = _overridden_models(
        contents["models"], parsed["models"], merged.get("variant_overrides", {}), layers
    )
    chosen = {name: ablations[name] for name in config.ablations if name in ablations}
    arms = [arm for ablation in chosen.values() for arm in ablation.arms]
    wanted = dict.fromkeys([*config.variants, *(arm.variant for arm in arms)])
    used = [name for name in wanted if name in models]
    by = {recipe_name(models[name], config.protocol): None for name in used}
    by |= {arm.base_recipe: None for arm in arms if arm.base_recipe}
    over = without_words(merged.get("recipe_overrides", {}))
    recipes, wrong = _overridden_recipes(
        contents["recipes"], [name for name in by if name in contents["recipes"]], layers, over
    )
    whole = Whole(
        config,
        models,
        parsed["recipes"],
        ablations,
        parsed["claims"],
        used,
        {arm.variant for arm in arms if arm.pretrained},
        layers,
    )
    mistakes += [*wrong, *cross_mistakes(whole, folder)]
    growth = Growth()
    try:
        growth = read_growth(folder / config.results_root, config.settle)
    except UserError as error:
        mistakes.append(str(error))
    plain = {
        name: Training(models[name], by_name, recipes[by_name])
        for name in used
        if (by_name := recipe_name(models[name], config.protocol)) in recipes
    }
    resolver = ArmResolver(
        names["ablations"],
        names["models"],
        plain,
        Recipes(contents["recipes"], names["recipes"], recipes.get, over),
        config.seeds.ablations,
    )
    resolved = {name: resolver.resolve(name, ablation) for name, ablation in chosen.items()}
    mistakes += resolver.mistakes
    if mistakes:
        raise UserError("\n".join(dict.fromkeys(mistakes)))

    trained = {**plain, **resolver.made}
    needed = dict.fromkeys(
        [*config.variants, *(a.variant for r in resolved.values() for a in r.arms)]
    )
    return Study(
        name=config.name,
        root=config.results_root,
        protocol=config.protocol,
        deterministic=config.deterministic,
        versions=config.versions,
        data=config.data,
        comparison=config.variants,
        seeds=dict(config.seeds),
        variants={name: _variant(name, trained[name]) for name in needed},
        ablations=resolved,
        claims=parsed["claims"],
        slides=slides,
        talk=parsed["talk"],
        config=config,
        growth=growth,
    )


def _file_names(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the other files' names; the usual ones where the configuration is too broken to say."""
    usual = Files().model_dump()
    files = config.get("files")
    given = files if isinstance(files, Mapping) else {}
    return {
        kind: str(given[kind]) if isinstance(given.get(kind), str) else file
        for kind, file in usual.items()
    }


def _variant(name: str, training: Training) -> Variant:
    entry, recipe = training.model, training.recipe
    given = entry.model_dump(mode="json", exclude_none=True)
    model = {key: given[key] for key in ("builder", "args", "input_policy", "pretrained")}
    rate = recipe.drop_path
    if rate is not None and takes_drop_path(entry.builder, entry.args):
        # A property of the network that the recipe decides.
        model["args"] = {**entry.args, "drop_path_rate": rate}
    if entry.pretrained:
        model["weights"] = given.get("weights", {})
    card_keys = ("display", "paper", "year", "published", "license", "adapted")
    return Variant(
        name=name,
        family=entry.family,
        model=model,
        recipe={"name": training.recipe_name, **recipe.model_dump(mode="json")},
        card={key: given[key] for key in card_keys if key in given},
    )


def _overridden_models(
    contents: Mapping[str, Any],
    models: Mapping[str, VariantConfig],
    overrides: Mapping[str, Any],
    layers: Sequence[Layer],
) -> tuple[dict[str, VariantConfig], list[str]]:
    """Return all variants with their overrides, and what is wrong with those; such variants stay as they were."""
    result, mistakes = dict(models), []
    for name, change in overrides.items():
        path = ("variant_overrides", name)
        if name in models:
            content = {name: merge(contents[name], change)}
            changed, wrong = parse(MODELS, content, _in_overrides(layers, "variant_overrides", 0))
            result |= changed or {}
            mistakes += wrong
        else:
            where = f"{origin(layers, path)}: {dotted(path)}"
            mistakes.append(f"{where} is not a variant{did_you_mean(name, models)}.")
    return result, mistakes


def _overridden_recipes(
    contents: Mapping[str, Any], used: Iterable[str], layers: Sequence[Layer], change: Any
) -> tuple[dict[str, Recipe], list[str]]:
    """Return the recipes that are used, with what is laid over all of them, and what is wrong with that."""
    content = {name: laid_over(contents[name], change) for name in used}
    recipes, mistakes = parse(RECIPES, content, _in_overrides(layers, "recipe_overrides", 1))
    return recipes or {}, mistakes


def _in_overrides(layers: Sequence[Layer], key: str, skipped: int) -> Where:
    """Return where things stand that are laid over others under `key`; the overrides lack the first `skipped` steps."""

    def where(path: Sequence[str | int]) -> str:
        inside = (key, *path[skipped:])
        if source := said_by(layers, inside):
            return f"{source}: {dotted(inside)}"
        return f"{origin(layers, (key,))}: with {key}, {dotted(path)}"

    return where
