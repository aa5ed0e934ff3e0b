"""Claims: published figures held against what the study measured.

The verdict comes from the whole interval, never from the point alone. What the study did not or
could not measure under the claim's conditions is "not tested", with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bakeoff.analysis.ablation import ABLATION
from bakeoff.analysis.tables import Column, format_number, read_table, write_table
from bakeoff.study.claims import ClaimConfig, Measure, MeasureKind, Requires

MODELS_NEEDED = (
    *("variant", "pretrained", "seeds", "epochs", "top1_mean", "top1_ci_low", "top1_ci_high"),
    "params_m",
)
MIN_SEEDS = 2

COLUMNS = (
    Column("source", "Source"),
    Column("statement", "Statement"),
    Column("claimed", "Claimed", ".4g"),
    Column("measured", "Measured", ".4g", ("ci_low", "ci_high")),
    Column("unit", "Unit"),
    Column("verdict", "Verdict"),
    Column("reason", "Reason"),
)
CLAIMS = (
    *("id", "origin", "source", "statement", "statement_zh", "claimed", "unit", "relation"),
    *("tolerance", "measured", "ci_low", "ci_high", "seeds", "verdict", "reason_code"),
    *("reason", "reason_zh"),
)
CAPTION = (
    "Published figures, tested. Confirmed: all of the 95 % interval agrees with the claim, within "
    "its tolerance. Refuted: none of it does. Otherwise inconclusive, or not tested for the reason "
    "given. Intervals of changes are those of their ablation and hold for all its arms at once."
)

# Why a verdict was given, in English and Chinese. The reason of a tested claim is put together from
# what was expected, what was found, how the two lie, and how an arm was picked.
REASONS: Mapping[str, tuple[str, str]] = {
    "at_least": ("expected at least {least}; ", "要求不低于 {least}；"),
    "at_most": ("expected at most {most}; ", "要求不高于 {most}；"),
    "equals": ("expected {least} to {most}; ", "要求介于 {least} 与 {most} 之间；"),
    "interval": ("the interval from {low} to {high} ", "区间 {low} 至 {high} "),
    "value": ("the value {value} ", "数值 {value} "),
    "inside": ("lies within", "满足该要求"),
    "outside": ("lies outside", "不满足该要求"),
    "overlaps": ("lies only partly within", "仅部分满足该要求"),
    "best": (
        "; '{arm}' is the best of {arms} arms",
        "；“{arm}”是 {arms} 个实验臂中的最优者",
    ),
    "simultaneous": (
        ", and the interval holds for all of them",
        "，区间同时适用于所有实验臂",
    ),
    "variant_absent": (
        "variant '{name}' is not part of this study",
        "本研究未包含变体 {name}",
    ),
    "ablation_absent": (
        "ablation '{name}' is not part of this study",
        "本研究未包含消融实验 {name}",
    ),
    "arm_absent": (
        "ablation '{name}' has no arm '{arm}' that differs from its baseline",
        "消融实验 {name} 中没有与基线不同的实验臂 {arm}",
    ),
    "dataset": (
        "the claim is about {wanted[0]}, this study used {found[0]}",
        "该论断针对 {wanted[1]}，而本研究使用 {found[1]}",
    ),
    "min_epochs": (
        "the claim needs at least {wanted} epochs, this study trained {found}",
        "该论断要求至少训练 {wanted} 个 epoch，而本研究仅训练 {found} 个",
    ),
    "protocol": (
        "the claim is about the protocol '{wanted}', this study used '{found}'",
        "该论断针对训练方案 {wanted}，而本研究使用 {found}",
    ),
    "pretrained": (
        "the claim is about {wanted[0]}, what was measured {found[0]}",
        "该论断针对{wanted[1]}的网络，而实测的网络{found[1]}",
    ),
    "not_measured": ("the study has no figure for it", "本研究没有相应的数值"),
    "seeds": (
        "an accuracy needs at least {wanted} seeds, this study has {found}",
        "检验准确率至少需要 {wanted} 个随机种子，而本研究仅有 {found} 个",
    ),
}


@dataclass(frozen=True)
class Measured:
    """What a study measured for one claim: value, interval, and what it rests on.

    `seeds` is None for exact values such as parameter counts, which need no seeds. `arms` is the
    number of arms that `arm` was picked from as the best, 1 when it was named beforehand.
    `pretrained` tells whether any network behind it started from ImageNet weights.
    """

    value: float
    low: float
    high: float
    epochs: int
    pretrained: bool
    seeds: int | None = None
    arm: str = ""
    arms: int = 1


class NotTestedError(Exception):
    """The study cannot test a claim; `code` is a key of `REASONS` and `facts` fill it."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


