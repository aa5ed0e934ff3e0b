"""Conditions and edges of the verdicts on claims."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from bakeoff.analysis import claims as claims_module
from bakeoff.study.claims import ClaimConfig
from tests.analysis.test_claims import NO_PAIRS, NO_RUNS, STUDY, TITLES, claim, models_table

GAIN = {
    "claimed": 3.35,
    "unit": "points",
    "measure": {"kind": "delta", "ablation": "e", "arm": "best"},
}


def arms(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return the table of an ablation with the cells that a claim reads."""
    usual = {
        "seeds": 10, "baseline_seeds": 10, "epochs": 200, "baseline_epochs": 200, "pretrained": False,
        "delta": 4.0, "ci_low": 3.7, "ci_high": 4.3, "verdict": "better", "params_change_pct": -50.0,
    }  # fmt: skip
    made = [usual | {"arm": f"arm{i}", "run": f"run{i}"} | row for i, row in enumerate(rows)]
    return pd.DataFrame(made)


def judge(given: dict[str, Any], table: pd.DataFrame | None = None, **study: Any) -> dict[str, Any]:
    ablations = {} if table is None else {"e": table}
    tables = claims_module.Tables(models_table(69.0, 71.0), ablations, NO_PAIRS, NO_RUNS)
    parsed = ClaimConfig.model_validate(claim(**given))
    return claims_module.claim_row(parsed, STUDY | study, tables, TITLES)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # The second arm alone proves it, whichever is the best.
        ([{"delta": 4.0, "ci_low": 2.0, "ci_high": 6.0}, {"delta": 3.9, "ci_low": 3.6}], "confirmed"),
        # The second may reach it.
        ([{"delta": 2, "ci_low": 1.7, "ci_high": 2.3}, {"delta": 1.9, "ci_low": -2, "ci_high": 5.8}], "inconclusive"),
        ([{"delta": 2.0, "ci_low": 1.7, "ci_high": 2.3}, {"delta": 1.9, "ci_low": -2.0, "ci_high": 3.2}], "refuted"),
        ([{"baseline_epochs": 5}], "min_epochs"),
        ([{"epochs": 5}], "min_epochs"),
        ([{"baseline_seeds": 1, "verdict": "one seed", "ci_low": np.nan, "ci_high": np.nan}], "seeds"),
        ([{"delta": np.nan}], "not_measured"),
        ([{"ci_low": np.nan, "ci_high": np.nan}], "not_measured"),
        ([{"pretrained": True}], "pretrained"),
        ([{"verdict": "same network", "run": "b"}], "arm_absent"),
    ],
)  # fmt: skip
def test_the_best_arm_is_judged_by_bounds_that_hold_for_whichever_it_is(
    rows: list[dict[str, Any]], expected: str
) -> None:
    requires = {"min_epochs": 100, "pretrained": False}
    row = judge(GAIN | {"tolerance": 0.0, "requires": requires}, arms(*rows))
    assert expected in (row["verdict"], row["reason_code"])
    assert "None" not in row["reason"] and "nan" not in row["reason"]


@pytest.mark.parametrize(
    ("requires", "study", "code"),
    [
        ({"dataset": "cifar100"}, {"dataset": "cifar100_part"}, "dataset"),
        ({"dataset": "CIFAR-100"}, {}, "overlaps"),  # as people write it
        ({"protocol": "tuned"}, {}, "protocol"),
        ({"protocol": "uniform"}, {}, "overlaps"),
        ({"pretrained": True}, {}, "pretrained"),
        ({"pretrained": False}, {}, "overlaps"),
    ],
)
def test_what_a_claim_requires_of_the_study(
    requires: dict[str, Any], study: dict[str, Any], code: str
) -> None:
    assert judge({"requires": requires}, **study)["reason_code"] == code


@pytest.mark.parametrize(
    ("claimed", "tolerance", "low", "expected"),
    [
        (70.2, 0.1, 70.1, "confirmed"),
        (70.2, 0.1, 70.0999, "inconclusive"),
        (0.3, 0.0, 0.1 + 0.2, "confirmed"),
    ],
)
def test_fractions_that_binary_numbers_cannot_hold_decide_nothing(
    claimed: float, tolerance: float, low: float, expected: str
) -> None:
    least, most = claims_module.accepted("at_least", claimed, tolerance)
    assert claims_module.verdict(least, most, low, low + 1)[0] == expected
    least, most = claims_module.accepted("equals", claimed, tolerance)
    assert (
        claims_module.verdict(least, most, claimed + tolerance, claimed + tolerance)[0]
        == "confirmed"
    )


def test_a_figure_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValidationError, match="claimed"):
        ClaimConfig.model_validate(claim(claimed=float("nan")))
