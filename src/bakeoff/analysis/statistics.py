"""Estimates and tests for networks trained with several seeds and tested on the same images.

The design is crossed: each of S trained networks answers each of N test images. Both are samples,
of the trainings that could have been and of the images that could have been asked, so an interval
for "this architecture on such images" has to count both. With y the S x N matrix of answers
(1 correct, 0 wrong) the two-way random-effects analysis of variance gives

    Var(mean of y) = (MS_seed + MS_image - MS_interaction) / (S N)

because E MS_seed = N var_seed + var_inter, E MS_image = S var_image + var_inter and
E MS_interaction = var_inter (Searle, Casella and McCulloch 1992, "Variance Components", ch. 4). The
interaction is in both mean squares but in the variance of the mean only once. Degrees of freedom of
the sum follow Satterthwaite (1946). The estimate is never allowed below what seeds alone, or images
alone, would give: with two or three seeds the difference MS_seed - MS_interaction is often negative
by chance.

All figures are in percent, or percentage points for differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

LEVEL = 0.95
ALPHA = 0.05
REPLICATES = 2000
MEMORY_CHUNK = 200  # bootstrap replicates held at once: N x 200 float32 is 8 MB at 10,000 images


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one architecture: `correct` (bool, S x N), row i from the run of seeds[i]."""

    seeds: tuple[int, ...]
    correct: NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A top-1 accuracy in percent with its interval; `sd` over seeds is NaN for one seed."""

    mean: float
    sd: float
    low: float
    high: float
    df: float
    seeds: int


@dataclass(frozen=True)
class Delta:
    """A difference of two accuracies in points with its interval and two-sided p-value.

    `seeds` is the number of seeds of the side that has fewer; below two nothing can be said about
    the architectures, only about the networks that were trained.
    """

    mean: float
    low: float
    high: float
    p_value: float
    df: float
    seeds: int

    @property
    def about_architectures(self) -> bool:
        """Whether both sides have the two seeds that a statement about architectures needs."""
        return self.seeds >= 2


@dataclass(frozen=True)
class _MeanSquares:
    seed: float
    image: float
    interaction: float


def estimate(answers: Answers, level: float = LEVEL) -> Estimate:
    """Return the mean top-1 accuracy with a `level` interval over seeds and test images.

    With one seed the interval (Wilson 1927) holds the test images only: it is a statement about
    this trained network, not about what the architecture reaches when trained again.
    """
    y = answers.correct.astype(float)
    mean, (seeds, images) = float(y.mean()), y.shape
    if seeds == 1:
        low, high = _wilson(mean, images, level)
        return Estimate(100 * mean, np.nan, 100 * low, 100 * high, images - 1, 1)
    variance, df = _crossed_variance(y)
    if variance == 0:  # every network gives the same answer on every image
        low, high = _wilson(mean, images, level)
    else:
        half = _half_width(variance, df, level)
        low, high = max(0.0, mean - half), min(1.0, mean + half)
    sd = 100 * float(y.mean(axis=1).std(ddof=1))
    return Estimate(100 * mean, sd, 100 * low, 100 * high, df, seeds)


def difference(a: Answers, b: Answers, level: float = LEVEL) -> Delta:
    """Return accuracy of `a` minus accuracy of `b`, paired on the test images.

    - Same seeds on both sides: also paired on seeds (a seed gives both the same order of images and
      the same augmentation); the crossed analysis above is made on a - b.
    - Different seeds: seeds are unpaired, images stay paired; all seeds of each side are used, so
      the difference is always that of the two means. Seed variances of the two sides add.
    - One seed on either side: the interval holds the images only, and the p-value is that of the
      exact McNemar test between two trained networks (the first of each side). Dietterich (1998,
      "Approximate statistical tests for comparing supervised classification learning algorithms")
      finds it sound for networks trained once; it says nothing about other trainings.

    Raises ValueError when the two sides have different numbers of images.
    """
    if a.correct.shape[1] != b.correct.shape[1]:
        raise ValueError(f"{a.correct.shape[1]} and {b.correct.shape[1]} test images do not pair")
    ya, yb = a.correct.astype(float), b.correct.astype(float)
    per_image = ya.mean(axis=0) - yb.mean(axis=0)
    mean, images = float(per_image.mean()), len(per_image)
    seeds = min(len(ya), len(yb))
    if seeds < 2:
        variance, df = float(per_image.var(ddof=1)) / images, float(images - 1)
        p_value = mcnemar_p(a.correct[0], b.correct[0])
    else:
        if sorted(a.seeds) == sorted(b.seeds):
            d = ya[np.argsort(a.seeds)] - yb[np.argsort(b.seeds)]
            variance, df = _crossed_variance(d)
        else:
            variance, df = _unpaired_variance(ya, yb, per_image)
        p_value = _two_sided_p(mean, variance, df)
    half = _half_width(variance, df, level)
    return Delta(100 * mean, 100 * (mean - half), 100 * (mean + half), p_value, df, seeds)


def mcnemar_p(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the two-sided p-value of the exact McNemar test for answers `a` and `b`, each N."""
    table = [[np.sum(a & b), np.sum(a & ~b)], [np.sum(~a & b), np.sum(~a & ~b)]]
    return float(mcnemar(table, exact=True).pvalue)


