"""Records: what a job was made from and what it wrote, kept in `{root}/records/{job}.json`.

A record travels with the results. It is compared by content, so that time stamps, git, and where the folder lies do
not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bakeoff.files import file_digest, write_json
from bakeoff.jobs.folders import folder_digest, names_digest

# Files up to this size are compared by content at each parse; larger ones by size, because a study of thousands of
# runs has gigabytes of them. `snakemake archive` and its verification compare all of them by content.
SMALL = 256 * 1024


@dataclass(frozen=True)
class FileState:
    """What a file was when a job read or wrote it."""

    digest: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Record:
    """What a job was made from. Paths are relative to the study's root, except in `outside`."""

    spec: Mapping[str, Any]
    code: Mapping[str, str]
    """{module or file: digest} of what the job executed, as it was when the job started."""
    reads: Mapping[str, FileState]
    outside: Mapping[str, FileState]
    """Files outside of the root that it read: an archive, the lock of weights."""
    writes: Mapping[str, FileState]
    started: str
    ended: str
    """UTC, ISO 8601."""
    adopted: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """Changes that the user declared harmless, each with its time and what it was."""


_RECORD = TypeAdapter(Record)


def now() -> str:
    """Return the present time, UTC, as ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def record_path(root: Path, job: str) -> Path:
    """Return the path of a job's record."""
    return root / "records" / f"{job}.json"


def job_name(root: Path, record: str | Path) -> str:
    """Return the name of the job whose record is at a path."""
    return str(Path(record).relative_to(root / "records").with_suffix(""))


def spec_path(root: Path, job: str) -> Path:
    """Return the path of a job's spec, which has the job's name or that of a folder above it."""
    candidates = [root / "specs" / f"{name}.json" for name in _upwards(job)]
    return next((path for path in candidates if path.is_file()), candidates[0])


def _upwards(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition("/")[0]


def start_record(
    root: Path,
    spec: Mapping[str, Any],
    code: Mapping[str, str],
    reads: Iterable[str],
) -> Record:
    """Return the record of a job that starts, with its inputs as they are now; `ended` completes it.

    Args:
        root: of the study.
        spec: as the job read it.
        code: digests of what it is to execute.
        reads: files that it is to read, in the root or outside.
    """
    inside, outside = split_paths(root, reads)
    return Record(
        spec=spec,
        code=code,
        reads={path: file_state(root / path) for path in inside},
        outside={path: file_state(Path(path)) for path in outside},
        writes={},
        started=now(),
        ended="",
    )


def ended(root: Path, record: Record, writes: Iterable[str]) -> Record:
    """Return the record of a job that has just ended and wrote `writes`, all in the root."""
    files, _ = split_paths(root, writes)
    return replace(record, writes={path: file_state(root / path) for path in files}, ended=now())


def split_paths(root: Path, paths: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the paths that lie in the root, relative to it, and the others; without repeats."""
    inside, outside = [], []
    for path in dict.fromkeys(paths):
        if Path(path).is_relative_to(root):
            inside.append(str(Path(path).relative_to(root)))
        else:
            outside.append(path)
    return tuple(inside), tuple(outside)


def save_record(root: Path, job: str, record: Record) -> None:
    """Write a record, atomically."""
    write_json(record_path(root, job), asdict(record))


def load_record(root: Path, job: str) -> Record | None:
    """Return the record of a job, or None if there is none that can be read."""
    try:
        return _RECORD.validate_json(record_path(root, job).read_bytes(), strict=True)
    except (OSError, ValueError):
        # A record that is absent, damaged or of another shape proves nothing; the job runs again.
        return None


def file_state(path: Path) -> FileState:
    """Return the present state of a file; of a folder, that of the names and contents of what is in it."""
    status = path.stat()
    if path.is_dir():
        return FileState(folder_digest(path), 0, status.st_mtime_ns)
    return FileState(file_digest(path), status.st_size, status.st_mtime_ns)


def is_same(path: Path, then: FileState, *, thorough: bool = False) -> bool:
    """Return whether a file is what it was.

    An unchanged size and time stamp are believed. Where the time stamp differs (a copy, a checkout), small files are
    compared by content, and all files with `thorough`.
    """
    status = path.stat()
    if path.is_dir():
        return then.digest == folder_digest(path) or then.digest == names_digest(path)
    if status.st_size != then.size:
        return False
    if status.st_size > SMALL and not thorough:
        return True
    if status.st_mtime_ns == then.mtime_ns and status.st_size > SMALL:
        return True
    return file_digest(path) == then.digest
