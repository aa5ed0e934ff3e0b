"""Stratified choices that a seed fixes."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from bakeoff.data.dataset import Labels


class Purpose(IntEnum):
    """What a choice is for, so that choices with one seed are independent of each other."""

    VALIDATION = 0
    LIMIT_TRAIN = 1
    LIMIT_TEST = 2
    TEST = 3


def stratified_sample(labels: Labels, size: int, seed: int, purpose: Purpose) -> Labels:
    """Return `size` sorted indices into `labels` (int64, N) with each class in proportion.

    A class with n of the N images gets size * n / N of the places, rounded down or up. A smaller
    sample with the same seed is a subset of a larger one.
    """
    rng = np.random.default_rng([seed, int(purpose)])
    order = rng.permutation(len(labels))
    shuffled = labels[order]
    # Systematic sampling: the j-th image of a class of n comes at (j + 1/2) / n; the first `size`
    # by that position hold every class in proportion. The shuffle breaks ties between classes.
    by_class = np.argsort(shuffled, kind="stable")
    counts = np.bincount(labels)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(labels))
    rank[by_class] = np.arange(len(labels)) - starts[shuffled[by_class]]
    position = (rank + 0.5) / counts[shuffled]
    chosen = order[np.argsort(position, kind="stable")[:size]]
    return np.sort(chosen).astype(np.int64)
