"""Verdicts: what the differences of one question say, in one word each, and what follows from all of them.

There is one decision for each question (all pairs of a comparison; the arms of an ablation against its
baseline). Tables write it down, and everything else reads it there: ranks, letters and the leading group are
counted from the pairs that differ, so nothing can contradict them. Which differ is transitive
(`bakeoff.analysis.statistics`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd

from bakeoff.analysis.statistics import ALPHA, Indices, Means, contrasts

Verdict = Literal["better", "worse", "equivalent", "cannot tell", "one seed", "same network"]
Group = Literal["leading", "behind", "one seed"]

JUDGED = (
    *("delta", "ci_low", "ci_high", "df", "p_value", "p_adjusted", "verdict", "margin"),
    *("equivalent_within", "detectable", "errors_change_pct", "more_seeds", "error", "image_error"),
)
"""The columns of `judge`."""


def judge(means: Means, a: Indices, b: Indices, margin: float, looks: int = 1) -> pd.DataFrame:
    """Return the differences mean[a] - mean[b] with a verdict on `a` each, as the answers to one question.

    Columns (`JUDGED`): `delta` with its simultaneous interval `ci_low` to `ci_high` (points), `p_adjusted` for the
    number of differences, `verdict`, the `margin` of equivalence and the smallest one that could be shown,
    `equivalent_within`, the smallest `detectable` difference (points), the relative change of the errors from `b` to
    `a` in percent, where the verdict is open, how many `more_seeds` on each side would settle it, and the standard
    `error` with the part of it, `image_error`, that no number of seeds takes away (points).
    """
    found = contrasts(means, a, b, margin, looks=looks)
    verdicts = [
        verdict(*cells, margin)
        for cells in zip(found.delta, found.p_adjusted, found.shown_within, strict=True)
    ]
    errors = 100 - 100 * means.mean[b]
    return pd.DataFrame(
        {
            "delta": found.delta,
            "ci_low": found.low,
            "ci_high": found.high,
            "df": found.df,
            "p_value": found.p_value,
            "p_adjusted": found.p_adjusted,
            "verdict": verdicts,
            "margin": margin,
            "equivalent_within": found.shown_within,
            "detectable": found.detectable,
            "errors_change_pct": np.divide(
                -100 * found.delta, errors, out=np.full(len(a), np.nan), where=errors > 0
            ),
            "more_seeds": np.where(
                [word == "cannot tell" for word in verdicts], found.more_seeds, np.nan
            ),
            "error": found.error,
            "image_error": found.image_error,
        },
        columns=JUDGED,
    )


def verdict(delta: float, p_adjusted: float, shown_within: float, margin: float) -> Verdict:
    """Return the word for one difference. One that is there is told, even if it is small."""
    if np.isnan(p_adjusted):
        return "one seed"
    if p_adjusted < ALPHA:
        return "better" if delta > 0 else "worse"
    return "equivalent" if shown_within <= margin else "cannot tell"


def worse_than(pairs: pd.DataFrame, a: str, b: str, names: Iterable[str]) -> dict[str, set[str]]:
    """Return for each of `names` those that are shown to be better, from a table of `judge` with names in `a`, `b`."""
    better: dict[str, set[str]] = {name: set() for name in names}
    for row in pairs.itertuples(index=False):
        first, second = getattr(row, a), getattr(row, b)
        if row.verdict == "better":
            better[second].add(first)
        elif row.verdict == "worse":
            better[first].add(second)
    return better


def standing(better: Mapping[str, set[str]], judged: Sequence[str]) -> pd.DataFrame:
    """Return the standing of each network of `judged` (those with several seeds), given which are better than it.

    Columns: `group`: whether none is shown to be better ("leading"); `rank_low`, `rank_high`: the ranks that the pairs
    leave open, for all networks at once (Mohamad, Goeman and van Zwet 2020, "Simultaneous confidence intervals for
    ranks"); `letters`: networks that share one are not told apart.
    """
    worse = {name: sum(name in others for others in better.values()) for name in judged}
    shown = letters(judged, {(x, y) for y in judged for x in better[y]})
    return pd.DataFrame(
        {
            "group": ["behind" if better[name] else "leading" for name in judged],
            "rank_low": [1 + len(better[name]) for name in judged],
            "rank_high": [len(judged) - worse[name] for name in judged],
            "letters": [shown[name] for name in judged],
        },
        index=list(judged),
    )


def letters(names: Sequence[str], differ: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return letters such that two of `names` share one exactly if they do not differ.

    Insert and absorb: Piepho 2004, "An algorithm for a letter-based representation of all-pairwise comparisons".
    The first letter is that of the first name.
    """
    groups = [set(names)]
    different = {frozenset(pair) for pair in differ}
    for pair in (frozenset(pair) for pair in combinations(names, 2)):
        if pair not in different:
            continue
        split: list[set[str]] = []
        for group in groups:
            split += [group - {name} for name in pair] if pair <= group else [group]
        groups = [
            group
            for i, group in enumerate(split)
            if not any(group < other or (group == other and j < i) for j, other in enumerate(split))
        ]
    order = {name: i for i, name in enumerate(names)}
    groups.sort(key=lambda group: sorted(order[name] for name in group))
    shown = dict.fromkeys(names, "")
    for letter, group in zip(_alphabet(), groups, strict=False):
        for name in group:
            shown[name] += letter
    return shown


def _alphabet() -> Iterable[str]:
    """Yield a to z, then a' to z', and so on."""
    marks = ""
    while True:
        yield from (chr(code) + marks for code in range(ord("a"), ord("z") + 1))
        marks += "'"
