"""The tables of the deck, made from the tables of the study."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bakeoff.slides import findings
from bakeoff.slides.formats import (
    MISSING,
    Format,
    general,
    p_value,
    percent,
    signed,
    signed_percent,
    three_digits,
    whole,
)
from bakeoff.slides.grid import Column, Grid, Line
from bakeoff.slides.results import Results
from bakeoff.slides.tables import Row, Table
from bakeoff.slides.values import Source, Text, Value
from bakeoff.slides.words import Words

PAIRS_AMONG = 5
"""How many of the leading variants are compared with one another."""

FORMS: Mapping[str, Format] = {
    "percent": percent,
    "points": signed,
    "percent_per_million": three_digits,
    "percent_fewer": percent,
    "million": three_digits,
    "hours": three_digits,
    "times": three_digits,
}
"""How the figures of a claim look, by their unit."""

SCORE = ("score_mean", "score_ci_low", "score_ci_high")


def confidence() -> Value:
    """Return the confidence level of the intervals, in percent."""
    from bakeoff.analysis.statistics import LEVEL  # noqa: PLC0415  (loads SciPy)

    source = Source("bakeoff.analysis.statistics", "LEVEL")
    return Value(general(100 * LEVEL), LEVEL, source, 100)


def coverage_of_two_seeds() -> Value:
    """Return how often intervals of variants with two seeds held the truth in the hardest simulation, in percent."""
    from bakeoff.analysis.statistics import TWO_SEEDS_COVER  # noqa: PLC0415  (loads SciPy)

    source = Source("bakeoff.analysis.statistics", "TWO_SEEDS_COVER")
    return Value(general(100 * TWO_SEEDS_COVER), TWO_SEEDS_COVER, source, 100)


def architectures(results: Results, words: Words) -> Grid:
    """Return one line per family: its idea, years and number of variants."""
    comparison = results.comparison
    entries = comparison.get("variants", [])
    lines = []
    for family in dict.fromkeys(entry["family"] for entry in entries):
        members = [i for i, entry in enumerate(entries) if entry["family"] == family]
        years = sorted(
            (comparison.value(f"variants.{i}.year") for i in members if entries[i].get("year")),
            key=lambda year: year.text,
        )
        lines.append(
            Line(
                (
                    (comparison.value(f"variants.{members[0]}.family"),),
                    (words.glossaries["families"].get(family, MISSING),),
                    words.span(years[0], years[-1]) if years else (MISSING,),
                    (results.models.count("family", family),),
                )
            )
        )
    columns = (
        Column(words.say("architectures.family")),
        Column(words.say("architectures.idea"), wraps=True),
        Column(words.say("architectures.year"), number=True),
        Column(words.say("architectures.variants"), number=True),
    )
    return Grid(columns, tuple(lines))


def leading(results: Results, words: Words, count: int) -> Grid:
    """Return one line for each of the first variants: accuracy, size and time."""
    table = results.models
    ahead, beside = findings.networks(results)[:count], beside_score(results)
    best = findings.leaders(results)[:1]
    lines = [
        Line(
            (
                (findings.name_of(results, row),),
                table.cell(row, "score_mean", percent),
                table.cell(row, f"{beside}_mean", percent),
                table.cell(row, "params_m", three_digits),
                (table.time(row, "train_hours"),)
                if table.number(row, "train_hours")
                else (MISSING,),
            ),
            strong=row in best,
        )
        for row in ahead
    ]
    columns = (
        Column(words.say("column.variant"), wraps=True),
        *(
            Column(words.say(f"column.{name}"), number=True)
            for name in ("mean", beside, "params", "hours")
        ),
    )
    return Grid(columns, tuple(lines))


def beside_score(results: Results) -> str:
    """Return which other accuracy stands beside the one that decides.

    Top-5, or the other of top-1 and balanced where the two differ, because classes have different numbers of images.
    """
    table = results.models
    differ = any(
        table.cell(row, "top1_mean", percent) != table.cell(row, "balanced_mean", percent)
        and table.text(row, "top1_mean") != table.text(row, "balanced_mean")
        for row in table.rows
    )
    if not differ:
        return "top5"
    return "balanced" if results.study.get("study.metric") == "top1" else "top1"


def models(results: Results, words: Words) -> Grid:
    """Return one line per variant with accuracy and costs, best first."""
    table = results.models
    leading = findings.leaders(results)
    leader = leading[0] if len(leading) == 1 and results.repeated else None
    rows = sorted(table.rows, key=lambda row: table.number(row, "rank") or 0)
    lines = [Line(_model_cells(results, row, words), row is leader) for row in rows]
    numbers = (
        words.say("column.score", confidence=confidence()),
        *(
            words.say(f"column.{n}")
            for n in (beside_score(results), "params", "macs", "hours", "latency", "efficiency")
        ),
    )
    columns = (
        Column(words.say("column.rank"), number=True),
        Column(words.say("column.variant"), wraps=True),
        Column(words.say("column.family")),
        Column(words.say("column.seeds"), number=True),
        *(Column(heading, number=True) for heading in numbers),
    )
    return Grid(columns, tuple(lines))


def pairs(results: Results, words: Words) -> Grid:
    """Return the differences between the best variant and the others, then among the leading ones."""
    networks = findings.networks(results)
    wanted = [(networks[0], other) for other in networks[1:]]
    wanted += [
        (a, b)
        for i, a in enumerate(networks[1:PAIRS_AMONG], start=1)
        for b in networks[i + 1 : PAIRS_AMONG]
    ]
    lines = [_pair_line(results, a, b, words) for a, b in wanted]
    columns = (
        Column(words.say("column.variant"), wraps=True),
        Column(words.say("column.other"), wraps=True),
        Column(words.say("column.delta", confidence=confidence()), number=True),
        Column(words.say("column.p_adjusted"), number=True),
        Column(words.say("column.errors"), number=True),
        Column(words.say("column.finding"), wraps=True),
    )
    return Grid(columns, tuple(lines))


def ablation(table: Table, words: Words) -> Grid:
    """Return one line per arm of an ablation."""
    lines = [_arm_line(table, row, words) for row in table.rows]
    level = confidence()
    columns = (
        Column(words.say("column.arm"), wraps=True),
        Column(words.say("column.variant"), wraps=True),
        Column(words.say("column.seeds"), number=True),
        Column(words.say("column.mean"), number=True),
        Column(words.say("column.delta", confidence=level), number=True),
        Column(words.say("column.p_adjusted"), number=True),
        Column(words.say("column.params_change"), number=True),
        Column(words.say("column.finding"), wraps=True),
    )
    return Grid(columns, tuple(lines))


def claims(results: Results, words: Words) -> Grid:
    """Return one line per claim: what was claimed, what was measured, and the verdict."""
    lines = [_claim_line(results.claims, row, words) for row in results.claims.rows]
    columns = (
        Column(words.say("claims.claim"), wraps=True),
        Column(words.say("claims.source"), wraps=True),
        Column(words.say("claims.claimed"), number=True),
        Column(words.say("claims.measured"), number=True),
        Column(words.say("claims.verdict"), wraps=True),
    )
    return Grid(columns, tuple(lines))


def references(results: Results, words: Words) -> Grid:
    """Return one line per paper that compared variants follow, with their families."""
    entries = results.comparison.get("variants", [])
    followers: dict[str, list[int]] = {}
    for number, entry in enumerate(entries):
        if entry.get("paper"):
            followers.setdefault(_paper(entry["paper"]), []).append(number)
    lines = []
    for numbers in followers.values():
        families = {
            entries[i]["family"]: (results.comparison.value(f"variants.{i}.family"),)
            for i in numbers
        }
        first = f"variants.{numbers[0]}"
        dated = results.comparison.get(f"{first}.year") is not None
        lines.append(
            Line(
                (
                    words.listing(list(families.values())),
                    (results.comparison.value(f"{first}.paper", _paper),),
                    (results.comparison.value(f"{first}.year"),) if dated else (MISSING,),
                )
            )
        )
    columns = (
        Column(words.say("column.family"), wraps=True),
        Column(words.say("column.paper"), wraps=True),
        Column(words.say("column.year"), number=True),
    )
    return Grid(columns, tuple(lines))


def interval(
    table: Table, row: Row, columns: tuple[str, str, str], form: Format, words: Words
) -> Text:
    """Return "value [low, high]", the value alone where it has no interval, a dash without a value."""
    value, low, high = (table.number(row, column) for column in columns)
    if value is None or low is None or high is None or low == high:
        return table.cell(row, columns[0], form)
    shown = {
        name: table.value(row, column, form)
        for name, column in zip(("value", "low", "high"), columns, strict=True)
    }
    return words.say("common.interval", **shown)


def _model_cells(results: Results, row: Row, words: Words) -> tuple[Text, ...]:
    table = results.models
    timed = bool(table.number(row, "train_hours"))
    return (
        table.cell(row, "rank", whole),
        (findings.name_of(results, row),),
        (table.word(row, "family"),),
        table.cell(row, "seeds", whole),
        interval(table, row, SCORE, percent, words),
        table.cell(row, f"{beside_score(results)}_mean", percent),
        table.cell(row, "params_m", three_digits),
        table.cell(row, "macs_m", three_digits),
        (table.time(row, "train_hours"),) if timed else (MISSING,),
        table.cell(row, "latency_ms", three_digits),
        table.cell(row, "param_efficiency", three_digits),
    )


def _pair_line(results: Results, a: Row, b: Row, words: Words) -> Line:
    table, row = results.pairwise, findings.pair(results, a, b)
    outcome = findings.OUTCOMES[table.text(row, "verdict")]
    return Line(
        (
            (findings.name_of(results, a),),
            (findings.name_of(results, b),),
            interval(table, row, ("delta", "ci_low", "ci_high"), signed, words),
            table.cell(row, "p_adjusted", p_value),
            table.cell(row, "errors_change_pct", signed_percent),
            _finding(outcome, words, *findings.prospects(table, row)),
        )
    )


def _finding(
    outcome: findings.Outcome,
    words: Words,
    margin: Value | None,
    more_seeds: Value | None,
    more_gpu_hours: Value | None,
) -> Text:
    """Return the verdict on a difference as a table has it; an open one with what it would take to settle it."""
    if outcome == "equivalent" and margin is not None:
        return words.say("finding.equivalent", margin=margin)
    if outcome == "open" and more_seeds is not None:
        if more_gpu_hours is None:
            return words.say("finding.open_seeds", more_seeds=more_seeds)
        values = {"more_seeds": more_seeds, "more_gpu_hours": more_gpu_hours}
        return words.say("finding.open_hours", **values)
    return words.say(f"finding.{outcome}")


def _arm_line(table: Table, row: Row, words: Words) -> Line:
    outcome = findings.outcome(table, row)
    if outcome == "same":
        finding = words.say("finding.same", other=findings.twin_arm(table, row, words))
    else:
        finding = _finding(outcome, words, *findings.prospects(table, row))
    cells = (
        (words.named(table.word(row, "arm")),),
        (table.word(row, "display"),),
        table.cell(row, "seeds", whole),
        table.cell(row, "score_mean", percent),
        interval(table, row, ("delta", "ci_low", "ci_high"), signed, words),
        table.cell(row, "p_adjusted", p_value),
        table.cell(row, "params_change_pct", signed_percent),
        finding,
    )
    return Line(cells, strong=outcome == "better")


def _claim_line(table: Table, row: Row, words: Words) -> Line:
    verdict = table.text(row, "verdict").replace(" ", "_")
    shown = words.say(f"claims.{verdict}")
    if verdict == "not_tested":
        reason = words.say(f"claims.reason.{table.text(row, 'reason_code')}")
        shown = (*shown, words.templates["common.colon"], *reason)
    cells = (
        (_translated(table, row, "statement", words),),
        (words.named(_translated(table, row, "source", words)),),
        table.cell(row, "claimed", general),
        _measured(table, row, words),
        shown,
    )
    return Line(cells, strong=verdict == "confirmed")


def _measured(table: Table, row: Row, words: Words) -> Text:
    """Return what was measured for a claim; a count that needs no interval is called exact."""
    if table.number(row, "measured") is None:
        return (MISSING,)
    form = FORMS[table.text(row, "unit")]
    if table.number(row, "ci_low") is None:
        return words.say("claims.exact", value=table.value(row, "measured", form))
    return interval(table, row, ("measured", "ci_low", "ci_high"), form, words)


def _translated(table: Table, row: Row, column: str, words: Words) -> Value:
    """Return a text in the language of the deck where the table has it, else in English."""
    own = f"{column}_{words.language}"
    return table.word(row, own if own in row else column)


def _paper(citation: str) -> str:
    """Return a citation without the place in the paper that it points to."""
    return re.sub(r", (section|appendix|table|figure|eq)s?\b.*", "", citation)
