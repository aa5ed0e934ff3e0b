"""How often verdicts err when seeds are added where something is open, and what that saves, by simulation.

    python benchmarks/looks.py                 # the table of docs/statistics.md, some minutes
    python benchmarks/looks.py --quick         # few repeats, seconds

A study starts with the same number of seeds for all variants. At each look the package judges all pairs; then the
open pairs that need the fewest runs get the seeds that `more_seeds` asks for, until the share of the budget for that
look is spent. "As if fixed" judges every look at 5 %; "spending" divides the 5 % over the looks, so that what is
said at any of them holds for all of them. The fixed design gives each variant the same number of seeds and is judged
once: the fewest seeds with which it finds as many pairs say what the sequence saves.

Truth is the normal model that the package's variances describe, with the figures that `benchmarks/inference.py` has at
70 %: the images are drawn once for a study, the seeds and what they do on single images for each run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bakeoff.analysis.statistics import ALPHA, Contrasts, Means, contrasts
from inference import LIKE_A_STUDY, spreads

IMAGES = 10_000
MARGIN = 1.0  # of equivalence, in points
IMAGE_SD = 0.22 / 2**0.5  # of one architecture alone, in points: 0.22 for a difference
SHARED_SD = 0.4  # of what images do to all architectures, in points
INTERACTION_SD = 0.32  # of a run, in points: two seeds disagree on 21 % of the images

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Pairs = tuple[NDArray[np.intp], ...]
Question = Literal["all pairs", "the top"]
QUESTIONS: tuple[Question, ...] = ("all pairs", "the top")


@dataclass(frozen=True)
class Truth:
    """What is true in a simulated study: accuracies in percent, SDs over seeds in points."""

    name: str
    accuracy: Floats
    seed_sd: Floats


@dataclass(frozen=True)
class Design:
    """How seeds are added: `budget` runs for the whole, at `looks` looks, the first at `start` seeds each.

    The question is either which of all pairs differ, or which of the leading variants is the best.
    """

    looks: int
    start: int
    budget: int
    spending: bool
    question: Question


@dataclass(frozen=True)
class Outcome:
    """Over the repeats: studies with an error and their standard error, what is found (percent), runs per study.

    Found: the share of all pairs, or of studies that tell the best variant from all others.
    """

    error: float
    standard_error: float
    found: float
    runs: float


class Study:
    """One study that grows: its images are drawn once, its runs as they are asked for."""

    def __init__(self, truth: Truth, rng: np.random.Generator) -> None:
        count = len(truth.accuracy)
        self.truth, self.rng = truth, rng
        self.base = truth.accuracy + rng.normal(0, SHARED_SD) + rng.normal(0, IMAGE_SD, count)
        self.runs: list[list[float]] = [[] for _ in range(count)]

    def add(self, seeds: Counts) -> None:
        """Train `seeds[k]` runs more of variant k."""
        sd = np.hypot(self.truth.seed_sd, INTERACTION_SD)
        for k, more in enumerate(seeds):
            self.runs[k] += list(self.base[k] + sd[k] * self.rng.standard_normal(more))

    def means(self) -> Means:
        """Return what the package would measure."""
        seeds = np.array([len(runs) for runs in self.runs])
        mean = np.array([np.mean(runs) for runs in self.runs]) / 100
        of_runs = np.array([np.var(runs, ddof=1) for runs in self.runs]) / 1e4
        interaction = np.full(len(seeds), (INTERACTION_SD / 100) ** 2)
        of_images = np.full((len(seeds), len(seeds)), (SHARED_SD / 100) ** 2)
        of_images += np.diag((IMAGE_SD / 100) ** 2 + interaction / seeds)
        df = int((seeds - 1).sum())
        own = of_runs - interaction
        # As `bakeoff.analysis.statistics` has it: the larger of a variant's own and the pooled one.
        of_seeds = np.maximum(own, max(0.0, float(((seeds - 1) * own).sum()) / df))
        return Means(IMAGES, IMAGES - 1, seeds, mean, of_images, of_runs, interaction, of_seeds, df)


def bought(judged: Contrasts, pairs: Pairs, open_: NDArray[np.bool_], runs: int) -> Counts:
    """Return the seeds to add to each variant: the pairs that need the fewest runs more come first."""
    a, b = pairs
    added = np.zeros(max(b) + 1, dtype=np.int64)
    rest = set(np.flatnonzero(open_ & np.isfinite(judged.more_seeds)).tolist())

    def extra(pair: int) -> int:
        need = int(judged.more_seeds[pair])
        return sum(max(0, need - int(added[side])) for side in (a[pair], b[pair]))

    while rest:
        best = min(rest, key=lambda pair: (extra(pair), pair))
        if added.sum() + extra(best) > runs:
            break
        rest.remove(best)
        for side in (a[best], b[best]):
            added[side] = max(added[side], int(judged.more_seeds[best]))
    return added


def grow(study: Study, design: Design, draws: int) -> tuple[bool, float, int]:
    """Return whether an interval at any look missed the truth, the share of pairs told apart last, and the runs."""
    accuracy = study.truth.accuracy
    a, b = pairs = np.triu_indices(len(accuracy), 1)
    real = accuracy[a] - accuracy[b]
    study.add(np.full(len(accuracy), design.start))
    missed, used = False, design.start * len(accuracy)
    for look in range(design.looks):
        means = study.means()
        judged = contrasts(means, a, b, MARGIN, draws, looks=design.looks if design.spending else 1)
        missed |= bool(((judged.low > real) | (judged.high < real)).any())
        differs = judged.p_adjusted < ALPHA
        open_ = ~differs & (judged.shown_within > MARGIN)
        if design.question == "the top":
            behind = np.zeros(len(accuracy), dtype=bool)
            behind[np.where(judged.delta > 0, b, a)[differs]] = True
            open_ &= ~behind[a] & ~behind[b]
        later = design.looks - 1 - look
        if not later:
            break
        more = bought(judged, pairs, open_, (design.budget - used) // later)
        if more.any():
            study.add(more)
            used += int(more.sum())
    best = accuracy.argmax()
    of_best = differs[(a == best) | (b == best)]
    found = differs.mean() if design.question == "all pairs" else of_best.all()
    return missed, 100 * float(found), used


def simulate(truth: Truth, design: Design, repeats: int, draws: int) -> Outcome:
    """Let `repeats` studies grow."""
    rng = np.random.default_rng([design.looks, design.start, design.budget])
    grown = [grow(Study(truth, rng), design, draws) for _ in range(repeats)]
    missed, found, runs = np.mean(np.array(grown, dtype=float), axis=0)
    spread = 100 * float(missed * (1 - missed) / repeats) ** 0.5
    return Outcome(100 * float(missed), spread, float(found), float(runs))


def fixed(
    truth: Truth, question: Question, seeds: Sequence[int], repeats: int, draws: int
) -> dict[int, Outcome]:
    """Return {seeds of each variant: what a study that is judged once finds}."""
    count = len(truth.accuracy)
    designs = {s: Design(1, s, s * count, True, question) for s in seeds}
    return {s: simulate(truth, design, repeats, draws) for s, design in designs.items()}


def as_many(found: float, rivals: Mapping[int, Outcome]) -> float:
    """Return the runs with which the fixed design finds as much, between the tried ones by a line."""
    by_runs = sorted(rivals.values(), key=lambda each: each.runs)
    shares = np.maximum.accumulate([each.found for each in by_runs])
    if found > shares[-1]:
        return float("nan")
    return float(np.interp(found, shares, [each.runs for each in by_runs]))


def line(truth: Truth, design: Design, outcome: Outcome, rival: float) -> str:
    level = "spending" if design.spending else "as if fixed"
    share = f"{100 * outcome.runs / rival:.0f}" if rival > 0 else "–"
    against = f"{rival:.0f}" if rival > 0 else "–"
    found = f"{outcome.found:.1f}" if len(np.unique(truth.accuracy)) > 1 else "–"
    error = f"{outcome.error:.1f} ({outcome.standard_error:.1f})"
    return (
        f"| {truth.name} | {design.question} | {design.looks} | {level} | {error} "
        f"| {found} | {outcome.runs:.0f} | {against} | {share} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few repeats")
    parser.add_argument("--repeats", type=int, default=None)
    parser.add_argument("--draws", type=int, default=1000, help="of the joint distribution")
    parser.add_argument("--looks", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--budget", type=int, default=108, help="runs of a study")
    parser.add_argument(
        "--truths", type=int, nargs="+", default=[0, 1, 2], help="which of the three"
    )
    options = parser.parse_args()
    started = time.perf_counter()
    repeats = options.repeats or (20 if options.quick else 400)
    sd, mild = np.full(18, 0.5), spreads(18)["factor 3"](0.5)
    truths = [
        Truth("18 equal, SD 0.5, equal", np.full(18, 70.0), sd),
        Truth("18 equal, SD 0.5, factor 3", np.full(18, 70.0), mild),
        Truth("like a study, SD 0.5", LIKE_A_STUDY, sd),
    ]
    print("| truth | question | looks | level | an error (SE) | found | runs | fixed | % of it |")
    print("| :-- | :-- | --: | :-- | --: | --: | --: | --: | --: |")
    for truth in [truths[chosen] for chosen in options.truths]:
        alike = len(np.unique(truth.accuracy)) == 1
        for question in QUESTIONS:
            seeds = () if alike else (3, 4, 5, 6, 8, 10, 14, 20)
            rivals = fixed(truth, question, seeds, repeats // 2, options.draws)
            for looks in options.looks:
                for spending in (False, True):
                    design = Design(looks, 3, options.budget, spending, question)
                    outcome = simulate(truth, design, repeats, options.draws)
                    rival = as_many(outcome.found, rivals) if rivals else float("nan")
                    print(line(truth, design, outcome, rival), flush=True)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
