"""The recipes by which the compared variants were trained, as tables of settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.slides.formats import MISSING, general
from bakeoff.slides.grid import Column, Grid, Line
from bakeoff.slides.results import Results, Run
from bakeoff.slides.templates import leaves
from bakeoff.slides.values import Text, join, plain
from bakeoff.slides.words import Words

# The settings in the order in which they are shown. One that is named nowhere here follows the others.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "optimisation": (
        *("optimizer.name", "learning_rate.base", "learning_rate.per_images"),
        *("optimizer.momentum", "optimizer.nesterov", "optimizer.betas", "optimizer.weight_decay"),
        *("optimizer.decay_norm_and_bias", "gradient_clip", "ema_decay"),
    ),
    "schedule": ("epochs", "warmup_epochs", "final_learning_rate"),
    "batches": ("global_batch", "micro_batch", "precision", "compile"),
    "regularisation": (
        *("augmentation.crop_padding", "augmentation.flip", "augmentation.policy"),
        *("augmentation.policy_args.magnitude", "augmentation.policy_args.layers"),
        *("augmentation.cutout", "augmentation.erasing", "augmentation.mixup"),
        *("augmentation.cutmix", "label_smoothing", "drop_path"),
    ),
}

# Settings that say something when they are zero or no.
TELLING = ("final_learning_rate", "optimizer.decay_norm_and_bias")

# Settings of one optimizer, which the schema fills in for all.
OF_OPTIMIZER = {
    "optimizer.momentum": "sgd",
    "optimizer.nesterov": "sgd",
    "optimizer.betas": "adamw",
}

PRECISIONS = {"no": "fp32"}
"""How the engine calls a precision that the glossary of names has under another name."""


@dataclass(frozen=True)
class Recipe:
    """A recipe: the runs that were made by it, and the families that they belong to."""

    runs: tuple[Run, ...]
    users: tuple[Text, ...]

    def content(self, setting: str) -> Any:
        """Return a setting as the runs were configured, None where they have none."""
        return self.runs[0].provenance.get(_path(setting))

    def applies(self, setting: str) -> bool:
        """Tell whether a setting had an effect worth showing."""
        optimizer = self.content("optimizer.name")
        if OF_OPTIMIZER.get(setting, optimizer) != optimizer:
            return False
        content = self.content(setting)
        return bool(content) or (setting in TELLING and content is not None)

    def shown(self, setting: str, words: Words) -> Text:
        """Return the text of a setting, a dash where it is off."""
        if setting == "precision":
            return self._precision(words)
        if not self.applies(setting):
            return (MISSING,)

        def form(content: Any) -> str:
            if isinstance(content, list):
                return ", ".join(general(item) for item in content)
            return general(content) if isinstance(content, float) else words.name(str(content))

        return (self.runs[0].provenance.value(_path(setting), form),)

    def _precision(self, words: Words) -> Text:
        """Return the precision in which the runs computed; the configuration only asks for one."""

        def form(content: Any) -> str:
            return words.name(PRECISIONS.get(str(content), str(content)))

        used = {run.metrics.get("precision"): run.metrics for run in self.runs}
        shown = [(metrics.value("precision", form),) for name, metrics in used.items() if name]
        return join(shown, ", ") or (MISSING,)


def recipes(results: Results) -> list[Recipe]:
    """Return the different recipes of the compared variants."""
    families: dict[str, dict[str, Text]] = {}
    runs: dict[str, dict[str, Run]] = {}
    for number, entry in enumerate(results.comparison.get("variants", [])):
        family = results.comparison.value(f"variants.{number}.family")
        for run in results.runs_of(entry["run"], entry["seeds"]):
            settings = [name for group in GROUPS for name in _settings(run, group)]
            key = repr([(name, run.provenance.get(_path(name)) or None) for name in settings])
            runs.setdefault(key, {})[run.folder] = run
            families.setdefault(key, {})[family.text] = (family,)
    return [Recipe(tuple(runs[key].values()), tuple(families[key].values())) for key in runs]


def all_shown(found: Sequence[Recipe], setting: str, words: Words) -> Text:
    """Return a setting as all recipes have it, each different text once."""
    shown = (recipe.shown(setting, words) for recipe in found)
    texts = {plain(text): text for text in shown}
    return join(texts.values(), words.templates["common.list_separator"])


def blocks(recipe: Recipe, words: Words) -> list[Grid]:
    """Return one table for each group of settings of one recipe, without those that are off."""
    tables = []
    for group in GROUPS:
        if lines := tuple(_lines([recipe], group, words)):
            heading = Column(words.say(f"protocol.group.{group}"))
            tables.append(Grid((heading, Column((), wraps=True)), lines))
    return tables


def table(found: Sequence[Recipe], words: Words) -> Grid:
    """Return one line per setting, with a column for each recipe, named by the families that use it."""
    lines = []
    for group in GROUPS:
        settings = list(_lines(found, group, words))
        if settings:
            heading = words.say(f"protocol.group.{group}")
            lines += [Line((heading, *[()] * len(found)), strong=True), *settings]
    columns = (
        Column(words.say("protocol.setting")),
        *(Column(words.listing(recipe.users), wraps=True) for recipe in found),
    )
    return Grid(columns, tuple(lines))


def _lines(found: Sequence[Recipe], group: str, words: Words) -> Iterator[Line]:
    """Yield a line for each setting of a group that is not off in all recipes."""
    for setting in dict.fromkeys(
        name for recipe in found for name in _settings(recipe.runs[0], group)
    ):
        if any(recipe.applies(setting) for recipe in found):
            cells = (recipe.shown(setting, words) for recipe in found)
            yield Line(((words.name(setting, "recipe"),), *cells))


def _settings(run: Run, group: str) -> Iterator[str]:
    """Yield the settings of a group; the last has those, too, that a run has and no group names."""
    yield from GROUPS[group]
    if group == [*GROUPS][-1]:
        known = {setting for settings in GROUPS.values() for setting in settings}
        recorded = run.provenance.get("configuration.recipe", {})
        yield from (name for name, _ in leaves(recorded) if name not in known)


def _path(setting: str) -> str:
    """Return where the record of a run has a setting."""
    if setting == "drop_path":  # the recipe gives it to the builder of the network
        return "configuration.model.args.drop_path_rate"
    return f"configuration.recipe.{setting}"
