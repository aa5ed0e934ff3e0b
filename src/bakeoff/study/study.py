"""A study, resolved: who is trained how, with which seeds, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError, did_you_mean
from bakeoff.models.weights_files import Source
from bakeoff.study import validation
from bakeoff.study.layers import Layer, load_yaml, merge, merge_layers, origin

CLASSES = 100
IMAGE_SIZE = 32


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
class Arm:
    """One arm of an ablation."""

    name: str
    variant: str


@dataclass(frozen=True)
class Ablation:
    """A named list of arms, one of which is the baseline."""

    name: str
    title: Mapping[str, str]
    baseline: str
    arms: tuple[Arm, ...]


@dataclass(frozen=True)
class Study:
    """A whole study: everything that decides its results."""

    name: str
    root: str
    protocol: str
    deterministic: bool
    versions: str
    data: Mapping[str, Any]
    comparison: tuple[str, ...]
    seeds: Mapping[str, tuple[int, ...]]
    variants: Mapping[str, Variant]
    ablations: Mapping[str, Ablation]
    claims: Sequence[Mapping[str, Any]]
    slides: Mapping[str, Any]
    files: Mapping[str, str]

    def arms(self) -> Iterator[str]:
        """Yield the variant of each arm of each ablation, repeats included."""
        for ablation in self.ablations.values():
            for arm in ablation.arms:
                yield arm.variant


def load_study(
    layers: Sequence[Layer],
    schemas: Path,
    folder: Path = Path(),
    check_slides: Callable[[Any, str], list[str]] | None = None,
) -> Study:
    """Return the study that `layers` of configuration describe.

    Args:
        layers: the base configuration first, what is laid over it after.
        schemas: the folder with the JSON schemas.
        folder: where the paths in the configuration start.
        check_slides: returns the mistakes in the content of a slides file, given its name.

    Raises:
        UserError: something is wrong; the message has one sentence, on a line of its own, for each mistake.
    """
    config = merge_layers(layers)

    def from_config(path: Sequence[str | int]) -> str:
        return origin(layers, path)

    mistakes = validation.check(config, validation.load_schema(schemas, "config"), from_config)
    names = _file_names(config)
    contents, schema_of = {}, {}
    for kind in ("models", "recipes", "ablations", "claims"):
        file = names[kind]
        try:
            contents[kind] = load_yaml(folder / file)
        except UserError as error:
            mistakes.append(str(error))
            continue
        schema_of[kind] = validation.load_schema(schemas, kind)
        mistakes += validation.check(contents[kind], schema_of[kind], _always(file))
    try:
        slides = load_yaml(folder / names["slides"])
        mistakes += check_slides(slides, names["slides"]) if check_slides else []
    except UserError as error:
        mistakes.append(str(error))
    _stop(mistakes)

    filled = {kind: validation.with_defaults(contents[kind], schema_of[kind]) for kind in contents}
    models = _overridden_models(
        config, filled["models"], schema_of["models"], mistakes, from_config
    )
    recipes = _overridden_recipes(
        config, filled["recipes"], schema_of["recipes"], mistakes, from_config
    )
    mistakes += _cross_check(config, models, recipes, filled["ablations"], names, from_config)
    mistakes += _check_claims(filled["claims"], models, filled["ablations"], names)
    _stop(mistakes)

    ablations = {
        name: Ablation(
            name,
            filled["ablations"][name]["title"],
            filled["ablations"][name]["baseline"],
            tuple(Arm(arm["arm"], arm["variant"]) for arm in filled["ablations"][name]["arms"]),
        )
        for name in config["ablations"]
    }
    used = [*config["variants"], *(a.variant for b in ablations.values() for a in b.arms)]
    return Study(
        name=config["name"],
        root=config["results_root"],
        protocol=config["protocol"],
        deterministic=config.get("deterministic", False),
        versions=config.get("versions", "compatible"),
        data=config["data"],
        comparison=tuple(config["variants"]),
        seeds={key: tuple(value) for key, value in config["seeds"].items()},
        variants={
            name: _variant(name, models[name], recipes, config["protocol"])
            for name in dict.fromkeys(used)
        },
        ablations=ablations,
        claims=filled["claims"],
        slides=slides,
        files=names,
    )


def recipe_name(model: Mapping[str, Any], protocol: str) -> str:
    """Return the name of the recipe by which a protocol trains a model."""
    return str(model["recipe"]) if protocol == "tuned" else protocol


def _always(name: str) -> validation.Origin:
    """Return the origin of values that all come from one place."""
    return lambda _path: name


def _stop(mistakes: Sequence[str]) -> None:
    if mistakes:
        raise UserError("\n".join(dict.fromkeys(mistakes)))


def _file_names(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the other files' names; the usual ones where the configuration is too broken to say."""
    kinds = ("models", "recipes", "ablations", "claims", "slides")
    files = config.get("files")
    files = files if isinstance(files, Mapping) else {}
    return {kind: str(files.get(kind, f"config/{kind}.yaml")) for kind in kinds}


