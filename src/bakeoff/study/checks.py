"""What is wrong between the parts of a configuration, each of which is right by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from bakeoff.errors import UserError, did_you_mean
from bakeoff.models.weights_files import WeightsSource
from bakeoff.study.claims import EXTREMES, AnyPart, ClaimConfig
from bakeoff.study.config import AblationConfig, StudyConfig, VariantConfig
from bakeoff.study.growth import GENERAL
from bakeoff.study.layers import Layer, origin
from bakeoff.study.root import check_root
from bakeoff.training.recipe import Recipe


@dataclass(frozen=True)
class Whole:
    """All parts of a configuration, typed."""

    config: StudyConfig
    models: Mapping[str, VariantConfig]
    recipes: Mapping[str, Recipe]
    ablations: Mapping[str, AblationConfig]
    claims: Sequence[ClaimConfig]
    used: Sequence[str]
    """Variants of the comparison and of arms of the study's ablations."""
    from_weights: Set[str]
    """Variants that some arm starts from pretrained weights."""
    layers: Sequence[Layer]

    def said(self, *path: str | int) -> str:
        """Return which layer of the study's configuration says what stands at a path."""
        return origin(self.layers, path)

    def last_said(self, *paths: Sequence[str | int]) -> str:
        """Return the topmost layer that says something at one of the paths."""
        names = [layer.name for layer in self.layers]
        return max((origin(self.layers, path) for path in paths), key=names.index)


def recipe_name(model: VariantConfig, protocol: str) -> str:
    """Return the name of the recipe by which a protocol trains a model."""
    return model.recipe if protocol == "tuned" else protocol


def cross_mistakes(whole: Whole, folder: Path) -> Iterator[str]:
    """Yield one sentence for each mistake; `folder` is the working directory."""
    yield from _names(whole)
    yield from _displays(whole)
    for name, ablation in whole.ablations.items():
        yield from _ablation(name, ablation, whole)
    yield from _weights(whole)
    yield from _data(whole)
    yield from _claims(whole)
    yield from _settle(whole)
    yield from _root(whole, folder)


def _names(whole: Whole) -> Iterator[str]:
    config, files = whole.config, whole.config.files
    for key, names, known, file in (
        ("variants", config.variants, whole.models, files.models),
        ("ablations", config.ablations, whole.ablations, files.ablations),
    ):
        for index, name in enumerate(names):
            if name not in known:
                yield (
                    f"{whole.said(key)}: {key}[{index}] is '{name}', which {file} does not define"
                    f"{did_you_mean(name, known)}."
                )
    for name, model in whole.models.items():
        recipe = recipe_name(model, config.protocol)
        if recipe not in whole.recipes:
            tuned = config.protocol == "tuned"
            source = (
                f"{files.models}: {name}.recipe" if tuned else f"{whole.said('protocol')}: protocol"
            )
            near = did_you_mean(recipe, whole.recipes)
            yield f"{source} is '{recipe}', which {files.recipes} does not define{near}."


def _displays(whole: Whole) -> Iterator[str]:
    """Yield compared variants that tables and figures would show under one name."""
    first: dict[str, str] = {}
    for name in dict.fromkeys(whole.config.variants):
        model = whole.models.get(name)
        display = (model.display if model else None) or name
        other = first.setdefault(display, name)
        if other != name:
            yield (
                f"{whole.config.files.models}: {other} and {name} are both shown as '{display}'. Give each its "
                "own display."
            )


def _ablation(name: str, ablation: AblationConfig, whole: Whole) -> Iterator[str]:
    files = whole.config.files
    arms = [arm.arm for arm in ablation.arms]
    if ablation.baseline not in arms:
        yield (
            f"{files.ablations}: {name}.baseline is '{ablation.baseline}'"
            f"{did_you_mean(ablation.baseline, arms)}, expected one of its arms: {', '.join(arms)}."
        )
    for arm in sorted({arm for arm in arms if arms.count(arm) > 1}):
        yield f"{files.ablations}: {name} has two arms named '{arm}'. Give each its own name."
    for index, each in enumerate(ablation.arms):
        if each.variant not in whole.models:
            yield (
                f"{files.ablations}: {name}.arms[{index}].variant is '{each.variant}', which "
                f"{files.models} does not define{did_you_mean(each.variant, whole.models)}."
            )


def _weights(whole: Whole) -> Iterator[str]:
    """Yield pretrained variants without weights, or whose weights would share one file with others."""
    known: dict[str, tuple[str, WeightsSource]] = {}
    for name, model in whole.models.items():
        if not model.pretrained and name not in whole.from_weights:
            continue
        try:
            source = WeightsSource.from_mapping(model.weights.model_dump() if model.weights else {})
        except UserError as error:
            # What an arm asks for is told with the arm.
            if model.pretrained:
                yield f"{whole.config.files.models}: {name}: {error}"
            continue
        other, first = known.setdefault(source.name, (name, source))
        if source != first:
            yield (
                f"{whole.config.files.models}: {name}.weights and {other}.weights would be one file named "
                f"'{source.name}', but they differ. Give both the same hub, file, revision and sha256."
            )


