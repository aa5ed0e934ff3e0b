"""Variances, simultaneous intervals and what follows from them, against SciPy and statsmodels and by simulation."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.weightstats import ttost_ind

from bakeoff.analysis.statistics import (
    ALPHA,
    DRAWS,
    Answers,
    Contrasts,
    Means,
    contrasts,
    front_shares,
    groups,
    intervals,
    jackknifed,
    largest_t,
    summarise,
    uneven,
)
from tests.support.project import REPOSITORY


def answers(correct: np.ndarray) -> Answers:
    return Answers(tuple(range(len(correct))), correct)


def drawn(seeds: tuple[int, ...], images: int = 300, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=images)
    return [
        0.5 + 0.1 * rng.normal(size=(count, 1)) - shared - rng.normal(size=(count, images)) > 0
        for count in seeds
    ]


def of_seeds_alone(samples: np.ndarray) -> Means:
    """Return means whose images add next to nothing: the classical case, K groups of S (`samples`, K x S)."""
    groups, seeds = samples.shape
    variance = samples.var(axis=1, ddof=1)
    pooled = np.full(groups, variance.mean())
    return Means(
        images=10**9, image_df=10**9 - 1, seeds=np.full(groups, seeds), mean=samples.mean(axis=1),
        of_images=np.eye(groups) * 1e-14, of_runs=variance, interaction=np.zeros(groups),
        of_seeds=pooled, df=groups * (seeds - 1),
    )  # fmt: skip


def all_pairs(means: Means, margin: float = 1.0, draws: int = 20_000) -> Contrasts:
    a, b = np.triu_indices(len(means.mean), 1)
    return contrasts(means, a, b, margin, draws)


# --- variances ------------------------------------------------------------------------------------


def test_variances_are_those_of_the_two_way_analysis() -> None:
    (correct,) = drawn((4,), 60)
    frame = pd.DataFrame(
        {
            "y": correct.ravel().astype(float),
            "s": np.repeat(range(4), 60),
            "i": np.tile(range(60), 4),
        }
    )
    table = sm.stats.anova_lm(ols("y ~ C(s) + C(i)", frame).fit(), typ=2)
    square = table["sum_sq"] / table["df"]
    means = summarise([answers(correct)])
    assert 60 * means.of_runs[0] == pytest.approx(square["C(s)"])
    assert 60 * means.interaction[0] == pytest.approx(square["Residual"])
    of_images = means.of_images[0, 0] - 1 / 60**2 / 2
    assert 4 * 60 * of_images == pytest.approx(square["C(i)"], rel=1e-5)


def test_images_are_paired_and_seeds_are_not() -> None:
    a, b = drawn((3, 5))
    means = summarise([answers(a), answers(b)])
    per_image = a.mean(axis=0) - b.mean(axis=0)
    found = means.of_images[0, 0] + means.of_images[1, 1] - 2 * means.of_images[0, 1]
    assert found == pytest.approx(per_image.var(ddof=1) / 300 + 1 / 300**2, rel=1e-4)
    shuffled = all_pairs(summarise([answers(a[::-1]), answers(b)]))
    assert shuffled.low[0] == pytest.approx(all_pairs(means).low[0])


def test_the_seed_variance_is_the_larger_of_its_own_and_the_pooled_one() -> None:
    calm, wild = np.zeros((3, 100), bool), np.zeros((3, 100), bool)
    calm[:, :50] = True
    for row, hits in zip(wild, (30, 50, 70), strict=True):
        row[:hits] = True
    means = summarise([answers(calm), answers(calm.copy()), answers(wild)])
    own = means.of_runs[2] - means.interaction[2]
    assert means.of_seeds == pytest.approx([own / 3, own / 3, own])
    assert means.df == 6


# --- against the classical tests ------------------------------------------------------------------

SAMPLES = np.random.default_rng(3).normal(0.7, 0.01, (4, 5)) + 0.012 * np.arange(4)[:, None]


def test_all_pairs_are_what_tukeys_test_says() -> None:
    found = all_pairs(of_seeds_alone(SAMPLES))
    tukey = stats.tukey_hsd(*SAMPLES)
    a, b = np.triu_indices(4, 1)
    np.testing.assert_allclose(found.p_adjusted, tukey.pvalue[a, b], atol=0.006)
    bounds = tukey.confidence_interval(0.95)
    np.testing.assert_allclose(found.low, 100 * bounds.low[a, b], atol=0.04)
    np.testing.assert_allclose(found.high, 100 * bounds.high[a, b], atol=0.04)


def test_arms_against_a_baseline_are_what_dunnetts_test_says() -> None:
    found = contrasts(of_seeds_alone(SAMPLES), np.array([1, 2, 3]), np.zeros(3, int))
    dunnett = stats.dunnett(*SAMPLES[1:], control=SAMPLES[0])
    np.testing.assert_allclose(found.p_adjusted, dunnett.pvalue, atol=0.006)


def test_two_networks_are_what_students_test_and_two_one_sided_tests_say() -> None:
    pair = SAMPLES[:2]
    found = all_pairs(of_seeds_alone(pair), draws=50_000)
    assert found.df[0] == pytest.approx(8)
    p = stats.ttest_ind(*pair).pvalue
    assert found.p_value[0] == pytest.approx(p)
    assert found.p_adjusted[0] == pytest.approx(p, abs=0.005)
    within = found.shown_within[0] / 100
    assert ttost_ind(*pair, -within, within)[0] == pytest.approx(0.05, abs=0.003)


def test_the_detectable_difference_and_the_seeds_it_takes_are_those_of_the_power_of_the_test() -> (
    None
):
    for shift in (0.01, 0.006):
        samples = np.random.default_rng(0).normal(size=(2, 6))
        samples = (samples - samples.mean(axis=1, keepdims=True)) / samples.std(
            axis=1, ddof=1, keepdims=True
        )
        pair = 0.7 + 0.01 * samples + [[shift], [0]]
        found = all_pairs(of_seeds_alone(pair))
        power = TTestIndPower()
        assert power.power(found.detectable[0], 6, 0.05) == pytest.approx(0.8, abs=0.015)
        needed = power.solve_power(100 * shift, power=0.8, alpha=0.05) - 6
        assert found.more_seeds[0] == pytest.approx(needed, rel=0.1)


# --- decisions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_an_interval_leaves_out_zero_exactly_where_the_p_value_is_small_and_better_is_transitive(
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    made = [
        each | (rng.random(each.shape) < rng.choice([0, 0.1, 0.2]))
        for each in drawn((2, 3, 3, 5, 10), 900, seed)
    ]
    found = all_pairs(summarise([answers(each) for each in made]), draws=2000)
    outside = (found.low > 0) | (found.high < 0)
    np.testing.assert_array_equal(outside, found.p_adjusted < 0.05)
    better = np.zeros((5, 5), bool)
    better[np.triu_indices(5, 1)] = found.low > 0
    better.T[np.triu_indices(5, 1)] |= found.high < 0
    assert not ((better.astype(int) @ better > 0) & ~better).any()


def test_differences_change_sign_with_the_order_and_images_have_to_agree() -> None:
    means = summarise([answers(each) for each in drawn((3, 4))])
    there, back = (contrasts(means, np.array([i]), np.array([1 - i])) for i in (0, 1))
    assert (there.delta[0], there.low[0]) == pytest.approx((-back.delta[0], -back.high[0]))
    with pytest.raises(ValueError, match="300 and 200"):
        summarise([answers(np.ones((2, 300), bool)), answers(np.ones((2, 200), bool))])


def test_the_front_holds_who_is_beaten_by_none_that_costs_as_little() -> None:
    made = [answers(each) for each in drawn((3, 3, 3), 2000)]
    means = summarise(made)
    # The dearest against two, the middle one against one, the cheapest against none.
    shares = front_shares(means, np.array([3.0, 2.0, 1.0]))
    assert shares[2] == 1
    low, high = norm_share(means, 1, 2), norm_share(means, 0, 1) * norm_share(means, 0, 2)
    assert shares[1] == pytest.approx(low, abs=0.03)
    assert shares[0] >= high - 0.03
    # Of two that cost the same, one is on it.
    equal = front_shares(means, np.array([1.0, 1.0, 9.0]))
    assert equal[0] + equal[1] == pytest.approx(1, abs=1e-9)
    unknown = front_shares(means, np.array([np.nan, 2.0, 1.0]))
    assert np.isnan(unknown[0]) and unknown[1] == pytest.approx(shares[1], abs=0.02)
    single = summarise([*made[:2], answers(drawn((1,), 2000)[0])])
    assert np.isnan(front_shares(single, np.array([3.0, 2.0, 1.0]))[2])


def norm_share(means: Means, a: int, b: int) -> float:
    """Return how probable it is that a is more accurate than b, by a normal distribution."""
    c, seeds = means.of_images, means.of_seeds / means.seeds
    variance = c[a, a] + c[b, b] - 2 * c[a, b] + seeds[a] + seeds[b]
    return float(stats.norm.cdf((means.mean[a] - means.mean[b]) / np.sqrt(variance)))


def test_one_seed_is_not_judged_and_changes_nothing_for_the_others() -> None:
    a, b, c = drawn((3, 3, 1))
    alone = all_pairs(summarise([answers(a), answers(b)]))
    found = all_pairs(summarise([answers(a), answers(b), answers(c)]))
    assert found.low[0] == pytest.approx(alone.low[0], abs=0.05)
    assert np.isnan([found.low[1:], found.p_value[1:], found.more_seeds[1:]]).all()
    assert np.isfinite(found.delta).all()
    alone_again = all_pairs(summarise([answers(c), answers(c)]))
    assert np.isnan(alone_again.p_adjusted).all()


def test_no_spread_is_no_certainty() -> None:
    right, wrong = np.ones((3, 50), bool), np.zeros((3, 50), bool)
    found = all_pairs(summarise([answers(right), answers(wrong), answers(right.copy())]))
    assert (found.delta[0], found.delta[1]) == (100, 0)
    assert found.low[0] < 100 == found.high[0]
    assert found.low[1] < 0 < found.high[1] and found.p_adjusted[1] == 1
    one = intervals(summarise([answers(right)]))
    assert one.low[0] < 99 < one.high[0] == 100


def test_one_seed_gives_the_wilson_interval_of_that_network() -> None:
    correct = np.arange(400) < 100
    found = intervals(summarise([answers(correct[None])]))
    wilson = stats.binomtest(100, 400).proportion_ci(0.95, method="wilson")
    assert (found.low[0], found.high[0]) == pytest.approx((100 * wilson.low, 100 * wilson.high))
    assert np.isnan(found.sd[0])


def test_seeds_that_vary_much_more_than_the_others_are_found() -> None:
    rng = np.random.default_rng(1)
    calm = rng.normal(0.7, 0.003, (10, 3))
    assert not uneven(of_seeds_alone(calm)).any()
    calm[[2, 7]] = [[0.62, 0.7, 0.78], [0.66, 0.72, 0.75]]
    assert list(np.flatnonzero(uneven(of_seeds_alone(calm)))) == [2, 7]


# --- balanced accuracy ----------------------------------------------------------------------------


def strata_by_hand(correct: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the mean over classes and the variance that the choice of images gives to it, class by class."""
    per_image = correct.mean(axis=0)
    classes = [per_image[labels == k] for k in np.unique(labels)]
    within = np.mean([part.var(ddof=1) for part in classes if len(part) > 1])
    variances = [(part.var(ddof=1) if len(part) > 1 else within) / len(part) for part in classes]
    return float(np.mean([part.mean() for part in classes])), sum(variances) / len(classes) ** 2


