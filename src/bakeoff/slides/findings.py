"""What the data shows: which sentence may be said, and with which values.

Whether two variants differ is decided once, in the tables (`bakeoff.analysis.verdicts`). Here the columns `verdict`,
`group`, `rank_low`, `rank_high` and `dominated_by` are read and put into sentences; nothing is decided anew. Nothing
here knows how a sentence is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bakeoff.slides.formats import (
    magnitude,
    percent,
    points,
    signed,
    three_digits,
    whole,
)
from bakeoff.slides.results import Results
from bakeoff.slides.tables import Row, Table
from bakeoff.slides.values import Text, Value
from bakeoff.slides.words import Filler, Finding, Words

Outcome = Literal[
    "baseline", "same", "one_seed", "not_measured", "better", "worse", "equivalent", "open"
]
OUTCOMES: dict[str, Outcome] = {
    "": "not_measured",
    "better": "better",
    "worse": "worse",
    "equivalent": "equivalent",
    "cannot tell": "open",
    "one seed": "one_seed",
    "same network": "same",
}
"""What sentences call the verdicts of the tables."""
DIRECTIONS: tuple[Outcome, Outcome] = ("better", "worse")
REVERSED: dict[Outcome, Outcome] = {"better": "worse", "worse": "better"}


@dataclass(frozen=True)
class Difference:
    """Accuracy of one variant minus that of another, in points, with its interval and the verdict on it."""

    delta: Value
    low: Value
    high: Value
    outcome: Outcome
    margin: Value


# --- the comparison -------------------------------------------------------------------------------


def networks(results: Results) -> list[Row]:
    """Return the rows of the comparison, best first, without those that repeat another's network."""
    rows = [row for row in results.models.rows if results.models.true(row, "distinct")]
    return sorted(rows, key=lambda row: results.models.number(row, "rank") or float("inf"))


def judged(results: Results) -> list[Row]:
    """Return the networks that have a standing among each other, best first: those with several seeds."""
    return [row for row in networks(results) if results.models.true(row, "judged")]


def leaders(results: Results) -> list[Row]:
    """Return the networks that none is shown to be better than, best first."""
    return [row for row in judged(results) if results.models.text(row, "group") == "leading"]


def name_of(results: Results, row: Row) -> Value:
    """Return the name of a variant as figures show it."""
    return results.models.word(row, "display" if row.get("display") else "variant")


def pair(results: Results, a: Row, b: Row) -> Row:
    """Return the row of a pair of networks, of which `a` has the higher mean."""
    row = results.pairwise.row(a["variant"], b["variant"])
    assert row is not None  # every pair has a row, the higher in rank first
    return row


def difference(results: Results, a: Row, b: Row) -> Difference | None:
    """Return the accuracy of variant `a` minus that of `b`, or None where they were not judged."""
    pairs = results.pairwise
    straight = pairs.row(a["variant"], b["variant"])
    row = straight or pairs.row(b["variant"], a["variant"])
    if row is None or pairs.number(row, "ci_low") is None:
        return None
    scale, low, high = (1, "ci_low", "ci_high") if straight else (-1, "ci_high", "ci_low")
    outcome = OUTCOMES[pairs.text(row, "verdict")]
    return Difference(
        delta=pairs.value(row, "delta", signed, scale),
        low=pairs.value(row, low, signed, scale),
        high=pairs.value(row, high, signed, scale),
        outcome=outcome if straight else REVERSED.get(outcome, outcome),
        margin=pairs.value(row, "margin", three_digits),
    )


def prospects(table: Table, row: Row) -> tuple[Value | None, Value | None, Value | None]:
    """Return the margin of equivalence, and the seeds and GPU-hours that would settle an open difference."""
    forms = {"margin": three_digits, "more_seeds": whole, "more_gpu_hours": three_digits}
    margin, seeds, hours = (
        None if table.number(row, column) is None else table.value(row, column, form)
        for column, form in forms.items()
    )
    return margin, seeds, hours


