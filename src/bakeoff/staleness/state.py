"""Which jobs are stale, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff.staleness.jobs import Job, make_job
from bakeoff.staleness.left_out import left_out
from bakeoff.staleness.records import Record, is_same, load_record
from bakeoff.study.closure import source_digests

_ABSENT = object()


class State:
    """The state of a study's jobs as its files are now; every question is answered once."""

    def __init__(
        self,
        root: Path,
        specs: Mapping[str, Mapping[str, Any]],
        outside: Mapping[str, Sequence[Path]],
    ) -> None:
        """Look at the study in `root`.

        Args:
            root: of the study.
            specs: {spec: content} as the configuration and code are now.
            outside: {job: files outside of the root that it reads}.
        """
        self._root = root
        self._specs = specs
        self._outside = outside
        self._answers: dict[str, tuple[str, ...]] = {}
        self._same: dict[str, bool] = {}
        self._left_out = left_out(root)

    def reasons(self, name: str) -> tuple[str, ...]:
        """Return why the job `name` has to run, one phrase each; empty if what it wrote is current."""
        if name not in self._answers:
            self._answers[name] = tuple(self._reasons(self.job(name)))
        return self._answers[name]

    def job(self, name: str) -> Job:
        """Return the job called `name`."""
        return make_job(name, self._specs[spec_of(name)])

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
        yield from explain(record, self._specs[job.spec], job.modules)
        for path in job.reads:
            yield from self._changed_input(record, path)
        for outside in self._outside.get(job.name, ()):
            yield from _changed_outside(record, outside)

    def spec(self, name: str) -> Mapping[str, Any]:
        """Return the spec of a job as it is now."""
        return self._specs[self.job(name).spec]

    def sources(self, name: str) -> dict[str, str]:
        """Return {module: digest} of the code that a job would execute now."""
        return source_digests(*self.job(name).modules)

    def outside(self, name: str) -> Sequence[Path]:
        """Return the files outside of the root that a job reads."""
        return self._outside.get(name, ())

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
        producer = producer_of(path)
        if self.describes(producer) and self.reasons(producer):
            yield f"it reads {path}, which is made again"
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

    def describes(self, name: str) -> bool:
        """Return whether the study has a job of this name."""
        return spec_of(name) in self._specs


def spec_of(job: str) -> str:
    """Return the name of the spec of a job."""
    kind, _, rest = job.partition("/")
    if kind == "runs":
        return f"runs/{rest.partition('/')[0]}"
    return "slides" if kind == "slides" else job


def producer_of(path: str) -> str:
    """Return the name of the job that writes a file, given by its path below the root."""
    folder, _, rest = path.partition("/")
    match folder:
        case "runs":
            return f"runs/{rest.rpartition('/')[0]}"
        case "profiles" | "figures":
            return f"{folder}/{rest.rpartition('.')[0]}"
        case "ablation":
            return f"ablations/{rest.rpartition('.')[0]}"
        case "slides":
            # deck.en.pptx, assets/numbers.en.json: the language is the last but one suffix.
            return f"slides/{rest.split('.')[-2]}" if rest.count(".") >= 2 else folder
        case _:
            return folder


def explain(record: Record, spec: Mapping[str, Any], modules: Sequence[str]) -> Iterator[str]:
    """Yield how a spec differs from the one in a record, in words: `recipe.epochs: 200 -> 100`."""
    for key, before, after in differences(record.spec, spec):
        if key.split(".")[0] != "sources":
            yield f"{key}: {_shown(before)} -> {_shown(after)}"
        elif key == "sources.model" and not any(
            module.startswith("bakeoff.models.") for module in modules
        ):
            yield "the code of its builder changed"
    if record.spec.get("sources") != spec.get("sources"):
        yield from _changed_code(record, modules)


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted key, value before, value after) where two nested mappings differ."""
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key}", old, new


def _changed_code(record: Record, modules: Sequence[str]) -> Iterator[str]:
    now = source_digests(*modules)
    names = [
        name
        for name in dict.fromkeys([*record.sources, *now])
        if record.sources.get(name) != now.get(name)
    ]
    if names:
        yield f"code changed: {', '.join(names)}"


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
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
