"""The data of a study: fetched or drawn, checked, and prepared as arrays that runs map into memory.

Importing this package is cheap: its names bring pydantic, NumPy and requests when they are first used. So a run, which
reads prepared data, does not depend on how data are configured.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bakeoff.data.config import DataConfig
    from bakeoff.data.fetch import download
    from bakeoff.data.preparation import prepare
    from bakeoff.data.prepared import (
        DataMeta,
        load_meta,
        load_split,
        load_validation_indices,
        verify,
    )

__all__ = [
    "DataConfig",
    "DataMeta",
    "download",
    "load_meta",
    "load_split",
    "load_validation_indices",
    "prepare",
    "verify",
]

_LAZY = {
    "DataConfig": "config",
    "DataMeta": "prepared",
    "download": "fetch",
    "load_meta": "prepared",
    "load_split": "prepared",
    "load_validation_indices": "prepared",
    "prepare": "preparation",
    "verify": "prepared",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
