"""Claims: published figures held against what the study measured.

The verdict comes from the whole interval, never from the point alone. What the study did not or
could not measure under the claim's conditions is "not tested", with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bakeoff.analysis.ablation import ABLATION
from bakeoff.analysis.claim_measures import (
    Measured,
    NotTestedError,
    OtherNetworkError,
    Tables,
    UndecidedError,
    measure_claim,
    params,
    smallest,
)
from bakeoff.analysis.claim_reasons import reason
from bakeoff.analysis.comparison import COSTS, PAIRWISE
from bakeoff.analysis.statistics import LEVEL
from bakeoff.analysis.tables import Column, format_number, read_table, write_table
from bakeoff.study.claims import KINDS, AnyPart, ClaimConfig, Requires
from bakeoff.study.growth import looks_of, told_of_looks
from bakeoff.study.metric import NAMES, metric_of

MODELS_NEEDED = (
    *("variant", "pretrained", "seeds", "epochs", "top1_mean", "top1_ci_low", "top1_ci_high"),
    *("score_mean", "score_ci_low", "score_ci_high"),
    *("params_m", "run", "distinct", *COSTS.values()),
    *(f"front_share_{name}" for name in COSTS),
)
RUNS_NEEDED = ("variant", "top1", "train_hours", "gpu_hours", "device")
MIN_SEEDS = 2

COLUMNS = (
    Column("origin", "Whose"),
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
    "given. Not this network: no network of the study can be the one that the claim describes. Settled by "
    "construction: what is compared is one network. Intervals of changes are those of their ablation, those of "
    "differences those of the pairs of the comparison, and hold for all of them at once; times reach from the shortest "
    "run to the longest."
)


def judge_claims(
    spec: Mapping[str, Any],
    comparison: str | Path,
    ablations: Iterable[str | Path],
    out_dir: str | Path,
) -> None:
    """Write claims.csv, .md and .tex to `out_dir`, one row per claim of `spec` (claims.json).

    `comparison` is the folder of models.csv, pairwise.csv and runs.csv, `ablations` are the ablation tables, named by
    their file names.

    Raises:
        UserError: a table is missing or lacks columns.
    """
    comparison = Path(comparison)
    tables = Tables(
        read_table(comparison / "models.csv", MODELS_NEEDED),
        {Path(path).stem: read_table(path, ABLATION) for path in ablations},
        read_table(comparison / "pairwise.csv", PAIRWISE),
        read_table(comparison / "runs.csv", RUNS_NEEDED),
    )
    claims = [ClaimConfig.model_validate(claim) for claim in spec["claims"]]
    titles = spec["datasets"]
    rows = [claim_row(claim, spec["study"], tables, titles) for claim in claims]
    caption = CAPTION + told_of_looks(looks_of(spec), LEVEL)
    write_table(pd.DataFrame(rows, columns=CLAIMS), COLUMNS, Path(out_dir) / "claims.csv", caption)


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
    least, most = accepted(claim.relation, claim.claimed, claim.tolerance)
    try:
        for part in claim.measure.parts:
            _require_network(part, claim.claimed, (least, most), tables)
        _require_study(claim.requires, study, titles)
        _require_metric(claim, study)
        measured = measure_claim(claim.measure, tables)
        _require_training(claim.requires, measured)
    except UndecidedError as undecided:
        # The figure stays out: measured under other conditions, it would invite the comparison.
        english, chinese = reason(undecided.code, undecided.facts)
        why = {"reason_code": undecided.code, "reason": english, "reason_zh": chinese}
        return row | {"verdict": undecided.verdict, **why}

    decided, code = verdict(least, most, measured.low, measured.high)
    exact = measured.exact
    codes = [claim.relation, "value" if exact else "interval", code]
    if measured.arms > 1:
        picked = "worst" if claim.measure.arm == "worst" else "best"
        codes += [picked] if exact else [picked, "simultaneous"]
    figures = {
        "least": least,
        "most": most,
        "value": measured.value,
        "low": measured.low,
        "high": measured.high,
    }
    facts = {key: format_number(figure, ".4g") for key, figure in figures.items()}
    facts |= {"arm": measured.arm, "arms": str(measured.arms)}
    parts = [reason(part, facts) for part in codes]
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


# Conditions


def _require_network(
    part: AnyPart, claimed: float, agrees: tuple[float, float], tables: Tables
) -> None:
    """Raise OtherNetworkError where no network of the study can have the figure, whatever was trained."""
    try:
        if part.kind == "param_efficiency":
            params_m = params(part, tables).value
            if agrees[0] * params_m > 100:
                raise OtherNetworkError(
                    "beyond_all_images",
                    needed=format_number(claimed * params_m, ",.0f"),
                    params=format_number(1e6 * params_m, ",.0f"),
                )
        if part.kind == "params_reduction" and part.arm == "best":
            row, _ = smallest(part, tables)
            saved = -row["params_change_pct"]
            if verdict(*agrees, saved, saved)[0] == "refuted":
                whole = 1e6 * row["params_m"] / (1 - saved / 100)
                raise OtherNetworkError(
                    "other_size",
                    wanted=format_number(whole * (1 - claimed / 100), ",.0f"),
                    smallest=format_number(1e6 * row["params_m"], ",.0f"),
                    arm=row["arm"],
                )
    except NotTestedError:
        # What is not there is told where it is measured, after the conditions on the study.
        return


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


def _require_metric(claim: ClaimConfig, study: Mapping[str, Any]) -> None:
    """Raise NotTestedError where the verdicts of the study are on another accuracy than the claim is about."""
    found = metric_of({"study": study})
    if found != claim.requires.metric and any(KINDS[p.kind].judged for p in claim.measure.parts):
        chinese = {"top1": "top-1准确率", "balanced": "平衡准确率"}
        raise NotTestedError(
            "metric",
            wanted=NAMES[claim.requires.metric],
            found=NAMES[found],
            wanted_zh=chinese[claim.requires.metric],
            found_zh=chinese[found],
        )


def _require_training(requires: Requires, measured: Measured) -> None:
    """Raise NotTestedError where too little was trained or measured, or where it started from other weights."""
    if requires.min_epochs and measured.epochs < requires.min_epochs:
        raise NotTestedError("min_epochs", wanted=requires.min_epochs, found=measured.epochs)
    if requires.epochs and measured.epochs != requires.epochs:
        raise NotTestedError("epochs", wanted=requires.epochs, found=measured.epochs)
    if requires.device and not all(
        requires.device.casefold() in device.casefold() for device in measured.devices
    ):
        raise NotTestedError(
            "device", wanted=requires.device, found=", ".join(sorted(measured.devices))
        )
    if requires.gpus and measured.gpus != {requires.gpus}:
        counts = ", ".join(map(str, sorted(measured.gpus)))
        raise NotTestedError("gpus", wanted=requires.gpus, found=counts)
    if requires.pretrained not in (None, bool(measured.pretrained)):
        about = (("pretrained networks", "预训练"), ("networks trained from scratch", "从头训练"))
        was = (("is pretrained", "经过预训练"), ("was trained from scratch", "为从头训练"))
        wanted, found = about[not requires.pretrained], was[not measured.pretrained]
        raise NotTestedError("pretrained", wanted=wanted, found=found)
    if measured.seeds is not None and measured.seeds < MIN_SEEDS:
        raise NotTestedError("seeds", wanted=MIN_SEEDS, found=measured.seeds)
    if not np.isfinite([measured.value, measured.low, measured.high]).all():
        raise NotTestedError("not_measured")
