"""How often the study's verdicts err, what they find and what intervals cover, by simulation.

    python benchmarks/inference.py                 # the table of docs/statistics.md, some minutes
    python benchmarks/inference.py --quick         # a few regimes on few images, seconds
    python benchmarks/inference.py --rivals        # other rules for the seed variance beside it
    python benchmarks/inference.py --balanced      # balanced accuracy, classes with different numbers of images

Truth is a crossed logistic model: a network answers an image with probability expit(ability -
difficulty). Ability varies over seeds (the seed SD, given in points of accuracy), difficulty over
images: a part that all architectures share (SD 2.5) and one of each architecture (SD 1.2), so that at
70 % two seeds of a network disagree on 21 % of the images and two architectures on 26 %.
Classes, where they count, differ in difficulty (SD 1.5 in all).
The package's own functions judge what was drawn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from bakeoff.analysis.statistics import (
    ALPHA,
    Answers,
    Means,
    contrasts,
    intervals,
    summarise,
)

SHARED, OWN, CLASSES = 2.5, 1.2, 1.5
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(121)
LIKE_A_STUDY = np.array(
    [57.8, 60.6, 62.4, 65, 68.6, 68.9, 70.1, 70.3, 70.5, 70.9, 72, 72.7, 73.5, 73.9, 74.3, 74.8, 77.6, 78.9]
)  # fmt: skip
"""True accuracies of 18 variants as a study of CIFAR-100 might have them, in percent."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Regime:
    """What is true in a simulated study: accuracies in percent, SDs over seeds in points."""

    name: str
    accuracy: Floats
    seed_sd: Floats
    seeds: int
    images: int
    own: float = OWN
    sizes: tuple[int, ...] = ()
    """Test images of each class, for balanced accuracy."""

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """The class of each image; None where classes do not count."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes) if self.sizes else None

    @property
    def hardness(self) -> Floats:
        """How hard each class is: quantiles of a normal distribution, not in the order of the sizes."""
        count = max(1, len(self.sizes))
        quantiles = CLASSES * norm.ppf((np.arange(count) + 0.5) / count)
        return np.asarray(np.random.default_rng(0).permutation(quantiles))


@dataclass(frozen=True)
class Outcome:
    """What came out over the repeats of a regime, in percent (`detectable`: points)."""

    family_error: float
    standard_error: float
    coverage: float
    single_error: float
    found: float
    wrong_sign: float
    power_at_3: float
    detectable: float


def mean_accuracy(ability: float, spread: float) -> float:
    return float((WEIGHTS * expit(ability + spread * NODES)).sum() / WEIGHTS.sum())


def abilities(regime: Regime) -> tuple[Floats, Floats, Floats]:
    """Return ability, its SD over seeds, and the true accuracy in percent, per variant."""
    spread = np.hypot(SHARED, regime.own)

    def solve(share: float) -> float:
        return float(brentq(lambda x: mean_accuracy(x, spread) - share, -30, 30))

    level = {share: solve(share / 100) for share in np.unique(regime.accuracy)}
    ability = np.array([level[share] for share in regime.accuracy])
    step = 1e-3
    slope = np.array(
        [mean_accuracy(x + step, spread) - mean_accuracy(x - step, spread) for x in ability]
    )
    sd = regime.seed_sd / 100 / (slope / (2 * step))
    hard = regime.hardness
    truth = [
        np.mean([mean_accuracy(x - each, np.hypot(spread, s)) for each in hard])
        for x, s in zip(ability, sd, strict=True)
    ]
    return ability, sd, 100 * np.array(truth)


def draw(regime: Regime, ability: Floats, sd: Floats, rng: np.random.Generator) -> list[Answers]:
    """Draw the answers of all variants of one study."""
    variants, seeds, images = len(ability), regime.seeds, regime.images
    shared = rng.standard_normal(images, dtype=np.float32) * np.float32(SHARED)
    if regime.labels is not None:
        shared += regime.hardness[regime.labels].astype(np.float32)
    answers = []
    for k in range(variants):
        own = shared + rng.standard_normal(images, dtype=np.float32) * np.float32(regime.own)
        able = (ability[k] + sd[k] * rng.standard_normal((seeds, 1))).astype(np.float32)
        odds = np.exp(-(own + able))
        odds += 1
        odds *= rng.random((seeds, images), dtype=np.float32)
        answers.append(Answers(tuple(range(seeds)), odds < 1))
    return answers


Rule = Callable[[Means], Means]


def as_it_is(means: Means) -> Means:
    return means


def own_variance(means: Means) -> Means:
    """Let each variant have its own seed variance, as if others said nothing."""
    own = np.maximum(0, means.of_runs - means.interaction)
    return replace(means, of_seeds=own, df=2 * (int(means.seeds[0]) - 1))


def pooled_variance(means: Means) -> Means:
    """Let all variants have the pooled variance, even those that vary more."""
    pooled = max(0, float((means.of_runs - means.interaction).mean()))
    return replace(means, of_seeds=np.full(len(means.mean), pooled))


RULES: Mapping[str, Rule] = {
    "larger of own and pooled": as_it_is,
    "own": own_variance,
    "pooled": pooled_variance,
}


def simulate(regime: Regime, repeats: int, draws: int, rule: Rule = as_it_is) -> Outcome:
    """Judge `repeats` studies drawn from `regime`."""
    ability, sd, truth = abilities(regime)
    a, b = np.triu_indices(len(ability), 1)
    real = truth[a] - truth[b]
    null = np.abs(real) < 1e-9
    rng = np.random.default_rng([regime.seeds, regime.images, len(ability)])
    false, cover, single, found, wrong, three, least = [], [], [], [], [], [], []
    for _ in range(repeats):
        means = rule(summarise(draw(regime, ability, sd, rng), regime.labels))
        one = intervals(means)
        cover.append(((one.low <= truth) & (truth <= one.high)).mean())
        judged = contrasts(means, a, b, draws=draws)
        differs = judged.p_adjusted < ALPHA
        outside = (judged.low > real + 1e-9) | (judged.high < real - 1e-9)
        false.append(outside.any())
        single.append((judged.p_value[null] < ALPHA).mean() if null.any() else np.nan)
        found.append(differs.mean())
        wrong.append((differs & (np.sign(judged.delta) != np.sign(real)) & ~null).any())
        # A shift of three points: found where it leaves the interval on the far side.
        shifted = judged.delta - real + 3
        three.append((shifted > (judged.high - judged.low) / 2).mean())
        least.append(np.median(judged.detectable))
    error = float(np.mean(false))
    return Outcome(
        100 * error,
        100 * (error * (1 - error) / repeats) ** 0.5,
        *(100 * float(np.mean(values)) for values in (cover, single, found, wrong, three)),
        float(np.mean(least)),
    )


def spreads(variants: int) -> dict[str, Callable[[float], Floats]]:
    """Return {how seed SDs differ: the SDs around a given one}."""
    mild = np.geomspace(3**-0.5, 3**0.5, variants)

    def outliers(sd: float) -> Floats:
        values = sd * mild
        values[-2:] = 4 * sd
        return values

    return {
        "equal": lambda sd: np.full(variants, sd),
        "factor 3": lambda sd: sd * mild,
        "2 outliers": outliers,
    }


def regimes(seeds: Iterable[int], images: int, variants: int = 18) -> list[Regime]:
    """Return the null regimes of a table: equal variants at 70 %, by seed SD and its spread."""
    level = np.full(variants, 70.0)
    made = []
    for count in seeds:
        for sd in (0.0, 0.3, 0.5, 1.5):
            for name, values in spreads(variants).items():
                if (variants < 6 and name == "2 outliers") or (not sd and name != "equal"):
                    continue
                label = f"{variants} equal, SD {sd:g}, {name}"
                made.append(Regime(label, level, values(sd), count, images))
    return made


def study_like(seeds: Iterable[int], images: int) -> list[Regime]:
    return [
        Regime(f"like a study, SD {sd:g}", LIKE_A_STUDY, np.full(18, sd), count, images)
        for count in seeds
        for sd in (0.3, 0.5)
    ]


CLASS_SIZES: Mapping[str, tuple[int, ...]] = {
    "100 of 100": (100,) * 100,
    "100 of 5 to 400": tuple(np.geomspace(5, 400, 100).astype(int).tolist()),
    "100 of 1 to 100": tuple(np.geomspace(1, 100, 100).astype(int).tolist()),
    "10 of 10 to 1,000": tuple(np.geomspace(10, 1000, 10).astype(int).tolist()),
    "2 of 1,800 and 200": (1800, 200),
    "2 of 480 and 20": (480, 20),
}
"""{what classes a test split has: images of each}"""


def balanced(seeds: Iterable[int], variants: int = 18) -> list[Regime]:
    """Return the regimes of balanced accuracy: equal variants, by the sizes of the classes."""
    level = np.full(variants, 70.0)
    return [
        Regime(f"{name}, SD {sd:g}", level, np.full(variants, sd), count, sum(sizes), OWN, sizes)
        for name, sizes in CLASS_SIZES.items()
        for sd in (0.3, 1.0)
        for count in seeds
    ]


HEAD = (
    f"| {'truth':34} | {'S':>2} | {'N':>6} | family error (SE) | cover | one test "
    "| found | wrong | 3 points | detectable |"
)


def line(regime: Regime, outcome: Outcome) -> str:
    o = outcome
    one = "    –" if np.isnan(o.single_error) else f"{o.single_error:5.1f}"
    return (
        f"| {regime.name:34} | {regime.seeds:2} | {regime.images:6,} | {o.family_error:8.1f} ({o.standard_error:4.1f})"
        f"   | {o.coverage:5.1f} | {one:>8} | {o.found:5.1f} | {o.wrong_sign:5.1f} | {o.power_at_3:8.1f} "
        f"| {o.detectable:10.2f} |"
    )


def table(
    chosen: Sequence[tuple[Regime, int]], draws: int, rules: Mapping[str, Rule]
) -> dict[tuple[str, int, int, str], Outcome]:
    """Print a line per regime and rule, and return the outcomes."""
    print(
        "Percent of studies, variants or pairs; `detectable` in points. Family error: an interval of a difference"
    )
    print("misses the truth somewhere (where all are equal: a pair is said to differ).")
    outcomes = {}
    for rule_name, rule in rules.items():
        print(f"\nSeed variance: {rule_name}\n{HEAD}")
        print("|" + "|".join("-" * len(part) for part in HEAD.split("|")[1:-1]) + "|")
        for regime, repeats in chosen:
            outcome = simulate(regime, repeats, draws, rule)
            outcomes[regime.name, regime.seeds, regime.images, rule_name] = outcome
            print(line(regime, outcome), flush=True)
    return outcomes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few regimes, few images")
    parser.add_argument(
        "--rivals", action="store_true", help="other rules for the seed variance, too"
    )
    parser.add_argument("--balanced", action="store_true", help="balanced accuracy")
    parser.add_argument("--repeats", type=int, default=None)
    parser.add_argument("--draws", type=int, default=2000, help="of the joint distribution")
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 3, 5, 10])
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 2_000])
    parser.add_argument("--variants", type=int, nargs="+", default=[18, 3, 40])
    options = parser.parse_args()
    started = time.perf_counter()
    rules = RULES if options.rivals else {"larger of own and pooled": as_it_is}
    if options.quick:
        few = Regime("6 equal, SD 1.5, equal", np.full(6, 70.0), np.full(6, 1.5), 3, 600)
        table([(few, options.repeats or 200)], 500, rules)
    elif options.balanced:
        table([(r, options.repeats or 400) for r in balanced(options.seeds)], options.draws, rules)
    else:
        chosen = []
        for variants in options.variants:
            for images in options.images:
                equal = regimes(options.seeds, images, variants)
                chosen += [(regime, options.repeats or 400) for regime in equal]
        chosen += [
            (r, options.repeats or 100)
            for n in options.images
            for r in study_like(options.seeds, n)
        ]
        table(chosen, options.draws, rules)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
