"""What the data shows: which sentence may be said, and with which values.

A difference is called one only where its test, corrected for the number of tests, is significant
*and* its interval leaves out zero. Networks that are the same are not compared with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bakeoff.slides.formats import magnitude, p_value, percent, signed, three_digits, whole
from bakeoff.slides.results import Results
from bakeoff.slides.tables import Row, Table
from bakeoff.slides.values import Text, Value
from bakeoff.slides.words import Finding, Words

Outcome = Literal[
    "baseline", "same", "one_seed", "not_measured", "improvement", "loss", "not_separable"
]


@dataclass(frozen=True)
class Difference:
    """Accuracy of one variant minus that of another, in points, with its interval.

    `separable` is the corrected test together with the interval. Without it, `may_be_zero` tells
    whether the interval contains zero: one that does not, and still fails the corrected test, is no
    evidence that two variants are alike.
    """

    delta: Value
    low: Value
    high: Value
    separable: bool
    may_be_zero: bool
    tested: bool
    p_holm: Text


# --- the comparison -------------------------------------------------------------------------------


def networks(results: Results) -> list[Row]:
    """Return the rows of the comparison, best first, without those that repeat another's network."""
    models = results.models
    rows = [row for row in models.rows if _twin(models, row) is None]
    return sorted(rows, key=lambda row: models.number(row, "rank") or float("inf"))


def name_of(results: Results, row: Row) -> Value:
    """Return the name of a variant as figures show it."""
    return results.models.word(row, "display" if row.get("display") else "variant")


def difference(results: Results, a: Row, b: Row) -> Difference | None:
    """Return the accuracy of variant `a` minus that of `b`, or None where they were not compared."""
    pairs = results.pairwise
    straight = pairs.row(a["variant"], b["variant"])
    row = straight or pairs.row(b["variant"], a["variant"])
    if row is None or pairs.number(row, "delta") is None or pairs.number(row, "ci_low") is None:
        return None
    scale, low, high = (1, "ci_low", "ci_high") if straight else (-1, "ci_high", "ci_low")
    clear = _leaves_out_zero(pairs, row, "ci_low", "ci_high")
    return Difference(
        delta=pairs.value(row, "delta", signed, scale),
        low=pairs.value(row, low, signed, scale),
        high=pairs.value(row, high, signed, scale),
        separable=pairs.true(row, "significant") and clear,
        may_be_zero=not clear,
        tested="seeds" not in row or _n(pairs, row, "seeds") >= 2,
        p_holm=pairs.cell(row, "p_holm", p_value),
    )


def leaders(results: Results) -> list[Row]:
    """Return the best variant and all whose difference from it may be zero, best first."""
    best, *others = networks(results)
    gaps = [(row, difference(results, best, row)) for row in others]
    return [best, *(row for row, gap in gaps if gap is None or gap.may_be_zero)]


def headline(results: Results) -> Finding:
    """Say whether one variant is ahead of all others."""
    models = results.models
    best, *others = networks(results)
    name = name_of(results, best)
    accuracy = models.value(best, "top1_mean", percent)
    if len(models.rows) == 1:
        return Finding("overall.headline.one_variant", {"best": name, "accuracy": accuracy})
    if not results.repeated:
        return Finding("overall.headline.one_seed", {"best": name, "accuracy": accuracy})
    if not others:
        second = name_of(results, models.rows[1])
        return Finding("overall.headline.identical", {"best": name, "second": second})
    # The first in rank that is not behind for certain: with unequal variances it need not be the second.
    gaps = [(row, difference(results, best, row)) for row in others]
    open_ = [(row, gap) for row, gap in gaps if gap is None or not gap.separable]
    rival, gap = open_[0] if open_ else gaps[0]
    if gap is None:
        return Finding("overall.headline.one_seed", {"best": name, "accuracy": accuracy})
    return Finding(
        f"overall.headline.{'tied' if open_ else 'separable'}",
        {
            "best": name,
            "second": name_of(results, rival),
            "delta": gap.delta,
            "low": gap.low,
            "high": gap.high,
        },
    )


