"""Packing a study into one file from which another machine draws its figures again without training anything."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError
from bakeoff.files import atomic_path, file_digest
from bakeoff.jobs.omitted import MANIFEST
from bakeoff.jobs.records import FileState, record_path, spec_path
from bakeoff.provenance.graph import Graph, is_run, load_graph, read_result, study_jobs
from bakeoff.provenance.manifest import Content, Manifest
from bakeoff.provenance.spec import LOCK

PROVENANCE = "provenance"
WEIGHTS_LOCK = ".lock.json"
# Of all members, so that equal studies give equal archives.
SOME_TIME = 1_000_000_000


@dataclass(frozen=True)
class Member:
    """A file that goes into an archive."""

    source: Path
    digest: str | None
    """What the file has to hold, by the record of the job that wrote it; None where no job did."""


def pack(root: Path, out: Path, *, weights: bool) -> Manifest:
    """Write the archive of the study in `root` to `out` and return its manifest: equal studies give equal bytes.

    Images are left out, for their size and their license, and so are the weights of the runs unless `weights` is true.

    Args:
        root: of the study, relative to the working directory.
        out: the archive, a `.tar.gz`.
        weights: whether to pack `model.safetensors` of each run.

    Raises:
        UserError: the study is not complete, or a file is not what its job wrote.
    """
    spec = read_result(root / "specs" / "pack.json")
    check_packable(root, spec["configuration"])
    jobs = [*read_result(root / "specs" / "provenance.json")["jobs"], PROVENANCE]
    graph = study_jobs(load_graph(root), jobs)
    configuration = _configuration(spec["configuration"])
    members = dict(chain(_results(graph, weights), _records(graph), configuration, _locks(graph)))
    contents = {path: _content(member) for path, member in sorted(members.items())}
    origins = [read_result(root / job / "provenance.json")["git"] for job in filter(is_run, jobs)]
    manifest = Manifest(
        name=spec["name"],
        root=str(root),
        layers=spec["layers"],
        command_line=spec["command_line"],
        commits=sorted({origin["commit"] for origin in origins if origin["commit"]}),
        dirty=any(origin["dirty"] for origin in origins),
        files=contents,
        left_out={
            f"{root}/{path}": Content(state.digest, state.size)
            for path, state in sorted(_left_out(graph, weights))
        },
    )
    text = json.dumps(manifest.as_json(), indent=1, ensure_ascii=False) + "\n"
    with _archive(out) as archive:
        # First, so that a reader knows what has to follow.
        _add(archive, f"{root}/{MANIFEST}", io.BytesIO(text.encode()), len(text.encode()))
        for path, content in contents.items():
            with members[path].source.open("rb") as stream:
                _add(archive, path, stream, content.size)
    return manifest


def check_packable(root: Path, configuration: Sequence[str]) -> None:
    """Check that all of a study has a place in an archive, which is unpacked into a working directory.

    Raises:
        UserError: the root of its results, or a file of its configuration, lies outside of the working directory.
    """
    for path, mend in (
        (root, "give a root relative to the working directory, such as results/demo."),
        *((Path(file), "copy it to config/ and name it there.") for file in configuration),
    ):
        if path.is_absolute() or ".." in path.parts:
            raise UserError(
                f"{path} is not below the working directory, so it would have no place in the archive; {mend}"
            )


def _results(graph: Graph, weights: bool) -> Iterator[tuple[str, Member]]:
    for record in graph.records.values():
        for path, state in record.writes.items():
            if not is_left_out(path, weights):
                yield f"{graph.root}/{path}", Member(graph.root / path, state.digest)


def _left_out(graph: Graph, weights: bool) -> Iterator[tuple[str, FileState]]:
    for record in graph.records.values():
        yield from (item for item in record.writes.items() if is_left_out(item[0], weights))


def is_left_out(path: str, weights: bool) -> bool:
    """Return whether a file of a study, relative to its root, stays out of an archive."""
    if path.startswith("data/"):
        return path.endswith(".npy")
    return path.endswith("/model.safetensors") and not weights


def _records(graph: Graph) -> Iterator[tuple[str, Member]]:
    """Yield the records of all jobs and their specs."""
    specs = (spec_path(graph.root, job) for job in graph.records)
    records = (record_path(graph.root, job) for job in graph.records)
    for path in (*records, *specs, graph.root / "specs" / "pack.json"):
        yield str(path), Member(path, None)


def _configuration(files: Sequence[str]) -> Iterator[tuple[str, Member]]:
    for file in files:
        yield file, Member(Path(file), None)
    if LOCK.is_file():
        yield LOCK.name, Member(LOCK, None)


def _locks(graph: Graph) -> Iterator[tuple[str, Member]]:
    """Yield what pretrained weights the runs started from: their locks, where they are still the same."""
    for record in graph.records.values():
        for path, state in record.outside.items():
            file = Path(path)
            if path.endswith(WEIGHTS_LOCK) and not file.is_absolute() and file.is_file():
                yield path, Member(file, state.digest)


def _content(member: Member) -> Content:
    """Return what a member holds.

    Raises:
        UserError: that is not what its job wrote.
    """
    try:
        content = Content(file_digest(member.source), member.source.stat().st_size)
    except FileNotFoundError:
        raise UserError(
            f"{member.source} is missing, so the study is not complete. Make it again with Snakemake; what was "
            "unpacked from an archive without weights has none to pack."
        ) from None
    if member.digest not in (None, content.sha256):
        raise UserError(
            f"{member.source} was altered: it is not what the job wrote. Run snakemake to make it again."
        )
    return content


@contextmanager
def _archive(out: Path) -> Iterator[tarfile.TarFile]:
    """Yield a new tar archive without the time of its making and the name of its maker."""
    with (
        atomic_path(out) as temporary,
        temporary.open("wb") as stream,
        gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        yield archive


def _add(archive: tarfile.TarFile, path: str, stream: Any, size: int) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mtime, member.mode = size, SOME_TIME, 0o644
    archive.addfile(member, stream)
