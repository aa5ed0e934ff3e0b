"""Which files of a folder of images count: for the kind that reads them, and for what tells that they changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def visible_files(folder: Path) -> Iterator[str]:
    """Yield the path of each file below `folder`, without hidden ones; links are followed, but never in a circle."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # Not `Path`, which is five times as slow: there may be 200,000 files, and each parse asks.
        yield from (os.path.join(place, name) for name in files if not name.startswith("."))  # noqa: PTH118


def by_parts(path: str) -> str:
    """Return by what paths are sorted so that they are in the order of their parts, folder by folder."""
    return path.replace(os.sep, "\0")
