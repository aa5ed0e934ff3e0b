"""How certain accuracies and their differences are, for networks of several seeds on the same images.

The design is crossed: each of S trainings of a network answers each of N test images, and both are
samples, of the trainings that could have been and of the images that could have been asked. With y
the S x N answers (1 correct, 0 wrong) the variance of their mean is

    image variance / N + seed variance / S + interaction variance / (S N)

(two-way random effects: Searle, Casella and McCulloch 1992, "Variance Components", ch. 4). Images
are the same for all networks, so their part is a covariance matrix, and a difference of networks
keeps only what the images do to the one and not to the other. Seeds are independent between
networks.

Two or three seeds say little about how much seeds matter. Networks therefore share what they know
(Smyth 2004): the seed variance of each is the larger of its own and the one pooled over all that
are analysed together, with the degrees of freedom of the pooled one. `benchmarks/inference.py` has
the simulation by which this was chosen, `docs/statistics.md` its figures.

Balanced accuracy is the mean of the accuracies of the classes (Brodersen et al. 2010, "The balanced
accuracy and its posterior distribution"), so each class is a stratum of the sample of images and
counts 1/K (stratified sampling: Cochran 1977, "Sampling Techniques", ch. 5). All formulas are those
of strata; top-1 has one stratum with all images.

Intervals of differences hold for all differences of one question at once: the quantile is that of
the largest |t| among them (Hothorn, Bretz and Westfall 2008, "Simultaneous inference in general
parametric models"), found by drawing from their joint distribution. So an adjusted p-value is below
0.05 exactly where the interval leaves out zero. And where a is better than b and b better than c, a
is better than c: standard errors that come from one covariance matrix keep the triangle inequality,
and all intervals have one quantile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

LEVEL = 0.95
ALPHA = 0.05
POWER = 0.8
DRAWS = 20_000  # of the joint distribution: the standard error of a p-value of 0.05 is 0.0015
GROUPS = 100  # of images, in a jackknife
CHUNK = 1_000  # draws held at once
MOST_SEEDS = 1_000
TWO_SEEDS_COVER = 0.936  # of 95 % intervals in the worst regime of `benchmarks/inference.py`

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one network: `correct` (bool, S x N), row i from the run of seeds[i]."""

    seeds: tuple[int, ...]
    correct: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Means:
    """The mean accuracies of K networks on the same N images, and what their variance is made of.

    All are shares of 1. `images` is the number of images, in strata the effective one: so many images
    of equal weight have as much chance in them. `of_images` (K x K) is the covariance that the choice of
    images gives to the means, with the part of the interactions, and `image_df` its degrees of freedom;
    `of_runs` (K) is the variance of single runs over seeds as observed (NaN for one seed),
    `interaction` (K) the part of it that images cause; `of_seeds` (K) is the seed variance that is
    used, `df` the degrees of freedom of the pooled one.
    """

    images: float
    image_df: float
    seeds: NDArray[np.int64]
    mean: Floats
    of_images: Floats
    of_runs: Floats
    interaction: Floats
    of_seeds: Floats
    df: int


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Differences of two means each, as one question: arrays over M differences, in points.

    `low` and `high` hold for all differences at once, and `p_adjusted` is below `ALPHA` where they leave out
    zero. `shown_within` is the smallest margin within which the two one-sided tests show equivalence, for all
    at once; `detectable` the smallest true difference that such a design finds with probability `POWER`;
    `more_seeds` how many seeds more on each side would with that probability show the difference that was
    measured, or equivalence within the margin, NaN where `MOST_SEEDS` would not. `error` is the standard error, and
    `image_error` the part of it that no number of seeds takes away. All but `delta` are NaN where one side has one
    seed.
    """

    delta: Floats
    low: Floats
    high: Floats
    df: Floats
    p_value: Floats
    p_adjusted: Floats
    shown_within: Floats
    detectable: Floats
    more_seeds: Floats
    error: Floats
    image_error: Floats


@dataclass(frozen=True, eq=False)
class _Strata:
    """Parts of the images, each of which counts the same: `of` (N) is that of each image, `size` (K) its images."""

    of: NDArray[np.int64]
    size: NDArray[np.int64]

    def means(self, values: NDArray[Any]) -> Floats:
        """Return the mean in each stratum of `values`, N: K."""
        return np.bincount(self.of, values, len(self.size)) / self.size

    def variance_of_mean(self, squares: Floats) -> float:
        """Return the variance of the mean over strata, from the sums of squares within each, K or more.

        A stratum of one image has none within: it is taken to vary as the others do on average.
        """
        several = self.size > 1
        if not several.any():
            return float("nan")
        within = np.zeros(len(self.size))
        within[several] = squares[several] / (self.size[several] - 1)
        within[~several] = within[several].mean()
        return float((within / self.size).sum()) / len(self.size) ** 2

    def covariance_of_means(self, centred: NDArray[np.float32]) -> Floats:
        """Return the covariance of the means over strata of M rows, given what is left within strata, M x N: M x M."""
        several = self.size > 1
        per_image = np.zeros(len(self.size))
        alone = (~several).sum() / several.sum()
        per_image[several] = 1 / self.size[several] + alone
        per_image[several] /= self.size[several] - 1
        weights = (per_image[self.of] / len(self.size) ** 2).astype(np.float32)
        return ((centred * weights) @ centred.T).astype(float)


def _strata(classes: NDArray[np.int64] | None, images: int) -> _Strata:
    """Return the strata of `classes` (N); one of all images where there are none, or no class has two images."""
    if classes is not None:
        _, of, size = np.unique(classes, return_inverse=True, return_counts=True)
        if size.max() > 1:
            return _Strata(of, size)
    return _Strata(np.zeros(images, dtype=np.int64), np.array([images]))


def summarise(answers: Sequence[Answers], classes: NDArray[np.int64] | None = None) -> Means:
    """Return the means of networks that were tested on the same images.

    With `classes` (N), the class of each image, they are balanced accuracies: each class counts the same.

    Raises:
        ValueError: the networks have different numbers of images.
    """
    images = answers[0].correct.shape[1]
    for each in answers:
        if each.correct.shape[1] != images:
            raise ValueError(f"{images} and {each.correct.shape[1]} test images do not pair")
    strata = _strata(classes, images)
    count, size = len(strata.size), strata.size
    seeds = np.array([len(each.correct) for each in answers])
    per_image = np.stack([each.correct.mean(axis=0, dtype=np.float32) for each in answers])
    per_run = [np.stack([strata.means(run) for run in each.correct]) for each in answers]
    per_stratum = np.stack([runs.mean(axis=0) for runs in per_run])
    centred = per_image - per_stratum.astype(np.float32)[:, strata.of]
    covariance = strata.covariance_of_means(centred)
    of_runs, interaction = np.full((2, len(answers)), np.nan)
    for k in np.flatnonzero(seeds > 1):
        of_runs[k] = per_run[k].mean(axis=1).var(ddof=1)
        # Each answer is 0 or 1, so the sum of squares of the cells is their number times the mean.
        share = per_stratum[k]
        rest = seeds[k] * size * (share - share**2)
        rest -= size * ((per_run[k] - share) ** 2).sum(axis=0)
        rest -= seeds[k] * np.bincount(strata.of, centred[k].astype(float) ** 2, count)
        interaction[k] = strata.variance_of_mean(np.maximum(0, rest) / (seeds[k] - 1))
    # As if one image more had fallen out otherwise: no certainty where all answers agree.
    of_weights = float((1 / size).sum()) / count**2
    covariance += np.eye(len(answers)) * of_weights / images / 2
    several = size > 1
    parts = 1 / size[several]
    return Means(
        1 / of_weights,
        float(parts.sum() ** 2 / (parts**2 / (size[several] - 1)).sum()),
        seeds,
        per_stratum.mean(axis=1),
        covariance,
        of_runs,
        interaction,
        *_shared(seeds, of_runs - interaction),
    )


def groups(images: int) -> NDArray[np.int64]:
    """Return the group of each of N images for a jackknife, N: at most `GROUPS` of equal size, drawn at random."""
    order = np.random.default_rng(0).permutation(images)
    return np.asarray(order % min(GROUPS, images), dtype=np.int64)


def jackknifed(values: Sequence[Floats], without: Sequence[Floats], images: int) -> Means:
    """Return the means over seeds of a score that is no mean over images, of K networks.

    The variance that images give is that of the jackknife. That of the mean over seeds has a part of the interactions,
    1/S of what that of a single run has, so the two tell it. From there on all is as with accuracies; covariances
    between networks are left out, so the result is for intervals of single networks.

    Args:
        values: of each run, S per network, as shares of 1.
        without: the same without one group of images each, S x G per network.
        images: how many there are.
    """
    seeds = np.array([len(each) for each in values])
    several = seeds > 1
    of_mean = np.array([float(_jackknife(each.mean(axis=0))) for each in without])
    of_run = np.array([float(_jackknife(each).mean()) for each in without])
    factor = np.divide(seeds, seeds - 1, out=np.full(len(seeds), np.nan), where=several)
    interaction = np.maximum(0, of_run - of_mean) * factor
    of_runs = np.array([each.var(ddof=1) if len(each) > 1 else np.nan for each in values])
    return Means(
        images,
        without[0].shape[1] - 1,
        seeds,
        np.array([each.mean() for each in values]),
        np.diag(of_mean),
        of_runs,
        interaction,
        *_shared(seeds, of_runs - interaction),
    )


def _jackknife(without: Floats) -> Floats:
    """Return the variance of a score, given it without each of G groups: ... x G to ... ."""
    count = without.shape[-1]
    return np.asarray((count - 1) * without.var(axis=-1))


def _shared(seeds: NDArray[np.int64], own: Floats) -> tuple[Floats, int]:
    """Return the seed variances that are used and the degrees of freedom of the pooled one."""
    several = seeds > 1
    df = int((seeds[several] - 1).sum())
    if not df:
        return np.full(len(seeds), np.nan), 0
    pooled = max(0.0, float(((seeds - 1) * own)[several].sum()) / df)
    return np.where(several, np.fmax(own, pooled), pooled), df


@dataclass(frozen=True, eq=False)
class Intervals:
    """One 95 % interval for each of K means, in percent, each for itself; `sd` is over seeds.

    `error` is the standard error, NaN for one seed, and `image_error` the part of it that no number of seeds takes
    away.
    """

    mean: Floats
    sd: Floats
    low: Floats
    high: Floats
    error: Floats
    image_error: Floats


def intervals(means: Means, level: float = LEVEL) -> Intervals:
    """Return the accuracies in percent with an interval each, not adjusted for their number.

    With one seed the interval (Wilson 1927) holds the test images only: it is a statement about
    this trained network, not about what the architecture reaches when trained again.
    """
    single = np.arange(len(means.mean))
    variance, df = _variance(means, single, None)
    half = stats.t.isf((1 - level) / 2, df) * np.sqrt(variance)
    low, high = np.clip([means.mean - half, means.mean + half], 0, 1)
    hits = means.mean * means.images
    wilson = np.array(proportion_confint(hits, means.images, alpha=1 - level, method="wilson"))
    low, high = np.where(means.seeds > 1, [low, high], wilson)
    error = np.where(means.seeds > 1, np.sqrt(variance), np.nan)
    image_error = np.sqrt(_of_images_alone(means, single, None))
    return Intervals(
        100 * means.mean,
        *(100 * np.sqrt(means.of_runs), 100 * low, 100 * high),
        *(100 * error, 100 * image_error),
    )


def contrasts(
    means: Means,
    a: Indices,
    b: Indices,
    margin: float = np.nan,
    draws: int = DRAWS,
    looks: int = 1,
) -> Contrasts:
    """Return the differences mean[a] - mean[b], M of them, as the answers to one question.

    Differences of which one side has a single seed are not tested and widen no other's interval. `margin` in
    points is the one within which networks count as equivalent. Of a study that is judged at several `looks` the level
    is divided over them (Bonferroni), so that what is said at any of them holds for all.
    """
    delta = means.mean[a] - means.mean[b]
    tested = (means.seeds[a] > 1) & (means.seeds[b] > 1)
    columns = np.full((10, len(a)), np.nan)
    if tested.any():
        columns[:, tested] = _tested(means, (a[tested], b[tested]), margin / 100, looks, draws)
    scales = np.array([100, 100, 1, 1, 1, 100, 100, 1, 100, 100])
    return Contrasts(100 * delta, *(columns * scales[:, None]))


def _tested(
    means: Means, pair: tuple[Indices, Indices], margin: float, looks: int, draws: int
) -> Floats:
    a, b = pair
    delta = means.mean[a] - means.mean[b]
    variance, df = _variance(means, a, b)
    error = np.sqrt(variance)
    t = np.abs(delta) / error
    largest = largest_t(means, a, b, draws)
    # Two one-sided tests at 5 % each are an interval of 90 %; at one of several looks, of that much more.
    alpha = ALPHA / looks
    wide, narrow = np.quantile(largest, [1 - alpha, 1 - 2 * alpha], method="higher")
    low, high = np.clip([delta - wide * error, delta + wide * error], -1, 1)
    above = len(largest) - np.searchsorted(largest, t, side="left")
    return np.stack(
        [
            low,
            high,
            df,
            2 * stats.t.sf(t, df),
            np.minimum(1, looks * (1 + above) / (1 + len(largest))),
            np.abs(delta) + narrow * error,
            (wide + stats.t.ppf(POWER, df)) * error,
            _more_seeds(means, pair, (float(wide), float(narrow)), margin),
            error,
            np.sqrt(_of_images_alone(means, a, b)),
        ]
    )


def _of_images_alone(means: Means, a: Indices, b: Indices | None) -> Floats:
    """Return the variances of mean[a], or of mean[a] - mean[b], that are left with any number of seeds."""
    interaction = means.interaction / means.seeds
    of_runs = interaction[a] if b is None else interaction[a] + interaction[b]
    return np.maximum(0, _of_images(means, a, b) - np.nan_to_num(of_runs))


def _more_seeds(
    means: Means, pair: tuple[Indices, Indices], quantiles: tuple[float, float], margin: float
) -> Floats:
    """Return the seeds per side that are still to be added, on a grid that widens from 20 on."""
    grid = np.unique(np.round(np.r_[1:20, np.geomspace(20, MOST_SEEDS, 60)]))[:, None]
    delta = np.abs(means.mean[pair[0]] - means.mean[pair[1]])
    df = _variance(means, *pair)[1]
    runs = means.of_seeds + means.interaction
    images = _of_images(means, *pair)
    of_runs = np.zeros((len(grid), len(delta)))
    for side in pair:
        images = images - means.interaction[side] / means.seeds[side]
        of_runs += runs[side] / (means.seeds[side] + grid)
    total = np.maximum(0, images) + of_runs
    more_df = total**2 / (images**2 / means.image_df + of_runs**2 / (means.df + 2 * grid))
    # The quantile of the largest |t| falls as that of a single t of the same probability does.
    wide, narrow = (stats.t.isf(stats.t.sf(q, df), more_df) for q in quantiles)
    power = stats.t.ppf(POWER, more_df)
    enough = (wide + power) * np.sqrt(total) <= delta
    enough |= delta + (narrow + power) * np.sqrt(total) <= margin
    first = grid[np.argmax(enough, axis=0), 0]
    return np.where(enough.any(axis=0), first, np.nan)


def uneven(means: Means, level: float = ALPHA) -> NDArray[np.bool_]:
    """Return whether the seeds of a network vary more than those of the others, by an F test.

    The most variable network is held against the pooled others, at `level` over the number of networks; while it
    is found, it leaves and the next is looked at, up to half of them.
    """
    found = np.zeros(len(means.mean), bool)
    rest = means.seeds > 1
    several = int(rest.sum())
    while rest.sum() > max(2, several - several // 2):
        k = int(np.nanargmax(np.where(rest, means.of_runs, -1)))
        others = rest.copy()
        others[k] = False
        df = means.seeds[others] - 1
        pooled = float((df * means.of_runs[others]).sum()) / int(df.sum())
        if pooled <= 0:
            break
        ratio = means.of_runs[k] / pooled
        if stats.f.sf(ratio, means.seeds[k] - 1, int(df.sum())) >= level / int(rest.sum()):
            break
        found[k], rest = True, others
    return found


def largest_t(means: Means, a: Indices, b: Indices, draws: int) -> Floats:
    """Return `draws` of the largest |t| among the differences if there were none, sorted.

    Means are drawn from their joint normal distribution, and the pooled variance of runs and the scale of the
    variances over images from their chi-squared distributions, which all differences share.
    """
    generator = np.random.default_rng(0)
    several = means.seeds > 1
    root = np.linalg.cholesky(
        means.of_images + np.diag(np.where(several, means.of_seeds, 0) / means.seeds)
    )
    images = _of_images(means, a, b)
    interaction = np.where(several, means.interaction, 0)
    runs = np.where(several, means.of_seeds, 0) + interaction
    largest = []
    for start in range(0, draws, CHUNK):
        count = min(CHUNK, draws - start)
        z = generator.standard_normal((count, len(root))) @ root.T
        scale = generator.chisquare(means.df, (count, 1)) / means.df
        seeds = np.maximum(0, scale * runs - interaction) / means.seeds
        of_images = images * generator.chisquare(means.image_df, (count, 1)) / means.image_df
        squares = (z[:, a] - z[:, b]) ** 2 / (of_images + seeds[:, a] + seeds[:, b])
        largest.append(np.sqrt(squares.max(axis=1)))
    return np.sort(np.concatenate(largest))


def front_shares(means: Means, cost: Floats, draws: int = DRAWS) -> Floats:
    """Return how probable it is that each of K networks is on the front of accuracy over `cost` (K), 0 to 1.

    A network is on it where none of the same cost or less is more accurate. Accuracies are drawn from their joint
    distribution around what was measured, with the pooled variance of runs from its scaled chi-squared distribution.
    Costs are taken as they are. NaN where a network has one seed or no cost; such networks exclude no other.
    """
    generator = np.random.default_rng(0)
    known = (means.seeds > 1) & np.isfinite(cost)
    shares = np.full(len(cost), np.nan)
    if not known.any():
        return shares
    count, price = int(known.sum()), cost[known]
    seeds = (means.of_seeds / means.seeds)[known]
    root = np.linalg.cholesky(means.of_images[np.ix_(known, known)])
    images = generator.standard_normal((draws, count)) @ root.T
    images *= np.sqrt(means.image_df / generator.chisquare(means.image_df, (draws, 1)))
    scale = means.df / generator.chisquare(means.df, (draws, 1))
    drawn = images + generator.standard_normal((draws, count)) * np.sqrt(scale * seeds)
    drawn += means.mean[known]
    rivals = (price[None, :] <= price[:, None]) & ~np.eye(count, dtype=bool)
    best = np.stack([drawn[:, mask].max(axis=1, initial=-np.inf) for mask in rivals], axis=1)
    shares[known] = (drawn >= best).mean(axis=0)
    return shares


def _of_images(means: Means, a: Indices, b: Indices | None) -> Floats:
    c = means.of_images
    return c[a, a] if b is None else c[a, a] + c[b, b] - 2 * c[a, b]


def _variance(means: Means, a: Indices, b: Indices | None) -> tuple[Floats, Floats]:
    """Return the variances of mean[a], or of mean[a] - mean[b], and their degrees of freedom.

    The latter follow Satterthwaite (1946): what is estimated are the variance over images and the
    pooled variance over runs, of which the interaction is taken off again.
    """
    images = _of_images(means, a, b)
    seeds, interaction = means.of_seeds / means.seeds, means.interaction / means.seeds
    of_seeds = seeds[a] if b is None else seeds[a] + seeds[b]
    of_runs = of_seeds + (interaction[a] if b is None else interaction[a] + interaction[b])
    total = images + of_seeds
    spread = images**2 / means.image_df + of_runs**2 / max(1, means.df)
    return total, total**2 / spread
