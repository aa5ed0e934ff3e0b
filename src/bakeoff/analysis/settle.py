"""Which seeds are added next: those that settle most of what is open for the fewest hours, within the budget.

A round takes the questions in the order of `bakeoff.analysis.power`, until its share of what is left of the budget is
spent. The level of the verdicts is divided over all looks (`bakeoff.analysis.statistics.contrasts`), so that the error
of the whole sequence is held; `benchmarks/looks.py` has the simulation.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bakeoff.analysis.power import Question, in_order, questions, read_tables
from bakeoff.analysis.tables import Column, write_table
from bakeoff.files import write_text
from bakeoff.study.claims import ClaimConfig
from bakeoff.study.growth import Growth, Round, SettleConfig, rounds_file

COLUMNS = (
    Column("round", "Round", ",.0f"),
    Column("variant", "Variant"),
    Column("added", "Seeds added", ",.0f"),
    Column("seeds", "Which"),
    Column("hours", "Hours", ",.2f"),
    Column("questions", "To settle"),
)
GENERAL_KINDS = {"top": "pair", "ablations": "arm", "claims": "claim"}
"""{question of the configuration: how the kind of a question of `power` begins}"""


@dataclass(frozen=True)
class Decision:
    """The next round, or None, and why, in one line."""

    next: Round | None
    why: str


def settle(
    spec: Mapping[str, Any],
    claims: Mapping[str, Any],
    root: Path,
    hours: Mapping[str, float],
    unit: str,
) -> tuple[bool, str]:
    """Judge what is open and record the next round of seeds; return whether there is one, and the same in a few lines.

    Writes `{root}/settle/rounds.json`, which the study is made from, and the table rounds.csv, .md and .tex beside it.

    Args:
        spec: settle.json, with the budget, the rounds so far and the seeds of all runs.
        claims: the spec of the claims.
        root: of the study.
        hours: {run: hours of one more seed}, in `unit`.
        unit: "GPU-hours" or "core-hours".
    """
    config = SettleConfig.model_validate(spec["settle"])
    growth = Growth.model_validate(spec["growth"])
    tables = read_tables(root, claims["ablations"])
    parsed = [ClaimConfig.model_validate(each) for each in claims["claims"]]
    asked = chosen(questions(tables, parsed), config.questions)
    decision = decide(asked, config, growth, spec["runs"], hours, unit)
    if decision.next is not None:
        growth = Growth(looks=growth.looks, rounds=(*growth.rounds, decision.next))
        text = json.dumps(growth.model_dump(mode="json"), indent=1, ensure_ascii=False)
        write_text(rounds_file(root), text + "\n")
    table = rounds_table(growth, hours)
    caption = (
        f"Seeds that were added to settle what was open, in up to {config.rounds} rounds, and their {unit} (of "
        f"{config.gpu_hours:g} that they may take) at what runs of that variant took on average."
    )
    write_table(table, COLUMNS, root / "settle" / "rounds.csv", caption)
    return decision.next is not None, decision.why


def chosen(found: Sequence[Question], wanted: Sequence[str]) -> list[Question]:
    """Return those of the open questions that the configuration wants settled."""
    kinds = tuple(kind for name, kind in GENERAL_KINDS.items() if name in wanted)
    return [each for each in found if each.kind.startswith(kinds) or each.topic in wanted]


def decide(
    asked: Sequence[Question],
    config: SettleConfig,
    growth: Growth,
    runs: Mapping[str, Sequence[int]],
    hours: Mapping[str, float],
    unit: str,
) -> Decision:
    """Return which seeds the next round adds.

    The share of a round is what is left of the budget over the rounds that are left. Where the cheapest question costs
    more, the round takes the share of the ones after it as well.

    Args:
        asked: what is open.
        config: the budget and the number of rounds.
        growth: the rounds so far.
        runs: {variant that is trained: its seeds}.
        hours: {variant: hours of one more seed}.
        unit: of the hours, for the words.
    """
    spent = sum(hours.get(name, 0.0) * len(seeds) for name, seeds in growth.seeds().items())
    left = config.gpu_hours - spent
    spare = growth.looks - 1 - len(growth.rounds)
    done = f"{len(growth.rounds)} of {growth.looks - 1} rounds, {spent:.3g} of {config.gpu_hours:g} {unit}"
    if not asked:
        return Decision(None, f"Settled: nothing that was asked is open any more ({done}).")
    table = in_order(asked, hours, math.nan)
    payable = table[table["order"].notna()]
    if payable.empty:
        why = "; ".join(sorted(set(table["why"])))
        return Decision(
            None, f"Nothing to add: {len(asked)} open, of which all need {why} ({done})."
        )
    if spare <= 0:
        return Decision(None, f"All rounds are done: {len(asked)} still open ({done}).")
    least = float(payable["total_hours"].iloc[0])
    share = next((left / over for over in range(spare, 0, -1) if left / over >= least), None)
    if share is None:
        return Decision(
            None,
            f"The budget is spent: {len(asked)} still open, and the cheapest needs {least:.3g} {unit} more ({done}).",
        )
    bought = payable[payable["total_hours"] <= share]
    more: dict[str, int] = {}
    for row in bought.to_dict("records"):
        for run in row["runs"].split():
            more[run] = max(int(row["more_seeds"]), more.get(run, 0))
    added = {run: unused(runs[run], count) for run, count in more.items()}
    new = Round(added=added, questions=tuple(bought["question"]))
    count, cost = sum(more.values()), float(bought["total_hours"].iloc[-1])
    return Decision(
        new,
        f"Round {len(growth.rounds) + 1} of {growth.looks - 1}: {count} more runs, about {cost:.3g} {unit}, for "
        f"{len(bought)} of {len(asked)} open questions: {', '.join(f'{run} +{n}' for run, n in more.items())}.",
    )


def unused(seeds: Sequence[int], count: int) -> tuple[int, ...]:
    """Return the `count` smallest seeds that are not among `seeds`."""
    free = (seed for seed in range(len(seeds) + count) if seed not in set(seeds))
    return tuple(next(free) for _ in range(count))


def rounds_table(growth: Growth, hours: Mapping[str, float]) -> pd.DataFrame:
    """Return one row per round and variant; `hours` are those of one seed."""
    rows = [
        {
            "round": number,
            "variant": variant,
            "added": len(seeds),
            "seeds": " ".join(map(str, seeds)),
            "hours": hours.get(variant, math.nan) * len(seeds),
            "questions": "; ".join(each.questions),
        }
        for number, each in enumerate(growth.rounds, 1)
        for variant, seeds in each.added.items()
    ]
    return pd.DataFrame(rows, columns=[column.name for column in COLUMNS])
