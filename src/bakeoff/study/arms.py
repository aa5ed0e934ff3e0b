"""The arms of ablations, resolved: what each of them trains, and what its runs are called.

An arm that changes nothing of its variant uses the variant's own runs. Any other arm is a variant of its own, with a
name that says what is changed: `resnet_20+mixup0.8`. The name follows from the change alone and not from what the arm
is called, so that a new title trains nothing again, and arms of two ablations with one change share their runs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.errors import UserError, did_you_mean
from bakeoff.models.weights_files import WeightsSource
from bakeoff.study.config import RECIPES, AblationConfig, ArmConfig, Title, VariantConfig
from bakeoff.study.layers import laid_over
from bakeoff.study.validation import dotted, parse
from bakeoff.training.recipe import Recipe

MARK = "+"
"""Between the name of a variant and what an arm changes; names in models.yaml cannot have it."""
LONGEST = 100
"""Letters of a name. The file system's limit is 255 bytes for a folder."""


@dataclass(frozen=True)
class Arm:
    """An arm: which variant it trains, which may be one that it has made, with which seeds."""

    arm: str
    variant: str
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Ablation:
    """An ablation of the study."""

    title: Title
    arms: tuple[Arm, ...]
    baseline: str


@dataclass(frozen=True)
class Training:
    """A model, and how it is trained."""

    model: VariantConfig
    recipe_name: str
    recipe: Recipe


@dataclass(frozen=True)
class Change:
    """One thing that an arm changes: as a part of a name, and for people."""

    name: str
    shown: str


@dataclass(frozen=True)
class Recipes:
    """The recipes of a study, before and after what it lays over all of them."""

    contents: Mapping[str, Mapping[str, Any]]
    """As recipes.yaml has them."""
    file: str
    overridden: Callable[[str], Recipe | None]
    """Returns a recipe with what the study lays over it; None where that is wrong, which has been told."""
    over: Mapping[str, Any]
    """`recipe_overrides` of the study."""


class ArmResolver:
    """Resolves the arms of one ablation after the other, and keeps what they make and what is wrong."""

    def __init__(
        self,
        file: str,
        models_file: str,
        plain: Mapping[str, Training],
        recipes: Recipes,
        seeds: Sequence[int],
    ) -> None:
        """Begin.

        Args:
            file: the ablations' file, as messages call it.
            models_file: the variants' file.
            plain: the variants as the study's protocol trains them.
            recipes: of the study.
            seeds: of arms that have none of their own.
        """
        self._file, self._models_file = file, models_file
        self._plain, self._recipes, self._seeds = plain, recipes, tuple(seeds)
        self.made: dict[str, Training] = {}
        """The variants that arms have made, by name."""
        self.mistakes: list[str] = []

    def resolve(self, name: str, ablation: AblationConfig) -> Ablation:
        """Return an ablation with its arms; one that is wrong, which is told, has no variant."""
        arms = [
            Arm(
                arm.arm, self._variant(f"{name}.arms[{index}]", arm) or "", arm.seeds or self._seeds
            )
            for index, arm in enumerate(ablation.arms)
        ]
        baseline = next((arm for arm in arms if arm.arm == ablation.baseline and arm.variant), None)
        for index, arm in enumerate(arms):
            if baseline and arm.variant == baseline.variant and arm.arm != baseline.arm:
                self.mistakes.append(
                    f"{self._file}: {name}.arms[{index}], '{arm.arm}', is trained exactly as the baseline "
                    f"'{baseline.arm}' is. Change something in it, or take it out."
                )
        return Ablation(ablation.title, tuple(arms), ablation.baseline)

    def _variant(self, where: str, arm: ArmConfig) -> str | None:
        """Return the name of what an arm trains; None where the arm or its variant is wrong."""
        plain = self._plain.get(arm.variant)
        if plain is None:
            return None
        given = {
            key: value
            for key in ("pretrained", "input_policy")
            if (value := getattr(arm, key)) is not None
        }
        model = plain.model.model_copy(update=given)
        before = len(self.mistakes)
        if model.pretrained and not plain.model.pretrained:
            self._check_weights(where, arm.variant, model)
        recipe_name = arm.base_recipe or plain.recipe_name
        based, recipe = self._recipe(where, arm, recipe_name)
        if based is None or recipe is None or len(self.mistakes) > before:
            return None
        changes = [*_model_changes(plain.model, model)]
        if recipe_name != plain.recipe_name and based != plain.recipe:
            changes.append(Change(recipe_name, recipe_name))
        changes += _recipe_changes(based, recipe)
        if not changes:
            return arm.variant
        shown = [plain.model.display or arm.variant, *(change.shown for change in changes)]
        label = " + ".join(shown)
        display = label if len(label) <= 80 else f"{label[:77]}..."
        name = _named(arm.variant, changes)
        made = Training(model.model_copy(update={"display": display}), recipe_name, recipe)
        self.made.setdefault(name, made)
        return name

    def _check_weights(self, where: str, variant: str, model: VariantConfig) -> None:
        try:
            WeightsSource.from_mapping(model.weights.model_dump() if model.weights else {})
        except UserError:
            self.mistakes.append(
                f"{self._file}: {where}.pretrained is true, but {self._models_file} has no weights for {variant}. "
                "Name their hub or file there, under weights."
            )

    def _recipe(self, where: str, arm: ArmConfig, name: str) -> tuple[Recipe | None, Recipe | None]:
        """Return the recipe that an arm is based on, and its own; None where one is wrong."""
        contents = self._recipes.contents
        if name not in contents:
            near = did_you_mean(name, contents)
            self.mistakes.append(
                f"{self._file}: {where}.base_recipe is '{name}', which {self._recipes.file} does not define{near}."
            )
            return None, None
        based = self._recipes.overridden(name)
        if based is None or not arm.recipe:
            return based, based
        content = laid_over(laid_over(contents[name], self._recipes.over), arm.recipe)

        def place(path: Sequence[str | int]) -> str:
            inside = path[1:]
            if _says(arm.recipe, inside):
                return f"{self._file}: {where}.recipe.{dotted(inside)}"
            return f"{self._file}: with {where}.recipe, {dotted(path)}"

        parsed, wrong = parse(RECIPES, {name: content}, place)
        self.mistakes += wrong
        return based, parsed[name] if parsed else None