def headline(results: Results) -> Finding:
    """Say whether one variant is ahead of all others."""
    models = results.models
    rows, several = networks(results), judged(results)
    values: dict[str, Filler] = {
        "best": name_of(results, rows[0]),
        "accuracy": models.value(rows[0], "score_mean", percent),
    }
    if len(models.rows) == 1:
        return Finding("overall.headline.one_variant", values)
    if len(rows) == 1:
        second = name_of(results, next(row for row in models.rows if row is not rows[0]))
        return Finding("overall.headline.identical", values | {"second": second})
    if not several:
        return Finding("overall.headline.one_seed", {})
    if len(several) == 1:
        return Finding("overall.headline.one_judged", {"best": name_of(results, several[0])})
    values = {"best": name_of(results, several[0]), "judged": _count_judged(results)}
    if len(leaders(results)) > 1:
        values["count"] = models.where("variant", distinct="True", group="leading")
        kind = "all_tied" if len(leaders(results)) == len(several) else "tied"
        return Finding(f"overall.headline.{kind}", values)
    row = pair(results, *several[:2])
    return Finding(
        "overall.headline.separable",
        values
        | {
            "second": name_of(results, several[1]),
            "delta": results.pairwise.value(row, "delta", points),
            "low": results.pairwise.value(row, "ci_low", points),
            "high": results.pairwise.value(row, "ci_high", points),
        },
    )


def leading_group(results: Results, words: Words) -> list[Finding]:
    """Name the variants that lead together with the best one: those not told apart from it, those equivalent to it."""
    if not leaders(results):
        return []
    best, *others = leaders(results)
    told = []
    gaps = [(row, difference(results, best, row)) for row in others]
    for key, outcome in (("overall.tied", "open"), ("overall.equivalent", "equivalent")):
        found = [(row, gap) for row, gap in gaps if gap is not None and gap.outcome == outcome]
        if found:
            values: dict[str, Filler] = {
                "best": name_of(results, best),
                "names": words.listing([(name_of(results, row),) for row, _ in found]),
                "margin": found[0][1].margin,
            }
            told.append(Finding(key, values))
    return told


def not_judged(results: Results, words: Words) -> Finding | None:
    """Name the variants that have one seed where others have several."""
    names = [(name_of(results, r),) for r in networks(results) if r not in judged(results)]
    if not names or not results.repeated:
        return None
    return Finding("overall.not_judged", {"names": words.listing(names)})


def uneven_seeds(results: Results, words: Words) -> Finding | None:
    """Name the variants whose seeds vary more than those of the others."""
    rows = [r for r in networks(results) if results.models.true(r, "seeds_vary_more")]
    if not rows:
        return None
    return Finding(
        "overall.uneven", {"names": words.listing([(name_of(results, r),) for r in rows])}
    )


def pair_counts(results: Results) -> Finding | None:
    """Say how many pairs of networks are told apart, equivalent, open, or not judged."""
    pairs = results.pairwise
    if len(judged(results)) < 2:
        return None
    counts = {
        name: pairs.where("variant_a", distinct="True", verdict=verdict)
        for name, verdict in (
            ("differ", "better"),
            ("equivalent", "equivalent"),
            ("open", "cannot tell"),
            ("one_seed", "one seed"),
        )
    }
    margin = next(r for r in pairs.rows if pairs.number(r, "margin") is not None)
    total = pairs.where("variant_a", distinct="True", same_network="False")
    return Finding(
        "overall.pairs",
        {**counts, "pairs": total, "margin": pairs.value(margin, "margin", three_digits)},
    )


def accuracy_range(results: Results) -> Finding | None:
    """Name the highest and the lowest accuracy."""
    rows, models = networks(results), results.models
    if len(rows) < 2:
        return None
    best, worst = rows[0], rows[-1]
    return Finding(
        "overall.range",
        {
            "best": name_of(results, best),
            "best_accuracy": models.value(best, "score_mean", percent),
            "worst": name_of(results, worst),
            "worst_accuracy": models.value(worst, "score_mean", percent),
        },
    )


def rank_of_best(results: Results) -> Finding | None:
    """Say which ranks the pairs leave to the first variant."""
    models, rows = results.models, judged(results)
    if len(rows) < 2:
        return None
    name = name_of(results, rows[0])
    low, high = (models.value(rows[0], column, whole) for column in ("rank_low", "rank_high"))
    if low.text == high.text:
        return Finding("overall.ranks.sure", {"best": name, "rank": low})
    values = {"best": name, "low": low, "high": high, "judged": _count_judged(results)}
    return Finding("overall.ranks.open", values)


def baselines(results: Results) -> list[Row]:
    """Return the compared variants that are the baseline of an ablation."""
    names = {
        row["variant"]
        for table in results.ablations.values()
        for row in table.rows
        if outcome(table, row) == "baseline"
    }
    return [row for row in results.models.rows if row["variant"] in names]


