"""What a study measured for a claim, from its tables.

Nothing is decided anew: differences of variants have the intervals of the pairs of the comparison, those of arms those
of their ablation, so that a claim and a table never disagree. Both hold for all differences of their question at once,
which is what bounds sums, means and the best of several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bakeoff.analysis.comparison import COSTS
from bakeoff.study.claims import AnyPart, Measure, MeasureKind

# How much wider than for itself the interval of an accuracy is taken where it has to hold for all variants at once:
# at 30 degrees of freedom it then fails once in 4,000 times.
WIDER = 2.0


@dataclass(frozen=True)
class Measured:
    """What a study measured for one claim: value, interval, and what it rests on.

    `seeds` is None for what needs no interval over seeds, such as parameter counts and times; `exact` tells that there
    is no interval at all. `arms` is the number of arms that `arm` was picked from as the best, 1 when it was named
    beforehand. `pretrained` tells whether any network behind it started from ImageNet weights; `devices` and `gpus`
    are those of a time.
    """

    value: float
    low: float
    high: float
    epochs: int
    pretrained: bool
    seeds: int | None = None
    arm: str = ""
    arms: int = 1
    exact: bool = False
    devices: frozenset[str] = frozenset()
    gpus: frozenset[int] = frozenset()


class UndecidedError(Exception):
    """A claim has no verdict from figures; `code` is a key of `REASONS` and `facts` fill it."""

    verdict = "not tested"

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.code, self.facts = code, facts


class NotTestedError(UndecidedError):
    """The study cannot test a claim."""


class OtherNetworkError(UndecidedError):
    """No network of the study can be what the claim is about."""

    verdict = "not this network"


class OneNetworkError(UndecidedError):
    """What the claim compares is one network."""

    verdict = "settled by construction"


@dataclass(frozen=True)
class Tables:
    """The tables that claims are measured on; those of a comparison, and {name: table} of the ablations."""

    models: pd.DataFrame
    ablations: Mapping[str, pd.DataFrame]
    pairs: pd.DataFrame
    runs: pd.DataFrame


def measure_claim(measure: Measure, tables: Tables) -> Measured:
    """Return what was measured; of several parts the least, which is where all of them agree or not."""
    found = [MEASURES[part.kind](part, tables) for part in measure.parts]
    if len(found) == 1:
        return found[0]
    seeds = [each.seeds for each in found if each.seeds is not None]
    least = min(found, key=lambda each: _known(each.value))
    return Measured(
        least.value,
        min(each.low for each in found),
        min(each.high for each in found),
        epochs=min(each.epochs for each in found),
        pretrained=any(each.pretrained for each in found),
        seeds=min(seeds, default=None),
        exact=all(each.exact for each in found),
        devices=frozenset().union(*(each.devices for each in found)),
        gpus=frozenset().union(*(each.gpus for each in found)),
    )


# Of a variant


def _top1(measure: AnyPart, tables: Tables) -> Measured:
    row = _model(measure.variant, tables)
    return _over_rows([row], row["top1_mean"], row["top1_ci_low"], row["top1_ci_high"])


def _param_efficiency(measure: AnyPart, tables: Tables) -> Measured:
    top1 = _top1(measure, tables)
    params_m = params(measure, tables).value
    return replace(
        top1, value=top1.value / params_m, low=top1.low / params_m, high=top1.high / params_m
    )


def params(measure: AnyPart, tables: Tables) -> Measured:
    """Measure the parameters of a variant, in millions."""
    row = _model(measure.variant, tables)
    return _exact(row["params_m"], row)


def _hours(measure: AnyPart, tables: Tables) -> Measured:
    return _time(measure.variant, "train_hours", tables)


def _gpu_hours(measure: AnyPart, tables: Tables) -> Measured:
    return _time(measure.variant, "gpu_hours", tables)


def _time(variant: str | None, column: str, tables: Tables) -> Measured:
    """Measure the hours of the runs of a variant, or of the one whose runs are the shortest or the longest."""
    rows = _distinct(tables)
    spans = [_span(row, column, tables) for row in rows]
    if variant == "shortest":
        return min(spans, key=lambda span: span.value)
    if variant == "longest":
        return max(spans, key=lambda span: span.value)
    return _span(_model(variant, tables), column, tables)


def _span(row: Mapping[Any, Any], column: str, tables: Tables) -> Measured:
    """Return mean, least and greatest of what the runs of a row of models.csv took, and on what."""
    runs = tables.runs[(tables.runs["variant"] == row["run"]) & tables.runs["top1"].notna()]
    hours = runs[column].where(runs[column] > 0)
    gpus = (runs["gpu_hours"] / runs["train_hours"]).round().dropna()
    return Measured(
        hours.mean(),
        hours.min(),
        hours.max(),
        row["epochs"],
        row["pretrained"],
        exact=len(hours) == 1,
        devices=frozenset(runs["device"].dropna()),
        gpus=frozenset(int(count) for count in gpus),
    )


def _pareto(measure: AnyPart, tables: Tables) -> Measured:
    """Measure how probable it is that a variant is on the front; certain where the pairs decide it."""
    assert measure.cost is not None
    row, column = _model(measure.variant, tables), COSTS[measure.cost]
    share = _known(row[f"front_share_{measure.cost}"])
    rivals = [
        each
        for each in _distinct(tables)
        if each["run"] != row["run"] and each[column] <= row[column]
    ]
    pairs = [_pair(row, each, tables) for each in rivals]
    if any(_known(high) < 0 for _, _, high in pairs):
        low, high = 0.0, 0.0
    else:
        low, high = (100.0 if all(low > 0 for _, low, _ in pairs) else 0.0), 100.0
    return _over_rows([row, *rivals], share, low, high)


# Of two variants, or of one against all others


def _difference(measure: AnyPart, tables: Tables) -> Measured:
    row, other = _model(measure.variant, tables), _model(measure.other, tables)
    return _over_rows([row, other], *_pair(row, other, tables))


def _lead(measure: AnyPart, tables: Tables) -> Measured:
    """Measure how far a variant is ahead of the best of all others: the least of its differences."""
    row = _model(measure.variant, tables)
    others = _others(row, tables)
    pairs = [_pair(row, other, tables) for other in others]
    return _over_rows([row, *others], *(min(column) for column in zip(*pairs, strict=True)))


def _group_contrast(measure: AnyPart, tables: Tables) -> Measured:
    """Measure how far the mean of a group is above that of all others, by the intervals of all pairs at once."""
    group = [_model(name, tables) for name in measure.group]
    runs = {row["run"] for row in group}
    others = [row for row in _distinct(tables) if row["run"] not in runs]
    if not others:
        raise NotTestedError("no_others")
    pairs = [_pair(row, other, tables) for row in group for other in others]
    means = (float(np.mean(column)) for column in zip(*pairs, strict=True))
    return _over_rows([*group, *others], *means)


def _efficiency_ratio(measure: AnyPart, tables: Tables) -> Measured:
    row, other = _model(measure.variant, tables), _model(measure.other, tables)
    return _over_rows([row, other], *_ratio(row, other, tables))


def _efficiency_lead(measure: AnyPart, tables: Tables) -> Measured:
    row = _model(measure.variant, tables)
    others = _others(row, tables)
    ratios = [_ratio(row, other, tables) for other in others]
    return _over_rows([row, *others], *(min(column) for column in zip(*ratios, strict=True)))


def _ratio(
    row: Mapping[Any, Any], other: Mapping[Any, Any], tables: Tables
) -> tuple[float, float, float]:
    """Return the ratio of two accuracies for each parameter: 1 + difference / accuracy of the other, and its bounds."""
    delta, low, high = _pair(row, other, tables)
    mean = other["score_mean"]
    half = WIDER * max(mean - other["score_ci_low"], other["score_ci_high"] - mean)
    bounds = (max(mean - half, 1e-6), min(mean + half, 100.0))
    size = other["params_m"] / row["params_m"]
    return (
        (1 + delta / mean) * size,
        max(0.0, 1 + min(low / bound for bound in bounds)) * size,
        (1 + max(high / bound for bound in bounds)) * size,
    )


def _speed_lead(measure: AnyPart, tables: Tables) -> Measured:
    """Measure how many times longer the fastest of all others trains; on the same device and as many GPUs."""
    row = _model(measure.variant, tables)
    own = _span(row, "train_hours", tables)
    others = [_span(other, "train_hours", tables) for other in _others(row, tables)]
    devices = own.devices.union(*(each.devices for each in others))
    gpus = own.gpus.union(*(each.gpus for each in others))
    if len(devices) > 1 or len(gpus) > 1:
        raise NotTestedError("other_machines")
    return replace(
        own,
        value=min(each.value for each in others) / own.value,
        low=min(each.low for each in others) / own.high,
        high=min(each.high for each in others) / own.low,
        epochs=min(own.epochs, *(each.epochs for each in others)),
        exact=False,
    )


# Of the arms of an ablation


def _delta(measure: AnyPart, tables: Tables) -> Measured:
    """Measure the change of an arm, of the best one or of the worst one.

    Intervals hold for all arms at once. So what the best arm truly changes is at least the largest of their lower
    bounds and at most the largest of their upper ones, whichever arm it is; and the worst by the smallest.
    """
    arms = _arms(measure, tables)
    pick = min if measure.arm == "worst" else max
    best = pick(arms, key=lambda row: _known(row["delta"]))
    bounds = (pick(row[f"ci_{end}"] for row in arms) for end in ("low", "high"))
    return replace(
        _over_arms(arms, best["delta"], *bounds),
        arm=best["arm"],
        arms=len(arms),
    )


def _mean_delta(measure: AnyPart, tables: Tables) -> Measured:
    """Measure the mean change of all arms; its bounds are the means of theirs, which hold at once."""
    arms = _arms(measure, tables)
    means = (float(np.mean([row[key] for row in arms])) for key in ("delta", "ci_low", "ci_high"))
    return _over_arms(arms, *means)


def _arm_contrast(measure: AnyPart, tables: Tables) -> Measured:
    """Measure by how much an arm is better than another, or than the best of the others.

    Both differ from the baseline within intervals that hold at once, which bounds what lies between them.
    """
    arm = _one_arm(measure, measure.arm, tables)
    if measure.than == "others":
        others = [
            row
            for row in _arms(measure, tables)
            if row["arm"] != arm["arm"] and row["run"] != arm["run"]
        ]
    else:
        others = [_one_arm(measure, measure.than, tables)]
        if others[0]["run"] == arm["run"]:
            raise OneNetworkError("one_network", arm=arm["arm"], other=others[0]["arm"])
    if not others:
        raise NotTestedError("no_others")
    return _over_arms(
        [arm, *others],
        min(_change(arm)[0] - _change(other)[0] for other in others),
        min(_change(arm)[1] - _change(other)[2] for other in others),
        min(_change(arm)[2] - _change(other)[1] for other in others),
    )


def _change(row: Mapping[Any, Any]) -> tuple[float, float, float]:
    """Return the change of an arm with its bounds; the baseline, and what is one network with it, has none."""
    if row["arm"] == row["baseline"] or row["verdict"] == "same network":
        return 0.0, 0.0, 0.0
    return row["delta"], row["ci_low"], row["ci_high"]


def _params_reduction(measure: AnyPart, tables: Tables) -> Measured:
    row, count = smallest(measure, tables)
    exact = _exact(-row["params_change_pct"], row)
    return replace(exact, arm=row["arm"], arms=count)


def smallest(measure: AnyPart, tables: Tables) -> tuple[Mapping[Any, Any], int]:
    """Return the arm with the fewest parameters (or the most, for the worst) and the number of arms it is one of."""
    arms = _arms(measure, tables)
    pick = max if measure.arm == "worst" else min
    return pick(arms, key=lambda row: _known(row["params_change_pct"])), len(arms)


MEASURES: Mapping[MeasureKind, Callable[[AnyPart, Tables], Measured]] = {
    "top1": _top1,
    "params": params,
    "param_efficiency": _param_efficiency,
    "hours": _hours,
    "gpu_hours": _gpu_hours,
    "delta": _delta,
    "mean_delta": _mean_delta,
    "arm_contrast": _arm_contrast,
    "params_reduction": _params_reduction,
    "difference": _difference,
    "lead": _lead,
    "group_contrast": _group_contrast,
    "efficiency_ratio": _efficiency_ratio,
    "efficiency_lead": _efficiency_lead,
    "speed_lead": _speed_lead,
    "pareto": _pareto,
}


# What they have in common


def _exact(value: float, row: Mapping[Any, Any]) -> Measured:
    return Measured(value, value, value, row["epochs"], row["pretrained"], exact=True)


def _over_rows(rows: list[dict[Any, Any]], value: float, low: float, high: float) -> Measured:
    """Return what was measured on rows of models.csv."""
    return Measured(
        value,
        low,
        high,
        epochs=min(row["epochs"] for row in rows),
        pretrained=any(row["pretrained"] for row in rows),
        seeds=min(row["seeds"] for row in rows),
    )


def _over_arms(rows: list[dict[Any, Any]], value: float, low: float, high: float) -> Measured:
    """Return what was measured on rows of an ablation, which have their baseline beside them."""
    return Measured(
        value,
        low,
        high,
        epochs=min(min(row["epochs"], row["baseline_epochs"]) for row in rows),
        pretrained=any(row["pretrained"] for row in rows),
        seeds=min(min(row["seeds"], row["baseline_seeds"]) for row in rows),
    )


def _known(value: float) -> float:
    if np.isnan(value):
        raise NotTestedError("not_measured")
    return value


def _model(variant: str | None, tables: Tables) -> dict[Any, Any]:
    for row in tables.models.to_dict("records"):
        if row["variant"] == variant:
            return row
    if variant in set(tables.runs["variant"]):
        raise NotTestedError("all_diverged", name=variant)
    raise NotTestedError("variant_absent", name=variant)


def _distinct(tables: Tables) -> list[dict[Any, Any]]:
    """Return the rows of models.csv, one for each network."""
    return tables.models[tables.models["distinct"]].to_dict("records")


def _others(row: Mapping[Any, Any], tables: Tables) -> list[dict[Any, Any]]:
    others = [each for each in _distinct(tables) if each["run"] != row["run"]]
    if not others:
        raise NotTestedError("no_others")
    return others


def _pair(
    row: Mapping[Any, Any], other: Mapping[Any, Any], tables: Tables
) -> tuple[float, float, float]:
    """Return the difference of two variants with its bounds, as the comparison has it."""
    if row["run"] == other["run"]:
        raise OneNetworkError("one_network", arm=row["variant"], other=other["variant"])
    for a, b, sign in ((row, other, 1), (other, row, -1)):
        pairs = tables.pairs
        found = pairs[(pairs["variant_a"] == a["variant"]) & (pairs["variant_b"] == b["variant"])]
        if len(found):
            cells = found.iloc[0]
            bounds = sorted((sign * cells["ci_low"], sign * cells["ci_high"]))
            return sign * cells["delta"], bounds[0], bounds[1]
    raise NotTestedError("not_measured")


def _table(measure: AnyPart, tables: Tables) -> pd.DataFrame:
    name = measure.ablation
    if name is None or name not in tables.ablations:
        raise NotTestedError("ablation_absent", name=name)
    return tables.ablations[name]


def _arms(measure: AnyPart, tables: Tables) -> list[dict[Any, Any]]:
    """Return the one arm that `measure` names, or all of them where it names none or the best or worst of them.

    Only arms that were tested against the baseline count, and each network once.
    """
    table = _table(measure, tables)
    tested = table[table["verdict"].notna() & (table["verdict"] != "same network")]
    every = measure.arm in (None, "best", "worst") or measure.kind == "arm_contrast"
    arms = tested.drop_duplicates("run") if every else tested[tested["arm"] == measure.arm]
    if arms.empty:
        raise NotTestedError("arm_absent", name=measure.ablation, arm=measure.arm)
    return arms.to_dict("records")


def _one_arm(measure: AnyPart, arm: str | None, tables: Tables) -> dict[Any, Any]:
    """Return the row of an arm, the baseline and repeats of a network included."""
    for row in _table(measure, tables).to_dict("records"):
        if row["arm"] == arm:
            return row
    raise NotTestedError("arm_absent", name=measure.ablation, arm=arm)
