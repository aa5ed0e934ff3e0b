"""Ablations: each arm against the baseline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bakeoff.analysis.ablation import ablate, arm_table, load_arms
from bakeoff.analysis.tables import read_table
from bakeoff.errors import UserError
from bakeoff.files import read_json
from tests.support import fake_study
from tests.support.analysis import edit, make, variant
from tests.support.fake_study import FakeStudy

# ---- Ablations -----------------------------------------------------------------------------------


def test_an_ablation_compares_each_arm_with_the_baseline(full: Path) -> None:
    table = read_table(full / "ablation/eca.csv").set_index("arm")
    assert list(table.index) == ["none", "adaptive", "k=3", "k=5", "k=7", "k=9"]
    assert table.loc["none", ["delta", "p_value", "ci_low", "verdict"]].isna().all()
    assert table.loc["k=3", "same_network_as"] == "adaptive"
    assert table.loc["k=3", "delta"] == table.loc["adaptive", "delta"]
    change = table["top1_mean"] - table.loc["none", "top1_mean"]
    np.testing.assert_allclose(table["delta"].iloc[1:], change.iloc[1:], atol=1e-5)
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
    assert row["verdict"] == "same network"


def test_a_large_effect_is_significant_with_seeds_and_never_with_one(tmp_path: Path) -> None:
    for seeds in ((0, 1, 2), (0,)):
        study = FakeStudy(
            variants=(variant("net", 70.0, seeds=seeds),),
            arms=(variant("worse", 50.0, seeds=seeds),),
            ablations={"harm": (("base", "net"), ("harm", "worse"))},
            epochs=2,
        )
        root = fake_study.write_study(tmp_path / str(len(seeds)), study)
        spec = read_json(root / "specs/ablations/harm.json")
        table = arm_table(spec, load_arms(spec, root / "runs"))
        assert table["verdict"].iloc[1] == ("worse" if len(seeds) > 1 else "one seed")


def test_an_unknown_baseline_is_named(tmp_path: Path) -> None:
    spec = {"ablation": "eca", "baseline": "nine", "arms": [{"arm": "none"}]}
    with pytest.raises(UserError, match=r"no arm 'nine'.*did you mean 'none'"):
        load_arms(spec, tmp_path)


def test_arms_of_one_network_that_are_trained_otherwise_are_different_treatments(
    tmp_path: Path,
) -> None:
    study = FakeStudy(
        variants=(variant("net", 60.0),),
        arms=(variant("net+mixup0.8", 70.0), variant("net+epochs400", 60.0, seeds=(0, 1))),
        ablations={
            "recipe": (("plain", "net"), ("mixup", "net+mixup0.8"), ("longer", "net+epochs400"))
        },
        epochs=2,
    )
    fake_study.write_study(tmp_path, study)
    for seed in (0, 1, 2):
        edit(gpu_hours=2.0)(tmp_path / f"runs/net/seed{seed}")
        edit(gpu_hours=2.5)(tmp_path / f"runs/net+mixup0.8/seed{seed}")
    for seed in (0, 1):
        # No GPU was used: an empty cell, and never zero.
        edit(gpu_hours=0.0)(tmp_path / f"runs/net+epochs400/seed{seed}")
    out = tmp_path / "ablation/recipe.csv"
    ablate(read_json(tmp_path / "specs/ablations/recipe.json"), tmp_path / "runs", out)
    table = read_table(out).set_index("arm")
    assert table.loc["mixup", "verdict"] == "better"
    assert table.loc["longer", "verdict"] in ("cannot tell", "equivalent")
    assert table["same_network_as"].isna().all()
    assert (table[["params_change_pct", "macs_change_pct"]] == 0).all(axis=None)
    assert table["gpu_hours"].tolist()[:2] == [2.0, 2.5]
    assert table["gpu_hours_change"].tolist()[:2] == [0.0, 0.5]
    assert table.loc["longer", ["gpu_hours", "gpu_hours_change"]].isna().all()
    assert "With fewer seeds than others: 'longer' (2)." in out.with_suffix(".md").read_text()
