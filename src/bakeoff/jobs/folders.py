"""What a folder of images is: names and contents of what a reader of images sees in it, and not when it was copied.

A folder may have 200,000 files and is asked about at each parse. So the digest of each file is kept, in
`resources/listings`, with the size, the times and the inode that it had; a file is read again only where one of them
differs.
"""

from __future__ import annotations

import json
import os
from hashlib import blake2b
from pathlib import Path

from bakeoff.data.listing import by_parts, visible_files
from bakeoff.files import sha256_text, unwritable, write_text

LISTINGS = Path("resources/listings")

State = tuple[int, int, int, int]
"""Size, time of its content and of its inode in nanoseconds, and number of its inode."""


def folder_digest(folder: Path) -> str:
    """Return the digest of names and contents of the visible files of a folder."""
    file = LISTINGS / f"{sha256_text(str(folder.resolve()))[:16]}.json"
    known = _load(file)
    found: dict[str, tuple[State, str]] = {}
    changed = False
    for name, path, state in _files(folder):
        kept = known.get(name)
        if kept is None or kept[0] != state:
            changed = True
            kept = (state, _content(path))
        found[name] = kept
    if changed or len(found) != len(known):
        _save(file, found)
    digest = blake2b(digest_size=32)
    for name in sorted(found, key=by_parts):
        digest.update(f"{name}\0{found[name][1]}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def names_digest(folder: Path) -> str:
    """Return the digest of names and sizes alone, by which earlier versions knew a folder."""
    found = sorted(
        ((name, state[0]) for name, _, state in _files(folder)), key=lambda f: by_parts(f[0])
    )
    return sha256_text(repr(found))


def _files(folder: Path) -> list[tuple[str, str, State]]:
    """Return name below the folder, path and state of each visible file."""
    start = len(f"{folder}{os.sep}")
    found = []
    for path in visible_files(folder):
        try:
            status = os.stat(path)  # noqa: PTH116  # No `Path`, for the reason that `visible_files` gives.
        except OSError:
            # A link may lead nowhere.
            continue
        state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        found.append((path[start:], path, state))
    return found


def _content(path: str) -> str:
    try:
        with Path(path).open("rb", buffering=0) as stream:
            digest = blake2b(digest_size=16)
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError:
        # The reader of images says what is wrong with it.
        return "unreadable"
    return digest.hexdigest()


def _load(file: Path) -> dict[str, tuple[State, str]]:
    try:
        content = json.loads(file.read_bytes())
        return {name: ((a, b, c, d), digest) for name, (a, b, c, d, digest) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        # Absent, damaged, or of another shape: all files are read again.
        return {}


def _save(file: Path, found: dict[str, tuple[State, str]]) -> None:
    text = json.dumps({name: [*state, digest] for name, (state, digest) in found.items()})
    try:
        write_text(file, text)
    except OSError as error:
        if not unwritable(error):
            raise
        # It saves time and nothing else.
