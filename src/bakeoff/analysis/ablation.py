"""An ablation: each arm against one baseline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bakeoff.analysis.networks import NetworkRuns, Networks, load_networks, same_network_as
from bakeoff.analysis.statistics import LEVEL
from bakeoff.analysis.tables import Column, titled, write_table
from bakeoff.analysis.verdicts import JUDGED, judge
from bakeoff.errors import UserError, did_you_mean
from bakeoff.study.growth import looks_of, told_of_looks
from bakeoff.study.metric import NAMES, metric_of

ABLATION = (
    *("arm", "variant", "display", "baseline", "seeds", "baseline_seeds", "epochs"),
    *(
        "baseline_epochs",
        "metric",
        "score_mean",
        "score_sd",
        "top1_mean",
        "top1_sd",
        "balanced_mean",
        *JUDGED,
        "more_gpu_hours",
        "params_m",
    ),
    *(
        "params_change_pct",
        "macs_m",
        "macs_change_pct",
        "gpu_hours",
        "gpu_hours_change",
        "pretrained",
        "run",
        "same_network_as",
        "title",
    ),
)
COLUMNS: tuple[Column, ...] = (
    Column("arm", "Arm"),
    Column("display", "Variant"),
    Column("seeds", "Seeds", ",.0f"),
    Column("score_mean", "{metric} (%)", ",.2f"),
    Column("score_sd", "SD over seeds", ",.2f"),
    Column("delta", "Change (points)", "+,.2f", ("ci_low", "ci_high")),
    Column("p_adjusted", "p (adjusted)", ",.3f"),
    Column("verdict", "Verdict"),
    Column("errors_change_pct", "Errors (%)", "+,.1f"),
    Column("detectable", "Detectable (points)", ",.2f"),
    Column("equivalent_within", "Equivalent within (points)", ",.2f"),
    Column("more_seeds", "More seeds", ",.0f"),
    Column("params_m", "Params (M)", ",.4f"),
    Column("params_change_pct", "Params change (%)", "+,.2f"),
    Column("gpu_hours", "GPU-hours of a run", ",.3g"),
    Column("gpu_hours_change", "Change (GPU-hours)", "+,.3g"),
    Column("same_network_as", "Same network as", variant=True),
)


def ablate(spec: Mapping[str, Any], runs_dir: str | Path, out: str | Path) -> None:
    """Write the table of one ablation to `out` (.csv), with .md and .tex beside it.

    `spec` is ablations/{ablation}.json.

    Raises:
        UserError: the baseline is not one of the arms, or a run is missing or damaged.
    """
    networks = load_arms(spec, runs_dir)
    table = arm_table(spec, networks)
    caption = (
        f"Ablation {spec['ablation']}: change in {NAMES[networks.metric]} against the arm '{spec['baseline']}', paired "
        "on test images. Intervals are 95 % for all arms at once: one leaves out zero exactly where the verdict is "
        f"better or worse. Equivalent: within {spec['margin']:g} points, by two one-sided tests at 5 %. Detectable: "
        "the true change that this design would find with 80 % probability. More seeds: how many on each side would "
        "settle it. With one seed there is no verdict, and an arm that is the same network as the baseline is not "
        "tested."
        + _fewer_seeds(table)
        + told_of_looks(looks_of(spec), LEVEL)
        + networks.told({arm["run"]: arm["arm"] for arm in spec["arms"]})
    )
    # A row is the same network as another arm, or as a variant that is none.
    named = table[~table["variant"].isin(table["arm"])]
    display = dict(zip(named["variant"], named["display"], strict=True))
    write_table(table, titled(COLUMNS, networks.metric), out, caption, display)


def load_arms(spec: Mapping[str, Any], runs_dir: str | Path) -> Networks:
    """Return the networks of an ablation's arms, from the runs below `runs_dir`."""
    names = [arm["arm"] for arm in spec["arms"]]
    if spec["baseline"] not in names:
        raise UserError(
            f"Ablation '{spec['ablation']}' has no arm '{spec['baseline']}' to be its baseline"
            f"{did_you_mean(spec['baseline'], names)}. Name one of its arms under 'baseline'."
        )
    return load_networks(spec["arms"], runs_dir, metric=metric_of(spec))


def arm_table(spec: Mapping[str, Any], found: Networks) -> pd.DataFrame:
    """Return one row per arm in the order of `spec`; the baseline has no change and no verdict.

    Two arms that are the same network are one difference, and are judged once. An arm without a finished run has no
    row, and without one of the baseline there is none at all.
    """
    networks = found.finished
    arms = {arm["arm"]: arm for arm in spec["arms"] if arm["run"] in networks}
    if spec["baseline"] not in arms:
        return pd.DataFrame(columns=ABLATION)
    baseline = networks[arms[spec["baseline"]]["run"]]
    means = found.means()
    places = {name: place for place, name in enumerate(networks)}
    tested = [name for name in networks if name != baseline.name]
    a = np.array([places[name] for name in tested], dtype=int)
    judged = judge(means, a, np.full(len(a), places[baseline.name]), spec["margin"], looks_of(spec))
    hours = {name: _gpu_hours(network) for name, network in networks.items()}
    judged["more_gpu_hours"] = judged["more_seeds"] * [
        hours[name] + hours[baseline.name] for name in tested
    ]
    cells = dict(zip(tested, judged.to_dict("records"), strict=True))
    rows = []
    for name, arm in arms.items():
        network = networks[arm["run"]]
        row = {
            "arm": name,
            "variant": arm["variant"],
            "display": arm.get("display", arm["variant"]),
            "baseline": spec["baseline"],
            "seeds": len(network.answers.seeds),
            "baseline_seeds": len(baseline.answers.seeds),
            "epochs": int(network.scores["epochs"].min()),
            "baseline_epochs": int(baseline.scores["epochs"].min()),
            "metric": found.metric,
            "score_mean": network.scores["score"].mean(),
            "score_sd": network.scores["score"].std(),
            "top1_mean": network.scores["top1"].mean(),
            "top1_sd": network.scores["top1"].std(),
            "balanced_mean": network.scores["balanced"].mean(),
            "params_m": network.params / 1e6,
            "params_change_pct": 100 * (network.params / baseline.params - 1),
            "macs_m": network.macs / 1e6,
            "macs_change_pct": 100 * (network.macs / baseline.macs - 1),
            "gpu_hours": hours[network.name],
            "gpu_hours_change": hours[network.name] - hours[baseline.name],
            "pretrained": network.pretrained or baseline.pretrained,
            "run": network.name,
            "title": spec["title"]["en"],
        }
        if network.name in cells:
            row |= {str(column): cell for column, cell in cells[network.name].items()}
        elif name != spec["baseline"]:
            row |= {"delta": 0.0, "verdict": "same network"}
        rows.append(row)
    table = pd.DataFrame(rows, columns=ABLATION)
    table["same_network_as"] = same_network_as(arms, arms.values())
    return table


def _gpu_hours(network: NetworkRuns) -> float:
    """Return the GPU-hours of one run, on average over the seeds; NaN where no GPU was used."""
    return float(network.scores["gpu_hours"].mean()) or float("nan")


def _fewer_seeds(table: pd.DataFrame) -> str:
    """Return which arms have fewer seeds than others, because they cost more."""
    fewer = table[table["seeds"] < table["seeds"].max()]
    names = [f"'{arm}' ({seeds})" for arm, seeds in zip(fewer["arm"], fewer["seeds"], strict=True)]
    return f" With fewer seeds than others: {', '.join(names)}." if names else ""
