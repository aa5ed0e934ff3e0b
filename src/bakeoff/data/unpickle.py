"""Reading a pickle that may hold plain values and NumPy arrays, and nothing else."""

from __future__ import annotations

import io
import pickle
from typing import Any

from bakeoff.errors import UserError

# The official files were pickled by Python 2 with an early NumPy (`numpy.core`); NumPy 2 writes
# `numpy._core` and, for the bytes of an array in the old protocols, `_codecs.encode`.
ADMITTED = frozenset(
    {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("_codecs", "encode"),
    }
)


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load_pickle(content: bytes, name: str) -> dict[str, Any]:
    """Return the dictionary pickled in `content`; the keys, bytes in Python 2's files, as str.

    Raises:
        UserError: of the file `name`: the pickle asks for anything that is not admitted, is broken, or
            is not a dictionary.
    """
    try:
        value = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a broken pickle can raise almost anything
        raise UserError(
            f"{name} is refused: {error}; expected a pickle of plain values and NumPy arrays as "
            "in the official python archive."
        ) from error
    if not isinstance(value, dict):
        raise UserError(f"{name} holds a {type(value).__name__}; expected a dictionary.")
    return {_text(key): item for key, item in value.items()}


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