def next_steps(results: Results, words: Words, most: int = 4) -> list[Text]:
    """Say how many seeds would settle what is open between the leading variants, the fewest first."""
    leading = leaders(results)
    found: list[tuple[float, Text]] = []
    for number, a in enumerate(leading):
        for b in leading[number + 1 :]:
            row = results.pairwise.row(a["variant"], b["variant"])
            if row is None or OUTCOMES[results.pairwise.text(row, "verdict")] != "open":
                continue
            _, seeds, hours = prospects(results.pairwise, row)
            if seeds is None:
                continue
            values = {"a": name_of(results, a), "b": name_of(results, b), "more_seeds": seeds}
            if hours is None or not hours.content:
                text = words.say("outlook.pair", **values)
            else:
                text = words.say("outlook.pair_hours", **values, more_gpu_hours=hours)
            found.append((float(seeds.content), text))
    return [text for _, text in sorted(found, key=lambda pair: pair[0])[:most]]


# --- efficiency -----------------------------------------------------------------------------------


def front(results: Results) -> list[Row]:
    """Return the variants that none as small or smaller is shown to be better than; none where none is judged."""
    if len(judged(results)) < 2:
        return []
    return [row for row in judged(results) if not results.models.text(row, "dominated_by")]


def front_of_sizes(results: Results, words: Words) -> Finding | None:
    """Name the variants that none as small or smaller is shown to be better than."""
    rows = front(results)
    if not rows:
        return None
    rows.sort(key=lambda row: _n(results.models, row, "params_m"))
    return Finding(
        "efficiency.front", {"names": words.listing([(name_of(results, r),) for r in rows])}
    )


def size_of_leaders(results: Results) -> Finding:
    """Say whether a smaller variant leads together with the best."""
    models, rows = results.models, judged(results)
    if len(networks(results)) == 1:
        rows = networks(results)
    elif len(rows) < 2:
        return Finding("efficiency.title.one_seed", {})
    best = rows[0]
    values = {
        "best": name_of(results, best),
        "best_params": models.value(best, "params_m", three_digits),
    }
    if len(rows) == 1:
        return Finding("efficiency.title.one_variant", values)
    if all(_n(models, row, "params_m") >= _n(models, best, "params_m") for row in rows):
        values["judged"] = _count_judged(results)
        return Finding("efficiency.title.smallest", values)
    small = _smallest_leader(results)
    if small is best:
        return Finding("efficiency.title.size_pays", values)
    values |= {
        "small": name_of(results, small),
        "small_params": models.value(small, "params_m", three_digits),
    }
    return Finding("efficiency.title.cheaper_tie", values)


def worth_naming(results: Results, most: int = 6) -> list[Row]:
    """Return the variants that a picture names: all if they are few, else those that its sentences speak of."""
    rows = networks(results)
    if len(rows) <= most:
        return rows
    sized = [row for row in rows if results.models.number(row, "param_efficiency") is not None]
    told = [rows[0], rows[-1]]
    told += (
        [max(sized, key=lambda row: _n(results.models, row, "param_efficiency"))] if sized else []
    )
    told += [_smallest_leader(results)] if leaders(results) else []
    return [row for row in rows if row in told]


def gap_to_best(results: Results) -> Finding | None:
    """Say how far the smallest of the leading variants is from the best one."""
    if len(judged(results)) < 2:
        return None
    best, small = judged(results)[0], _smallest_leader(results)
    gap = difference(results, small, best) if small is not best else None
    if gap is None:
        return None
    return Finding(
        f"efficiency.gap.{gap.outcome}",
        {
            "small": name_of(results, small),
            "best": name_of(results, best),
            "delta": gap.delta,
            "low": gap.low,
            "high": gap.high,
            "margin": gap.margin,
        },
    )


def most_efficient(results: Results) -> Finding | None:
    """Name the variant with the most accuracy per million parameters."""
    models = results.models
    rows = [r for r in networks(results) if models.number(r, "param_efficiency") is not None]
    if len(rows) < 2:
        return None
    top = max(rows, key=lambda row: _n(models, row, "param_efficiency"))
    return Finding(
        "efficiency.ratio",
        {
            "variant": name_of(results, top),
            "efficiency": models.value(top, "param_efficiency", three_digits),
            "accuracy": models.value(top, "score_mean", percent),
            "params": models.value(top, "params_m", three_digits),
        },
    )


