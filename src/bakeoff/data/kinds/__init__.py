"""The kinds of data, a module each, found by name: `data.kind: shapes` is the module `shapes` of this package.

A module has a class `Data`, a `bakeoff.data.config.DataConfig`: its fields are the kind's own settings, and its methods
say what the data are, where they are found, and read them. It is imported at each parse of the Snakefile, so its
methods import what is heavy. Nothing else names a kind.

A user's own kind is such a class in a file of theirs: `data.kind: path/to/file.py:Class`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from bakeoff.errors import UserError
from bakeoff.user_code import import_file, split_name

if TYPE_CHECKING:
    from bakeoff.data.config import DataConfig


@lru_cache(maxsize=1)
def kind_names() -> tuple[str, ...]:
    """Return the names of all kinds."""
    return tuple(sorted({file.stem for file in Path(__file__).parent.glob("[!_]*.py")}))


def is_kind(name: object) -> bool:
    """Return whether this names a kind: one of the package, or a class in a user's file."""
    return name in kind_names() or split_name(name) is not None


def kind_code(name: str) -> str:
    """Return the module of a kind, as digests of code name it, or the user's file."""
    own = split_name(name)
    return own[0] if own else f"{__name__}.{name}"


def find_kind(name: str) -> type[DataConfig]:
    """Return the settings of the kind `name`.

    Raises:
        UserError: a user's file is missing, fails, or has no such class.
    """
    own = split_name(name)
    if own is None:
        found: type[DataConfig] = import_module(kind_code(name)).Data
        return found
    return _of_a_file(*own)


@lru_cache(maxsize=8)
def _of_a_file(path: str, wanted: str) -> type[DataConfig]:
    # The class in the file is made of it, so it may not be imported with this package.
    from bakeoff.data.config import DataConfig  # noqa: PLC0415

    found = getattr(import_file(Path(path), "data.kind names"), wanted, None)
    if not (isinstance(found, type) and issubclass(found, DataConfig)):
        raise UserError(
            f"data.kind: the file {path} has no class '{wanted}' made of bakeoff.data.config.DataConfig, or of one of "
            "its kinds; docs/own-data.md shows one."
        )
    if not isinstance(getattr(found, "TITLE", None), Mapping):
        raise UserError(
            f"data.kind: the class '{wanted}' in {path} has no TITLE, which says what to call the data in each "
            "language: TITLE = {'en': ..., 'zh': ...}."
        )
    return found
