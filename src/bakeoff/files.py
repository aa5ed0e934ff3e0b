"""Files that are whole or absent: everything the study writes goes through here."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Why a file cannot be written or read, and what to do, where the fault is not in the program.
_MEND = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the quota of the disk is used up; free some space",
    errno.EROFS: "the disk is mounted read-only; choose another folder, or mount it for writing",
    errno.EACCES: "permission is denied; give yourself the right to write there, or choose another folder",
    errno.EPERM: "the operation is not permitted; give yourself the right to write there, or choose another folder",
    errno.ENOTDIR: "a file stands where a folder is expected; move it away",
    errno.EEXIST: "a file stands where a folder is expected; move it away",
    errno.EISDIR: "a folder stands where a file is expected; move it away",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EIO: "the disk has an error",
}


def unwritable(error: BaseException) -> str | None:
    """Return what is wrong with a disk, a folder or its permissions, in one sentence; None for any other error."""
    while not isinstance(error, OSError):
        # A library may have wrapped it.
        if (cause := error.__cause__ or error.__context__) is None:
            return None
        error = cause
    if error.errno not in _MEND:
        return None
    where = error.filename2 or error.filename or "a file"
    return f"{where} cannot be used: {_MEND[error.errno]}."


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and rename it over `path`.

    The temporary name keeps the suffix, because NumPy and matplotlib choose by it. On an error the
    temporary file is removed and whatever stood at `path` before is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        # mkstemp makes files private to the user; results are to be readable like any other file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        # A full disk does not say which file it was.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8 with the newlines as they are."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` to `path` atomically as indented JSON; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a heading and rows to `path` atomically, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_text_if_changed(path: str | Path, text: str) -> bool:
    """Write `text` unless `path` already holds it, so that its time stamp tells of real changes."""
    path = Path(path)
    if path.is_file() and path.read_bytes() == text.encode("utf-8"):
        return False
    write_text(path, text)
    return True


def read_json(path: str | Path) -> Any:
    """Return the value of the JSON file `path`."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def canonical_json(value: Any) -> str:
    """Return `value` as JSON with sorted keys and no spaces: equal values give equal strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_text(text: str) -> str:
    """Return the SHA-256 of `text` as hex digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def file_digest(path: str | Path, algorithm: str = "sha256") -> str:
    """Return the digest of the content of `path` as hex digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