def tied_with_best(results: Results, words: Words) -> Finding | None:
    """Name the variants that are not separable from the best one."""
    best, *tied = leaders(results)
    if not tied or not results.repeated:
        return None
    names = [(name_of(results, row),) for row in tied]
    return Finding(
        "overall.tied",
        {"best": name_of(results, best), "names": words.listing(names)},
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
            "best_accuracy": models.value(best, "top1_mean", percent),
            "worst": name_of(results, worst),
            "worst_accuracy": models.value(worst, "top1_mean", percent),
        },
    )


def rank_of_best(results: Results) -> Finding | None:
    """Say which ranks the first variant could have, where the comparison measured it."""
    models = results.models
    best, *others = networks(results)
    if (
        not others
        or not results.repeated
        or "rank_low" not in best
        or models.number(best, "rank_low") is None
    ):
        return None
    name = name_of(results, best)
    low, high = (models.value(best, column, whole) for column in ("rank_low", "rank_high"))
    if low.text == high.text:
        return Finding("overall.ranks.sure", {"best": name, "rank": low})
    return Finding(
        "overall.ranks.open",
        {"best": name, "low": low, "high": high, "variants": models.count("variant")},
    )


# --- efficiency -----------------------------------------------------------------------------------


def front_of_sizes(results: Results, words: Words) -> Finding | None:
    """Name the variants on the Pareto front."""
    front = pareto_front(results)
    if len(networks(results)) < 2 or not front:
        return None
    names = [(name_of(results, row),) for row in front]
    return Finding("efficiency.front", {"names": words.listing(names)})


def size_of_leaders(results: Results) -> Finding:
    """Say whether a smaller variant is not separable from the best."""
    models = results.models
    best = networks(results)[0]
    values = {
        "best": name_of(results, best),
        "best_params": models.value(best, "params_m", three_digits),
    }
    if len(networks(results)) == 1:
        return Finding("efficiency.title.one_variant", values)
    if not results.repeated:
        return Finding("efficiency.title.one_seed", {})
    small = min(leaders(results), key=lambda row: models.number(row, "params_m") or float("inf"))
    if small is best:
        return Finding("efficiency.title.size_pays", values)
    values |= {
        "small": name_of(results, small),
        "small_params": models.value(small, "params_m", three_digits),
    }
    return Finding("efficiency.title.cheaper_tie", values)


def gap_to_best(results: Results) -> Finding | None:
    """Say how far the smallest of the leading variants is from the best one."""
    best = networks(results)[0]
    small = min(leaders(results), key=lambda row: _n(results.models, row, "params_m"))
    gap = difference(results, small, best) if small is not best else None
    if gap is None or not results.repeated:
        return None
    return Finding(
        "efficiency.gap",
        {
            "small": name_of(results, small),
            "best": name_of(results, best),
            "delta": gap.delta,
            "low": gap.low,
            "high": gap.high,
        },
    )


def pareto_front(results: Results) -> list[Row]:
    """Return the variants that no other beats in both accuracy and parameters, smallest first."""
    models = results.models
    front: list[Row] = []
    sized = [row for row in networks(results) if models.number(row, "params_m") is not None]
    for row in sorted(
        sized, key=lambda row: (_n(models, row, "params_m"), -_n(models, row, "top1_mean"))
    ):
        if not front or _n(models, row, "top1_mean") > _n(models, front[-1], "top1_mean"):
            front.append(row)
    return front


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
            "accuracy": models.value(top, "top1_mean", percent),
            "params": models.value(top, "params_m", three_digits),
        },
    )


def training_time(results: Results) -> Finding:
    """Name the variants whose runs took the least and the most time."""
    models = results.models
    timed = [row for row in networks(results) if models.number(row, "train_hours")]
    if not timed:
        return Finding("dynamics.title.not_measured", {})
    timed.sort(key=lambda row: _n(models, row, "train_hours"))
    values = {
        "fastest": name_of(results, timed[0]),
        "fastest_time": models.time(timed[0], "train_hours"),
    }
    if len(timed) == 1:
        return Finding("dynamics.title.one_variant", values)
    values |= {
        "slowest": name_of(results, timed[-1]),
        "slowest_time": models.time(timed[-1], "train_hours"),
    }
    return Finding("dynamics.title.spread", values)


# --- ablations ------------------------------------------------------------------------------------


