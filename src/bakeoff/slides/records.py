"""What the records of the runs say: commit, hardware, versions, seeds, period and data."""

from __future__ import annotations

from collections.abc import Iterator

from bakeoff.slides.formats import whole
from bakeoff.slides.grid import Column, Grid, Line
from bakeoff.slides.results import METRICS, PROVENANCE, Results
from bakeoff.slides.tables import Document
from bakeoff.slides.values import Source, Text, Value, join, plain
from bakeoff.slides.words import Words

COMMIT_DIGITS = 12
CHECKSUM_DIGITS = 16


def heading(results: Results, words: Words) -> Text:
    """Say whether all runs come from one commit, and whether it holds all of the code they ran."""
    commits = results.distinct("git.commit")
    source = Source(PROVENANCE, "git.commit", (), "distinct")
    count = Value(whole(len(commits)), len(commits), source)
    key = {0: "no_commit", 1: "one_commit"}.get(len(commits), "several_commits")
    title = words.say(
        f"backup.reproducibility.title.{key}", runs=results.run_count(), commits=count
    )
    changed = _changed(results)
    if not changed.content:
        return title
    kind = "all" if changed.content == len(results.runs) else "some"
    return (*title, *words.say(f"backup.reproducibility.changed.{kind}", count=changed))


def grid(results: Results, words: Words) -> Grid:
    """Return one line for each subject, several where the runs differ."""
    lines = [
        Line((words.say(f"backup.reproducibility.{subject}"), text))
        for subject, text in _contents(results, words)
    ]
    columns = (
        Column(words.say("backup.reproducibility.record")),
        Column(words.say("backup.reproducibility.content"), wraps=True),
    )
    return Grid(columns, tuple(lines))


def machines(results: Results, words: Words) -> list[Text]:
    """Return what each kind of machine of the runs is made of; their names are not shown."""
    texts = (_machine(record, words) for record in results.distinct("hardware"))
    return list({plain(text): text for text in texts}.values())


def tools(results: Results, words: Words) -> Text:
    """Return names and versions of the software of the last run."""
    found = results.distinct("versions")
    return _versions(found[-1], words) if found else ()


def _contents(results: Results, words: Words) -> Iterator[tuple[str, Text]]:
    for record in results.distinct("git.commit"):
        yield "commit", (record.value("git.commit", lambda name: str(name)[:COMMIT_DIGITS]),)
    changed = _changed(results)
    if changed.content:
        yield "uncommitted", words.say("backup.reproducibility.dirty", count=changed)
    for text in machines(results, words):
        yield "hardware", text
    versions = (_versions(record, words) for record in results.distinct("versions"))
    for text in {plain(text): text for text in versions}.values():
        yield "versions", text
    yield "seeds", words.span(_seed(results, "min"), _seed(results, "max"))
    yield "period", words.span(results.first_start(), results.last_end())
    checksum = results.data.value("checksum", lambda text: str(text)[:CHECKSUM_DIGITS])
    yield "data", (checksum,)


def _changed(results: Results) -> Value:
    """Return the number of runs whose code was not all committed."""
    count = sum(bool(run.provenance.get("git.dirty")) for run in results.runs)
    source = Source(PROVENANCE, "git.dirty", (("git.dirty", "True"),), "count")
    return Value(whole(count), count, source)


def _machine(record: Document, words: Words) -> Text:
    """Return GPUs, processor, number of its cores and version of CUDA, as far as they are known."""
    parts: list[Text] = []
    if record.get("hardware.gpus"):
        parts.append((record.value("hardware.gpus", _kinds),))
    if record.get("hardware.processor"):
        parts.append((record.value("hardware.processor"),))
    if record.get("hardware.cpus"):
        cpus = record.value("hardware.cpus")
        key = "one" if cpus.content == 1 else "many"
        parts.append(words.say(f"backup.reproducibility.cpus.{key}", count=cpus))
    if record.get("hardware.cuda"):
        cuda = record.value("hardware.cuda")
        parts.append(words.say("backup.reproducibility.cuda", version=cuda))
    return join(parts, words.templates["common.list_separator"])


def _versions(record: Document, words: Words) -> Text:
    names = record.get("versions")
    texts: list[Text] = [(f"{name} ", record.value(f"versions.{name}")) for name in names]
    return join(texts, words.templates["common.list_separator"])


def _kinds(gpus: list[str]) -> str:
    """Return the GPUs of a machine, those of one kind once with their number."""
    kinds = {kind: gpus.count(kind) for kind in gpus}
    return ", ".join(kind if count == 1 else f"{count} × {kind}" for kind, count in kinds.items())


def _seed(results: Results, how: str) -> Value:
    seeds = [int(run.metrics.get("seed", 0)) for run in results.runs]
    if how == "min":
        return Value(str(min(seeds)), min(seeds), Source(METRICS, "seed", (), "min"))
    return Value(str(max(seeds)), max(seeds), Source(METRICS, "seed", (), "max"))