@pytest.mark.parametrize("sizes", [(150, 100, 50), (250, 48, 2), (200, 99, 1), (100, 100, 100)])
def test_a_balanced_mean_counts_each_class_the_same_and_varies_as_its_strata_do(
    sizes: tuple[int, ...],
) -> None:
    a, b = drawn((4, 3))
    labels = np.random.default_rng(1).permutation(np.repeat([0, 4, 7], sizes))
    means = summarise([answers(a), answers(b)], labels)
    floor = np.mean([1 / size for size in sizes]) / 3 / 300 / 2
    for k, correct in enumerate((a, b)):
        mean, variance = strata_by_hand(correct, labels)
        assert means.mean[k] == pytest.approx(mean)
        assert means.of_images[k, k] == pytest.approx(variance + floor, rel=1e-4)
    # The variance of a difference is that of the differences.
    _, variance = strata_by_hand(a.mean(axis=0)[None] - b.mean(axis=0)[None], labels)
    c = means.of_images
    assert c[0, 0] + c[1, 1] - 2 * c[0, 1] == pytest.approx(variance + 2 * floor, rel=1e-4)
    per_run = [np.mean([run[labels == k].mean() for k in (0, 4, 7)]) for run in a]
    assert means.of_runs[0] == pytest.approx(np.var(per_run, ddof=1))