@dataclass(frozen=True)
class Tables:
    """The tables that claims are measured on."""

    models: pd.DataFrame
    ablations: Mapping[str, pd.DataFrame]


def judge_claims(
    spec: Mapping[str, Any],
    comparison: str | Path,
    ablations: Iterable[str | Path],
    out_dir: str | Path,
) -> None:
    """Write claims.csv, .md and .tex to `out_dir`, one row per claim of `spec` (claims.json).

    `comparison` is models.csv, `ablations` are the ablation tables, named by their file names.

    Raises:
        UserError: a table is missing or lacks columns.
    """
    tables = Tables(
        read_table(comparison, MODELS_NEEDED),
        {Path(path).stem: read_table(path, ABLATION) for path in ablations},
    )
    claims = [ClaimConfig.model_validate(claim) for claim in spec["claims"]]
    titles = spec["datasets"]
    rows = [claim_row(claim, spec["study"], tables, titles) for claim in claims]
    write_table(pd.DataFrame(rows, columns=CLAIMS), COLUMNS, Path(out_dir) / "claims.csv", CAPTION)


def claim_row(
    claim: ClaimConfig,
    study: Mapping[str, Any],
    tables: Tables,
    titles: Mapping[str, Mapping[str, str]],
) -> dict[str, object]:
    """Return the row of claims.csv for one claim of a study; `titles` are those of data sets, in each language."""
    shown = f"{claim.claimed:g}"
    row: dict[str, object] = {
        **claim.model_dump(
            include={"id", "origin", "source", "claimed", "unit", "relation", "tolerance"}
        ),
        "statement": claim.statement.en.format(claimed=shown),
        "statement_zh": claim.statement.zh.format(claimed=shown),
    }
    try:
        _require_study(claim.requires, study, titles)
        measured = MEASURES[claim.measure.kind](claim.measure, tables)
        _require_training(claim.requires, measured)
    except NotTestedError as missing:
        # The figure stays out: measured under other conditions, it would invite the comparison.
        english, chinese = _reason(missing.code, missing.facts)
        why = {"reason_code": missing.code, "reason": english, "reason_zh": chinese}
        return row | {"verdict": "not tested", **why}

    least, most = accepted(claim.relation, claim.claimed, claim.tolerance)
    decided, code = verdict(least, most, measured.low, measured.high)
    exact = measured.seeds is None
    codes = [claim.relation, "value" if exact else "interval", code]
    if measured.arms > 1:
        codes += ["best"] if exact else ["best", "simultaneous"]
    figures = {
        "least": least,
        "most": most,
        "value": measured.value,
        "low": measured.low,
        "high": measured.high,
    }
    facts = {key: format_number(figure, ".4g") for key, figure in figures.items()}
    facts |= {"arm": measured.arm, "arms": str(measured.arms)}
    parts = [_reason(part, facts) for part in codes]
    return row | {
        "measured": measured.value,
        "ci_low": np.nan if exact else measured.low,
        "ci_high": np.nan if exact else measured.high,
        "seeds": measured.seeds,
        "verdict": decided,
        "reason_code": code,
        "reason": "".join(english for english, _ in parts),
        "reason_zh": "".join(chinese for _, chinese in parts),
    }


def accepted(relation: str, claimed: float, tolerance: float) -> tuple[float, float]:
    """Return the least and the largest value that agrees with a claim."""
    least = -np.inf if relation == "at_most" else claimed - tolerance
    most = np.inf if relation == "at_least" else claimed + tolerance
    return least, most


def verdict(least: float, most: float, low: float, high: float) -> tuple[str, str]:
    """Return the verdict from the interval [low, high] on "between least and most", and its code.

    Confirmed when all of the interval agrees with the claim, refuted when none of it does, and
    inconclusive otherwise. Bounds that differ by the rounding of binary fractions are equal.
    """
    least, most = least - _rounding(least), most + _rounding(most)
    if least <= low and high <= most:
        return "confirmed", "inside"
    if high < least or low > most:
        return "refuted", "outside"
    return "inconclusive", "overlaps"


def _rounding(bound: float) -> float:
    return 1e-9 * max(1.0, abs(bound)) if np.isfinite(bound) else 0.0


def _top1(measure: Measure, tables: Tables) -> Measured:
    row = _model(measure.variant, tables)
    bounds = row["top1_ci_low"], row["top1_ci_high"]
    return Measured(row["top1_mean"], *bounds, row["epochs"], row["pretrained"], row["seeds"])


def _param_efficiency(measure: Measure, tables: Tables) -> Measured:
    top1 = _top1(measure, tables)
    params_m = _params(measure, tables).value
    return replace(
        top1, value=top1.value / params_m, low=top1.low / params_m, high=top1.high / params_m
    )


