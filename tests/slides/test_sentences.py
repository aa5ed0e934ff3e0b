"""Every sentence about a study is held against the tables, by rules that do not know how it was made."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from bakeoff.analysis import verdicts
from bakeoff.analysis.ablation import arm_table
from bakeoff.analysis.claims import CLAIMS, Tables, claim_row
from bakeoff.analysis.comparison import comparison_tables, run_table
from bakeoff.analysis.networks import DIVERGED, NetworkRuns, Networks
from bakeoff.analysis.statistics import Answers, contrasts
from bakeoff.slides import findings
from bakeoff.slides.results import Results
from bakeoff.slides.tables import Document, Table
from bakeoff.slides.values import plain
from bakeoff.slides.words import Words, load_words
from bakeoff.study.claims import ClaimConfig
from bakeoff.study.metric import Metric
from tests.slides.sentence_rules import RULES, Facts, Study

PROJECT = Path(__file__).parents[2]
NAMES = ("alfa", "bravo", "charlie", "delta", "echo", "foxtrot")
KINDS = (
    *(
        "equal",
        "winner",
        "ties",
        "one seed",
        "mixed seeds",
        "aliases",
        "two variants",
        "one variant",
    ),
    *("a run is missing", "far apart", "one judged", "one network", "a run diverged"),
    "a variant diverged",
)
STUDY = {"name": "s", "dataset": "cifar100", "protocol": "uniform", "epochs": 200}


# --- studies --------------------------------------------------------------------------------------


def network(
    name: str, correct: np.ndarray, score: np.ndarray, rng: np.random.Generator
) -> NetworkRuns:
    seeds = len(correct)
    hours, gpus = float(rng.integers(1, 9)), int(rng.choice([1, 1, 8]))
    scores = pd.DataFrame(
        {
            "seed": range(seeds), "epochs": 200, "top1": 100 * correct.mean(axis=1), "top5": 90.0,
            "score": 100 * score, "balanced": 100 * score, "macro_f1": 50.0,
            "loss": 1.0, "ece": 1.0, "brier": 1.0, "worst_class_top1": 1.0, "best_epoch_gain": 0.0,
            "superclass_top1": 80.0, "val_top1": 70.0,
            "train_hours": hours, "gpu_hours": hours * gpus, "images_per_s": 1.0,
            "peak_memory_mb": 1.0, "device": "GPU",
        }
    )  # fmt: skip
    params = int(rng.choice([100_000, 200_000, 300_000, 4_000_000]))
    answers = Answers(tuple(range(seeds)), correct)
    without = np.ones((seeds, 2, 10))
    return NetworkRuns(name, answers, scores, params, 1e6, 32, False, without)


def draw(kind: str, seed: int) -> Study:
    rng = np.random.default_rng(seed)
    count = {"two variants": 2, "one variant": 1, "one network": 2}.get(
        kind, int(rng.integers(3, 7))
    )
    ability = {
        "winner": np.r_[1.2, np.zeros(count - 1)],
        "ties": np.resize([0.9, 0.9, 0.0], count),
        "far apart": np.arange(count) * 0.7,
    }.get(kind, np.zeros(count))
    ability = rng.permutation(ability) + rng.choice([0.0, 0.05]) * rng.standard_normal(count)
    seeds = np.full(count, 1 if kind == "one seed" else int(rng.choice([2, 3, 10])))
    if kind == "mixed seeds":
        seeds = rng.choice([1, 2, 3, 10], count)
    if kind == "one judged":
        seeds = np.where(np.arange(count) == rng.integers(count), 3, 1)
    if kind == "a run is missing":
        seeds[rng.integers(count)] = max(1, seeds[0] - 1)
    images = int(rng.choice([300, 2000]))
    shared = rng.standard_normal(images)
    spread = rng.choice([0.0, 0.1])
    metric: Metric = "balanced" if rng.random() < 0.3 else "top1"
    labels = rng.permutation(np.resize([0, 0, 0, 0, 0, 1, 1, 2], images))
    networks = {}
    for name, able, runs in zip(NAMES, ability, seeds, strict=False):
        difficulty = 0.8 * shared + 0.4 * rng.standard_normal(images)
        each = able + spread * rng.standard_normal((runs, 1))
        answers = 0.5 + each - difficulty + 0.4 * rng.standard_normal((runs, images)) > 0
        score = answers.mean(axis=1)
        if metric == "balanced":
            score = np.mean([answers[:, labels == k].mean(axis=1) for k in range(3)], axis=0)
        networks[name] = network(name, answers, score, rng)
    runs = {name: name for name in networks}
    if kind in ("aliases", "one network"):
        runs[NAMES[0]] = NAMES[1]
    used = {name: networks[name] for name in dict.fromkeys(runs.values())}
    diverged = []
    if kind == "a run diverged":
        diverged = [NAMES[int(rng.integers(count))]]
    if kind == "a variant diverged":
        diverged = [NAMES[int(rng.integers(count))]]
        del used[diverged[0]]
    lost = pd.DataFrame([{"variant": name} for name in diverged], columns=DIVERGED)
    return tables(runs, Networks(used, lost, labels, metric), rng)


def tables(runs: Mapping[str, str], used: Networks, rng: np.random.Generator) -> Study:
    margin = float(rng.choice([1.0, 5.0]))
    entries = [
        {"variant": name, "family": "F", "pretrained": False, "run": run}
        for name, run in runs.items()
    ]
    models, pairs = comparison_tables(entries, used, margin, Path("nowhere"))
    arms = [{"arm": f"arm-{name}", "variant": name, "run": run} for name, run in runs.items()]
    spec = {
        "ablation": "a",
        "title": {"en": "A"},
        "arms": arms,
        "baseline": arms[0]["arm"],
        "study": STUDY,
        "margin": margin,
    }
    ablation = arm_table(spec, used)
    judged = Tables(models, {"a": ablation}, pairs, run_table(used))
    # As `load_results` reads them.
    told = {"a": read(ablation, "arm")} if len(ablation) > 1 else {}
    claims = pd.DataFrame(
        [claim_row(each, STUDY | {"metric": used.metric}, judged, {}) for each in made_claims()],
        columns=CLAIMS,
    )
    results = Results(
        root=Path(), study=Document("s", {"ablations": {"a": spec} if len(arms) > 1 else {}}),
        comparison=Document("c", {}),
        models=read(models, "variant"), pairwise=read(pairs, "variant_a", "variant_b"),
        ablations=told, ablation_specs={}, claims=read(claims, "id"),
        data=Document("d", {}), runs=(),
    )  # fmt: skip
    return Study(models, pairs, ablation, claims, results)


def made_claims() -> Iterator[ClaimConfig]:
    for i, (origin, measure, unit, claimed) in enumerate(
        (
            ("talk", {"kind": "top1", "variant": "alfa"}, "percent", 66.0),
            ("talk", {"kind": "delta", "ablation": "a", "arm": "best"}, "points", 1.0),
            ("paper", {"kind": "params", "variant": "bravo"}, "million", 0.2),
        )
    ):
        yield ClaimConfig.model_validate(
            {
                "id": f"c{i}", "origin": origin, "source": "x", "statement": {"en": "x", "zh": "x"},
                "claimed": claimed, "unit": unit, "relation": "at_least", "measure": measure,
            }
        )  # fmt: skip


def read(frame: pd.DataFrame, *key: str) -> Table:
    text = io.StringIO(frame.to_csv(index=False, float_format="%.8g"))
    return Table("t.csv", key, tuple(csv.DictReader(text)))


# --- the test -------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let decisions be quick; how certain they are is not the point here."""
    monkeypatch.setattr(verdicts, "contrasts", partial(contrasts, draws=1000))


