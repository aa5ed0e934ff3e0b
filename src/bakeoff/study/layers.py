"""Reading YAML files and laying them over one another, without losing who said what."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bakeoff.errors import UserError

# The same loader in C, where PyYAML was built with it: configuration is read at each parse.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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


def load_yaml(path: str | Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        UserError: the file is missing, is not YAML, or has one key twice.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8") as stream:
            return yaml.load(stream, Loader=_StrictLoader)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist. Create it, or correct the path to it.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UserError(f"{path}{where} is not valid YAML: {problem}.") from None


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


def merge_layers(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return all layers laid over one another, the last on top."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = merge(merged, layer.content)
    return merged


def origin(layers: Sequence[Layer], path: Sequence[str | int]) -> str:
    """Return the name of the topmost layer that says something at `path`, else of the lowest."""
    for layer in reversed(layers):
        value: Any = layer.content
        for step in path:
            inside = (
                step in value
                if isinstance(value, Mapping)
                else isinstance(value, list) and isinstance(step, int) and step < len(value)
            )
            if not inside:
                break
            value = value[step]
        else:
            return layer.name
    return layers[0].name