def _variant(
    name: str, entry: Mapping[str, Any], recipes: Mapping[str, Any], protocol: str
) -> Variant:
    recipe = recipe_name(entry, protocol)
    keys = ("builder", "args", "input_policy", "pretrained")
    model = {key: entry[key] for key in keys}
    if recipes[recipe]["drop_path"] is not None:
        # A property of the network that the recipe decides.
        model["args"] = {**entry["args"], "drop_path_rate": recipes[recipe]["drop_path"]}
    if entry["pretrained"]:
        model["weights"] = entry.get("weights", {})
    card_keys = ("display", "paper", "year", "published", "license", "adapted")
    return Variant(
        name=name,
        family=entry["family"],
        model=model,
        recipe={"name": recipe, **recipes[recipe]},
        card={key: entry[key] for key in card_keys if key in entry},
    )


def _overridden_models(
    config: Mapping[str, Any],
    models: Mapping[str, Any],
    schema: Mapping[str, Any],
    mistakes: list[str],
    from_config: validation.Origin,
) -> dict[str, Any]:
    result = dict(models)
    for name, change in config.get("variant_overrides", {}).items():
        path = ("variant_overrides", name)
        if name not in models:
            mistakes.append(
                f"{from_config(path)}: {validation.dotted(path)} is not a variant"
                f"{did_you_mean(name, models)}."
            )
            continue
        result[name] = merge(models[name], change)
        mistakes += validation.check(
            {name: result[name]},
            schema,
            _always(from_config(path)),
        )
    return result