@pytest.fixture(scope="module")
def words() -> Sequence[Words]:
    slides = yaml.safe_load((PROJECT / "config/slides.yaml").read_text(encoding="utf-8"))
    return [load_words(slides, language, "slides.yaml") for language in ("en", "zh")]


def sentences(study: Study, words: Words) -> list[str]:
    """Return all that is said about a study."""
    words = replace(words, metric=study.models["metric"].iloc[0] if len(study.models) else "top1")
    tables = study.results.ablations.values()
    told = [
        *findings.of_comparison(study.results, words),
        *(finding for table in tables for finding in findings.of_ablation(table, words)),
        findings.title_of_ablations(study.results, [("a",)] * len(tables), words),
        *findings.claims_of(study.results),
    ]
    return [plain(words.tell(finding)).replace("\u00a0", " ") for finding in told]


def check(study: Study, words: Sequence[Words]) -> set[int]:
    """Hold every sentence against the tables; return which rules were used."""
    facts, used = Facts(study), set()
    for place, each in enumerate(words):
        for sentence in sentences(study, each):
            found = [
                (number, match, check)
                for number, (*patterns, check) in enumerate(RULES)
                if (match := re.fullmatch(patterns[place], sentence))
            ]
            assert len(found) == 1, f"{len(found)} rules for: {sentence}"
            number_, match, holds = found[0]
            try:
                holds(facts, match.groupdict())
            except AssertionError as error:
                raise AssertionError(f"not so: {sentence}") from error
            used.add(number_)
    return used


def test_every_sentence_of_two_hundred_studies_is_what_the_tables_say(
    words: Sequence[Words],
) -> None:
    used = set().union(*(check(draw(KINDS[i % len(KINDS)], i), words) for i in range(200)))
    unused = {RULES[number][0] for number in set(range(len(RULES))) - used}
    assert not unused, "these were never said"


def verdict_changed(study: Study) -> Study:
    """Return a study whose sentences follow from other verdicts than its intervals."""
    pairs, arms = study.pairs.copy(), study.arms.copy()
    for table in (pairs, arms):
        flipped = {"better": "cannot tell", "worse": "cannot tell", "cannot tell": "better"}
        table["verdict"] = table["verdict"].replace(flipped)
    results = study.results
    changed = Results(
        **{
            **vars(results),
            "pairwise": read(pairs, "variant_a", "variant_b"),
            "ablations": {"a": read(arms, "arm")},
        }
    )
    return Study(study.models, study.pairs, study.arms, study.claims, changed)


@pytest.mark.parametrize("kind", ["winner", "ties", "equal", "mixed seeds", "two variants"])
def test_a_sentence_that_contradicts_an_interval_is_found(
    kind: str, words: Sequence[Words]
) -> None:
    decided = {"better", "cannot tell"}
    study = next(each for i in range(99) if decided & set((each := draw(kind, i)).pairs["verdict"]))
    check(study, words)
    with pytest.raises((AssertionError, KeyError), match=r"not so|gap"):
        check(verdict_changed(study), words)
