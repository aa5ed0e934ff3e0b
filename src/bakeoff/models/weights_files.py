"""Files of pretrained weights: where one is, and whether it is whole and the right one.

Weights are trusted on first use. The first fetch writes, beside the file, a lock (`NAME.lock.json`)
with the commit of the repository and the SHA-256 of the file. From then on every fetch asks for
that commit, and every fetch and load refuses a file whose SHA-256 is another. A variant that states
`revision` and `sha256` itself trusts nothing, not even at first.

The workflow asks these questions at each parse, so nothing here is slow or imports torch.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError
from bakeoff.files import file_digest, read_json

# Set by the format; what is longer is no header.
HEADER_LIMIT = 100_000_000
# A file may be a user's only copy, so nobody is told to delete one.
FETCHED_AGAIN = " (move this one away, and one of the hub is fetched again)"


@dataclass(frozen=True)
class WeightsSource:
    """Where a variant's weights come from."""

    hub: str | None
    """Repository on the Hugging Face hub; None for a file of the user's own."""
    file: str
    """In that repository, or else in the folder of all weights."""
    revision: str | None = None
    """Branch, tag or commit; None: what the lock says, or the newest where there is none."""
    sha256: str | None = None
    """Of the file; None: what the lock says, or any where there is none."""

    @classmethod
    def from_mapping(cls, weights: Mapping[str, Any]) -> WeightsSource:
        """Return the source that the `weights` of a variant describe.

        Raises:
            UserError: they name neither a repository nor a file.
        """
        hub, file = weights.get("hub"), weights.get("file")
        if not (hub or file):
            raise UserError(
                "pretrained is true, but weights names neither hub (a repository on the Hugging "
                "Face hub) nor file (a file of your own)."
            )
        return cls(hub, file or "model.safetensors", weights.get("revision"), weights.get("sha256"))

    @property
    def name(self) -> str:
        """What the file is called in the folder of all weights, without its suffix."""
        return self.hub.rpartition("/")[2] if self.hub else Path(self.file).stem

    def path(self, folder: str | Path) -> Path:
        """Return where the file is: in `folder`, or where an absolute `file` of the user's own says."""
        if self.hub is None:
            return Path(folder) / self.file
        return Path(folder) / f"{self.name}{Path(self.file).suffix}"

    def __str__(self) -> str:
        return f"{self.file} of {self.hub}" if self.hub else self.file


@dataclass(frozen=True)
class Lock:
    """What a weights file was when it was first used."""

    hub: str | None
    file: str
    revision: str | None
    """Commit of the repository; None for a file that was not fetched from one."""
    sha256: str
    size: int
    """Bytes."""


def lock_path(path: str | Path) -> Path:
    """Return the lock's path for a weights file: `NAME.safetensors` has `NAME.lock.json`."""
    return Path(path).with_suffix(".lock.json")


def read_lock(path: str | Path) -> Lock | None:
    """Return the lock of the weights file `path`, or None if it has none."""
    lock = lock_path(path)
    if not lock.is_file():
        return None
    try:
        return Lock(**read_json(lock))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{lock} is not a lock of weights; restore it, or remove it to trust the file anew."
        ) from error


def check_weights(source: WeightsSource, path: Path) -> None:
    """Refuse weights that no training could start from; called before any job does.

    The whole file is read only if it changed after its lock was written, or has a checksum to meet
    and no lock yet; loading it for training reads it in any case.

    Raises:
        UserError: the file is not whole, is another one than `source` and lock say, or is absent
            and will not be fetched.
    """
    lock = read_lock(path)
    check_lock(source, path, lock)
    if not path.is_file():
        if source.hub is None:
            raise UserError(
                f"There is no weights file {path}; put it there, or correct weights.file of the "
                "variant or weights.dir of the configuration."
            )
        if lock is not None:
            raise UserError(
                f"There is no weights file {path}, though its lock is there; put the file there, "
                f"or fetch it again: snakemake --force {lock_path(path)}"
            )
        return
    check_whole(path)
    if lock is None and not os.access(path.parent, os.W_OK):
        raise UserError(
            f"The folder {path.parent} cannot be written, but a lock belongs beside its weights; "
            "copy them to a folder of yours and name that one as weights.dir."
        )
    if lock is not None and path.stat().st_size != lock.size:
        raise UserError(_another_file(path, f"{path.stat().st_size} bytes", f"{lock.size} bytes"))
    expected = expected_digest(source, lock)
    if expected is not None and (lock is None or _changed_after(path, lock_path(path))):
        check_digest(path, expected)


def check_lock(source: WeightsSource, path: Path, lock: Lock | None) -> None:
    """Raise UserError if the lock of `path` is that of other weights than `source` describes."""
    if lock is None:
        return
    # A branch or tag says nothing about a commit, and a file that was put there has none.
    other_commit = _is_commit(source.revision) and lock.revision not in (None, source.revision)
    other_content = source.sha256 not in (None, lock.sha256)
    if (lock.hub, lock.file) != (source.hub, source.file) or other_commit or other_content:
        locked = WeightsSource(lock.hub, lock.file, lock.revision, lock.sha256)
        raise UserError(
            f"{lock_path(path)} is the lock of {_pinned(locked)}, but the variant wants "
            f"{_pinned(source)}; to change to that one, remove the lock, and move {path.name} away if it is "
            "the old one."
        )


def check_whole(path: Path) -> None:
    """Raise UserError if `path` is no safetensors file or not a whole one; other kinds pass.

    The format (https://github.com/huggingface/safetensors, "Format"): eight bytes with the length
    of the header, the header as JSON with the place of each tensor, and the tensors without gaps.
    """
    if path.suffix != ".safetensors":
        return
    size = path.stat().st_size
    again = f"put the whole file there{FETCHED_AGAIN}"
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > HEADER_LIMIT:
                raise ValueError
            header = json.loads(stream.read(length)) if 8 + length <= size else {}
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        expected = 8 + length + max(ends, default=0)
    except (struct.error, ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise UserError(f"The weights {path} are no safetensors file; {again}.") from None
    if size != expected:
        word = "incomplete" if size < expected else "damaged"
        raise UserError(
            f"The weights {path} are {word}: {size} bytes where {expected} are expected; {again}."
        )


def expected_digest(source: WeightsSource, lock: Lock | None) -> str | None:
    """Return the SHA-256 that the file must have; None where nobody knows yet."""
    return source.sha256 or (lock.sha256 if lock else None)


def check_digest(path: Path, expected: str | None) -> str:
    """Return the SHA-256 of a weights file.

    Raises:
        UserError: it is not the expected one.
    """
    found = file_digest(path)
    if expected is not None and found != expected:
        raise UserError(_another_file(path, f"the SHA-256 {found}", expected))
    return found


def _another_file(path: Path, found: str, expected: str) -> str:
    return (
        f"The weights {path} have {found}, but {expected} is expected; put the right file there{FETCHED_AGAIN}. Only "
        f"if this one is meant, remove {lock_path(path).name} and any weights.sha256."
    )


def _changed_after(path: Path, lock: Path) -> bool:
    # The inode's time too, because copying may preserve the other.
    return max(path.stat().st_mtime_ns, path.stat().st_ctime_ns) > lock.stat().st_mtime_ns


def _is_commit(revision: str | None) -> bool:
    return revision is not None and len(revision) == 40 and set(revision) <= set("0123456789abcdef")


def _pinned(source: WeightsSource) -> str:
    parts = [f"at {source.revision}"] if source.revision else []
    parts += [f"with the SHA-256 {source.sha256}"] if source.sha256 else []
    return " ".join([str(source), *parts])
