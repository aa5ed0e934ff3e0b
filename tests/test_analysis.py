"""Reading runs, the statistics, and the tables made from them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

import fake_study
from bakeoff.analysis import claims as claims_module
from bakeoff.analysis.ablation import ablate, ablation_table
from bakeoff.analysis.comparison import compare
from bakeoff.analysis.predictions import Predictions
from bakeoff.analysis.runs import load_run, load_runs
from bakeoff.analysis.statistics import (
    Answers,
    difference,
    estimate,
    holm,
    mcnemar_p,
    rank_interval,
    widened,
)
from bakeoff.analysis.tables import Column, format_number, read_table, write_table
from bakeoff.errors import UserError
from bakeoff.files import read_json, write_json
from bakeoff.study.claims import ClaimConfig
from fake_study import FakeStudy, FakeVariant

PROJECT = Path(__file__).parents[1]


def variant(name: str, top1: float, **changes: Any) -> FakeVariant:
    return replace(FakeVariant(name, "Family", top1, 200_000), **changes)


def make(root: Path, study: FakeStudy) -> Path:
    """Write `study` and all its tables."""
    fake_study.write_study(root, study)
    spec = read_json(root / "specs/comparison.json")
    compare(spec, root / "runs", root / "profiles", root / "comparison", root / "data/meta.json")
    tables = []
    for name in study.ablations:
        tables.append(root / "ablation" / f"{name}.csv")
        ablate(read_json(root / "specs/ablations" / f"{name}.json"), root / "runs", tables[-1])
    spec = read_json(root / "specs/claims.json")
    claims_module.judge_claims(spec, root / "comparison/models.csv", tables, root / "claims")
    return root


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    claims = yaml.safe_load((PROJECT / "config/claims.yaml").read_text(encoding="utf-8"))
    study = fake_study.full_study(claims=claims, arm_seeds=(0, 1, 2, 3), epochs=120)
    return make(tmp_path_factory.mktemp("full"), study)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    study = FakeStudy(variants=(variant("net", 60.0),), epochs=4)
    return fake_study.write_study(tmp_path, study) / "runs/net/seed1"


# ---- Predictions ---------------------------------------------------------------------------------


def test_correct_agrees_with_sorting_and_breaks_ties_towards_the_first_class() -> None:
    generator = np.random.default_rng(0)
    logits = generator.integers(-3, 4, size=(200, 12)).astype(np.float32)  # many ties
    labels = generator.integers(12, size=200)
    order = np.argsort(-logits, axis=1, kind="stable")
    for k in (1, 3, 5):
        expected = (order[:, :k] == labels[:, None]).any(axis=1)
        np.testing.assert_array_equal(Predictions(logits, labels).correct(k), expected)
    assert (Predictions(logits, labels).predicted() == order[:, 0]).all()


def test_loss_and_calibration_of_known_predictions() -> None:
    # Always 80 % sure of class 0, and right in three of four images.
    logits = np.tile(np.log([0.8, 0.2]).astype(np.float32), (400, 1))
    predictions = Predictions(logits, np.repeat([0, 0, 0, 1], 100))
    assert predictions.cross_entropy() == pytest.approx(-0.75 * np.log(0.8) - 0.25 * np.log(0.2))
    assert predictions.calibration_error() == pytest.approx(5.0, abs=1e-4)
    assert predictions.superclass_accuracy(np.array([0, 0])) == 100
    assert predictions.superclass_accuracy(np.array([0, 1])) == 75


# ---- Reading runs --------------------------------------------------------------------------------


def test_a_good_run_is_read(run: Path) -> None:
    loaded = load_run(run)
    assert (loaded.variant, loaded.seed, loaded.epochs) == ("net", 1, 4)
    assert list(loaded.history["epoch"]) == [1, 2, 3, 4]
    assert 100 * loaded.correct().mean() == pytest.approx(loaded.metrics["test"]["top1"])
    assert loaded.correct(5).sum() >= loaded.correct(1).sum()
    assert [r.seed for r in load_runs(run.parents[1], "net", (2, 0))] == [2, 0]


def test_the_made_up_runs_are_what_the_workflow_would_write(run: Path) -> None:
    schema = (PROJECT / "workflow/schemas/metrics.schema.yaml").read_text(encoding="utf-8")
    jsonschema.validate(read_json(run / "metrics.json"), yaml.safe_load(schema))


def cut(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) * 2 // 3])

    return damage


def edit(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        metrics = read_json(folder / "metrics.json")
        for key, value in changes.items():
            target, _, inner = key.partition("__")
            if inner:
                metrics[target][inner] = value
            else:
                metrics[target] = value
        write_json(folder / "metrics.json", metrics)

    return damage


def repredict(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        with np.load(folder / "predictions.npz") as arrays:
            content = {name: arrays[name] for name in arrays.files}
        for name, change in changes.items():
            content[name] = change(content[name])
        np.savez(folder / "predictions.npz", **content)

    return damage


def nan_logit(logits: np.ndarray) -> np.ndarray:
    logits[7, 3] = np.nan
    return logits


DAMAGES = {
    "no metrics": ("metrics.json", lambda folder: (folder / "metrics.json").unlink()),
    "no history": ("history.csv", lambda folder: (folder / "history.csv").unlink()),
    "no predictions": ("predictions.npz", lambda folder: (folder / "predictions.npz").unlink()),
    "metrics cut": ("metrics.json", cut("metrics.json")),
    "history cut": ("history.csv", cut("history.csv")),
    "predictions cut": ("predictions.npz", cut("predictions.npz")),
    "accuracy raised": ("metrics.json", edit(test__top1=99.0)),
    "top-5 raised": ("metrics.json", edit(test__top5=99.99)),
    "other seed": ("metrics.json", edit(seed=2)),
    "text for number": ("metrics.json", edit(params="many")),
    "true for number": ("metrics.json", edit(params=True)),
    "no scores": ("metrics.json", edit(test={})),
    "fewer epochs": ("history.csv", edit(epochs=3)),
    "not finite": ("predictions.npz", repredict(logits=nan_logit)),
    "label out of range": ("predictions.npz", repredict(labels=lambda labels: labels + 1)),
    "fewer labels": ("predictions.npz", repredict(labels=lambda labels: labels[:-1])),
    "fewer images": (
        "predictions.npz",
        repredict(labels=lambda labels: labels[:-5], logits=lambda logits: logits[:-5]),
    ),
    "other order": ("metrics.json", repredict(labels=lambda labels: labels[::-1])),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_refused_with_the_name_of_the_file(run: Path, damage: str) -> None:
    name, do = DAMAGES[damage]
    do(run)
    with pytest.raises(UserError, match=re.escape(str(run / name))):
        load_run(run).predictions()


def test_predictions_are_read_only_when_asked_for(run: Path) -> None:
    cut("predictions.npz")(run)
    assert load_run(run).epochs == 4


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


# ---- Comparison ----------------------------------------------------------------------------------


def test_the_comparison_says_what_the_runs_say(full: Path) -> None:
    models = read_table(full / "comparison/models.csv")
    runs = read_table(full / "comparison/runs.csv")
    assert len(models) == 18
    assert list(models["top1_mean"]) == sorted(models["top1_mean"], reverse=True)
    for row in models.to_dict("records"):
        metrics = [
            read_json(full / f"runs/{row['variant']}/seed{seed}/metrics.json") for seed in (0, 1, 2)
        ]
        top1 = [m["test"]["top1"] for m in metrics]
        assert row["seeds"] == 3
        assert row["top1_mean"] == pytest.approx(np.mean(top1))
        assert row["top1_sd"] == pytest.approx(np.std(top1, ddof=1))
        # Logits that float16 makes equal may fall on either side of the fifth place.
        top5 = np.mean([m["test"]["top5"] for m in metrics])
        assert row["top5_mean"] == pytest.approx(top5, abs=0.3)
        assert row["top1_val_mean"] == pytest.approx(
            np.mean([m["validation"]["top1"] for m in metrics])
        )
        assert row["params_m"] == pytest.approx(metrics[0]["params"] / 1e6)
        assert row["param_efficiency"] == pytest.approx(row["top1_mean"] / row["params_m"])
        assert row["train_hours"] == pytest.approx(metrics[0]["wall_hours"])
        assert row["loss_mean"] == pytest.approx(
            np.mean([m["test"]["loss"] for m in metrics]), rel=1e-3
        )
        assert row["top1_ci_low"] < row["top1_mean"] < row["top1_ci_high"]
        assert row["rank_low"] <= row["rank"] <= row["rank_high"]
        assert row["superclass_top1_mean"] > row["top1_mean"]
        own = runs.loc[runs["variant"] == row["run"], "top1"]
        np.testing.assert_allclose(own, top1)


def test_every_pair_is_compared_once_the_higher_ranked_first(full: Path) -> None:
    models = read_table(full / "comparison/models.csv").set_index("variant")
    pairs = read_table(full / "comparison/pairwise.csv")
    assert len(pairs) == 18 * 17 // 2
    means = models["top1_mean"]
    expected = means[pairs["variant_a"]].to_numpy() - means[pairs["variant_b"]].to_numpy()
    np.testing.assert_allclose(pairs["delta"], expected, atol=1e-5)
    assert (pairs["delta"] >= -1e-9).all()
    np.testing.assert_allclose(pairs["p_holm"], holm(pairs["p_value"]), rtol=1e-6)
    assert (pairs["significant"] == (pairs["p_holm"] < 0.05)).all()
    assert pairs["significant"].any()
    assert not pairs["significant"].all()


def test_families_average_their_variants(full: Path) -> None:
    models = read_table(full / "comparison/models.csv")
    families = read_table(full / "comparison/families.csv").set_index("family")
    for family, group in models.groupby("family"):
        assert families.loc[family, "variants"] == len(group)
        assert families.loc[family, "top1_mean"] == pytest.approx(group["top1_mean"].mean())
        assert families.loc[family, "best_variant"] == group["variant"].iloc[0]


def test_variants_that_are_one_network_share_everything_and_are_not_tested(tmp_path: Path) -> None:
    twins = (variant("net", 60.0), variant("twin", 60.0, run="net"), variant("other", 55.0))
    root = make(tmp_path, FakeStudy(variants=twins, epochs=2))
    models = read_table(root / "comparison/models.csv").set_index("variant")
    assert models.loc["twin", "same_network_as"] == "net"
    assert pd.isna(models.loc["net", "same_network_as"])
    assert models.loc["twin", "rank"] == models.loc["net", "rank"] == 1
    assert models.loc["other", "rank"] == 2
    assert models.loc["twin", "top1_mean"] == models.loc["net", "top1_mean"]
    pairs = read_table(root / "comparison/pairwise.csv")
    same = pairs[pairs["same_network"]].iloc[0]
    assert {same["variant_a"], same["variant_b"]} == {"net", "twin"}
    assert same["delta"] == 0
    assert pd.isna(same["p_value"])
    assert not same["significant"]
    rest = pairs[~pairs["same_network"]]
    assert rest["p_value"].nunique() == 1
    np.testing.assert_allclose(rest["p_holm"], rest["p_value"])  # one test, whatever its names
    assert read_table(root / "comparison/families.csv")["variants"].iloc[0] == 2


def test_one_seed_is_never_significant_however_large_the_gap(tmp_path: Path) -> None:
    study = FakeStudy(
        variants=(variant("good", 90.0, seeds=(0,)), variant("bad", 10.0, seeds=(0, 1))), epochs=2
    )
    root = make(tmp_path, study)
    pair = read_table(root / "comparison/pairwise.csv").iloc[0]
    assert pair["p_holm"] < 1e-6
    assert not pair["significant"]
    assert pair["seeds"] == 1


def test_what_was_not_measured_stays_empty(tmp_path: Path) -> None:
    root = fake_study.write_study(tmp_path, FakeStudy(variants=(variant("net", 50.0),), epochs=2))
    spec = read_json(root / "specs/comparison.json")
    compare(spec, root / "runs", root / "nowhere", root / "comparison")
    row = read_table(root / "comparison/models.csv").iloc[0]
    assert row[["latency_ms", "latency_device", "superclass_top1_mean"]].isna().all()
    assert "| – |" in (root / "comparison/models.md").read_text(encoding="utf-8")


def test_runs_on_other_images_are_refused(tmp_path: Path) -> None:
    study = FakeStudy(variants=(variant("a", 50.0), variant("b", 50.0)), epochs=2)
    root = fake_study.write_study(tmp_path, study)
    fake_study.write_run(replace(study, images=400), study.variants[1], 1, root / "runs/b/seed1")
    spec = read_json(root / "specs/comparison.json")
    with pytest.raises(UserError, match=r"b.seed1 was tested on other images"):
        compare(spec, root / "runs", root / "profiles", root / "comparison")
    assert not (root / "comparison").exists()


def test_seeds_of_another_network_are_refused(tmp_path: Path) -> None:
    study = FakeStudy(variants=(variant("a", 50.0),), epochs=2)
    root = fake_study.write_study(tmp_path, study)
    edit(params=123)(root / "runs/a/seed2")
    with pytest.raises(UserError, match="different networks"):
        compare(read_json(root / "specs/comparison.json"), root / "runs", root, root / "out")


# ---- Ablations -----------------------------------------------------------------------------------


def test_an_ablation_compares_each_arm_with_the_baseline(full: Path) -> None:
    table = read_table(full / "ablation/eca.csv").set_index("arm")
    assert list(table.index) == ["none", "adaptive", "k=3", "k=5", "k=7", "k=9"]
    assert table.loc["none", ["delta", "p_value", "delta_ci_low"]].isna().all()
    assert table.loc["k=3", "same_network_as"] == "adaptive"
    assert table.loc["k=3", "delta"] == table.loc["adaptive", "delta"]
    change = table["top1_mean"] - table.loc["none", "top1_mean"]
    np.testing.assert_allclose(table["delta"].iloc[1:], change.iloc[1:], atol=1e-5)
    # Four different networks were tested: the twin arm does not count in the correction.
    distinct = table.drop_duplicates("run")["p_value"]
    np.testing.assert_allclose(table.drop_duplicates("run")["p_holm"], holm(distinct), rtol=1e-6)
    assert table.loc["k=5", "params_change_pct"] == pytest.approx(100 * 45 / 275_572)


def test_an_arm_that_is_a_variant_outside_the_ablation_names_it(full: Path) -> None:
    table = read_table(full / "ablation/attention_position.csv").set_index("arm")
    assert table.loc["before addition", "same_network_as"] == "eca_resnet_20"


def test_an_arm_that_is_the_baseline_changes_nothing_and_is_not_tested(tmp_path: Path) -> None:
    study = FakeStudy(
        variants=(variant("net", 60.0),),
        arms=(variant("twin", 60.0, run="net"),),
        ablations={"idle": (("base", "net"), ("idle", "twin"))},
        epochs=2,
    )
    root = make(tmp_path, study)
    row = read_table(root / "ablation/idle.csv").set_index("arm").loc["idle"]
    assert row["delta"] == 0
    assert pd.isna(row["p_value"])
    assert row["same_network_as"] == "base"
    assert not row["significant"]


def test_a_large_effect_is_significant_with_seeds_and_never_with_one(tmp_path: Path) -> None:
    for seeds in ((0, 1, 2), (0,)):
        study = FakeStudy(
            variants=(variant("net", 70.0, seeds=seeds),),
            arms=(variant("worse", 50.0, seeds=seeds),),
            ablations={"harm": (("base", "net"), ("harm", "worse"))},
            epochs=2,
        )
        root = fake_study.write_study(tmp_path / str(len(seeds)), study)
        table = ablation_table(read_json(root / "specs/ablations/harm.json"), root / "runs")
        assert table["p_holm"].iloc[1] < 1e-3
        assert table["significant"].iloc[1] == (len(seeds) > 1)


def test_an_unknown_baseline_is_named(tmp_path: Path) -> None:
    spec = {"ablation": "eca", "baseline": "nine", "arms": [{"arm": "none"}]}
    with pytest.raises(UserError, match=r"no arm 'nine'.*did you mean 'none'"):
        ablation_table(spec, tmp_path)


# ---- Claims --------------------------------------------------------------------------------------


def claim(**changes: Any) -> dict[str, Any]:
    base = {
        "id": "c",
        "source": "a paper",
        "statement": {"en": "It reaches {claimed} %.", "zh": "达到 {claimed} %。"},
        "claimed": 70.0,
        "unit": "percent",
        "relation": "at_least",
        "tolerance": 0.5,
        "measure": {"kind": "top1", "variant": "net"},
    }
    return base | changes


def models_table(low: float, high: float, seeds: int = 3, epochs: int = 200) -> pd.DataFrame:
    row = {"variant": "net", "seeds": seeds, "epochs": epochs, "params_m": 0.5}
    row |= {"top1_mean": (low + high) / 2, "top1_ci_low": low, "top1_ci_high": high}
    return pd.DataFrame([row])


STUDY = {"name": "s", "dataset": "cifar100", "protocol": "uniform", "epochs": 200}


def judge(given: dict[str, Any], models: pd.DataFrame, **tables: pd.DataFrame) -> dict[str, Any]:
    parsed = ClaimConfig.model_validate(given)
    return claims_module.claim_row(parsed, STUDY, claims_module.Tables(models, tables))


@pytest.mark.parametrize(
    ("relation", "low", "high", "expected"),
    [
        ("at_least", 69.5, 71.0, "confirmed"),
        ("at_least", 69.4, 71.0, "inconclusive"),
        ("at_least", 68.0, 69.4, "refuted"),
        ("at_least", 75.0, 76.0, "confirmed"),
        ("at_most", 69.0, 70.5, "confirmed"),
        ("at_most", 69.0, 70.6, "inconclusive"),
        ("at_most", 70.6, 72.0, "refuted"),
        ("equals", 69.6, 70.4, "confirmed"),
        ("equals", 69.6, 70.6, "inconclusive"),
        ("equals", 68.0, 72.0, "inconclusive"),
        ("equals", 70.6, 72.0, "refuted"),
        ("equals", 68.0, 69.4, "refuted"),
    ],
)
def test_the_verdict_comes_from_the_whole_interval(
    relation: str, low: float, high: float, expected: str
) -> None:
    row = judge(claim(relation=relation), models_table(low, high))
    assert row["verdict"] == expected
    assert (row["ci_low"], row["ci_high"]) == (low, high)
    assert f"{low:g}" in row["reason"]
    assert f"{high:g}" in row["reason_zh"]


@pytest.mark.parametrize(
    ("given", "models", "code", "words"),
    [
        ({"measure": {"kind": "top1", "variant": "x"}}, {}, "variant_absent", "'x'"),
        (
            {"requires": {"dataset": "shapes"}},
            {},
            "dataset",
            "drawn images, this study used CIFAR-100",
        ),
        ({"requires": {"min_epochs": 201}}, {}, "min_epochs", "201"),
        ({}, {"seeds": 1}, "seeds", "2 seeds"),
        (
            {"measure": {"kind": "delta", "ablation": "e", "arm": "a"}, "unit": "points"},
            {},
            "ablation_absent",
            "'e'",
        ),
    ],
)
def test_what_cannot_be_tested_says_why_and_shows_no_figure(
    given: dict[str, Any], models: dict[str, int], code: str, words: str
) -> None:
    row = judge(claim(**given), models_table(60.0, 80.0, **models))
    assert (row["verdict"], row["reason_code"]) == ("not tested", code)
    assert words in row["reason"]
    assert row["reason_zh"]
    assert "measured" not in row


def test_efficiency_is_accuracy_per_million_parameters() -> None:
    given = claim(
        claimed=150,
        unit="percent_per_million",
        measure={"kind": "param_efficiency", "variant": "net"},
    )
    row = judge(given, models_table(60.0, 70.0))
    assert (row["measured"], row["ci_low"], row["ci_high"]) == pytest.approx((130, 120, 140))
    assert row["verdict"] == "refuted"


def test_the_best_arm_is_judged_by_an_interval_for_all_arms(full: Path) -> None:
    table = read_table(full / "ablation/eca.csv")
    given = claim(
        claimed=3.0, unit="points", measure={"kind": "delta", "ablation": "eca", "arm": "best"}
    )
    row = judge(given, models_table(60.0, 70.0), eca=table)
    best = table.loc[table["delta"].idxmax()]
    assert row["measured"] == best["delta"]
    assert row["ci_low"] < best["delta_ci_low"]
    assert row["ci_high"] > best["delta_ci_high"]
    assert f"'{best['arm']}' is the best of 4 arms" in row["reason"]
    named = judge(given | {"measure": given["measure"] | {"arm": best["arm"]}}, table, eca=table)
    assert (named["ci_low"], named["ci_high"]) == pytest.approx(
        (best["delta_ci_low"], best["delta_ci_high"])
    )


def test_parameter_counts_need_no_seeds_and_have_no_interval() -> None:
    given = claim(
        claimed=0.5, tolerance=0.0, relation="equals", unit="million",
        measure={"kind": "params", "variant": "net"},
    )  # fmt: skip
    row = judge(given, models_table(60.0, 70.0, seeds=1))
    assert row["verdict"] == "confirmed"
    assert np.isnan(row["ci_low"])


def test_the_shipped_claims_are_valid_and_all_can_be_tested(full: Path) -> None:
    shipped = yaml.safe_load((PROJECT / "config/claims.yaml").read_text(encoding="utf-8"))
    schema = PROJECT / "workflow/schemas/claims.schema.yaml"
    jsonschema.validate(shipped, yaml.safe_load(schema.read_text(encoding="utf-8")))
    for one in shipped:
        for statement in one["statement"].values():
            assert f"{one['claimed']:g}" not in statement
            assert "{claimed}" in statement
    table = read_table(full / "claims/claims.csv").set_index("id")
    assert len(table) == len(shipped)
    assert set(table["verdict"]) <= {"confirmed", "refuted", "inconclusive"}
    assert table.loc["talk_ghost_reduction", "verdict"] == "refuted"
    assert table.loc["han_ghost_ratio2", "verdict"] == "confirmed"
    assert "75.71" in table.loc["talk_ghostnet_top1", "statement"]


# ---- Tables --------------------------------------------------------------------------------------


def test_a_table_is_written_for_programs_and_for_people(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "arm": ["None", "a_b & 5 %"],
            "delta": [-1.23456789, np.nan],
            "low": [-2.0, np.nan],
            "high": [-0.001, np.nan],
            "p_value": [0.0002, 0.25],
            "significant": [True, False],
            "hidden": [1, 2],
        }
    )
    columns = (
        Column("arm", "Arm"),
        Column("delta", "Change", "+.2f", ("low", "high")),
        Column("p_value", "p", ".3f"),
        Column("significant", "Significant"),
    )
    write_table(frame, columns, tmp_path / "t.csv", "A caption with 95 %.")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv"), frame, rtol=1e-7)
    markdown = (tmp_path / "t.md").read_text(encoding="utf-8")
    assert "| None | −1.23 [−2.00, 0.00] | < 0.001 | yes |" in markdown
    assert "| a_b & 5 % | – | 0.250 | no |" in markdown
    assert markdown.endswith("A caption with 95 %.\n")
    latex = (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"a\_b \& 5 \% & -- & 0.250 & no \\" in latex
    assert r"None & $-$1.23 [$-$2.00, 0.00] & $<$ 0.001 & yes \\" in latex
    assert r"\caption{A caption with 95 \%.}" in latex
    assert latex.index(r"\toprule") < latex.index(r"\midrule") < latex.index(r"\bottomrule")


def test_numbers_are_never_negative_zero() -> None:
    assert format_number(-0.001, "+.2f") == "0.00"
    assert format_number(-0.01, "+.2f") == "−0.01"
    assert format_number(1234.5, ",.1f") == "1,234.5"


def test_a_missing_table_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"models\.csv is missing"):
        read_table(tmp_path / "models.csv")
    (tmp_path / "models.csv").write_text("variant,seed\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"no column 'seeds' \(did you mean 'seed'\?\)"):
        read_table(tmp_path / "models.csv", ("variant", "seeds"))
    (tmp_path / "models.csv").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="not a CSV table"):
        read_table(tmp_path / "models.csv")


def test_the_same_runs_give_the_same_tables(tmp_path: Path) -> None:
    study = fake_study.small_study((0, 1))
    first, second = make(tmp_path / "a", study), make(tmp_path / "b", study)
    for path in sorted((first / "comparison").iterdir()):
        assert path.read_bytes() == (second / "comparison" / path.name).read_bytes()


# ---- Imports -------------------------------------------------------------------------------------


def test_analysis_needs_no_torch_and_importing_the_package_costs_nothing() -> None:
    code = (
        "import sys, json; import bakeoff.analysis; cheap = 'numpy' not in sys.modules\n"
        "import bakeoff.analysis.comparison, bakeoff.analysis.ablation, bakeoff.analysis.claims\n"
        "print(json.dumps([cheap, 'torch' in sys.modules]))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(printed) == [True, False]
