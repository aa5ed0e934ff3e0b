"""The files of an official archive, from a tar file or an unpacked folder, checked before use.

The layouts fix how large their files can be, and nothing larger is read: a few megabytes of gzip can
announce, or unpack to, more than any memory holds.
"""

from __future__ import annotations

import lzma
import re
import tarfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bakeoff.data.config import LAYOUTS, OFFICIAL_MD5, PYTHON, Layout, folder_layout
from bakeoff.errors import UserError
from bakeoff.files import file_digest

# In a folder there is no archive to check, and a pickle must not be opened on trust.
OFFICIAL_PICKLE_MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}

MAX_IMAGES = 250_000
"""Of a split; five times as many as CIFAR-100 has."""
MAX_IMAGE_BYTES = 4096
"""Of 3,072 pixels, two labels and, in the python layout, a file name."""
MAX_SPLIT_BYTES = MAX_IMAGES * MAX_IMAGE_BYTES
MAX_NAMES_BYTES = 1 << 16
"""A label is a byte, so there are 256 names at most."""
MAX_MEMBERS = 100


@dataclass(frozen=True)
class Archive:
    """The wanted files of an archive, by name; `md5` is None where they came from a folder."""

    path: Path
    md5: str | None
    layout: Layout
    members: Mapping[str, bytes]

    @property
    def official(self) -> bool:
        """Whether a checksum proves that these are the official data."""
        pickles = self.md5 is None and self.layout is PYTHON
        return pickles or self.md5 in OFFICIAL_MD5


def open_archive(path: Path, accepted_md5: Collection[str]) -> Archive:
    """Read the files of the archive or unpacked folder `path` into memory; nothing is extracted.

    A tar file is opened only if its md5 is one of `accepted_md5`. Raises UserError where it is
    not, where the archive cannot be read, has members that would escape the folder it is
    unpacked to, or lacks a file.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        raise UserError(f"data.archive: '{path}' does not exist; give a .tar.gz or a folder.")
    md5 = file_digest(path, "md5")
    if md5 not in accepted_md5:
        expected = ", ".join(f"{md5} ({OFFICIAL_MD5.get(md5, 'data.md5')})" for md5 in accepted_md5)
        raise UserError(
            f"'{path}' is truncated or altered, or is another archive: its md5 is {md5}, expected "
            f"{expected}. Download it again; if it holds data of your own, set data.md5 to {md5}."
        )
    members = _read_tar(path)
    for layout in LAYOUTS:
        if members.keys() >= set(layout.files):
            return Archive(path, md5, layout, members)
    raise UserError(
        f"'{path}' lacks files: expected "
        + " or ".join(", ".join(layout.files) for layout in LAYOUTS)
        + f", found {', '.join(sorted(members)) or 'none of them'}."
    )


def _open_folder(path: Path) -> Archive:
    layout = folder_layout(path)
    if layout is PYTHON:
        for name, expected in OFFICIAL_PICKLE_MD5.items():
            found = file_digest(path / name, "md5")
            if found != expected:
                raise UserError(
                    f"'{path / name}' is truncated or altered: its md5 is {found}, expected "
                    f"{expected}. Unpack the official archive again; pack data of your own as a "
                    ".tar.gz and set data.md5 to its checksum."
                )
    for name in layout.files:
        _refuse_large(name, (path / name).stat().st_size, path)
    return Archive(path, None, layout, {n: (path / n).read_bytes() for n in layout.files})


def _read_tar(path: Path) -> dict[str, bytes]:
    """Return the wanted members by their base name, read in one pass over the compressed stream."""

    class Header(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, *args: Any, **kwargs: Any) -> Header:
            # A long name or an extended header is read whole before the loop below sees its member.
            header = super().frombuf(*args, **kwargs)
            if not header.isfile() and header.size > MAX_NAMES_BYTES:
                _refuse("a header", header.size, MAX_NAMES_BYTES, path)
            return header

    wanted = {name for layout in LAYOUTS for name in layout.files}
    members: dict[str, bytes] = {}
    unpacked = 0
    try:
        with tarfile.open(path, tarinfo=Header) as tar:
            for count, member in enumerate(tar, start=1):
                _refuse_unsafe(member, path)
                name = PurePosixPath(member.name).name
                unpacked += member.size
                if count > MAX_MEMBERS:
                    raise UserError(
                        f"'{path}' holds more than {MAX_MEMBERS} files, where CIFAR-100's archives "
                        "hold 5; pack train, test and the names alone."
                    )
                if member.isfile() and name in wanted:
                    _refuse_large(name, member.size, path)
                # What is passed over has to be unpacked as well.
                if unpacked > 3 * MAX_SPLIT_BYTES:
                    _refuse("what is packed", unpacked, 3 * MAX_SPLIT_BYTES, path)
                if not member.isfile() or name not in wanted:
                    continue
                if name in members:
                    raise UserError(f"'{path}' holds two files named {name}; expected one.")
                stream = tar.extractfile(member)
                assert stream is not None, "a regular member has content"
                members[name] = stream.read()
    except (
        *(tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError),
        *(ValueError, RecursionError),  # of tarfile itself, for headers that make no sense
    ) as error:
        raise UserError(
            f"'{path}' cannot be read as a .tar.gz archive ({error}); replace it by a whole copy."
        ) from error
    return members


def _refuse_large(name: str, size: int, path: Path) -> None:
    split = any(name in (layout.train, layout.test) for layout in LAYOUTS)
    limit = MAX_SPLIT_BYTES if split else MAX_NAMES_BYTES
    if size > limit:
        _refuse(name, size, limit, path)


def _refuse(what: str, size: int, limit: int, path: Path) -> None:
    raise UserError(
        f"'{path}' is refused: {what} in it is {size:,} bytes long, expected at most {limit:,} (a "
        f"split has at most {MAX_IMAGES:,} images, and there are at most 256 names); use a clean copy."
    )


def _refuse_unsafe(member: tarfile.TarInfo, path: Path) -> None:
    # We extract nothing, but an archive with such members was made to harm whoever does.
    name = PurePosixPath(member.name.replace("\\", "/"))
    drive = re.match("[A-Za-z]:", member.name)
    escapes = name.is_absolute() or ".." in name.parts or drive is not None
    if escapes or not (member.isfile() or member.isdir()):
        raise UserError(
            f"'{path}' is refused: its member '{member.name}' is a link or device or would be "
            "written outside the folder it is unpacked to; use a clean copy of the archive."
        )
