"""Verdicts on published figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml

from bakeoff.analysis import claims as claims_module
from bakeoff.analysis.comparison import PAIRWISE
from bakeoff.analysis.tables import read_table
from bakeoff.study.claims import ClaimConfig
from tests.support.fake_study import TITLES
from tests.support.project import REPOSITORY

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
    row = {
        "variant": "net",
        "run": "net",
        "distinct": True,
        "seeds": seeds,
        "epochs": epochs,
        "params_m": 0.5,
        "pretrained": False,
    }
    row |= {"top1_mean": (low + high) / 2, "top1_ci_low": low, "top1_ci_high": high}
    return pd.DataFrame([row])


NO_PAIRS = pd.DataFrame(columns=PAIRWISE)
NO_RUNS = pd.DataFrame(columns=claims_module.RUNS_NEEDED)
STUDY = {"name": "s", "dataset": "cifar100", "protocol": "uniform", "epochs": 200}


def judge(given: dict[str, Any], models: pd.DataFrame, **tables: pd.DataFrame) -> dict[str, Any]:
    parsed = ClaimConfig.model_validate(given)
    return claims_module.claim_row(
        parsed, STUDY, claims_module.Tables(models, tables, NO_PAIRS, NO_RUNS), TITLES
    )


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
    assert row["ci_low"] == table["ci_low"].max()
    assert row["ci_high"] == table["ci_high"].max()
    assert f"'{best['arm']}' is the best of 4 arms" in row["reason"]
    named = judge(given | {"measure": given["measure"] | {"arm": best["arm"]}}, table, eca=table)
    assert (named["ci_low"], named["ci_high"]) == pytest.approx((best["ci_low"], best["ci_high"]))


def test_parameter_counts_need_no_seeds_and_have_no_interval() -> None:
    given = claim(
        claimed=0.5, tolerance=0.0, relation="equals", unit="million",
        measure={"kind": "params", "variant": "net"},
    )  # fmt: skip
    row = judge(given, models_table(60.0, 70.0, seeds=1))
    assert row["verdict"] == "confirmed"
    assert np.isnan(row["ci_low"])


def test_the_shipped_claims_are_valid_and_all_can_be_tested(full: Path) -> None:
    shipped = yaml.safe_load((REPOSITORY / "config/claims.yaml").read_text(encoding="utf-8"))
    schema = REPOSITORY / "workflow/schemas/claims.schema.yaml"
    jsonschema.validate(shipped, yaml.safe_load(schema.read_text(encoding="utf-8")))
    for one in shipped:
        # What is better, or on a front, is said in words.
        compares = (one["unit"], one["claimed"]) in (("points", 0), ("times", 1))
        compares |= one["measure"]["kind"] == "all_of"
        for statement in one["statement"].values():
            figure = rf"(?<![\w.]){re.escape(format(one['claimed'], 'g'))}(?![\w.])"
            assert compares or not re.search(figure, statement)
            assert ("{claimed}" in statement) != compares
    table = read_table(full / "claims/claims.csv").set_index("id")
    assert len(table) == len(shipped)
    times = {"talk_fastest_hours", "talk_shortest_training", "talk_longest_training"}
    assert set(table.index[table["verdict"] == "not tested"]) == {*times, "talk_pretraining"}
    for name, expected in {
        "talk_ghost_reduction": "not this network",
        "talk_ghost_resnet_efficiency": "not this network",
        "talk_eca_adaptive": "settled by construction",
        "talk_best_model": "refuted",
        "talk_most_efficient": "confirmed",
        "talk_fastest": "confirmed",
        "talk_ghost_loss": "confirmed",
        "talk_ghost_gains_efficiency": "confirmed",
        "talk_ghost_balance": "refuted",
    }.items():
        assert table.loc[name, "verdict"] == expected, (name, table.loc[name, "reason"])
    assert "24,801 parameters" in table.loc["talk_ghost_reduction", "reason"]
    assert "235 %" in table.loc["talk_ghost_resnet_efficiency", "reason"]
    assert table.loc["han_ghost_ratio2", "verdict"] == "confirmed"
    assert "75.71" in table.loc["talk_ghostnet_top1", "statement"]
