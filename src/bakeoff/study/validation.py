"""JSON-schema validation whose messages a person can act on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
from jsonschema.exceptions import ValidationError

from bakeoff.errors import did_you_mean
from bakeoff.study.layers import load_yaml

Origin = Callable[[Sequence[str | int]], str]

_TYPE_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys to values",
    "null": "null",
}


def load_schema(folder: Path, name: str) -> dict[str, Any]:
    """Return `{folder}/{name}.schema.yaml`."""
    schema: dict[str, Any] = load_yaml(folder / f"{name}.schema.yaml")
    return schema


def check(value: Any, schema: Mapping[str, Any], origin: Origin) -> list[str]:
    """Return one sentence for each way in which `value` breaks `schema`, in the order of the file.

    `origin` tells which file a path in `value` comes from.
    """
    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.path)))
    return [sentence for error in errors for sentence in _sentences(error, origin)]


def with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return `value` with the defaults of `schema` filled in, in nested mappings too."""
    if isinstance(value, Mapping) and schema.get("type") == "object":
        filled = dict(value)
        for key, subschema in schema.get("properties", {}).items():
            if key not in filled and "default" in subschema:
                filled[key] = subschema["default"]
            if key in filled:
                filled[key] = with_defaults(filled[key], subschema)
        extra = schema.get("additionalProperties")
        if isinstance(extra, Mapping):
            for key in filled.keys() - schema.get("properties", {}).keys():
                filled[key] = with_defaults(filled[key], extra)
        return filled
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [with_defaults(item, schema["items"]) for item in value]
    return value


def dotted(path: Sequence[str | int]) -> str:
    """Return a path as a person writes it: `seeds.comparison[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else str(step))
    return text or "the whole file"


def shown(value: Any) -> str:
    """Return a value as it would stand in a file, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _sentences(error: ValidationError, origin: Origin) -> list[str]:
    path = list(error.absolute_path)
    where = f"{origin(path)}: {dotted(path)}"
    value: Any = error.instance
    rule: Any = error.validator_value
    schema: Any = error.schema
    meaning = _meaning(schema)
    match error.validator:
        case "additionalProperties":
            known = schema.get("properties", {})
            return [
                f"{origin([*path, key])}: {dotted([*path, key])} is not a known key"
                f"{did_you_mean(key, known)}. Known here: {', '.join(known)}."
                for key in sorted(set(value) - set(known))
            ]
        case "required":
            missing = [key for key in rule if key not in value]
            # jsonschema reports each missing key on its own; this error's key is in its message.
            key = next(key for key in missing if error.message.startswith(f"'{key}'"))
            what = _meaning(schema.get("properties", {}).get(key, {}))
            return [f"{where} lacks the key '{key}'.{what}"]
        case "type":
            kinds = [rule] if isinstance(rule, str) else list(rule)
            expected = " or ".join(_TYPE_NAMES[kind] for kind in kinds)
            hint = _number_hint(value) if {"number", "integer"} & set(kinds) else ""
            return [f"{where} is {shown(value)}, expected {expected}.{hint}{meaning}"]
        case "enum":
            allowed = ", ".join(shown(item) for item in rule)
            near = did_you_mean(value, [item for item in rule if item is not None])
            return [f"{where} is {shown(value)}{near}, expected one of {allowed}."]
        case "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum":
            word = {
                "minimum": "at least",
                "exclusiveMinimum": "more than",
                "maximum": "at most",
                "exclusiveMaximum": "less than",
            }[str(error.validator)]
            return [f"{where} is {shown(value)}, expected {word} {rule}.{meaning}"]
        case "minItems":
            found = "is empty" if not value else f"has {len(value)} entries"
            return [f"{where} {found}, expected at least {rule}.{meaning}"]
        case "maxItems":
            return [f"{where} has {len(value)} entries, expected at most {rule}.{meaning}"]
        case "uniqueItems":
            twice = sorted({shown(item) for item in value if value.count(item) > 1})
            return [f"{where} has {', '.join(twice)} more than once. Keep one of each."]
        case "pattern":
            return [f"{where} is {shown(value)}, which does not fit the pattern {rule}.{meaning}"]
        case _:
            return [f"{where}: {error.message}.{meaning}"]


def _meaning(schema: Any) -> str:
    """Return the description of a key as a further sentence."""
    text = schema.get("description", "") if isinstance(schema, Mapping) else ""
    return f" {text}" if text else ""


def _number_hint(value: Any) -> str:
    """Say why YAML took a number for text: it wants a point before the exponent."""
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        number = None
    return f" YAML reads this as text; write {number!r}." if number is not None else ""
