"""A study as a graph: jobs, the files each of them read and wrote, and the runs behind every file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError
from bakeoff.files import canonical_json, file_digest, read_json, sha256_text
from bakeoff.jobs.records import Record, load_record, record_path

RUNS = "runs/"


@dataclass(frozen=True)
class Graph:
    """The jobs of the study in `root`, as their records tell. Paths of files are relative to `root`."""

    root: Path
    records: Mapping[str, Record]
    """{job: its record}, upstream and downstream in no order."""

    @cached_property
    def writers(self) -> Mapping[str, str]:
        """Return {file: the job that wrote it}."""
        return {path: job for job, record in self.records.items() for path in record.writes}

    def sources(self, job: str) -> tuple[str, ...]:
        """Return the jobs whose files a job read, in the order of reading."""
        writers = (self.writers.get(path) for path in self.records[job].reads)
        return tuple(dict.fromkeys(writer for writer in writers if writer))

    def upstream(self, *jobs: str) -> tuple[str, ...]:
        """Return all jobs that `jobs` come from, themselves included; each once, the nearest first."""
        found = dict.fromkeys(jobs)
        queue = list(jobs)
        while queue:
            new = [job for job in self.sources(queue.pop(0)) if job not in found]
            found |= dict.fromkeys(new)
            queue += new
        return tuple(found)

    def runs(self, *jobs: str) -> tuple[str, ...]:
        """Return the runs among all that `jobs` come from, sorted by variant and seed."""
        return tuple(sorted(filter(is_run, self.upstream(*jobs)), key=run_order))

    def breaks(self, job: str) -> Iterator[str]:
        """Yield where the chain that leads to a job is broken, a sentence each.

        A file is followed by its digest: the job must have read what the other job says it wrote.
        """
        for path, read in self.records[job].reads.items():
            writer = self.writers.get(path)
            if writer and self.records[writer].writes[path].digest != read.digest:
                yield f"{job} was made from another {path} than the one that {writer} wrote"

    def is_whole(self, path: str) -> bool:
        """Return whether a file is there, as its job wrote it."""
        written = self.records[self.writers[path]].writes[path]
        file = self.root / path
        return file.is_file() and file_digest(file) == written.digest


def load_graph(root: Path) -> Graph:
    """Return the graph of the study in `root`.

    Raises:
        UserError: there are no records, or one of them cannot be read.
    """
    folder = root / "records"
    names = sorted(str(file.relative_to(folder).with_suffix("")) for file in folder.rglob("*.json"))
    if not names:
        raise UserError(
            f"{folder} holds no records of how results were made. Name the root of a study's results, and build the "
            "study there first: snakemake all."
        )
    records = {name: load_record(root, name) for name in names}
    for name, record in records.items():
        if record is None:
            raise UserError(
                f"{record_path(root, name)} is damaged. Run Snakemake: what it describes is made again."
            )
    return Graph(root, {name: record for name, record in records.items() if record})


def study_jobs(graph: Graph, jobs: Sequence[str]) -> Graph:
    """Return the graph of `jobs` only, without what an earlier configuration has left in the root.

    Raises:
        UserError: a job has no record.
    """
    missing = [job for job in jobs if job not in graph.records]
    if missing:
        raise UserError(
            f"{graph.root / 'records'} has no record of {', '.join(missing[:3])}"
            f"{' and others' if len(missing) > 3 else ''}: the study is not complete. Build it first: snakemake all."
        )
    return Graph(graph.root, {job: graph.records[job] for job in jobs})


def is_run(job: str) -> bool:
    """Return whether a job is a run."""
    return job.startswith(RUNS)


def run_order(job: str) -> tuple[str, int]:
    """Return a key that sorts runs by variant, then by seed as a number."""
    _, variant, seed = job.split("/")
    return variant, int(seed.removeprefix("seed"))


@dataclass(frozen=True)
class RunFacts:
    """What identifies a run and its result."""

    variant: str
    seed: int
    top1: float | None
    """On the test split, in percent; None where the run diverged."""
    commit: str | None
    dirty: bool
    spec: str
    """SHA-256 of its resolved configuration."""
    data: str
    """Checksum of the prepared data."""
    end: str
    adopted: int
    """How many changes of configuration or code were declared harmless for it."""


def run_facts(graph: Graph, job: str) -> RunFacts:
    """Return the facts of the run `job`.

    Raises:
        UserError: one of its files is missing or damaged.
    """
    variant, seed = run_order(job)
    metrics, provenance = (
        read_result(graph.root / job / name) for name in ("metrics.json", "provenance.json")
    )
    record = graph.records[job]
    return RunFacts(
        variant=variant,
        seed=seed,
        top1=float(metrics["test"]["top1"]) if metrics["test"] else None,
        commit=provenance["git"]["commit"],
        dirty=bool(provenance["git"]["dirty"]),
        spec=spec_digest(record),
        data=provenance["data_checksum"],
        end=provenance["end"],
        adopted=len(record.adopted),
    )


def spec_digest(record: Record) -> str:
    """Return the SHA-256 of the resolved configuration in a record."""
    return sha256_text(canonical_json(record.spec))


def read_result(path: Path) -> Any:
    """Return the content of a JSON file of a study.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        return read_json(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Run Snakemake to make it again.") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}). Run Snakemake to make it again.") from None
