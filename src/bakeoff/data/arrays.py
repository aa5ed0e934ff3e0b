"""Which files prepared data consist of."""

from __future__ import annotations

SPLITS = ("train", "test")
META = "meta.json"
VALIDATION = "validation_indices"


def array_names(superclasses: bool) -> tuple[str, ...]:
    """Return the names of all arrays of data with or without superclasses; their files end in `.npy`."""
    parts = ("images", "fine", "coarse") if superclasses else ("images", "fine")
    return (*(f"{split}_{part}" for split in SPLITS for part in parts), VALIDATION)
