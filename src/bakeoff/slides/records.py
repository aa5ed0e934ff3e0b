"""What the records of the runs say: commit, hardware, versions, seeds, period and data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bakeoff.slides.formats import whole
from bakeoff.slides.grid import Column, Grid, Line
from bakeoff.slides.results import METRICS, PROVENANCE, Results
from bakeoff.slides.tables import Document
from bakeoff.slides.values import Source, Text, Value, plain
from bakeoff.slides.words import Words

COMMIT_DIGITS = 12
CHECKSUM_DIGITS = 16

# The machines of a cluster differ in these, which does not matter for the results.
MACHINE_NAMES = ("host", "system")


def heading(results: Results, words: Words) -> Text:
    """Say whether all runs come from one commit."""
    commits = results.distinct("git.commit")
    source = Source(PROVENANCE, "git.commit", (), "distinct")
    count = Value(whole(len(commits)), len(commits), source)
    key = {0: "no_commit", 1: "one_commit"}.get(len(commits), "several_commits")
    return words.say(f"backup.reproducibility.title.{key}", runs=results.run_count(), commits=count)


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


def _contents(results: Results, words: Words) -> Iterator[tuple[str, Text]]:
    for record in results.distinct("git.commit"):
        yield "commit", (record.value("git.commit", lambda name: str(name)[:COMMIT_DIGITS]),)
    dirty = sum(bool(run.provenance.get("git.dirty")) for run in results.runs)
    if dirty:
        source = Source(PROVENANCE, "git.dirty", (("git.dirty", "True"),), "count")
        count = Value(whole(dirty), dirty, source)
        yield "commit", words.say("backup.reproducibility.dirty", count=count)
    for subject in ("hardware", "versions"):
        listed = (_listing(record, subject, words) for record in results.distinct(subject))
        for text in {plain(text): text for text in listed}.values():
            yield subject, text
    yield "seeds", words.span(_seed(results, "min"), _seed(results, "max"))
    yield "period", words.span(results.first_start(), results.last_end())
    checksum = results.data.value("checksum", lambda text: str(text)[:CHECKSUM_DIGITS])
    yield "data", (checksum,)


def _listing(record: Document, subject: str, words: Words) -> Text:
    content = record.get(subject)
    names = content if isinstance(content, Mapping) else {}
    texts: list[Text] = [
        (f"{name} ", record.value(f"{subject}.{name}", _shown))
        for name, entry in names.items()
        if name not in MACHINE_NAMES and entry not in (None, [], "")
    ]
    return words.listing(texts)


def _shown(entry: object) -> str:
    """Return an entry as text; equal ones, such as eight GPUs of one kind, once with their number."""
    if not isinstance(entry, list):
        return str(entry)
    kinds = {str(kind): entry.count(kind) for kind in entry}
    return ", ".join(kind if count == 1 else f"{count} × {kind}" for kind, count in kinds.items())


def _seed(results: Results, how: str) -> Value:
    seeds = [int(run.metrics.get("seed", 0)) for run in results.runs]
    if how == "min":
        return Value(str(min(seeds)), min(seeds), Source(METRICS, "seed", (), "min"))
    return Value(str(max(seeds)), max(seeds), Source(METRICS, "seed", (), "max"))
