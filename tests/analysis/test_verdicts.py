"""What follows from the pairs that differ: letters, ranks, groups."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from bakeoff.analysis.verdicts import letters, standing, verdict, worse_than


@pytest.mark.parametrize(
    ("delta", "p", "within", "word"),
    [
        (0.4, 0.04, 0.6, "better"),  # it is there, however small
        (-3.0, 0.001, 4.0, "worse"),
        (0.4, 0.05, 0.99, "equivalent"),
        (0.4, 0.3, 1.01, "cannot tell"),
        (30.0, np.nan, np.nan, "one seed"),
    ],
)
def test_one_word_for_each_difference(delta: float, p: float, within: float, word: str) -> None:
    assert verdict(delta, p, within, margin=1.0) == word


@pytest.mark.parametrize("seed", range(20))
def test_two_share_a_letter_exactly_if_they_are_not_told_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [f"n{i}" for i in range(int(rng.integers(1, 12)))]
    differ = {pair for pair in combinations(names, 2) if rng.random() < 0.4}
    shown = letters(names, differ)
    for pair in combinations(names, 2):
        assert bool(set(shown[pair[0]]) & set(shown[pair[1]])) == (pair not in differ)
    assert all(shown.values())
    assert shown[names[0]].startswith("a")


def test_standing_counts_who_is_better_and_who_is_worse() -> None:
    pairs = pd.DataFrame(
        [
            ("x", "y", "cannot tell"),
            ("x", "z", "better"),
            ("y", "z", "cannot tell"),
            ("x", "w", "one seed"),
        ],
        columns=["a", "b", "verdict"],
    )
    better = worse_than(pairs, "a", "b", ["x", "y", "z", "w"])
    found = standing(better, ["x", "y", "z"])
    assert list(found["group"]) == ["leading", "leading", "behind"]
    assert list(zip(found["rank_low"], found["rank_high"], strict=True)) == [(1, 2), (1, 3), (2, 3)]
    assert list(found["letters"]) == ["a", "ab", "b"]
