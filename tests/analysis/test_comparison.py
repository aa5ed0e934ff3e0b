"""The comparison of variants."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from bakeoff.analysis.comparison import compare, shared_errors
from bakeoff.analysis.statistics import Answers
from bakeoff.analysis.tables import read_table
from bakeoff.errors import UserError
from bakeoff.files import read_json
from tests.support import fake_study
from tests.support.analysis import edit, make, variant
from tests.support.fake_study import FakeStudy

GPU = "Tesla V100-SXM2-16GB"

# ---- Comparison ----------------------------------------------------------------------------------


def test_the_comparison_says_what_the_runs_say(full: Path) -> None:
    models = read_table(full / "comparison/models.csv")
    runs = read_table(full / "comparison/runs.csv")
    assert len(models) == 18
    assert list(models["top1_mean"]) == sorted(models["top1_mean"], reverse=True)
    for row in models.to_dict("records"):
        metrics = [
            read_json(full / f"runs/{row['variant']}/seed{seed}/metrics.json")
            for seed in range(row["seeds"])
        ]
        top1 = [m["test"]["top1"] for m in metrics]
        assert row["seeds"] == (4 if "net_20" in row["variant"] else 3)  # all that there are
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
    assert set(pairs["verdict"]) == {"better", "cannot tell"}


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
    assert same["verdict"] == "same network"
    rest = pairs[~pairs["same_network"]]
    assert rest["p_adjusted"].nunique() == 1
    assert list(rest["distinct"]) == [True, False]  # one difference, whatever its names
    assert read_table(root / "comparison/families.csv")["variants"].iloc[0] == 2


def test_one_seed_is_never_significant_however_large_the_gap(tmp_path: Path) -> None:
    study = FakeStudy(
        variants=(variant("good", 90.0, seeds=(0,)), variant("bad", 10.0, seeds=(0, 1))), epochs=2
    )
    root = make(tmp_path, study)
    pair = read_table(root / "comparison/pairwise.csv").iloc[0]
    assert pair["verdict"] == "one seed"
    assert pair[["ci_low", "ci_high", "p_value", "p_adjusted", "more_seeds"]].isna().all()
    models = read_table(root / "comparison/models.csv").set_index("variant")
    assert list(models["group"]) == ["one seed", "leading"]
    assert models.loc["good", ["rank_low", "letters"]].isna().all()


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


# ---- Beside accuracy -----------------------------------------------------------------------------


def test_gpu_hours_worst_classes_and_the_best_epoch_are_those_of_the_runs(full: Path) -> None:
    models = read_table(full / "comparison/models.csv").set_index("variant")
    folder = full / "runs/resnest50d"
    gains, worst, briers = [], [], []
    for seed in range(3):
        history = read_table(folder / f"seed{seed}/history.csv")["val_top1"]
        gains.append(history.max() - history.iloc[-1])
        with np.load(folder / f"seed{seed}/predictions.npz") as arrays:
            logits, labels = arrays["logits"].astype(float), arrays["labels"]
        right = logits.argmax(axis=1) == labels
        worst.append(min(100 * right[labels == k].mean() for k in np.unique(labels)))
        probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        briers.append(((probability - np.eye(100)[labels]) ** 2).sum(axis=1).mean())
    row = models.loc["resnest50d"]
    assert row["best_epoch_gain_mean"] == pytest.approx(np.mean(gains), abs=1e-6)
    assert row["worst_class_top1_mean"] == pytest.approx(np.mean(worst))
    assert row["brier_mean"] == pytest.approx(np.mean(briers), rel=1e-5)
    # Intervals hold the mean, which is that of the runs, and are those of several seeds.
    for name in ("brier", "ece"):
        found = models[[f"{name}_ci_low", f"{name}_mean", f"{name}_ci_high"]]
        assert (found.loc["resnest50d"].diff().dropna() > 0).all()
        assert (found.notna().all(axis=1) == (models["seeds"] > 1)).all()
    assert "| GPU-hours |" in (full / "comparison/models.md").read_text(encoding="utf-8")


def test_shared_errors_are_counted_over_all_pairs_of_runs_and_beyond_chance(full: Path) -> None:
    pairs = read_table(full / "comparison/pairwise.csv").set_index(["variant_a", "variant_b"])
    right = {}
    for name in ("resnest50d", "resnet_20"):
        folders = sorted((full / "runs" / name).glob("seed*"))
        right[name] = [read_right(folder) for folder in folders]
    row = pairs.loc["resnest50d", "resnet_20"]
    same = [np.mean(a == b) for a in right["resnest50d"] for b in right["resnet_20"]]
    assert row["agreement"] == pytest.approx(100 * np.mean(same), rel=1e-5)
    a, b = (np.mean(right[name]) for name in ("resnest50d", "resnet_20"))
    chance = a * b + (1 - a) * (1 - b)
    assert row["error_consistency"] == pytest.approx(
        (np.mean(same) - chance) / (1 - chance), rel=1e-4
    )
    assert 0 < row["error_consistency"] < 1
    assert row["agreement_ci_low"] < row["agreement"] < row["agreement_ci_high"]
    single = pairs[(pairs["seeds_a"] == 1) | (pairs["seeds_b"] == 1)]
    assert single["agreement_ci_low"].isna().all() and single["agreement"].notna().all()


def test_the_interval_of_agreement_holds_the_truth() -> None:
    rng = np.random.default_rng(4)
    held = []
    for _ in range(400):
        difficulty = rng.standard_normal(400)
        both = [
            Answers(
                (0, 1, 2),
                able + 0.1 * rng.standard_normal((3, 1)) + 0.5 * rng.standard_normal((3, 400))
                > difficulty,
            )
            for able in (0.3, 0.6)
        ]
        found = shared_errors(*both, 0.95)
        held.append((found[1], found[2]))
    # What many images and runs agree on.
    difficulty = rng.standard_normal(400_000)
    x, y = (
        able + 0.1 * rng.standard_normal(400_000) + 0.5 * rng.standard_normal(400_000) > difficulty
        for able in (0.3, 0.6)
    )
    truth = 100 * np.mean(x == y)
    low, high = np.array(held).T
    assert np.mean((low < truth) & (truth < high)) == pytest.approx(0.96, abs=0.03)


def read_right(folder: Path) -> np.ndarray:
    with np.load(folder / "predictions.npz") as arrays:
        return arrays["logits"].argmax(axis=1) == arrays["labels"]


# ---- Balanced accuracy ---------------------------------------------------------------------------


@pytest.mark.parametrize(("metric", "leader"), [("top1", "common"), ("balanced", "fair")])
def test_the_metric_of_the_study_decides_and_the_other_stands_beside_it(
    tmp_path: Path, metric: str, leader: str
) -> None:
    study = FakeStudy(
        (
            variant("common", 72.0, rare=-2.5),
            variant("fair", 52.0, rare=0.8),
            variant("poor", 30.0),
        ),
        ablations={"a": (("base", "common"), ("other", "fair"))},
        images=900,
        metric=metric,
        uneven=True,
    )
    root = make(tmp_path, study)
    models = read_table(root / "comparison/models.csv")
    assert models["variant"].iloc[0] == leader and models["group"].iloc[0] == "leading"
    assert set(models["metric"]) == {metric}
    for row in models.to_dict("records"):
        runs = [root / f"runs/{row['variant']}/seed{seed}/predictions.npz" for seed in range(3)]
        loaded = [np.load(path) for path in runs]
        answers = [(a["logits"].argmax(axis=1), a["labels"]) for a in loaded]
        expected = {
            "top1": np.mean([(found == true).mean() for found, true in answers]),
            "balanced": np.mean([balanced_accuracy_score(true, found) for found, true in answers]),
        }
        for name, share in expected.items():
            assert row[f"{name}_mean"] == pytest.approx(100 * share)
        assert row["score_mean"] == row[f"{metric}_mean"]
        assert row["score_ci_low"] == row[f"{metric}_ci_low"] < row["score_mean"]
        assert row["param_efficiency"] == pytest.approx(row["score_mean"] / row["params_m"])
    pairs = read_table(root / "comparison/pairwise.csv").set_index(["variant_a", "variant_b"])
    means = models.set_index("variant")["score_mean"]
    for (a, b), row in pairs.iterrows():
        assert row["delta"] == pytest.approx(means[a] - means[b])
    arms = read_table(root / "ablation/a.csv").set_index("arm")
    assert arms.loc["other", "delta"] == pytest.approx(means["fair"] - means["common"])
    assert arms.loc["other", "verdict"] == ("better" if metric == "balanced" else "worse")
    shown = (root / "comparison/models.md").read_text()
    beside = {"top1": "Balanced accuracy (%)", "balanced": "Top-1 (%)"}[metric]
    assert beside in shown and "Macro F1" in shown
    assert ("balanced accuracy" if metric == "balanced" else "top-1 accuracy") in shown


def test_where_classes_have_equally_many_images_one_accuracy_is_enough(full: Path) -> None:
    assert "Balanced" not in (full / "comparison/models.md").read_text()
    models = read_table(full / "comparison/models.csv")
    np.testing.assert_allclose(models["balanced_mean"], models["top1_mean"])


# ---- Test images that also stand in train --------------------------------------------------------


def test_the_accuracy_without_copies_of_training_images_stands_beside_and_decides_nothing(
    tmp_path: Path,
) -> None:
    study = FakeStudy(
        (variant("good", 70.0), variant("poor", 40.0)), images=400, copies=(3, 8, 200)
    )
    root = make(tmp_path / "copies", study)
    plain = make(tmp_path / "plain", replace(study, copies=()))
    models, without = (read_table(p / "comparison/models.csv") for p in (root, plain))
    kept = np.setdiff1d(np.arange(400), study.copies)
    for row in models.to_dict("records"):
        runs = [root / f"runs/{row['variant']}/seed{seed}/predictions.npz" for seed in range(3)]
        right = [(a["logits"].argmax(axis=1) == a["labels"])[kept] for a in map(np.load, runs)]
        assert row["without_copies_mean"] == pytest.approx(100 * np.mean(right))
        assert row["without_copies_ci_low"] < row["without_copies_mean"]
    same = [c for c in models if not c.startswith("without_copies")]
    pd.testing.assert_frame_equal(models[same], without[same])
    text = (root / "comparison/models.md").read_text()
    assert "Without copies (%)" in text
    assert "Of the 400 test images, 3 also stand in train, or nearly do" in text
    assert "copies" not in (plain / "comparison/models.md").read_text()
    assert without["without_copies_mean"].isna().all()


# ---- How latencies were measured -----------------------------------------------------------------


def test_the_protocol_of_latencies_is_told_with_them_and_is_that_of_the_code(
    full: Path, tmp_path: Path
) -> None:
    text = (full / "comparison/models.md").read_text()
    told = (
        "Latency: the forward pass of one image in float32, the median over a second of passes, at least five, after "
        f"three to warm up; throughput (inference_images_per_s) in batches of 256 on {GPU}."
    )
    # Markdown escapes the underscores.
    assert told in text.replace("\\_", "_")
    from bakeoff.evaluation.cost import WARM_UP, latency_ms  # noqa: PLC0415  (torch, for this test alone)

    assert WARM_UP == 3
    assert inspect.signature(latency_ms).parameters["seconds"].default == 1.0
    study = FakeStudy((variant("net", 60.0), variant("other", 50.0)))
    root = make(tmp_path, study)
    assert "Latency: " in (root / "comparison/models.md").read_text()
    profile = root / "profiles/other.json"
    profile.write_text(profile.read_text().replace(GPU, "another"))
    compare(
        read_json(root / "specs/comparison.json"),
        root / "runs",
        root / "profiles",
        root / "comparison",
    )
    assert "on 2 devices, which do not compare" in (root / "comparison/models.md").read_text()
    for file in (root / "profiles").iterdir():
        file.unlink()
    compare(
        read_json(root / "specs/comparison.json"),
        root / "runs",
        root / "profiles",
        root / "comparison",
    )
    assert "Latency: " not in (root / "comparison/models.md").read_text()