def test_the_interaction_in_strata_is_what_is_left_in_each() -> None:
    (a,) = drawn((4,))
    labels = np.repeat([0, 1], [240, 60])
    expected = 0.0
    for k, size in ((0, 240), (1, 60)):
        y = a[:, labels == k].astype(float)
        rest = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
        expected += (rest**2).sum() / (3 * (size - 1)) / size / 4
    assert summarise([answers(a)], labels).interaction[0] == pytest.approx(expected, rel=1e-4)


def test_one_class_of_all_images_is_top_1_and_so_are_classes_of_one_image() -> None:
    made = [answers(each) for each in drawn((3, 1))]
    plain = summarise(made)
    for labels in (np.zeros(300, int), np.arange(300)):
        found = summarise(made, labels)
        np.testing.assert_array_equal(found.of_images, plain.of_images)
        np.testing.assert_array_equal(found.mean, plain.mean)
        assert (found.images, found.image_df) == (plain.images, plain.image_df) == (300, 299)


def test_rare_classes_leave_more_open() -> None:
    made = [answers(each) for each in drawn((3, 3))]
    even, uneven_ = (summarise(made, np.repeat([0, 1], sizes)) for sizes in ((150, 150), (290, 10)))
    assert even.images == pytest.approx(300) and uneven_.images == pytest.approx(
        4 / (1 / 290 + 1 / 10)
    )
    assert uneven_.image_df < 12 and even.image_df > 200
    wide, narrow = (contrasts(m, np.array([0]), np.array([1])) for m in (uneven_, even))
    assert wide.high[0] - wide.low[0] > 2 * (narrow.high[0] - narrow.low[0])


