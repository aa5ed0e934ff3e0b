"""Which jobs are stale, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from bakeoff.jobs.code import code_digests
from bakeoff.jobs.omitted import left_out
from bakeoff.jobs.records import Record, is_same, load_record
from bakeoff.jobs.rules import Job

MADE_AGAIN = ", which is made again"
_ABSENT = object()


class Jobs(Protocol):
    """Jobs by name: those of Snakemake's rules (`rules.JobTable`), or those with records (`recorded.RecordedJobs`)."""

    def job(self, name: str) -> Job:
        """Return the job called `name`; KeyError if there is none."""
        ...

    def describes(self, name: str) -> bool:
        """Return whether there is a job of this name."""
        ...

    def producer(self, path: str) -> str | None:
        """Return the name of the job that writes a file below the root."""
        ...


class Staleness:
    """The state of a study's jobs as its files are now; every question is answered once."""

    def __init__(self, root: Path, jobs: Jobs) -> None:
        """Look at the study in `root`, whose jobs are in `jobs`."""
        self._root = root
        self.jobs = jobs
        self._answers: dict[str, tuple[str, ...]] = {}
        self._same: dict[str, bool] = {}
        self._code: dict[tuple[str, ...], dict[str, str]] = {}
        self._left_out = left_out(root)

    def reasons(self, name: str) -> tuple[str, ...]:
        """Return why the job `name` has to run, one phrase each; empty if what it wrote is current."""
        if name not in self._answers:
            self._answers[name] = tuple(self._reasons(self.job(name)))
        return self._answers[name]

    def causes(self, name: str) -> tuple[str, ...]:
        """Return those of the reasons that do not follow from another job's."""
        return tuple(each for each in self.reasons(name) if not each.endswith(MADE_AGAIN))

    def job(self, name: str) -> Job:
        """Return the job called `name`."""
        return self.jobs.job(name)

    def made_before(self, name: str) -> bool:
        """Return whether anything that the job writes exists."""
        return any((self._root / path).exists() for path in self.job(name).writes)

    def _reasons(self, job: Job) -> Iterator[str]:
        record = load_record(self._root, job.name)
        missing = self._missing(job, record)
        if len(missing) == len(job.writes):
            yield "not made yet"
            return
        if missing:
            yield f"{', '.join(missing)} is missing"
        if record is None:
            yield "nothing tells how it was made"
            return
        yield from self._altered(job, record)
        yield from explain(record, job.spec, self.code(job))
        for path in job.reads:
            yield from self._changed_input(record, path)
        yield from (f"it reads {path} no more" for path in record.reads if path not in job.reads)
        for outside in job.outside:
            yield from _changed_outside(record, Path(outside))

    def code(self, job: Job) -> dict[str, str]:
        """Return {module or file: digest} of the code that a job would execute now."""
        if job.code not in self._code:
            self._code[job.code] = code_digests(*job.code)
        return self._code[job.code]

    def damage(self, name: str) -> tuple[str, ...]:
        """Return what is wrong with the files that a job wrote, whatever the configuration says."""
        job, record = self.job(name), load_record(self._root, name)
        missing = [f"{path} is missing" for path in self._missing(job, record)]
        return (*missing, *(self._altered(job, record) if record else ()))

    def left_out(self, name: str) -> tuple[str, ...]:
        """Return the files of a job that are absent because an archive left them out."""
        job, record = self.job(name), load_record(self._root, name)
        return tuple(path for path in job.writes if self._is_left_out(path, record))

    def _is_left_out(self, path: str, record: Record | None) -> bool:
        if record is None or path not in record.writes or (self._root / path).exists():
            return False
        return self._left_out.get(path) == record.writes[path].digest

    def _missing(self, job: Job, record: Record | None) -> list[str]:
        """Return the files of a job that should be there and are not."""
        return [
            path
            for path in job.writes
            if not (self._root / path).exists() and not self._is_left_out(path, record)
        ]

    def _altered(self, job: Job, record: Record) -> Iterator[str]:
        for path in job.writes:
            file = self._root / path
            if not file.exists():
                continue
            if path not in record.writes:
                yield f"{path} is not in its record"
            elif not is_same(file, record.writes[path]):
                yield f"{path} was altered: it is not what the job wrote"

    def _changed_input(self, record: Record, path: str) -> Iterator[str]:
        producer = self.jobs.producer(path)
        if producer and self.jobs.describes(producer) and self.reasons(producer):
            yield f"it reads {path}{MADE_AGAIN}"
        elif path not in record.reads:
            yield f"it reads {path} now"
        elif not (self._root / path).exists():
            yield f"it reads {path}, which is missing"
        elif not self._is_same(path, record):
            yield f"{path} changed"

    def _is_same(self, path: str, record: Record) -> bool:
        # Many jobs read the same file; what it was when each of them read it is nearly always the same, too.
        key = f"{path} {record.reads[path].digest}"
        if key not in self._same:
            self._same[key] = is_same(self._root / path, record.reads[path])
        return self._same[key]

    def producers(self, name: str) -> Iterator[str]:
        """Yield the jobs whose files a job reads, each once."""
        found = (self.jobs.producer(path) for path in self.job(name).reads)
        yield from dict.fromkeys(each for each in found if each and self.jobs.describes(each))


def explain(record: Record, spec: Mapping[str, Any], code: Mapping[str, str]) -> Iterator[str]:
    """Yield how configuration and code differ from those in a record, in words: `recipe.epochs: 200 -> 100`."""
    for key, before, after in differences(record.spec, spec):
        yield f"{key}: {_shown(before)} -> {_shown(after)}"
    names = dict.fromkeys([*record.code, *code])
    changed = [name for name in names if record.code.get(name) != code.get(name)]
    if changed:
        yield f"code changed: {', '.join(changed)}"


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted key, value before, value after) where two nested mappings differ.

    A list of things with names (variants, arms, claims) is compared thing by thing: `variants.resnet_20.family`.
    """
    for key in dict.fromkeys([*before, *after]):
        listed = isinstance(before.get(key), list)
        old, new = (_named(each.get(key, _ABSENT)) for each in (before, after))
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{prefix}{key}.")
            if listed and list(old) != list(new) and set(old) == set(new):
                yield f"order of {prefix}{key}", list(old), list(new)
        elif old != new:
            yield f"{prefix}{key}", old, new


def _named(value: Any) -> Any:
    """Return a list of things with names as a mapping; anything else as it is."""
    if not isinstance(value, list):
        return value
    for key in ("variant", "arm", "id"):
        names = [each.get(key) if isinstance(each, Mapping) else None for each in value]
        if value and None not in names and len({*names}) == len(names):
            return dict(zip(names, value, strict=True))
    return value


def _changed_outside(record: Record, path: Path) -> Iterator[str]:
    """Yield whether a file outside of the root changed; one that is gone is taken as unchanged."""
    if not path.exists():
        return
    # Another path may well be another copy of the same file.
    candidates = (
        [record.outside[str(path)]] if str(path) in record.outside else record.outside.values()
    )
    if not any(
        is_same(path, then, thorough=path.stat().st_mtime_ns != then.mtime_ns)
        for then in candidates
    ):
        yield f"{path} is not the file that it read"


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    # What a whole thing holds says nothing in a line; that it is there does.
    text = "present" if isinstance(value, Mapping) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
