"""Checking results thoroughly, in an archive or where they are: what the workflow does not read at each start."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from bakeoff.analysis.runs import load_run
from bakeoff.errors import UserError
from bakeoff.files import file_digest
from bakeoff.jobs.code import code_digests
from bakeoff.jobs.omitted import left_out
from bakeoff.jobs.records import spec_path
from bakeoff.jobs.state import differences
from bakeoff.provenance.archive import PROVENANCE
from bakeoff.provenance.cells import Cell, agrees
from bakeoff.provenance.crate import CRATE, ROOT
from bakeoff.provenance.graph import Graph, is_run, load_graph, read_result, study_jobs
from bakeoff.provenance.manifest import Manifest
from bakeoff.provenance.recompute import is_table, table_again
from bakeoff.provenance.rows import table_runs
from bakeoff.provenance.slides import is_deck, load_slides
from bakeoff.provenance.unpack import unpack


@dataclass(frozen=True)
class Verified:
    """What was found to be right."""

    jobs: int
    runs: int
    numbers: int
    """Numbers on slides that stand where they are said to."""
    tables: Sequence[str]
    """Jobs whose tables were computed again from the runs, and came out the same."""
    other_code: Sequence[str]
    """Jobs whose code in this checkout is not the code that they ran."""


def verify_archive(archive: Path) -> tuple[Manifest, Verified]:
    """Check that an archive is whole, that its parts belong together, and that its tables follow from its runs.

    Raises:
        UserError: something is wrong, a line for each thing.
    """
    with tempfile.TemporaryDirectory(prefix="bakeoff-verify-") as temporary:
        folder = Path(temporary)
        manifest = unpack(archive, folder)
        root = folder / manifest.root
        digests = {
            str(Path(path).relative_to(manifest.root)): content.sha256
            for path, content in {**manifest.left_out, **manifest.files}.items()
            if Path(path).is_relative_to(manifest.root)
        }
        try:
            return manifest, _verify(root, digests)
        except UserError as error:
            lines = str(error).replace(f"{folder}/", "").splitlines()
            raise UserError("\n".join(f"{archive}: {line}" for line in lines)) from None


def verify_results(root: Path) -> Verified:
    """Check that the results in `root` are what the jobs wrote, belong together, and that tables follow from runs.

    Raises:
        UserError: something is wrong, a line for each thing.
    """
    records = load_graph(root).records.values()
    paths = {path for record in records for path in (*record.reads, *record.writes)}
    there = {path: file_digest(root / path) for path in paths if (root / path).is_file()}
    return _verify(root, {**left_out(root), **there})


def _verify(root: Path, digests: Mapping[str, str]) -> Verified:
    jobs = read_result(root / "specs" / "provenance.json")["jobs"]
    graph = study_jobs(load_graph(root), [*jobs, PROVENANCE])
    other_code = [job for job in graph.records if _runs_other_code(graph, job)]
    tables = [job for job in graph.records if is_table(job) and job not in other_code]
    problems = [*_check_files(graph, digests), *_check_jobs(graph), *_check_runs(graph)]
    # What follows would say the same again, at length.
    if not problems:
        problems += _check_crate(graph)
        problems += [text for shown in _numbers(graph) for text in _check_number(graph, *shown)]
        problems += [text for job in tables for text in table_again(graph, job)]
    if problems:
        raise UserError("\n".join(problems))
    runs, numbers = sum(map(is_run, graph.records)), sum(1 for _ in _numbers(graph))
    return Verified(len(graph.records), runs, numbers, tables, other_code)


def _check_files(graph: Graph, digests: Mapping[str, str]) -> Iterator[str]:
    """Yield results that are not what the job wrote, by its record."""
    for job, record in graph.records.items():
        for path, state in record.writes.items():
            if path not in digests:
                yield f"{path} is missing, but {job} wrote it."
            elif digests[path] != state.digest:
                yield f"{path} is not the file that {job} wrote: it was altered."
        for path, state in record.reads.items():
            # Files that a job wrote are followed from job to job.
            if path not in graph.writers and digests.get(path) != state.digest:
                yield f"{job} was made from another {path} than the one that is there."


def _check_jobs(graph: Graph) -> Iterator[str]:
    """Yield jobs that read or were configured otherwise than is there now."""
    for job, record in graph.records.items():
        yield from (f"{text}." for text in graph.breaks(job))
        spec = read_result(spec_path(graph.root, job))
        for key, _, _ in differences(record.spec, spec):
            yield f"{job} was made with another configuration than its spec has: {key} differs."


def _check_runs(graph: Graph) -> Iterator[str]:
    """Yield runs whose metrics, history and predictions do not agree, or that were made from other data."""
    meta = read_result(graph.root / "data" / "meta.json")
    for job in filter(is_run, graph.records):
        try:
            run = load_run(graph.root / job)
            if run.diverged_at is None:
                run.predictions()
        except UserError as error:
            yield str(error)
            continue
        origin, record = read_result(graph.root / job / "provenance.json"), graph.records[job]
        if origin["data_checksum"] != meta["checksum"]:
            yield f"{job} was trained on data with another checksum than data/meta.json has."
        if origin["configuration"] != record.spec and not record.adopted:
            yield f"{job}/provenance.json has another configuration than the record of the run."


def _numbers(graph: Graph) -> Iterator[tuple[str, Cell]]:
    """Yield (where it is shown, value) for each number on a slide that stands in a file of the study."""
    for deck in filter(is_deck, graph.writers):
        for slide in load_slides(graph, deck):
            for number in slide.numbers:
                if number.cell.in_study:
                    yield f"{deck}, slide {slide.number}: {number.text}", number.cell


def _check_number(graph: Graph, shown: str, cell: Cell) -> Iterator[str]:
    try:
        if not agrees(graph.root, cell, table_runs(graph)):
            yield f"{shown} is not what stands at {cell.place}."
    except UserError as error:
        yield f"{shown}: {error}"


def _check_crate(graph: Graph) -> Iterator[str]:
    """Yield files of which the study's provenance tells something else than their records."""
    told = {
        unquote(entity["@id"]).removeprefix(ROOT): entity.get("sha256")
        for entity in read_result(graph.root / CRATE)["@graph"]
        if entity["@type"] == "File"
    }
    for record in graph.records.values():
        for path, state in record.writes.items():
            if path != CRATE and told.get(path) != state.digest:
                yield f"{CRATE} does not know {path} as it is."


def _runs_other_code(graph: Graph, job: str) -> bool:
    code = graph.records[job].code
    try:
        now = code_digests(*code)
    except ModuleNotFoundError:
        return True
    return any(now.get(name) != digest for name, digest in code.items())