def _params(measure: Measure, tables: Tables) -> Measured:
    row = _model(measure.variant, tables)
    return _exact(row["params_m"], row)


def _delta(measure: Measure, tables: Tables) -> Measured:
    """Measure the change of an arm, or of the best one.

    Intervals hold for all arms at once. So what the best arm truly changes is at least the largest of their lower
    bounds and at most the largest of their upper ones, whichever arm it is.
    """
    arms = _arms(measure, tables)
    best = max(arms, key=lambda row: _known(row["delta"]))
    return Measured(
        best["delta"],
        max(row["ci_low"] for row in arms),
        max(row["ci_high"] for row in arms),
        epochs=min(min(row["epochs"], row["baseline_epochs"]) for row in arms),
        pretrained=any(row["pretrained"] for row in arms),
        seeds=min(min(row["seeds"], row["baseline_seeds"]) for row in arms),
        arm=best["arm"],
        arms=len(arms),
    )


def _params_reduction(measure: Measure, tables: Tables) -> Measured:
    arms = _arms(measure, tables)
    row = min(arms, key=lambda row: _known(row["params_change_pct"]))
    exact = _exact(-row["params_change_pct"], row)
    return replace(exact, arm=row["arm"], arms=len(arms))


def _exact(value: float, row: Mapping[Any, Any]) -> Measured:
    return Measured(value, value, value, row["epochs"], row["pretrained"])


def _known(value: float) -> float:
    if np.isnan(value):
        raise NotTestedError("not_measured")
    return value


MEASURES: Mapping[MeasureKind, Callable[[Measure, Tables], Measured]] = {
    "top1": _top1,
    "param_efficiency": _param_efficiency,
    "params": _params,
    "delta": _delta,
    "params_reduction": _params_reduction,
}


def _model(variant: str | None, tables: Tables) -> dict[Any, Any]:
    for row in tables.models.to_dict("records"):
        if row["variant"] == variant:
            return row
    raise NotTestedError("variant_absent", name=variant)


def _arms(measure: Measure, tables: Tables) -> list[dict[Any, Any]]:
    """Return the one arm that `measure` names, or all of them for "best".

    Only arms that were tested against the baseline count, and each network once.
    """
    name, wanted = measure.ablation, measure.arm
    if name is None or name not in tables.ablations:
        raise NotTestedError("ablation_absent", name=name)
    table = tables.ablations[name]
    tested = table[table["verdict"].notna() & (table["verdict"] != "same network")]
    best = wanted == "best"
    arms = tested.drop_duplicates("run") if best else tested[tested["arm"] == wanted]
    if arms.empty:
        raise NotTestedError("arm_absent", name=name, arm=wanted)
    return arms.to_dict("records")


def _require_study(
    requires: Requires, study: Mapping[str, Any], titles: Mapping[str, Mapping[str, str]]
) -> None:
    """Raise NotTestedError where the study as a whole is not what the claim is about."""
    called = {title.casefold(): name for name, each in titles.items() for title in each.values()}
    wanted = requires.dataset or study["dataset"]
    wanted = called.get(wanted.casefold(), wanted)
    if wanted != study["dataset"]:
        named = (titles.get(name, {"en": name, "zh": name}) for name in (wanted, study["dataset"]))
        names = ((title["en"], title["zh"]) for title in named)
        raise NotTestedError("dataset", **dict(zip(("wanted", "found"), names, strict=True)))
    if requires.protocol not in (None, study["protocol"]):
        raise NotTestedError("protocol", wanted=requires.protocol, found=study["protocol"])


def _require_training(requires: Requires, measured: Measured) -> None:
    """Raise NotTestedError where too little was trained or measured, or where it started from other weights."""
    if requires.min_epochs and measured.epochs < requires.min_epochs:
        raise NotTestedError("min_epochs", wanted=requires.min_epochs, found=measured.epochs)
    if requires.pretrained not in (None, bool(measured.pretrained)):
        about = (("pretrained networks", "预训练"), ("networks trained from scratch", "从头训练"))
        was = (("is pretrained", "经过预训练"), ("was trained from scratch", "为从头训练"))
        wanted, found = about[not requires.pretrained], was[not measured.pretrained]
        raise NotTestedError("pretrained", wanted=wanted, found=found)
    if measured.seeds is not None and measured.seeds < MIN_SEEDS:
        raise NotTestedError("seeds", wanted=MIN_SEEDS, found=measured.seeds)
    if not np.isfinite([measured.value, measured.low, measured.high]).all():
        raise NotTestedError("not_measured")


def _reason(code: str, facts: Mapping[str, object]) -> tuple[str, str]:
    english, chinese = REASONS[code]
    return english.format_map(facts), chinese.format_map(facts)