def holm(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Return p-values adjusted by Holm (1979) for the family `p_values`; NaN is not tested."""
    raw = np.asarray(p_values, dtype=float)
    adjusted = np.full(raw.shape, np.nan)
    tested = ~np.isnan(raw)
    if tested.any():
        adjusted[tested] = multipletests(raw[tested], method="holm")[1]
    return adjusted


def widened(low: float, high: float, df: float, comparisons: int) -> tuple[float, float]:
    """Return a symmetric `LEVEL` t-interval widened to hold for `comparisons` at once (Bonferroni).

    This is what makes an interval valid for an arm that was picked for being the best.
    """
    middle, half = (low + high) / 2, (high - low) / 2
    error = (1 - LEVEL) / 2
    half *= float(stats.t.isf(error / comparisons, df) / stats.t.isf(error, df))
    return middle - half, middle + half


def rank_interval(
    architectures: Sequence[Answers],
    replicates: int = REPLICATES,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the lowest and highest rank (1 is best) each architecture has in a bootstrap.

    Each replicate draws the test images anew, the same for all architectures, and for each
    architecture S - 1 of its S seeds: one fewer makes the variance of the bootstrap mean unbiased
    for the small S in use (Rao and Wu 1988, "Resampling inference with complex survey data"). With
    one seed only the images vary. The ranks are the central `level` share over the replicates.

    Raises ValueError when the architectures were not tested on the same number of images.
    """
    images = architectures[0].correct.shape[1]
    if any(answers.correct.shape[1] != images for answers in architectures):
        raise ValueError("architectures can be ranked only on the same test images")
    generator = np.random.default_rng(seed)
    stacked = np.concatenate([answers.correct for answers in architectures]).astype(np.float32)
    ends = np.cumsum([len(answers.correct) for answers in architectures])
    ranks = []
    for start in range(0, replicates, MEMORY_CHUNK):
        count = min(MEMORY_CHUNK, replicates - start)
        weights = generator.multinomial(images, np.full(images, 1 / images), size=count)
        hits = stacked @ weights.T.astype(np.float32)  # networks x replicates
        scores = np.empty((len(architectures), count))
        for index, rows in enumerate(np.split(hits, ends[:-1])):
            draws = max(1, len(rows) - 1)
            chosen = generator.integers(len(rows), size=(draws, count))
            scores[index] = np.take_along_axis(rows, chosen, axis=0).mean(axis=0)
        ranks.append(stats.rankdata(-scores, method="min", axis=0))
    tail = (1 - level) / 2
    every = np.concatenate(ranks, axis=1)
    low = np.quantile(every, tail, axis=1, method="inverted_cdf")
    high = np.quantile(every, 1 - tail, axis=1, method="inverted_cdf")
    return low.astype(np.int64), high.astype(np.int64)


def _half_width(variance: float, df: float, level: float) -> float:
    return float(stats.t.ppf((1 + level) / 2, df) * variance**0.5)


def _wilson(mean: float, images: int, level: float) -> tuple[float, float]:
    low, high = proportion_confint(round(mean * images), images, alpha=1 - level, method="wilson")
    return float(low), float(high)


def _mean_squares(y: NDArray[np.float64]) -> _MeanSquares:
    """Return the mean squares of the two-way layout `y` (S x N, one value per cell, S >= 2)."""
    seeds, images = y.shape
    of_seed = y.mean(axis=1, keepdims=True)
    of_image = y.mean(axis=0, keepdims=True)
    mean = y.mean()
    rest = y - of_seed - of_image + mean
    return _MeanSquares(
        seed=images * float(((of_seed - mean) ** 2).sum()) / (seeds - 1),
        image=seeds * float(((of_image - mean) ** 2).sum()) / (images - 1),
        interaction=float((rest**2).sum()) / ((seeds - 1) * (images - 1)),
    )


def _crossed_variance(y: NDArray[np.float64]) -> tuple[float, float]:
    """Return the variance of the mean of `y` (S x N) and its degrees of freedom."""
    seeds, images = y.shape
    ms = _mean_squares(y)
    total = max(ms.seed + ms.image - ms.interaction, ms.seed, ms.image)
    df = _satterthwaite(
        total,
        (ms.seed, seeds - 1),
        (ms.image, images - 1),
        (ms.interaction, (seeds - 1) * (images - 1)),
    )
    return total / (seeds * images), df


def _unpaired_variance(
    ya: NDArray[np.float64], yb: NDArray[np.float64], per_image: NDArray[np.float64]
) -> tuple[float, float]:
    """Return variance and degrees of freedom of mean(ya) - mean(yb), seeds unpaired.

    The spread of the per-image differences holds the images and both interactions; what is missing
    are the two seed variances, (MS_seed - MS_interaction) / (S N) each.
    """
    images = len(per_image)
    of_images = float(per_image.var(ddof=1)) / images
    total, parts = of_images, [(of_images, images - 1)]
    for y in (ya, yb):
        seeds, ms = len(y), _mean_squares(y)
        cells = seeds * images
        total += max(0.0, ms.seed - ms.interaction) / cells
        parts.append((ms.seed / cells, seeds - 1))
        parts.append((ms.interaction / cells, (seeds - 1) * (images - 1)))
    return total, _satterthwaite(total, *parts)


def _satterthwaite(total: float, *parts: tuple[float, int]) -> float:
    """Return the degrees of freedom of a variance `total` made of (mean square, df) `parts`."""
    spread = sum(square**2 / df for square, df in parts)
    return total**2 / spread if spread > 0 else float(parts[-1][1])


def _two_sided_p(mean: float, variance: float, df: float) -> float:
    if variance == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stats.t.sf(abs(mean) / variance**0.5, df))
