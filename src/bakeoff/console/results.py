"""What the tables of a study say, for the summary at the end. Nothing is computed here, only read."""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bakeoff.study.metric import Metric

Row = Mapping[str, str]


@dataclass(frozen=True)
class Leader:
    """A row of the comparison; accuracy in percent, its bounds None where there is no interval."""

    variant: str
    score: float
    low: float | None
    high: float | None
    leads: bool
    """Whether no variant is better for certain."""


@dataclass(frozen=True)
class Verdict:
    """What an ablation says of one arm; points of accuracy against the baseline."""

    ablation: str
    arm: str
    baseline: str
    delta: float
    low: float | None
    high: float | None
    words: str


@dataclass(frozen=True)
class StudySummary:
    """What the tables of a study hold; empty where there is no such table."""

    leaders: tuple[Leader, ...] = ()
    """All variants of the comparison, the best first."""
    metric: Metric = "top1"
    """Which accuracy they are about."""
    statement: str = ""
    """What can be said of the best ones."""
    ablations: tuple[Verdict, ...] = ()
    claims: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """{whose claims they are: {verdict: number of claims}}."""


def read_results(root: Path, jobs: Collection[str]) -> StudySummary:
    """Return what the tables say that `jobs` made: `comparison`, `ablations/{name}`, `claims`."""
    leaders = _leaders(_rows(root / "comparison" / "models.csv")) if "comparison" in jobs else ()
    verdicts: list[Verdict] = []
    for job in sorted(jobs):
        folder, _, name = job.partition("/")
        if folder == "ablations":
            verdicts += _verdicts(name, _rows(root / "ablation" / f"{name}.csv"))
    claims: dict[str, dict[str, int]] = {}
    for row in _rows(root / "claims" / "claims.csv") if "claims" in jobs else ():
        counts = claims.setdefault(row["origin"], {})
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
    return StudySummary(leaders, _metric(root), _statement(leaders), tuple(verdicts), claims)


def _metric(root: Path) -> Metric:
    """Return which accuracy decides, as the tables have it; one study has one."""
    tables = [root / "comparison" / "models.csv", *sorted((root / "ablation").glob("*.csv"))]
    rows = next((rows for table in tables if (rows := _rows(table))), [])
    return "balanced" if rows and rows[0].get("metric") == "balanced" else "top1"


def _leaders(rows: Sequence[Row]) -> tuple[Leader, ...]:
    return tuple(
        Leader(
            row.get("display") or row["variant"],
            float(row["score_mean"]),
            _number(row, "score_ci_low"),
            _number(row, "score_ci_high"),
            len(rows) > 1 and row["group"] == "leading",
        )
        for row in rows
        if row["distinct"] == "True"
    )


def _statement(leaders: Sequence[Leader]) -> str:
    if len(leaders) < 2:
        return ""
    leading = [each.variant for each in leaders if each.leads]
    if not leading:
        return "One seed: no statement about differences is possible."
    if len(leading) == 1:
        return f"{leading[0]} leads: it is better than each other variant with several seeds."
    return f"{len(leading)} of {len(leaders)} lead and cannot be told apart."


def _verdicts(ablation: str, rows: Sequence[Row]) -> list[Verdict]:
    return [
        Verdict(
            ablation,
            row["arm"],
            row["baseline"],
            float(row["delta"]),
            _number(row, "ci_low"),
            _number(row, "ci_high"),
            _in_words(row),
        )
        for row in rows
        if row["arm"] != row["baseline"] and row.get("delta")
    ]


def _in_words(row: Row) -> str:
    if row.get("same_network_as"):
        return "the same network"
    words = {
        "one seed": "one seed, no statement",
        "equivalent": f"equivalent within {row['margin']}",
    }
    return words.get(row["verdict"], row["verdict"])


def _number(row: Row, column: str) -> float | None:
    return float(row[column]) if row.get(column) else None


def _rows(table: Path) -> list[Row]:
    """Return the rows of a table; none where it is not there."""
    if not table.is_file():
        return []
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