def outcome(table: Table, row: Row) -> Outcome:
    """Return what an ablation says about one of its arms."""
    if table.text(row, "arm") == table.text(row, "baseline"):
        return "baseline"
    if _twin(table, row) is not None:
        return "same"
    if table.number(row, "delta") is None:
        return "not_measured"
    seeds = "delta_seeds" if "delta_seeds" in row else "seeds"
    if _n(table, row, seeds) < 2 or table.number(row, "delta_ci_low") is None:
        return "one_seed"
    separable = table.true(row, "significant") and _leaves_out_zero(
        table, row, "delta_ci_low", "delta_ci_high"
    )
    if not separable:
        return "not_separable"
    return "improvement" if _n(table, row, "delta") > 0 else "loss"


def verdict(table: Table, words: Words) -> Finding:
    """Sum up an ablation by the arm that matters most.

    An improvement over the baseline comes first, then a loss; where no arm is separable from the
    baseline, the arm with the greatest difference shows how little is known.
    """
    outcomes = [(outcome(table, row), row) for row in table.rows]
    baseline = words.named(table.word(table.rows[0], "baseline"))
    tested = [row for kind, row in outcomes if kind not in {"baseline", "same", "not_measured"}]
    if not tested:
        same = any(kind == "same" for kind, _ in outcomes)
        key = "identical" if same else "not_measured"
        return Finding(f"ablations.verdict.{key}", {"baseline": baseline})
    for kind, pick in (("improvement", max), ("loss", min)):
        rows = [row for found, row in outcomes if found == kind]
        if rows:
            row = pick(rows, key=lambda row: _n(table, row, "delta"))
            return Finding(f"ablations.verdict.{kind}", _arm_values(table, row, words))
    if all(kind == "one_seed" for kind, row in outcomes if row in tested):
        return Finding("ablations.verdict.one_seed", {"baseline": baseline})
    row = max(
        (row for kind, row in outcomes if kind == "not_separable"),
        key=lambda row: abs(_n(table, row, "delta")),
    )
    return Finding("ablations.verdict.not_separable", _arm_values(table, row, words))


def saving(table: Table, words: Words) -> Finding | None:
    """Say what the arm that saves the most parameters costs; None where no arm saves one per cent."""
    kinds = ("improvement", "loss", "not_separable", "one_seed")
    rows = [
        row
        for row in table.rows
        if outcome(table, row) in kinds and _n(table, row, "params_change_pct") <= -1
    ]
    if not rows:
        return None
    row = min(rows, key=lambda row: _n(table, row, "params_change_pct"))
    kind = outcome(table, row)
    arm = words.named(table.word(row, "arm"))
    saved = table.value(row, "params_change_pct", magnitude, -1)
    if kind == "one_seed":
        return Finding("ablations.saving.one_seed", {"arm": arm, "saved": saved})
    if verdict(table, words).values.get("arm") == arm:  # its difference has just been told
        return Finding("ablations.saving.same_arm", {"arm": arm, "saved": saved})
    return Finding(f"ablations.saving.{kind}", {"saved": saved, **_arm_values(table, row, words)})


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


# --- parts ----------------------------------------------------------------------------------------


def _arm_values(table: Table, row: Row, words: Words) -> dict[str, str | Value | Text]:
    return {
        "arm": words.named(table.word(row, "arm")),
        "baseline": words.named(table.word(row, "baseline")),
        "delta": table.value(row, "delta", signed),
        "low": table.value(row, "delta_ci_low", signed),
        "high": table.value(row, "delta_ci_high", signed),
        "seeds": table.value(row, "seeds", whole),
    }


def _leaves_out_zero(table: Table, row: Row, low: str, high: str) -> bool:
    return _n(table, row, low) > 0 or _n(table, row, high) < 0


def _twin(table: Table, row: Row) -> Row | None:
    """Return the row of the same table whose network `row` repeats, if there is one."""
    other = table.text(row, "same_network_as")
    if not other:
        return None
    return next((r for r in table.rows if r is not row and r[table.key[0]] == other), None)


def _n(table: Table, row: Row, column: str) -> float:
    number = table.number(row, column)
    return 0.0 if number is None else number