def _data(whole: Whole) -> Iterator[str]:
    data, held_out = whole.config.data, whole.config.data.validation.images
    described = data.describe()
    for path, sentence in data.mistakes():
        yield f"{whole.said('data', *path)}: {sentence}"
    most: dict[tuple[str, ...], int] = {}
    if described.exact:
        most["data",] = described.train_images
    if data.limit.train:
        most["data", "limit", "train"] = data.limit.train
    for path, images in most.items():
        if held_out >= images:
            source = whole.last_said(("data", "validation", "images"), path)
            yield (
                f"{source}: data.validation.images is {held_out}, expected fewer than there are for training: "
                f"{images} ({'.'.join(path)})."
            )
    for split, images in data.limit:
        if images is not None and images < described.classes:
            yield (
                f"{whole.said('data', 'limit', split)}: data.limit.{split} is {images}, expected at least "
                f"{described.classes}, one image of each class."
            )


def _claims(whole: Whole) -> Iterator[str]:
    file = whole.config.files.claims
    ids = [claim.id for claim in whole.claims]
    for twice in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"{file}: two claims have the id '{twice}'. Give each its own."
    for claim in whole.claims:
        for number, part in enumerate(claim.measure.parts):
            inside = f".of[{number}]" if claim.measure.of else ""
            yield from _measure(whole, part, f"{file}: {claim.id}.measure{inside}")


def _settle(whole: Whole) -> Iterator[str]:
    """Yield questions of `settle` that the study does not ask, and a design of which nothing could be judged."""
    settle = whole.config.settle
    if settle is None:
        return
    known = [*GENERAL, *whole.config.ablations, *(claim.id for claim in whole.claims)]
    for index, name in enumerate(settle.questions):
        if name not in known:
            yield (
                f"{whole.said('settle', 'questions')}: settle.questions[{index}] is '{name}', expected "
                f"{', '.join(GENERAL)}, an ablation of the study or the id of a claim{did_you_mean(name, known)}."
            )
    for part, seeds in whole.config.seeds:
        if len(seeds) < 2 and (part == "comparison" or whole.config.ablations):
            yield (
                f"{whole.said('seeds', part)}: seeds.{part} has one seed, of which nothing can be judged, so that "
                "settle could not say how many more are needed. Give it at least two."
            )


def _measure(whole: Whole, part: AnyPart, where: str) -> Iterator[str]:
    """Yield the variants, ablations and arms of a measure that there are not."""
    named = {"variant": part.variant, "other": part.other}
    named |= {f"group[{i}]": name for i, name in enumerate(part.group)}
    extremes = EXTREMES if part.kind in ("hours", "gpu_hours") else ()
    for key, name in named.items():
        if name is not None and name not in whole.models and name not in extremes:
            near = did_you_mean(name, [*whole.models, *extremes])
            yield f"{where}.{key} is '{name}', an unknown variant{near}."
    if part.ablation is None:
        return
    if part.ablation not in whole.ablations:
        near = did_you_mean(part.ablation, whole.ablations)
        yield f"{where}.ablation is '{part.ablation}', an unknown ablation{near}."
        return
    arms = [arm.arm for arm in whole.ablations[part.ablation].arms]
    words = () if part.kind == "arm_contrast" else ("best", "worst")
    for key, arm, known in (
        ("arm", part.arm, [*words, *arms]),
        ("than", part.than, ["others", *arms]),
    ):
        if arm is not None and arm not in known:
            yield (
                f"{where}.{key} is '{arm}'{did_you_mean(arm, known)}, expected one of {', '.join(known)}."
            )


def logo_mistake(logo: str, folder: Path) -> str | None:
    """Return what is wrong with the logo of the talk, if there is one; the deck would fail on it after all runs."""
    if not logo:
        return None
    try:
        start = (folder / logo).read_bytes()[:8]
    except OSError as error:
        return (
            f"logo is '{logo}', which cannot be read ({error.strerror}). Name a PNG or JPEG file."
        )
    if start.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
        return None
    return f"logo is '{logo}', which is neither a PNG nor a JPEG file. Convert it to one of them."


def _root(whole: Whole, folder: Path) -> Iterator[str]:
    config, source = whole.config, whole.said("results_root")
    own = [whole.models[name].builder.rpartition(":")[0] for name in whole.used]
    reads = [*dict(config.files).values(), *filter(None, own)]
    for why in check_root(config.results_root, config.name, source, whole.layers, reads, folder):
        yield (
            f"{source}: results_root is '{config.results_root}', which {why}. Name a folder that is the study's "
            f"own, such as results/{config.name}."
        )
