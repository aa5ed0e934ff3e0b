"""Unpacking an archive while checking that it holds exactly what its manifest lists."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from bakeoff.errors import UserError
from bakeoff.jobs.omitted import MANIFEST
from bakeoff.provenance.manifest import Content, Manifest, read_manifest

BLOCK = 1 << 20


def unpack(archive: Path, folder: Path) -> Manifest:
    """Unpack an archive into a folder and return its manifest.

    Raises:
        UserError: it is no archive of a study, is cut short, holds something that is no plain file below the folder,
            or holds other files than its manifest lists.
    """
    try:
        contents = dict(_extracted(archive, folder))
    except FileNotFoundError:
        raise UserError(f"{archive} does not exist.") from None
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"{archive} is damaged or no archive at all ({error}). Get a whole copy of it."
        ) from None
    first = next(iter(contents), "")
    if PurePosixPath(first).name != MANIFEST:
        raise UserError(f"{archive} is no archive of a study: it does not begin with {MANIFEST}.")
    manifest = _read(folder / first, archive)
    del contents[first]
    problems = [
        *(f"{path} is missing." for path in manifest.files if path not in contents),
        *(f"{path} is not in its manifest." for path in contents if path not in manifest.files),
        *(
            f"{path} is not what its manifest says: it was altered."
            for path, content in manifest.files.items()
            if contents.get(path, content) != content
        ),
    ]
    if problems:
        raise UserError("\n".join(f"{archive}: {problem}" for problem in problems))
    return manifest


def _read(path: Path, archive: Path) -> Manifest:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        content = None
    return read_manifest(content, archive)


def _extracted(archive: Path, folder: Path) -> Iterator[tuple[str, Content]]:
    """Yield path and content of each member, written below the folder."""
    with tarfile.open(archive, "r:gz") as members:
        for member in members:
            path = PurePosixPath(member.name)
            stream = members.extractfile(member) if member.isfile() else None
            if stream is None or path.is_absolute() or ".." in path.parts:
                raise UserError(
                    f"{archive} holds {member.name}, which is no plain file below the working directory: no archive "
                    "that this program wrote has such a thing. Do not unpack it."
                )
            target = folder / path
            if target.exists():
                raise UserError(f"{archive} holds {member.name} twice.")
            target.parent.mkdir(parents=True, exist_ok=True)
            yield member.name, _written(stream, target)


def _written(stream: IO[bytes], target: Path) -> Content:
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as out:
        while block := stream.read(BLOCK):
            digest.update(block)
            size += out.write(block)
    return Content(digest.hexdigest(), size)