def _overridden_recipes(
    config: Mapping[str, Any],
    recipes: Mapping[str, Any],
    schema: Mapping[str, Any],
    mistakes: list[str],
    from_config: validation.Origin,
) -> dict[str, Any]:
    change = config.get("recipe_overrides", {})
    result = {name: merge(recipe, change) for name, recipe in recipes.items()}
    if change:
        source = from_config(("recipe_overrides",))
        wrong = validation.check(result, schema, _always(f"{source} (recipe_overrides)"))
        # One mistake in the overrides shows in every recipe; it is reported once.
        mistakes += wrong[: max(1, len(wrong) // len(result))] if wrong else []
    return result


def _cross_check(
    config: Mapping[str, Any],
    models: Mapping[str, Any],
    recipes: Mapping[str, Any],
    ablations: Mapping[str, Any],
    names: Mapping[str, str],
    from_config: validation.Origin,
) -> Iterator[str]:
    """Yield the mistakes that a schema cannot express."""
    for index, name in enumerate(config["variants"]):
        if name not in models:
            yield (
                f"{from_config(('variants',))}: variants[{index}] is '{name}', which "
                f"{names['models']} does not define{did_you_mean(name, models)}."
            )
    for index, name in enumerate(config["ablations"]):
        if name not in ablations:
            yield (
                f"{from_config(('ablations',))}: ablations[{index}] is '{name}', which "
                f"{names['ablations']} does not define{did_you_mean(name, ablations)}."
            )
    for name, entry in models.items():
        recipe = recipe_name(entry, config["protocol"])
        if recipe not in recipes:
            source = (
                f"{names['models']}: {name}.recipe"
                if config["protocol"] == "tuned"
                else f"{from_config(('protocol',))}: protocol"
            )
            yield (
                f"{source} is '{recipe}', which {names['recipes']} does not define"
                f"{did_you_mean(recipe, recipes)}."
            )
    for name, ablation in ablations.items():
        yield from _check_ablation(name, ablation, models, names)
    yield from _check_weights(models, names)
    yield from _check_data(config["data"], from_config)


def _check_ablation(
    name: str, ablation: Mapping[str, Any], models: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[str]:
    arms = [arm["arm"] for arm in ablation["arms"]]
    if ablation["baseline"] not in arms:
        yield (
            f"{names['ablations']}: {name}.baseline is '{ablation['baseline']}'"
            f"{did_you_mean(ablation['baseline'], arms)}, expected one of its arms: "
            f"{', '.join(arms)}."
        )
    for arm in sorted({arm for arm in arms if arms.count(arm) > 1}):
        yield f"{names['ablations']}: {name} has two arms named '{arm}'. Give each its own name."
    for index, arm in enumerate(ablation["arms"]):
        if arm["variant"] not in models:
            yield (
                f"{names['ablations']}: {name}.arms[{index}].variant is '{arm['variant']}', which "
                f"{names['models']} does not define{did_you_mean(arm['variant'], models)}."
            )


def _check_weights(models: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    """Yield pretrained variants without weights, or whose weights would share one file with others."""
    known: dict[str, tuple[str, Source]] = {}
    for name, entry in models.items():
        if not entry["pretrained"]:
            continue
        try:
            source = Source.from_mapping(entry.get("weights", {}))
        except UserError as error:
            yield f"{names['models']}: {name}: {error}"
            continue
        other, first = known.setdefault(source.name, (name, source))
        if source != first:
            yield (
                f"{names['models']}: {name}.weights and {other}.weights would be one file named "
                f"'{source.name}', but they differ. Give both the same hub, file, revision and sha256."
            )


def _check_data(data: Mapping[str, Any], from_config: validation.Origin) -> Iterator[str]:
    if data["kind"] != "shapes":
        return
    if "shapes" not in data:
        yield (
            f"{from_config(('data', 'kind'))}: data.kind is 'shapes', but data.shapes is missing. "
            "It gives train_images, test_images and seed."
        )
        return
    images, held_out = data["shapes"].get("train_images"), data["validation"]["images"]
    if images is not None and held_out >= images:
        yield (
            f"{from_config(('data', 'validation', 'images'))}: data.validation.images is "
            f"{held_out}, expected fewer than data.shapes.train_images, which is {images}."
        )


def _check_claims(
    claims: Sequence[Mapping[str, Any]],
    models: Mapping[str, Any],
    ablations: Mapping[str, Any],
    names: Mapping[str, str],
) -> Iterator[str]:
    ids = [claim["id"] for claim in claims]
    for twice in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"{names['claims']}: two claims have the id '{twice}'. Give each its own."
    for claim in claims:
        measure = claim["measure"]
        where = f"{names['claims']}: {claim['id']}.measure"
        by_arm = measure["kind"] in ("delta", "params_reduction")
        for key in ("ablation", "arm") if by_arm else ("variant",):
            if key not in measure:
                yield f"{where} lacks the key '{key}', which kind '{measure['kind']}' needs."
        variant, ablation = measure.get("variant"), measure.get("ablation")
        if variant is not None and variant not in models:
            yield f"{where}.variant is '{variant}', an unknown variant{did_you_mean(variant, models)}."
        if ablation is not None and ablation not in ablations:
            yield (
                f"{where}.ablation is '{ablation}', an unknown ablation"
                f"{did_you_mean(ablation, ablations)}."
            )
        elif ablation is not None and "arm" in measure:
            arms = ["best", *(arm["arm"] for arm in ablations[ablation]["arms"])]
            if measure["arm"] not in arms:
                yield (
                    f"{where}.arm is '{measure['arm']}'{did_you_mean(measure['arm'], arms)}, "
                    f"expected one of {', '.join(arms)}."
                )
