"""Records: what a job was made from and what it wrote, kept in `{root}/records/{job}.json`.

A record travels with the results. It is compared by content, so that time stamps, git, and where the folder lies do
not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bakeoff.files import file_digest, read_json, write_json
from bakeoff.staleness.jobs import Job, make_job
from bakeoff.study.closure import source_digests

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
    """What a job was made from."""

    spec: Mapping[str, Any]
    sources: Mapping[str, str]
    """{module: digest of its code} of the modules that the job executed; only to explain a change."""
    reads: Mapping[str, FileState]
    outside: Mapping[str, FileState]
    """Files outside of the root that it read: an archive, weights."""
    writes: Mapping[str, FileState]
    adopted: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    """Changes that the user declared harmless, each with its time and what it was."""


def record_path(root: Path, job: str) -> Path:
    """Return the path of a job's record."""
    return root / "records" / f"{job}.json"


def write_record(root: Path, job: Job, spec: Mapping[str, Any], outside: Sequence[Path]) -> None:
    """Write the record of a job that has just succeeded.

    Args:
        root: of the study.
        job: the job.
        spec: its content as the job read it.
        outside: files outside of the root that it read (an archive, weights).
    """
    record = Record(
        spec=spec,
        sources=source_digests(*job.modules),
        reads={path: file_state(root / path) for path in job.reads},
        outside={str(path): file_state(path) for path in outside},
        writes={path: file_state(root / path) for path in job.writes},
    )
    save_record(root, job.name, record)


def save_record(root: Path, job: str, record: Record) -> None:
    """Write a record, atomically."""
    write_json(record_path(root, job), asdict(record))


def load_record(root: Path, job: str) -> Record | None:
    """Return the record of a job, or None if there is none that can be read."""
    try:
        content = read_json(record_path(root, job))
        return Record(
            spec=content["spec"],
            sources=content["sources"],
            reads=_states(content["reads"]),
            outside=_states(content["outside"]),
            writes=_states(content["writes"]),
            adopted=tuple(content["adopted"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        # A record that is absent or damaged proves nothing; the job runs again.
        return None


def _states(content: Mapping[str, Mapping[str, Any]]) -> dict[str, FileState]:
    return {path: FileState(**state) for path, state in content.items()}


def record_job(root: Path, name: str, spec: Mapping[str, Any], outside: Sequence[Path]) -> None:
    """Write the record of the job called `name`."""
    write_record(root, make_job(name, spec), spec, outside)


def file_state(path: Path) -> FileState:
    """Return the present state of a file; of a folder, that of the list of what is in it."""
    status = path.stat()
    if path.is_dir():
        return FileState(_folder_digest(path), 0, status.st_mtime_ns)
    return FileState(file_digest(path), status.st_size, status.st_mtime_ns)


def is_same(path: Path, then: FileState, *, thorough: bool = False) -> bool:
    """Return whether a file is what it was.

    An unchanged size and time stamp are believed. Where the time stamp differs (a copy, a checkout), small files are
    compared by content, and all files with `thorough`.
    """
    status = path.stat()
    if path.is_dir():
        return _folder_digest(path) == then.digest
    if status.st_size != then.size:
        return False
    if status.st_size > SMALL and not thorough:
        return True
    if status.st_mtime_ns == then.mtime_ns and status.st_size > SMALL:
        return True
    return file_digest(path) == then.digest


def _folder_digest(folder: Path) -> str:
    from bakeoff.files import sha256_text  # noqa: PLC0415 (rarely needed)

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return sha256_text(repr([(str(p.relative_to(folder)), p.stat().st_size) for p in files]))
