"""Estimates, intervals and tests, against simulations and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bakeoff.analysis.statistics import (
    Answers,
    difference,
    estimate,
    holm,
    mcnemar_p,
    rank_interval,
    widened,
)

# ---- Statistics ----------------------------------------------------------------------------------


def simulate(
    generator: np.random.Generator, seeds: tuple[int, ...], images: int, seed_sd: float
) -> list[np.ndarray]:
    """Draw answers of equally good architectures, with `len(seeds)` sizes, on the same images.

    A crossed probit model: ability of the training (SD `seed_sd` points), difficulty of the image
    (shared by all, and per architecture), and the interaction of training and image.
    """
    shared = generator.normal(0, 0.5**0.5, images)
    answers = []
    for count in seeds:
        ability = 0.5 + generator.normal(0, seed_sd / 35, (count, 1))  # 35 points per unit
        own = generator.normal(0, 0.25**0.5, images)
        answers.append(ability - shared - own - generator.normal(0, 0.25**0.5, (count, images)) > 0)
    return answers


def truth(seed_sd: float) -> float:
    return 100 * float(stats.norm.cdf(0.5 / np.sqrt(1 + (seed_sd / 35) ** 2)))


def answers(correct: np.ndarray, first: int = 0) -> Answers:
    return Answers(tuple(range(first, first + len(correct))), correct)


@pytest.mark.parametrize(("seeds", "seed_sd"), [(2, 0.5), (3, 0.5), (3, 2.0), (5, 1.0), (10, 0.5)])
def test_intervals_cover_the_true_accuracy_as_often_as_they_say(seeds: int, seed_sd: float) -> None:
    generator = np.random.default_rng(seeds)
    hits = []
    for _ in range(800):
        (correct,) = simulate(generator, (seeds,), 600, seed_sd)
        found = estimate(answers(correct))
        hits.append(found.low <= truth(seed_sd) <= found.high)
    assert 0.92 <= np.mean(hits) <= 0.98


@pytest.mark.parametrize("seeds", [(3, 3), (5, 5), (10, 10), (3, 10), (2, 5)])
def test_the_comparison_of_equals_is_rarely_significant_and_its_interval_holds_zero(
    seeds: tuple[int, int],
) -> None:
    generator = np.random.default_rng(sum(seeds))
    deltas = []
    for _ in range(800):
        a, b = simulate(generator, seeds, 600, 0.5)
        deltas.append(difference(answers(a), answers(b)))
    rejected = np.mean([delta.p_value < 0.05 for delta in deltas])
    covered = np.mean([delta.low <= 0 <= delta.high for delta in deltas])
    assert 0.015 <= rejected <= 0.065
    assert covered == pytest.approx(1 - rejected)


def test_one_seed_misleads_when_seeds_differ_which_is_why_it_is_never_significant() -> None:
    generator = np.random.default_rng(5)
    p_values, deltas = [], []
    for _ in range(300):
        a, b = simulate(generator, (1, 1), 2000, 2.0)
        deltas.append(difference(answers(a), answers(b)))
        p_values.append(deltas[-1].p_value)
    assert np.mean(np.array(p_values) < 0.05) > 0.15  # far too often, as a statement about seeds
    assert not any(delta.about_architectures for delta in deltas)


def test_the_paired_test_finds_a_real_difference_that_unpaired_images_would_hide() -> None:
    generator = np.random.default_rng(2)
    a, b = simulate(generator, (5, 5), 2000, 0.3)
    better = a | (generator.random(a.shape) < 0.08)
    found = difference(answers(better), answers(b))
    apart = estimate(answers(better)), estimate(answers(b))
    assert found.p_value < 0.05
    assert found.low > 0
    assert found.high - found.low < 0.85 * np.hypot(*(one.high - one.low for one in apart))
    assert found.mean == pytest.approx(apart[0].mean - apart[1].mean)


def test_differences_change_sign_with_the_order_and_do_not_depend_on_the_order_of_seeds() -> None:
    a, b = simulate(np.random.default_rng(3), (4, 4), 500, 1.0)
    there, back = difference(answers(a), answers(b)), difference(answers(b), answers(a))
    assert (there.mean, there.low, there.high) == pytest.approx((-back.mean, -back.high, -back.low))
    assert there.p_value == pytest.approx(back.p_value)
    shuffled = difference(Answers((2, 0, 3, 1), a[[2, 0, 3, 1]]), answers(b))
    assert shuffled == there


def test_other_seeds_on_one_side_are_not_paired_but_all_of_them_count() -> None:
    a, b = simulate(np.random.default_rng(4), (3, 6), 800, 1.0)
    found = difference(answers(a), answers(b))
    assert found.mean == pytest.approx(100 * (a.mean() - b.mean()))
    assert found.seeds == 3
    assert found != difference(answers(a), answers(b[:3]))


def test_equal_answers_differ_by_nothing() -> None:
    (a,) = simulate(np.random.default_rng(6), (3,), 300, 1.0)
    found = difference(answers(a), answers(a))
    assert (found.mean, found.p_value) == (0.0, 1.0)


def test_other_images_are_not_compared() -> None:
    with pytest.raises(ValueError, match="300 and 200"):
        difference(answers(np.ones((2, 300), bool)), answers(np.ones((2, 200), bool)))


def test_one_seed_gives_the_wilson_interval_of_that_network() -> None:
    correct = np.arange(400) < 100
    found = estimate(answers(correct[None]))
    wilson = stats.binomtest(100, 400).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((100 * wilson.low, 100 * wilson.high))
    assert np.isnan(found.sd)
    assert found.seeds == 1


def test_an_accuracy_without_any_spread_keeps_an_interval() -> None:
    found = estimate(answers(np.ones((3, 50), bool)))
    assert found.mean == 100
    assert found.low < 95


def test_the_interval_agrees_with_a_bootstrap_over_seeds_and_images() -> None:
    generator = np.random.default_rng(7)
    a, b = simulate(generator, (10, 10), 1500, 1.5)
    delta = a.astype(float) - b
    means = []
    for _ in range(1500):
        seeds, images = generator.integers(10, size=10), generator.integers(1500, size=1500)
        means.append(100 * delta[seeds][:, images].mean())
    found = difference(answers(a), answers(b))
    assert found.high - found.low == pytest.approx(4 * np.std(means), rel=0.15)
    assert found.mean == pytest.approx(np.mean(means), abs=0.1)


def test_mcnemar_is_the_binomial_test_of_the_disagreements() -> None:
    a = np.repeat([True, True, False, False], [50, 12, 3, 35])
    b = np.repeat([True, False, True, False], [50, 12, 3, 35])
    assert mcnemar_p(a, b) == pytest.approx(stats.binomtest(3, 15).pvalue)


def test_holm_by_hand_and_untested_pairs_stay_out() -> None:
    adjusted = holm([0.01, np.nan, 0.04, 0.03])
    np.testing.assert_allclose(adjusted, [0.03, np.nan, 0.06, 0.06])
    assert np.isnan(holm([np.nan])).all()


def test_the_interval_of_the_best_of_several_is_wider() -> None:
    low, high = widened(-1.0, 3.0, 20, 4)
    assert (low + high) / 2 == pytest.approx(1.0)
    assert (high - low) / 4 == pytest.approx(stats.t.isf(0.025 / 4, 20) / stats.t.isf(0.025, 20))
    assert widened(-1.0, 3.0, 20, 1) == pytest.approx((-1.0, 3.0))


def test_rank_intervals_tell_clear_ranks_from_open_ones() -> None:
    generator = np.random.default_rng(8)
    equal = simulate(generator, (3, 3, 1), 800, 0.5)
    best = equal[0] | (generator.random(equal[0].shape) < 0.6)
    low, high = rank_interval([answers(x) for x in (*equal, best)])
    assert (low[3], high[3]) == (1, 1)
    assert (low[:3] >= 2).all()
    assert (high[:3] - low[:3] >= 1).all()
    again = rank_interval([answers(x) for x in (*equal, best)])
    np.testing.assert_array_equal(again, (low, high))
