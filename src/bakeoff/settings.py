"""What all typed settings have in common: their base, and the types of their values.

A setting is written once, as a field of a model: its type and range, its default, and a docstring, which becomes the
last sentence of a complaint about it and its description in the JSON schema. The Snakefile imports the models at each
parse, so nothing heavy may be imported here.
"""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")


class Settings(BaseModel):
    """Settings that cannot change. Values are taken for what they are: no text for a number, no 1 for true."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def meanings(cls) -> dict[str, str]:
        """Return {key: docstring of its field}, read from the source when somebody asks: it takes long."""
        models = [model for model in reversed(cls.__mro__) if issubclass(model, Settings)]
        return {
            field.target.id: text.value.value
            for model in models
            for field, text in pairwise(_body(model))
            if isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and field.target.id in cls.model_fields
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        }


def _body(model: type) -> list[ast.stmt]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    return definition.body


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _different(values: tuple[T, ...]) -> tuple[T, ...]:
    twice = dict.fromkeys(str(value) for value in values if values.count(value) > 1)
    if twice:
        raise ValueError(f"has {', '.join(twice)} more than once. Keep one of each.")
    return values


def _plain(value: Any) -> Any:
    """Return a value of any kind, if JSON can hold it."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"is {value} or holds it, expected finite numbers.")
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"has the key {odd[0]!r}, which is no text. Write it in quotes.")
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(inner) for inner in value]
    if not isinstance(value, str | int | float | None):
        raise ValueError(f"is '{value}', which is a {type(value).__name__}. Write it in quotes.")
    return value


WHOLE = BeforeValidator(_whole)
"""Makes YAML's 2.0 a whole number."""
Count = Annotated[int, Field(ge=1), WHOLE]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1), WHOLE]
Share = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=64)]
"""What files, wildcards and tables may be called."""
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"
Line = Annotated[str, Field(pattern=_ONE_LINE, min_length=1, max_length=400)]
"""Text without line breaks."""
MaybeLine = Annotated[str, Field(pattern=_ONE_LINE.replace("]+$", "]*$"), max_length=400)]
"""Text without line breaks, or nothing."""
Label = Annotated[str, Field(pattern=_ONE_LINE, min_length=1, max_length=80)]
"""A name for people, which has to find room in tables and figures."""
Plain = Annotated[Any, AfterValidator(_plain)]
"""Whatever JSON can hold."""
Sha256 = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$"), AfterValidator(str.lower)]
Md5 = Annotated[str, Field(pattern="^[0-9a-fA-F]{32}$"), AfterValidator(str.lower)]

Names = Annotated[
    tuple[Name, ...],
    Field(strict=False, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_different),
]
Seeds = Annotated[
    tuple[Seed, ...],
    Field(strict=False, min_length=1, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_different),
]