def training_time(results: Results) -> Finding:
    """Name the variants whose runs took the least and the most time.

    Hours of one run are compared only where all were made on the same kind and number of devices; else hours of GPUs
    are, where all were made on GPUs.
    """
    models = results.models
    timed = [row for row in networks(results) if models.number(row, "train_hours")]
    if not timed:
        return Finding("dynamics.title.not_measured", {})
    gpus = {
        round(_n(models, row, "gpu_hours") / _n(models, row, "train_hours"), 2) for row in timed
    }
    alike = len(gpus) == 1 and len({models.text(row, "device") for row in timed}) == 1
    if not alike and 0 in gpus:
        return Finding("dynamics.title.not_comparable", {})
    column, key = ("train_hours", "spread") if alike else ("gpu_hours", "spread_of_gpus")
    timed.sort(key=lambda row: _n(models, row, column))
    values = {
        "fastest": name_of(results, timed[0]),
        "fastest_time": models.time(timed[0], column),
    }
    if len(timed) == 1:
        return Finding("dynamics.title.one_variant", values)
    values |= {
        "slowest": name_of(results, timed[-1]),
        "slowest_time": models.time(timed[-1], column),
    }
    return Finding(f"dynamics.title.{key}", values)


# --- ablations ------------------------------------------------------------------------------------


def outcome(table: Table, row: Row) -> Outcome:
    """Return what an ablation says about one of its arms."""
    if table.text(row, "arm") == table.text(row, "baseline"):
        return "baseline"
    if _twin(table, row) is not None:
        return "same"
    return OUTCOMES[table.text(row, "verdict")]


def arms(table: Table, *outcomes: Outcome) -> list[Row]:
    """Return the arms with one of `outcomes`, the greatest difference from the baseline first."""
    rows = [row for row in table.rows if outcome(table, row) in outcomes]
    return sorted(rows, key=lambda row: -abs(_n(table, row, "delta")))


def verdicts(table: Table, words: Words) -> list[Finding]:
    """Sum up an ablation: the greatest gain, the greatest loss, or that nothing is told apart; what is equivalent."""
    baseline = words.named(table.word(table.rows[0], "baseline"))
    told = [
        Finding(f"ablations.verdict.{kind}", _arm_values(table, rows[0], words))
        for kind in DIRECTIONS
        if (rows := arms(table, kind))
    ]
    open_, equivalent = arms(table, "open"), arms(table, "equivalent")
    if open_ and not told:
        told.append(Finding("ablations.verdict.open", _arm_values(table, open_[0], words)))
    if equivalent:
        names = words.listing([(words.named(table.word(row, "arm")),) for row in equivalent])
        margin = table.value(equivalent[0], "margin", three_digits)
        values: dict[str, Filler] = {"names": names, "baseline": baseline, "margin": margin}
        told.append(Finding("ablations.verdict.equivalent", values))
    if told:
        return told
    kinds = {outcome(table, row) for row in table.rows}
    key = next((k for k in ("one_seed", "not_measured") if k in kinds), "identical")
    return [Finding(f"ablations.verdict.{key}", {"baseline": baseline})]


def title_of_ablations(results: Results, names: Sequence[Text], words: Words) -> Finding:
    """Say in which ablations, called `names`, an arm is better than the baseline, and in which one is worse."""
    tables = list(results.ablations.values())
    found = {
        kind: [name for name, table in zip(names, tables, strict=True) if arms(table, kind)]
        for kind in DIRECTIONS
    }
    values = {str(kind): words.listing(texts) for kind, texts in found.items() if texts}
    if values:
        return Finding(f"ablations.title.{'_and_'.join(values)}", values)
    if not tables:
        return Finding(f"ablations.title.{results.without_ablations}", {})
    kinds = {outcome(table, row) for table in tables for row in table.rows} - {"baseline", "same"}
    if kinds == {"equivalent"}:
        table = tables[0]
        margin = table.value(arms(table, "equivalent")[0], "margin", three_digits)
        return Finding("ablations.title.equivalent", {"margin": margin})
    return Finding(f"ablations.title.{'one_seed' if kinds == {'one_seed'} else 'open'}", {})


