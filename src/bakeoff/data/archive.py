"""The files of an official archive, from a tar file or an unpacked folder, checked before use.

The layouts fix how large their files can be, and nothing larger is read: a few megabytes of gzip can
announce, or unpack to, more than any memory holds.
"""

from __future__ import annotations

import lzma
import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bakeoff.data.published import ArchiveLayout, Published, PublishedConfig
from bakeoff.errors import UserError
from bakeoff.files import file_digest

MAX_IMAGES = 250_000
"""Of a file; five times as many as CIFAR-100 has."""
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
    published: Published
    layout: ArchiveLayout
    members: Mapping[str, bytes]

    @property
    def binary(self) -> bool:
        """Whether it has the binary layout."""
        return self.layout is self.published.binary

    @property
    def official(self) -> bool:
        """Whether a checksum proves that these are the official data."""
        pickles = self.md5 is None and not self.binary
        return pickles or self.md5 in self.published.md5


def open_archive(path: Path, config: PublishedConfig) -> Archive:
    """Read the files of the archive or unpacked folder `path` into memory; nothing is extracted.

    A tar file is opened only if its md5 is one that `config` accepts.

    Raises:
        UserError: it is not, or the archive cannot be read, has members that would escape the folder it is unpacked to,
            or lacks a file.
    """
    published = config.PUBLISHED
    if path.is_dir():
        return _open_folder(path, config)
    if not path.is_file():
        raise UserError(f"data.archive: '{path}' does not exist; give a .tar.gz or a folder.")
    md5 = file_digest(path, "md5")
    if md5 not in config.accepted_md5:
        expected = ", ".join(
            f"{md5} ({published.md5.get(md5, 'data.md5')})" for md5 in sorted(config.accepted_md5)
        )
        raise UserError(
            f"'{path}' is truncated or altered, or is another archive: its md5 is {md5}, expected "
            f"{expected}. Download it again; if it holds data of your own, set data.md5 to {md5}."
        )
    members = _read_tar(path, published)
    for layout in published.layouts:
        if members.keys() >= set(layout.files):
            return Archive(path, md5, published, layout, members)
    raise UserError(
        f"'{path}' lacks files: expected "
        + " or ".join(", ".join(layout.files) for layout in published.layouts)
        + f", found {', '.join(sorted(members)) or 'none of them'}."
    )


def _open_folder(path: Path, config: PublishedConfig) -> Archive:
    published, layout = config.PUBLISHED, config.folder_layout(path)
    if layout is published.python:
        for name, expected in published.pickle_md5.items():
            found = file_digest(path / name, "md5")
            if found != expected:
                raise UserError(
                    f"'{path / name}' is truncated or altered: its md5 is {found}, expected "
                    f"{expected}. Unpack the official archive again; pack data of your own as a "
                    ".tar.gz and set data.md5 to its checksum."
                )
    for name in layout.files:
        _refuse_large(name, (path / name).stat().st_size, path, published)
    members = {name: (path / name).read_bytes() for name in layout.files}
    return Archive(path, None, published, layout, members)


def _read_tar(path: Path, published: Published) -> dict[str, bytes]:
    """Return the wanted members by their base name, read in one pass over the compressed stream."""

    class Header(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, *args: Any, **kwargs: Any) -> Header:
            # A long name or an extended header is read whole before the loop below sees its member.
            header = super().frombuf(*args, **kwargs)
            if not header.isfile() and header.size > MAX_NAMES_BYTES:
                _refuse("a header", header.size, MAX_NAMES_BYTES, path)
            return header

    wanted = {name for layout in published.layouts for name in layout.files}
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
                        f"'{path}' holds more than {MAX_MEMBERS} files, where the official archives "
                        f"hold {len(published.binary.files)} or so; pack train, test and the names alone."
                    )
                if member.isfile() and name in wanted:
                    _refuse_large(name, member.size, path, published)
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


def _refuse_large(name: str, size: int, path: Path, published: Published) -> None:
    split = any(name in (*layout.train, *layout.test) for layout in published.layouts)
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
