"""The kinds of data, a module each, found by name: `data.kind: shapes` is the module `shapes` of this package.

A module has a class `Data`, a `bakeoff.data.config.DataConfig`: its fields are the kind's own settings, and its methods
say what the data are, where they are found, and read them. It is imported at each parse of the Snakefile, so its
methods import what is heavy. Nothing else names a kind.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bakeoff.data.config import DataConfig


@lru_cache(maxsize=1)
def kind_names() -> tuple[str, ...]:
    """Return the names of all kinds."""
    return tuple(sorted({file.stem for file in Path(__file__).parent.glob("[!_]*.py")}))


def kind_module(name: str) -> str:
    """Return the module of a kind, as digests of code name it."""
    return f"{__name__}.{name}"


def find_kind(name: str) -> type[DataConfig]:
    """Return the settings of the kind `name`."""
    found: type[DataConfig] = import_module(kind_module(name)).Data
    return found