# --- by simulation --------------------------------------------------------------------------------


def of_benchmarks(name: str) -> ModuleType:
    spec = spec_from_file_location(name, REPOSITORY / f"benchmarks/{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return of_benchmarks("inference")


@pytest.fixture(scope="module")
def looks(benchmark: ModuleType) -> ModuleType:
    """Return benchmarks/looks.py, which imports the other."""
    return of_benchmarks("looks")


@pytest.mark.parametrize("spread", ["equal", "factor 3"])
def test_studies_of_equals_are_rarely_told_apart_and_intervals_hold_the_truth(
    benchmark: ModuleType, spread: str
) -> None:
    sd = benchmark.spreads(8)[spread](1.5)
    regime = benchmark.Regime("equal", np.full(8, 70.0), sd, seeds=3, images=500)
    found = benchmark.simulate(regime, 300, 500)
    assert found.family_error <= 5 + 2 * 100 * (0.05 * 0.95 / 300) ** 0.5
    assert 93 <= found.coverage <= 97.5


@pytest.mark.parametrize("sizes", [(400, 100), (200, 100, 50, 25, 12, 6)])
def test_balanced_accuracy_of_equals_rarely_tells_them_apart(
    benchmark: ModuleType, sizes: tuple[int, ...]
) -> None:
    level, sd = np.full(6, 70.0), np.full(6, 1.0)
    regime = benchmark.Regime("equal", level, sd, 3, sum(sizes), sizes=sizes)
    found = benchmark.simulate(regime, 300, 500)
    assert found.family_error <= 5 + 2 * 100 * (0.05 * 0.95 / 300) ** 0.5
    assert 92 <= found.coverage <= 98


def test_each_variance_by_itself_would_tell_equals_apart_which_is_why_they_share(
    benchmark: ModuleType,
) -> None:
    regime = benchmark.Regime("equal", np.full(8, 70.0), np.full(8, 3.0), seeds=3, images=500)
    assert benchmark.simulate(regime, 200, 500, benchmark.own_variance).family_error > 9


def test_looking_again_after_adding_seeds_errs_more_often_unless_the_level_is_divided(
    looks: ModuleType,
) -> None:
    truth = looks.Truth("equal", np.full(6, 70.0), np.full(6, 1.0))
    naive, spending = (
        looks.simulate(truth, looks.Design(6, 3, 300, each, "all pairs"), 200, 300)
        for each in (False, True)
    )
    assert naive.error > 5 + 2 * naive.standard_error
    assert spending.error <= 5 + 2 * 100 * (0.05 * 0.95 / 200) ** 0.5


def test_seeds_that_a_variant_gets_for_one_pair_count_for_all_of_its_pairs(
    looks: ModuleType,
) -> None:
    a, b = np.triu_indices(3, 1)
    more = np.array([4.0, 6.0, np.nan])  # of (0, 1), (0, 2), (1, 2)
    judged = replace(contrasts(of_seeds_alone(np.array([[0.7, 0.71]] * 3)), a, b), more_seeds=more)
    open_ = np.ones(3, dtype=bool)
    # The first pair takes 8 runs; the second then 2 for variant 0 and 6 for variant 2.
    assert looks.bought(judged, (a, b), open_, 16).tolist() == [6, 4, 6]
    assert looks.bought(judged, (a, b), open_, 15).tolist() == [4, 4, 0]
    assert looks.bought(judged, (a, b), ~open_, 16).tolist() == [0, 0, 0]


def test_the_fixed_design_that_finds_as_much_lies_between_those_that_were_tried(
    looks: ModuleType,
) -> None:
    tried = {s: looks.Outcome(0.0, 0.0, found, 6.0 * s) for s, found in ((3, 20.0), (5, 60.0))}
    assert looks.as_many(40.0, tried) == 24
    assert np.isnan(looks.as_many(61.0, tried))


def test_looks_divide_the_level() -> None:
    rng = np.random.default_rng(5)
    answers = [
        Answers(tuple(range(3)), rng.random((3, 400)) < share) for share in (0.5, 0.55, 0.62, 0.7)
    ]
    means = summarise(answers)
    a, b = np.triu_indices(4, 1)
    once, four = contrasts(means, a, b, 5.0), contrasts(means, a, b, 5.0, looks=4)
    assert (four.p_adjusted == np.minimum(1, 4 * once.p_adjusted)).all()
    assert ((four.p_adjusted < ALPHA) == ((four.low > 0) | (four.high < 0))).all()
    # All intervals have one quantile, that of 98.75 %.
    largest = largest_t(means, a, b, DRAWS)
    wide = np.quantile(largest, 1 - ALPHA / 4, method="higher")
    assert four.high - four.delta == pytest.approx(wide * four.error)
    narrow = np.quantile(largest, 1 - ALPHA / 2, method="higher")
    assert four.shown_within == pytest.approx(np.abs(four.delta) + narrow * four.error)
    assert (four.detectable > once.detectable).all()
    settles = np.isfinite(four.more_seeds)
    assert (four.more_seeds[settles] >= np.nan_to_num(once.more_seeds[settles])).all()


def test_a_jackknife_of_accuracies_is_what_accuracies_have() -> None:
    rng = np.random.default_rng(8)
    hits = [rng.random((3, 90)) < share for share in (0.5, 0.7)]
    known = summarise([answers(each) for each in hits])
    # Without one image each.
    without = [(each.sum(axis=1, keepdims=True) - each) / 89 for each in hits]
    found = jackknifed([each.mean(axis=1) for each in hits], without, 90)
    assert found.of_runs == pytest.approx(known.of_runs)
    assert found.interaction == pytest.approx(known.interaction, rel=1e-3)
    smoothed = np.diag(known.of_images) - 1 / 90 / 90 / 2
    assert np.diag(found.of_images) == pytest.approx(smoothed, rel=1e-3)
    assert (found.df, found.image_df) == (known.df, known.image_df)


def test_intervals_of_a_jackknife_hold_the_truth() -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(400):
        group, values, without = groups(300), [], []
        shared = rng.normal(0, 0.2, 300)
        for _ in range(6):
            of_seeds = rng.normal(0, 0.01, (3, 1))
            scores = 0.5 + shared + of_seeds + rng.normal(0, 0.1, (3, 300))
            sums = np.stack([np.bincount(group, run) for run in scores])
            values.append(scores.mean(axis=1))
            without.append((scores.sum(axis=1, keepdims=True) - sums) / (300 - np.bincount(group)))
        found = intervals(jackknifed(values, without, 300))
        held.append((found.low < 50) & (found.high > 50))
    # The standard error is that of studies, whose images are shared.
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_groups_are_equal_and_no_more_than_images() -> None:
    assert set(np.bincount(groups(1000))) == {10}
    assert sorted(groups(7)) == list(range(7))