def _says(content: Any, path: Sequence[str | int]) -> bool:
    for step in path:
        if not isinstance(content, Mapping) or step not in content:
            return False
        content = content[str(step)]
    return bool(path)


def _model_changes(plain: VariantConfig, changed: VariantConfig) -> Iterator[Change]:
    if changed.pretrained != plain.pretrained:
        yield (
            Change("weights", "ImageNet weights")
            if changed.pretrained
            else Change("scratch", "from scratch")
        )
    if changed.input_policy != plain.input_policy:
        size = changed.input_policy.removeprefix("resize")
        native = size == changed.input_policy
        yield Change(changed.input_policy, "native size" if native else f"{size} px")


def _recipe_changes(based: Recipe, recipe: Recipe) -> Iterator[Change]:
    """Yield all that a recipe has otherwise than the one that it is based on."""
    before, after = (each.model_dump(mode="json") for each in (based, recipe))
    # A warm-up that only follows the epochs needs no word.
    in_shape = dict(_leaves(laid_over(before, {"epochs": recipe.epochs})))
    for path, value in _leaves(after):
        was = before["epochs"] if path == ("epochs",) else in_shape.get(path)
        # Nor do the arguments of a policy that is gone.
        if was != value:
            yield _said(path, value)


def _leaves(content: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _leaves(value, (*path, str(key)))
    else:
        yield path, content


def _said(path: Sequence[str], value: Any) -> Change:
    key = path[-1]
    words = key.replace("_", " ")
    if value is None or value is False:
        return Change(f"no_{key}", f"no {words}")
    if value is True:
        return Change(key, words)
    if isinstance(value, str):
        return Change(value, value)
    # A sign in an exponent would read as the mark between changes.
    numbers = [str(each).removesuffix(".0").replace("e+", "e") for each in _list(value)]
    return Change(f"{key}{'_'.join(numbers)}", f"{words} {', '.join(numbers)}")


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _named(variant: str, changes: Sequence[Change]) -> str:
    """Return the name of a changed variant: of letters, digits and `_.+-`, which no shell takes for more."""
    parts = [re.sub(r"[^A-Za-z0-9_.-]", "-", change.name) for change in changes]
    name = MARK.join([variant, *parts])
    if len(name) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: LONGEST - len(digest) - 1]}-{digest}"
