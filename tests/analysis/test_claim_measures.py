"""What is measured for each kind of claim, on tables whose figures are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from bakeoff.analysis.claims import Tables, claim_row
from bakeoff.study.claims import KINDS, ClaimConfig
from tests.analysis.test_claims import STUDY, TITLES

V100 = "Tesla V100-SXM2-16GB"


def models(**changes: Any) -> pd.DataFrame:
    """Return four variants of three networks: a is best, b half its size, c the smallest; "a2" is a."""
    rows = []
    for name, run, top1, size, hours in (
        ("a", "a", 80.0, 2.0, 4.0),
        ("b", "b", 76.0, 1.0, 2.0),
        ("c", "c", 60.0, 0.1, 1.0),
        ("a2", "a", 80.0, 2.0, 4.0),
    ):
        rows.append(
            {
                "variant": name, "run": run, "distinct": name == run, "seeds": 3, "epochs": 200,
                "pretrained": False, "params_m": size, "macs_m": size, "gpu_hours": 8 * hours,
                "latency_ms": size, "front_share_params": 90.0, "front_share_macs": 90.0,
                "front_share_gpu_hours": 90.0, "front_share_latency": np.nan,
            }
            | {f"{metric}_mean": top1 for metric in ("top1", "score")}
            | {f"{metric}_ci_low": top1 - 1.0 for metric in ("top1", "score")}
            | {f"{metric}_ci_high": top1 + 1.0 for metric in ("top1", "score")}
            | changes.get(name, {})
        )  # fmt: skip
    return pd.DataFrame(rows)


def pairs(**cells: tuple[float, float, float]) -> pd.DataFrame:
    """Return the pairs; a - b is 4 [2, 6], a - c 20 [18, 22], b - c 16 [14, 18]."""
    known = {"ab": (4.0, 2.0, 6.0), "ac": (20.0, 18.0, 22.0), "bc": (16.0, 14.0, 18.0)} | cells
    rows = [(*name, *known[name]) for name in known]
    rows += [("a2", name[1], *known[name]) for name in ("ab", "ac")]
    return pd.DataFrame(rows, columns=["variant_a", "variant_b", "delta", "ci_low", "ci_high"])


def runs(device: dict[str, str] | None = None, gpus: int = 8) -> pd.DataFrame:
    """Return three runs of each network; they take 5 % less, as long and 5 % more than their mean."""
    return pd.DataFrame(
        {
            "variant": name, "top1": 70.0, "train_hours": hours * part,
            "gpu_hours": gpus * hours * part, "device": (device or {}).get(name, V100),
        }
        for name, hours in (("a", 4.0), ("b", 2.0), ("c", 1.0))
        for part in (0.95, 1.0, 1.05)
    )  # fmt: skip


def arms() -> pd.DataFrame:
    """Return an ablation; "twin" is one network with "up", "same" with the baseline."""
    usual = {
        "baseline": "base", "seeds": 3, "baseline_seeds": 3, "epochs": 200, "baseline_epochs": 200,
        "pretrained": False, "params_m": 1.0, "params_change_pct": 0.0,
    }  # fmt: skip
    return pd.DataFrame(
        usual | {"arm": arm, "run": run, "verdict": verdict, "delta": delta, "ci_low": low, "ci_high": high}
        for arm, run, verdict, delta, low, high in (
            ("base", "n0", np.nan, np.nan, np.nan, np.nan),
            ("up", "n1", "better", 3.0, 2.0, 4.0),
            ("twin", "n1", "better", 3.0, 2.0, 4.0),
            ("down", "n2", "worse", -2.0, -3.0, -1.0),
            ("same", "n0", "same network", 0.0, np.nan, np.nan),
        )
    )  # fmt: skip


TABLES = Tables(models(), {"e": arms()}, pairs(), runs())


def judge(
    measure: dict[str, Any],
    tables: Tables = TABLES,
    *,
    claimed: float = 0.0,
    relation: str = "at_least",
    **requires: Any,
) -> dict[str, Any]:
    unit = KINDS[(measure.get("of") or [measure])[0]["kind"]].unit
    claim = ClaimConfig.model_validate(
        {
            "id": "c", "source": "x", "statement": {"en": "x", "zh": "x"}, "claimed": claimed,
            "unit": unit, "relation": relation, "measure": measure, "requires": requires,
        }
    )  # fmt: skip
    return claim_row(claim, STUDY, tables, TITLES)


def of(kind: str, variant: str = "", **keys: Any) -> dict[str, Any]:
    return {"kind": kind} | ({"variant": variant} if variant else {}) | keys


@pytest.mark.parametrize(
    ("measure", "value", "low", "high"),
    [
        (of("difference", "b", other="a"), -4.0, -6.0, -2.0),
        (of("difference", "a2", other="b"), 4.0, 2.0, 6.0),
        (of("lead", "a"), 4.0, 2.0, 6.0),
        (of("lead", "b"), -4.0, -6.0, -2.0),
        (of("group_contrast", group=["a", "b"]), 18.0, 16.0, 20.0),
        (of("hours", "b"), 2.0, 1.9, 2.1),
        (of("gpu_hours", "b"), 16.0, 15.2, 16.8),
        (of("hours", "longest"), 4.0, 3.8, 4.2),
        (of("hours", "shortest"), 1.0, 0.95, 1.05),
        (of("speed_lead", "c"), 2.0, 1.9 / 1.05, 2.1 / 0.95),
        (of("delta", ablation="e", arm="best"), 3.0, 2.0, 4.0),
        (of("delta", ablation="e", arm="worst"), -2.0, -3.0, -1.0),
        (of("mean_delta", ablation="e"), 0.5, -0.5, 1.5),
        (of("arm_contrast", ablation="e", arm="up", than="down"), 5.0, 3.0, 7.0),
        (of("arm_contrast", ablation="e", arm="up", than="base"), 3.0, 2.0, 4.0),
        (of("arm_contrast", ablation="e", arm="down", than="others"), -5.0, -7.0, -3.0),
        # 80 / 76 x 1 / 2; accuracy of the other is taken between 74 and 78.
        (of("efficiency_ratio", "a", other="b"), 80 / 152, (1 + 2 / 78) / 2, (1 + 6 / 74) / 2),
        (of("efficiency_ratio", "b", other="a"), 2 * 76 / 80, 2 * (1 - 6 / 78), 2 * (1 - 2 / 82)),
        (of("efficiency_lead", "c"), 600 / 76, 10 * (1 - 18 / 74), 10 * (1 - 14 / 78)),
        (of("pareto", "a", cost="params"), 90.0, 100.0, 100.0),
        (of("pareto", "c", cost="gpu_hours"), 90.0, 100.0, 100.0),
        (
            {"kind": "all_of", "of": [of("lead", "a"), of("difference", "a", other="c")]},
            4.0, 2.0, 6.0,
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_the_figure_and_its_bounds(
    measure: dict[str, Any], value: float, low: float, high: float
) -> None:
    row = judge(measure)
    assert (row["measured"], row["ci_low"], row["ci_high"]) == pytest.approx((value, low, high))


def test_every_kind_has_a_measure_and_a_test() -> None:
    from bakeoff.analysis.claim_measures import MEASURES  # noqa: PLC0415

    assert {*MEASURES, "all_of"} == set(KINDS)


@pytest.mark.parametrize(
    ("measure", "verdict"),
    [
        (of("lead", "a"), "confirmed"),
        (of("lead", "b"), "refuted"),
        (of("difference", "a", other="a2"), "settled by construction"),
        (of("arm_contrast", ablation="e", arm="twin", than="up"), "settled by construction"),
        (of("mean_delta", ablation="e"), "inconclusive"),
    ],
)
def test_better_is_a_difference_of_at_least_nothing(measure: dict[str, Any], verdict: str) -> None:
    assert judge(measure)["verdict"] == verdict


def test_a_front_follows_from_the_pairs() -> None:
    front = of("pareto", "a", cost="params")
    for cells, verdict in (
        ({}, "confirmed"),
        ({"ab": (1.0, -1.0, 3.0)}, "inconclusive"),
        ({"ab": (-4.0, -6.0, -2.0)}, "refuted"),
    ):
        tables = Tables(models(), {}, pairs(**cells), runs())
        assert judge(front, tables, claimed=100.0)["verdict"] == verdict
    assert judge(of("pareto", "a", cost="latency"))["reason_code"] == "not_measured"


@pytest.mark.parametrize(
    ("requires", "code"),
    [
        ({"epochs": 200, "device": "v100", "gpus": 8}, "inside"),
        ({"epochs": 100}, "epochs"),
        ({"device": "A100"}, "device"),
        ({"gpus": 4}, "gpus"),
    ],
)
def test_a_time_is_of_a_device_and_its_gpus(requires: dict[str, Any], code: str) -> None:
    assert judge(of("hours", "c"), claimed=0.5, **requires)["reason_code"] == code


def test_speeds_of_different_machines_are_not_compared() -> None:
    tables = Tables(models(), {}, pairs(), runs({"b": "NVIDIA H100"}))
    row = judge(of("speed_lead", "c"), tables, claimed=1.0)
    assert (row["verdict"], row["reason_code"]) == ("not tested", "other_machines")


def test_what_has_one_seed_or_no_figure_is_not_tested() -> None:
    no_interval = {"ab": (4.0, np.nan, np.nan)}
    for tables, code in (
        (Tables(models(b={"seeds": 1}), {}, pairs(**no_interval), runs()), "seeds"),
        (Tables(models(), {}, pairs(**no_interval), runs()), "not_measured"),
    ):
        for measure in (of("lead", "a"), of("difference", "a", other="b")):
            row = judge(measure, tables)
            assert (row["verdict"], row["reason_code"]) == ("not tested", code)
    alone = Tables(models().iloc[:1], {}, pairs(), runs())
    for kind in ("lead", "efficiency_lead", "speed_lead"):
        assert judge(of(kind, "a"), alone)["reason_code"] == "no_others"
    lost = Tables(models().iloc[1:3], {}, pairs(), runs())
    assert judge(of("top1", "a"), lost)["reason_code"] == "all_diverged"


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        ({"kind": "top1"}, "is missing, which kind 'top1' needs"),
        (
            {"kind": "lead", "variant": "a", "arm": "x"},
            "is not for kind 'lead', which needs variant",
        ),
        ({"kind": "all_of", "of": []}, "is missing"),
        ({"kind": "all_of", "of": [of("lead", "a"), of("hours", "a")]}, "expected one unit"),
    ],
)
def test_a_measure_that_makes_no_sense_is_refused(measure: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ClaimConfig.model_validate(
            {
                "id": "c", "source": "x", "statement": {"en": "x", "zh": "x"}, "claimed": 0.0,
                "unit": "points", "relation": "at_least", "measure": measure,
            }
        )  # fmt: skip


def test_conditions_of_times_are_for_times() -> None:
    with pytest.raises(ValueError, match="has gpus, which is for measures of a time"):
        judge(of("lead", "a"), gpus=8)
