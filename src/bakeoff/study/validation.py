"""Typed settings from what a file says, and complaints that a person can act on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bakeoff.errors import did_you_mean
from bakeoff.settings import Settings
from bakeoff.study.layers import Word, without_words

Path = Sequence[str | int]
Where = Callable[[Path], str]
"""From a path in a content to the words for it: the file, or the command line, and the dotted key."""

# What pydantic calls a value of the wrong type, and what a person calls the right one.
_EXPECTED = {
    "string_type": "text",
    "path_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def parse(kind: TypeAdapter[Any], content: Any, where: Where) -> tuple[Any, list[str]]:
    """Return `content` as what it should be, and one sentence for each way in which it is not.

    Args:
        kind: what it should be.
        content: as a file or the command line says it.
        where: how messages call a path in `content`.

    Returns:
        The settings, with their defaults, or None where there are mistakes.
    """
    try:
        return kind.validate_python(_meant(kind, content)), []
    except ValidationError as error:
        # Entries that are wrong are not counted; there are enough.
        wrong = [
            each
            for each in error.errors(include_url=False)
            if each["type"] != "too_short" or len(each["input"]) < each["ctx"]["min_length"]
        ]
        return None, list(dict.fromkeys(_sentence(each, kind._type, where) for each in wrong))


def in_file(name: str) -> Where:
    """Return how messages call a path in the file `name`."""
    return lambda path: f"{name}: {dotted(path)}"


def dotted(path: Path) -> str:
    """Return a path as a person writes it: `seeds.comparison[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else (f".{step}" if text else str(step))
    return text or "the whole file"


def shown(value: Any) -> str:
    """Return a value as it would stand in a file, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _meant(kind: TypeAdapter[Any], content: Any) -> Any:
    """Return `content` with the words of the command line as the types that settings of this kind have.

    A word that looks like a number is one, unless text belongs there: a name, a checksum, a path.
    """
    read = without_words(content)
    try:
        kind.validate_python(read)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            path, word = each["loc"], _at(content, each["loc"])
            text = _EXPECTED.get(each["type"]) == "text" and each["input"] is not None
            if text and isinstance(word, Word):
                _at(read, path[:-1])[path[-1]] = str(word)
    return read


def _at(content: Any, path: Path) -> Any:
    """Return what stands at a path, None where there is nothing."""
    for step in path:
        try:
            content = content[step]
        except (LookupError, TypeError):
            return None
    return content


def _sentence(error: ErrorDetails, kind: Any, place: Where) -> str:
    """Return what is wrong, where, and what was expected."""
    path = list(error["loc"])
    what, value, facts = error["type"], error["input"], error.get("ctx", {})
    if path and path[-1] == "[key]":
        rule = " in quotes" if what == "string_type" else ""
        rule = f" of at most {facts['max_length']} characters" if "max_length" in facts else rule
        rule = f" that fits the pattern {facts['pattern']}" if "pattern" in facts else rule
        return f"{place(path[:-1])} is a name that cannot be used, expected text{rule}."
    expected, meaning = _setting(kind, path)
    where = place(path)
    meaning = f" {meaning}" if meaning else ""
    match what:
        case "extra_forbidden":
            known = list(_fields(_setting(kind, path[:-1])[0]))
            near = did_you_mean(str(path[-1]), known)
            return f"{where} is not a known key{near}. Known here: {', '.join(known)}."
        case "missing" if isinstance(path[-1], int):
            count = len(get_args(next(_options(_setting(kind, path[:-1])[0]))))
            return f"{place(path[:-1])} has too few entries, expected {count}.{meaning}"
        case "missing":
            return f"{place(path[:-1])} lacks the key '{path[-1]}'.{meaning}"
        case "literal_error":
            allowed = [item for option in _options(expected) for item in _choices(option)]
            near = did_you_mean(str(value), [item for item in allowed if item is not None])
            text = ", ".join(shown(item) for item in allowed)
            return f"{where} is {shown(value)}{near}, expected one of {text}."
        case "too_short" | "string_too_short":
            found = "is empty" if not value else f"has {len(value)} entries"
            return f"{where} {found}, expected at least {facts['min_length']}.{meaning}"
        case "too_long" | "string_too_long":
            unit = "characters" if what == "string_too_long" else "entries"
            return (
                f"{where} has {len(value)} {unit}, expected at most {facts['max_length']}.{meaning}"
            )
        case "string_pattern_mismatch":
            rule = facts["pattern"]
            return f"{where} is {shown(value)}, which does not fit the pattern {rule}.{meaning}"
        case "finite_number":
            return f"{where} is {shown(value)}, expected a finite number.{meaning}"
        case "value_error":
            return f"{where} {facts['error']}"
    if what in _BOUNDS:
        word, bound = _BOUNDS[what]
        limit = int(facts[bound]) if facts[bound] == int(facts[bound]) else facts[bound]
        return f"{where} is {shown(value)}, expected {word} {limit}.{meaning}"
    if what in _EXPECTED:
        null = " or null" if type(None) in _options(expected) else ""
        hint = _number_hint(value) if what in ("int_type", "float_type") else ""
        return f"{where} is {shown(value)}, expected {_EXPECTED[what]}{null}.{hint}{meaning}"
    return f"{where} is {shown(value)}: {error['msg']}.{meaning}"


def _setting(kind: Any, path: Path) -> tuple[Any, str]:
    """Return the type of what belongs at a path, and the description of the nearest key."""
    meaning = ""
    for step in path:
        for option in _options(kind):
            fields = _own_fields(option)
            if step in fields:
                kind, meaning = fields[str(step)].annotation, option.meanings().get(step, "")
                break
            if get_origin(option) in (dict, list, tuple):
                kind = get_args(option)[1 if get_origin(option) is dict else 0]
                break
        else:
            return None, meaning
    return kind, meaning


def _options(kind: Any) -> Iterator[Any]:
    """Yield the types of which a value may have one."""
    if get_origin(kind) is Annotated:
        yield from _options(get_args(kind)[0])
    elif get_origin(kind) in (Union, UnionType):
        for option in get_args(kind):
            yield from _options(option)
    elif isinstance(kind, type) and issubclass(kind, Settings):
        # Settings that become those of a kind, such as the data's.
        yield kind
        for option in kind.__subclasses__():
            yield from _options(option)
    else:
        yield kind


def _fields(kind: Any) -> dict[str, FieldInfo]:
    fields: dict[str, FieldInfo] = {}
    for option in _options(kind):
        fields = _own_fields(option) | fields
    return fields


def _own_fields(option: Any) -> dict[str, FieldInfo]:
    settings = isinstance(option, type) and issubclass(option, Settings)
    return option.model_fields if settings else {}


def _choices(option: Any) -> tuple[Any, ...]:
    """Return the values that a type lists, if it does."""
    if option is type(None):
        return (None,)
    return get_args(option) if get_origin(option) is Literal else ()


def _number_hint(value: Any) -> str:
    """Say why YAML took a number for text: it wants a point before the exponent."""
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        number = None
    return f" YAML reads this as text; write {number!r}." if number is not None else ""
