"""What is still open, how many more seeds would settle it, what they cost, and which of them is the best buy.

Open are the pairs among the leading variants and the arms of ablations that cannot be told apart yet, and the claims
that are inconclusive. For pairs and arms the seeds are those of the tables (`bakeoff.analysis.statistics`, at 80 %
power). For a claim the bounds are scaled: a half-width goes with the root of image variance + run variance / seeds, as
in the rows that the claim was measured on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bakeoff.analysis.claims import accepted
from bakeoff.analysis.statistics import LEVEL, MOST_SEEDS, POWER
from bakeoff.analysis.tables import Column, read_table, write_table
from bakeoff.study.claims import ClaimConfig, Measure
from bakeoff.study.growth import looks_of, told_of_looks

COLUMNS = (
    Column("order", "Order", ",.0f"),
    Column("kind", "Question"),
    Column("question", "What is open"),
    Column("measured", "Measured", "+,.2f", ("ci_low", "ci_high")),
    Column("more_seeds", "More seeds", ",.0f"),
    Column("hours", "Hours, alone", ",.2f"),
    Column("added_hours", "Hours, in this order", ",.2f"),
    Column("total_hours", "All so far", ",.2f"),
    Column("cost", "Cost so far", ",.2f"),
    Column("why", "Remark"),
)
NEVER = "no number of seeds: the test images leave it open"
ONE_SEED = "one seed: a second one is needed before this can be told"
LOOKING_AGAIN = " Looking again after adding seeds raises the error rate; see docs/statistics.md."
MOST_LINES = 12
SHARES = "of its seeds, all come with the questions before"


@dataclass(frozen=True)
class Question:
    """Something that the study leaves open.

    `measured`, `low` and `high` are in points, or in the unit of a claim; `runs` are the networks that get `more_seeds`
    each, NaN where no number of seeds settles it.
    """

    kind: str
    text: str
    measured: float
    low: float
    high: float
    runs: tuple[str, ...]
    more_seeds: float
    why: str = ""
    topic: str = ""
    """Name of the ablation, or id of the claim."""


@dataclass(frozen=True)
class Tables:
    """The tables that questions are read from; ablations and claims by name."""

    models: pd.DataFrame
    pairs: pd.DataFrame
    ablations: Mapping[str, pd.DataFrame]
    claims: pd.DataFrame


def write_power(
    spec: Mapping[str, Any],
    claims: Mapping[str, Any],
    root: Path,
    hours: Mapping[str, float],
    unit: str,
) -> str:
    """Write `{root}/power/power.csv`, .md and .tex, and return the same in a few lines.

    Args:
        spec: of the plan, with the study and its price.
        claims: the spec of the claims.
        root: of the study.
        hours: {run: hours of one more seed}, in `unit`.
        unit: "GPU-hours" or "core-hours"; only the former have a price.
    """
    tables = read_tables(root, claims["ablations"])
    found = questions(tables, [ClaimConfig.model_validate(each) for each in claims["claims"]])
    price = spec["price"]
    table = in_order(found, hours, price["gpu_hour"] if unit == "GPU-hours" else math.nan)
    caption = (
        f"What the study leaves open. Order: what is settled for the fewest more {unit} comes first; seeds that a "
        "network gets for one question count for all. More seeds: on each side; they settle it with 80 % probability "
        f"if the truth is what was measured. Cost in {price['currency']}."
    ) + (told_of_looks(looks_of(spec), LEVEL) or LOOKING_AGAIN)
    write_table(table, COLUMNS, root / "power" / "power.csv", caption)
    return in_words(table, unit, price["currency"])


def read_tables(root: Path, ablations: Iterable[str]) -> Tables:
    """Read the tables of the study in `root`."""
    return Tables(
        read_table(root / "comparison/models.csv", ("run", "display", "group", "top1_error")),
        read_table(root / "comparison/pairwise.csv", ("verdict", "more_seeds", "image_error")),
        {name: read_table(root / "ablation" / f"{name}.csv", ("run",)) for name in ablations},
        read_table(root / "claims/claims.csv", ("id", "verdict", "measured")),
    )


def questions(tables: Tables, claims: Iterable[ClaimConfig]) -> list[Question]:
    """Return what is open: pairs at the top, arms, claims."""
    return [
        *_pairs(tables),
        *(each for name, table in tables.ablations.items() for each in _arms(name, table)),
        *_claims(tables, {claim.id: claim for claim in claims}),
    ]


def in_order(found: Sequence[Question], hours: Mapping[str, float], price: float) -> pd.DataFrame:
    """Return the questions as a table, the best buy first, then those that seeds do not settle.

    At each place stands the question that is settled for the fewest hours more, given all seeds bought before it.
    """
    bought: dict[str, float] = {}
    rest = [each for each in found if math.isfinite(each.more_seeds)]
    rows: list[dict[str, Any]] = []
    total = 0.0

    def added(question: Question) -> float:
        return sum(
            max(0.0, question.more_seeds - bought.get(run, 0.0)) * hours[run]
            for run in question.runs
        )

    while rest:
        # Of equal costs, as the tables have them.
        best = min(rest, key=lambda each: (added(each), rest.index(each)))
        rest.remove(best)
        extra = added(best)
        total += extra
        alone = best.more_seeds * sum(hours[run] for run in best.runs)
        bought |= {run: max(best.more_seeds, bought.get(run, 0.0)) for run in best.runs}
        why = best.why or (SHARES if not extra and alone else "")
        rows.append(
            _row(replace(best, why=why), len(rows) + 1)
            | {"hours": alone, "added_hours": extra, "total_hours": total, "cost": total * price}
        )
    rows += [_row(each, np.nan) for each in found if not math.isfinite(each.more_seeds)]
    names = [column.name for column in COLUMNS]
    return pd.DataFrame(rows, columns=[*names[:4], "ci_low", "ci_high", *names[4:], "runs"])


def in_words(table: pd.DataFrame, unit: str, currency: str) -> str:
    """Return what is open and what it costs, in a few lines."""
    if table.empty:
        return "Nothing is open: each pair at the top, each arm and each claim that can be tested is settled."
    payable = table[table["order"].notna()]
    lines = [
        f"  {row['order']:.0f}  {row['kind']}: {row['question']}: {row['more_seeds']:.0f} more seeds, "
        f"{row['added_hours']:.3g} {unit} (so far {row['total_hours']:.3g})"
        for row in payable.head(MOST_LINES).to_dict("records")
    ]
    if len(payable):
        last = payable.iloc[-1]
        cost = "" if math.isnan(last["cost"]) else f", {last['cost']:.2f} {currency}"
        lines.insert(0, "What settles most for the least, first:")
        if len(payable) > MOST_LINES:
            lines.append(f"     and {len(payable) - MOST_LINES} more")
        lines.append(f"All {len(payable)} of them: {last['total_hours']:.3g} {unit}{cost}.")
    for why, rows in table[table["order"].isna()].groupby("why"):
        lines.append(f"{len(rows)} open: {why}.")
    return "\n".join(lines)


def _row(question: Question, order: float) -> dict[str, Any]:
    return {
        "order": order,
        "kind": question.kind,
        "question": question.text,
        "measured": question.measured,
        "ci_low": question.low,
        "ci_high": question.high,
        "more_seeds": question.more_seeds,
        "runs": " ".join(question.runs),
        "why": question.why,
    }


def _pairs(tables: Tables) -> list[Question]:
    """Return the open pairs of networks none of which is shown to be worse than another."""
    models = tables.models.set_index("variant")
    top = set(models.index[models["group"] != "behind"])
    open_ = tables.pairs[
        tables.pairs["distinct"] & tables.pairs["verdict"].isin(("cannot tell", "one seed"))
    ]
    return [
        _question(
            "pair",
            f"{models.loc[row['variant_a'], 'display']} or {models.loc[row['variant_b'], 'display']}",
            row,
            (models.loc[row["variant_a"], "run"], models.loc[row["variant_b"], "run"]),
        )
        for row in open_.to_dict("records")
        if {row["variant_a"], row["variant_b"]} <= top
    ]


def _arms(name: str, table: pd.DataFrame) -> list[Question]:
    baseline = table.loc[table["arm"] == table["baseline"], "run"]
    open_ = table[table["verdict"].isin(("cannot tell", "one seed"))].drop_duplicates("run")
    return [
        _question(
            f"arm of {name}",
            f"{row['arm']} or {row['baseline']}",
            row,
            (row["run"], baseline.iloc[0]),
            name,
        )
        for row in open_.to_dict("records")
    ]


def _question(
    kind: str, text: str, row: Mapping[Any, Any], runs: tuple[str, ...], topic: str = ""
) -> Question:
    single = row["verdict"] == "one seed"
    why = ONE_SEED if single else NEVER
    return Question(
        kind,
        text,
        *(row["delta"], row["ci_low"], row["ci_high"]),
        runs,
        row["more_seeds"],
        why if single or not math.isfinite(row["more_seeds"]) else "",
        topic,
    )


def _claims(tables: Tables, claims: Mapping[str, ClaimConfig]) -> list[Question]:
    found = []
    for row in tables.claims[tables.claims["verdict"] == "inconclusive"].to_dict("records"):
        claim = claims[row["id"]]
        runs, seeds, images = _behind(claim.measure, tables)
        least, most = accepted(claim.relation, claim.claimed, claim.tolerance)
        more = more_seeds_of_claim(
            row["measured"], (row["ci_low"], row["ci_high"]), (least, most), seeds, images
        )
        found.append(
            Question(
                "claim",
                row["statement"],
                *(row["measured"], row["ci_low"], row["ci_high"]),
                runs,
                more,
                "" if math.isfinite(more) else NEVER,
                row["id"],
            )
        )
    return found


def more_seeds_of_claim(
    value: float,
    bounds: tuple[float, float],
    agrees: tuple[float, float],
    seeds: float,
    of_images: float,
) -> float:
    """Return how many more seeds let the bounds of a claim fall on one side of what agrees with it, NaN for none.

    Args:
        value: what was measured.
        bounds: of it, with `seeds` seeds.
        agrees: the least and the largest value that agrees with the claim.
        seeds: on each side.
        of_images: the share of the variance that no seeds take away, 0 to 1.
    """
    (low, high), (least, most) = bounds, agrees
    # By how much the bounds must come nearer to the value: all of them inside, or all outside.
    inside = least <= value <= most
    if inside:
        room = [
            (distance, half)
            for distance, half in ((value - least, value - low), (most - value, high - value))
            if math.isfinite(distance)
        ]
    else:
        room = [(least - value, high - value) if value < least else (value - most, value - low)]
    needed = min((distance / half for distance, half in room if half > 0), default=math.inf)
    # Not only the bound itself: with 80 % probability, the measured value falling out less well.
    needed /= 1 + stats.norm.ppf(POWER) / stats.norm.ppf((1 + LEVEL) / 2)
    for more in range(1, MOST_SEEDS + 1):
        if math.sqrt(of_images + (1 - of_images) * seeds / (seeds + more)) <= needed:
            return float(more)
    return math.nan


def _behind(measure: Measure, tables: Tables) -> tuple[tuple[str, ...], float, float]:
    """Return the networks that a claim was measured on, their fewest seeds, and the share of the image variance."""
    runs: list[str] = []
    seeds: list[float] = []
    shares: list[float] = []
    models = tables.models[tables.models["judged"]]
    for part in measure.parts:
        if part.ablation is not None:
            table = tables.ablations[part.ablation]
            named = [arm for arm in (part.arm, part.than) if arm in set(table["arm"])]
            rows = table[table["arm"].isin([*named, *table["baseline"]])] if named else table
            runs += rows["run"].tolist()
            seeds += rows["seeds"].tolist()
            shares += _shares(rows, "error", "image_error")
        else:
            named = [name for name in (part.variant, part.other, *part.group) if name]
            of_few = part.kind in OF_FEW
            rows = models[models["variant"].isin(named)] if of_few else models[models["distinct"]]
            runs += rows["run"].tolist()
            seeds += rows["seeds"].tolist()
            single = part.kind in OF_ONE
            shares += (
                _shares(rows, "top1_error", "top1_image_error")
                if single
                else _shares(_pairs_of(rows["variant"], tables.pairs), "error", "image_error")
            )
    return tuple(dict.fromkeys(runs)), min(seeds), max(shares, default=1.0)


OF_ONE = frozenset({"top1", "param_efficiency"})
OF_FEW = OF_ONE | {"difference", "efficiency_ratio"}


def _pairs_of(variants: Iterable[str], pairs: pd.DataFrame) -> pd.DataFrame:
    names = set(variants)
    return pairs[pairs["variant_a"].isin(names) & pairs["variant_b"].isin(names)]


def _shares(rows: pd.DataFrame, error: str, image_error: str) -> list[float]:
    found = (rows[image_error] / rows[error]) ** 2
    return [float(share) for share in found if math.isfinite(share)]
