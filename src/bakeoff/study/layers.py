"""Reading YAML files and laying them over one another, without losing who said what."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bakeoff.errors import UserError

# The same loader in C, where PyYAML was built with it: configuration is read at each parse.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

COMMAND_LINE = "--config on the command line"
LARGEST = 100_000
"""Values in one file; the text of the deck is the largest, with about a thousand."""


class _StrictLoader(_SafeLoader):  # type: ignore[misc]  # a base chosen at run time
    """SafeLoader that refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if isinstance(key, Hashable) and key in seen:
                raise UserError(
                    f"{node.start_mark.name}, line {line}: '{key}' stands there twice "
                    f"(first in line {seen[key]}). Keep one of them."
                )
            seen[key] = line
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


class _WordLoader(_StrictLoader):
    """Loader that keeps scalars without quotes as they are written, and all keys as text."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if isinstance(node, yaml.ScalarNode) and not node.style and "!" not in node.tag:
            return Word(node.value)
        return super().construct_object(node, deep)


def load_yaml(path: str | Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        UserError: the file is missing, is not YAML, has one key twice, or unfolds to more than a configuration is.
    """
    path = Path(path)
    try:
        return _load(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist. Create it, or correct the path to it.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from None


class Word(str):
    """A word of the command line that stands without quotes: a number or text, as the setting has it."""

    def meaning(self) -> bool | int | float | str | None:
        """Return what YAML takes the word for."""
        try:
            value = yaml.load(str(self), _SafeLoader)
        except yaml.YAMLError:
            return str(self)
        return value if isinstance(value, bool | int | float | None) else str(self)


def read_arguments(arguments: Iterable[str]) -> dict[str, Any]:
    """Return what `key=value`, as it was given to Snakemake's --config, says; values are YAML.

    Scalars without quotes are `Word`s. (Snakemake's own reading has text for all that is nested, and no quotes.)

    Raises:
        UserError: a value is not YAML.
    """
    given: dict[str, Any] = {}
    for argument in arguments:
        key, _, text = argument.partition("=")
        given = merge(given, {key: _load(text, f"{COMMAND_LINE}: {key}", _WordLoader)})
    return given


def without_words(content: Any) -> Any:
    """Return a copy of `content` in which each `Word` is what YAML takes it for."""
    if isinstance(content, Mapping):
        return {
            str(key) if isinstance(key, Word) else key: without_words(value)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [without_words(value) for value in content]
    return content.meaning() if isinstance(content, Word) else content


def _load(text: str, name: str, loader_type: Any = None) -> Any:
    """Return the content of a YAML text; `name` is what messages call it."""
    stream = io.StringIO(text)
    stream.name = name
    loader = (loader_type or _StrictLoader)(stream)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > LARGEST:
            raise UserError(
                f"{name} unfolds to more than {LARGEST:,} values, because an alias (*) repeats what repeats "
                "others. Write out what is meant."
            )
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UserError(f"{name}{where} is not valid YAML: {problem}.") from None
    except RecursionError:
        raise UserError(
            f"{name} is nested too deeply, or holds itself. Write out what is meant."
        ) from None
    finally:
        loader.dispose()


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node is when its aliases are written out."""
    if id(node) not in known:
        inner = node.value if isinstance(node, yaml.CollectionNode) else []
        parts = (part for item in inner for part in (item if isinstance(item, tuple) else (item,)))
        known[id(node)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(node)]


@dataclass(frozen=True)
class Layer:
    """One source of configuration: a file's name, or the command line, and what it says."""

    name: str
    content: Mapping[str, Any]


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid over it: mappings merge key by key, all else is replaced."""
    merged = dict(copy.deepcopy(base))
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(below, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def laid_over(recipe: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe, as a file has it, with `change` laid over it.

    A run of another length keeps the shape of its schedule: unless `change` has a warm-up too, that of the recipe
    stays the same part of the epochs.
    """
    changed = merge(recipe, change)
    if "epochs" in change and "warmup_epochs" not in change and recipe.get("warmup_epochs"):
        epochs = change["epochs"]
        if isinstance(epochs, int | float) and math.isfinite(epochs):
            changed["warmup_epochs"] = round(recipe["warmup_epochs"] * epochs / recipe["epochs"], 6)
    return changed


def merge_layers(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return all layers laid over one another, the last on top."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer.content)
    return merged


def origin(layers: Sequence[Layer], path: Sequence[str | int]) -> str:
    """Return the name of the topmost layer that says something at `path`, else of the lowest."""
    return said_by(layers, path) or layers[0].name


def said_by(layers: Sequence[Layer], path: Sequence[str | int]) -> str | None:
    """Return the name of the topmost layer that says something at `path`, if one does."""
    for layer in reversed(layers):
        value: Any = layer.content
        try:
            for step in path:
                value = value[step]
        except (LookupError, TypeError):
            continue
        return layer.name
    return None