def saving(table: Table, words: Words) -> Finding | None:
    """Say what the arm that saves the most parameters costs; None where no arm saves one per cent."""
    rows = arms(table, "better", "worse", "equivalent", "open", "one_seed")
    rows = [row for row in rows if _n(table, row, "params_change_pct") <= -1]
    if not rows:
        return None
    row = min(rows, key=lambda row: _n(table, row, "params_change_pct"))
    arm = words.named(table.word(row, "arm"))
    values: dict[str, Filler] = {
        "arm": arm,
        "saved": table.value(row, "params_change_pct", magnitude, -1),
    }
    kind = outcome(table, row)
    if kind == "one_seed":
        return Finding("ablations.saving.one_seed", values)
    if any(finding.values.get("arm") == arm for finding in verdicts(table, words)):
        return Finding("ablations.saving.same_arm", values)  # its difference has just been told
    return Finding(f"ablations.saving.{kind}", values | _arm_values(table, row, words))


def same_networks(table: Table, words: Words) -> list[Finding]:
    """Name each arm that is the same network as an earlier one."""
    return [
        Finding(
            "ablations.same_network",
            {"arm": words.named(table.word(row, "arm")), "other": twin_arm(table, row, words)},
        )
        for row in table.rows
        if outcome(table, row) == "same"
    ]


def twin_arm(table: Table, row: Row, words: Words) -> Value:
    """Return the name of the arm that is the same network as that of `row`, whose outcome is `same`."""
    twin = _twin(table, row)
    return words.named(table.word(row if twin is None else twin, "arm"))


# --- claims ---------------------------------------------------------------------------------------

CLAIM_VERDICTS = (
    *("confirmed", "refuted", "inconclusive", "not tested"),
    *("not this network", "settled by construction"),
)


def claim_counts(results: Results, origin: str) -> dict[str, Filler]:
    """Return the number of claims of one origin, and of each verdict on them."""
    claims = results.claims
    counts: dict[str, Filler] = {
        verdict.replace(" ", "_"): claims.where("id", origin=origin, verdict=verdict)
        for verdict in CLAIM_VERDICTS
    }
    return {"claims": claims.where("id", origin=origin), **counts}


def claims_of(results: Results) -> list[Finding]:
    """Sum up the verdicts on the claims of the original talk, and those of papers, each by itself."""
    origins = [row.get("origin", "") for row in results.claims.rows]
    return [
        Finding(f"claims.counts.{origin}", claim_counts(results, origin))
        for origin in ("talk", "paper")
        if origin in origins
    ]


def none_tested(results: Results) -> bool:
    """Tell whether no claim of the study could be tested."""
    return all(row["verdict"] == "not tested" for row in results.claims.rows)


# --- all ------------------------------------------------------------------------------------------


def of_comparison(results: Results, words: Words) -> list[Finding]:
    """Return all that is said about the variants, the headline first."""
    told: Iterable[Finding | None] = (
        headline(results),
        accuracy_range(results),
        rank_of_best(results),
        *leading_group(results, words),
        pair_counts(results),
        not_judged(results, words),
        uneven_seeds(results, words),
        size_of_leaders(results),
        gap_to_best(results),
        front_of_sizes(results, words),
        most_efficient(results),
        training_time(results),
    )
    return [finding for finding in told if finding is not None]


def of_ablation(table: Table, words: Words) -> list[Finding]:
    """Return all that is said about one ablation."""
    told = [*verdicts(table, words), saving(table, words), *same_networks(table, words)]
    return [finding for finding in told if finding is not None]


# --- parts ----------------------------------------------------------------------------------------


def _count_judged(results: Results) -> Value:
    return results.models.where("variant", distinct="True", judged="True")


def _smallest_leader(results: Results) -> Row:
    """Return the smallest of the leading variants; of equal ones the best."""
    return min(leaders(results), key=lambda row: _n(results.models, row, "params_m"))


def _arm_values(table: Table, row: Row, words: Words) -> dict[str, Filler]:
    form = points if outcome(table, row) == "better" else signed
    return {
        "arm": words.named(table.word(row, "arm")),
        "baseline": words.named(table.word(row, "baseline")),
        "delta": table.value(row, "delta", form),
        "low": table.value(row, "ci_low", form),
        "high": table.value(row, "ci_high", form),
        "seeds": table.value(row, "seeds", whole),
        "baseline_seeds": table.value(row, "baseline_seeds", whole),
        "margin": table.value(row, "margin", three_digits),
    }


def _twin(table: Table, row: Row) -> Row | None:
    """Return the row of the same table whose network `row` repeats, if there is one."""
    other = table.text(row, "same_network_as")
    if not other:
        return None
    return next((r for r in table.rows if r is not row and r[table.key[0]] == other), None)


def _n(table: Table, row: Row, column: str) -> float:
    number = table.number(row, column)
    return 0.0 if number is None else number
