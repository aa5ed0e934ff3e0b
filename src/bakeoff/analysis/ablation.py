"""An ablation: each arm against one baseline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bakeoff.analysis.networks import load_networks, same_network_as
from bakeoff.analysis.statistics import ALPHA, difference, estimate, holm
from bakeoff.analysis.tables import Column, write_table
from bakeoff.errors import UserError, did_you_mean

ABLATION = (
    *(
        "arm",
        "variant",
        "display",
        "baseline",
        "seeds",
        "epochs",
        "top1_mean",
        "top1_sd",
        "top1_ci_low",
    ),
    *("top1_ci_high", "delta", "delta_ci_low", "delta_ci_high", "delta_df", "delta_seeds"),
    *("p_value", "p_holm", "significant", "params_m", "params_change_pct", "macs_m"),
    *("macs_change_pct", "run", "same_network_as", "title"),
)
COLUMNS = (
    Column("arm", "Arm"),
    Column("display", "Variant"),
    Column("seeds", "Seeds", ",.0f"),
    Column("top1_mean", "Top-1 (%)", ",.2f", ("top1_ci_low", "top1_ci_high")),
    Column("delta", "Change (points)", "+,.2f", ("delta_ci_low", "delta_ci_high")),
    Column("p_value", "p", ",.3f"),
    Column("p_holm", "p (Holm)", ",.3f"),
    Column("significant", "Significant"),
    Column("params_m", "Params (M)", ",.4f"),
    Column("params_change_pct", "Params change (%)", "+,.2f"),
    Column("same_network_as", "Same network as", variant=True),
)


def ablate(spec: Mapping[str, Any], runs_dir: str | Path, out: str | Path) -> None:
    """Write the table of one ablation to `out` (.csv), with .md and .tex beside it.

    `spec` is ablations/{ablation}.json. Raises UserError when the baseline is not one of the arms,
    or a run is missing or damaged.
    """
    table = ablation_table(spec, runs_dir)
    caption = (
        f"Ablation {spec['ablation']}: change in top-1 accuracy against the arm "
        f"'{spec['baseline']}', paired on test images. Intervals are 95 % and count seeds and test "
        "images; with one seed they count the images only and hold for those trained networks. "
        "Significant: Holm-adjusted p below 0.05 over the arms, and at least two seeds on both "
        "sides. An arm that is the same network as the baseline is not tested."
    )
    # A row is the same network as another arm, or as a variant that is none.
    named = table[~table["variant"].isin(table["arm"])]
    display = dict(zip(named["variant"], named["display"], strict=True))
    write_table(table, COLUMNS, out, caption, display)


def ablation_table(spec: Mapping[str, Any], runs_dir: str | Path) -> pd.DataFrame:
    """Return one row per arm in the order of `spec`; the baseline has no change and no test.

    Two arms that are the same network are one hypothesis, and are counted once in Holm's family.
    """
    arms = {arm["arm"]: arm for arm in spec["arms"]}
    if spec["baseline"] not in arms:
        raise UserError(
            f"Ablation '{spec['ablation']}' has no arm '{spec['baseline']}' to be its baseline"
            f"{did_you_mean(spec['baseline'], arms)}. Name one of its arms under 'baseline'."
        )
    networks = load_networks(spec["arms"], runs_dir)
    baseline = networks[arms[spec["baseline"]]["run"]]
    tested = [name for name in networks if name != baseline.name]
    deltas = {name: difference(networks[name].answers, baseline.answers) for name in tested}
    adjusted = dict(zip(tested, holm([d.p_value for d in deltas.values()]), strict=True))
    rows = []
    for name, arm in arms.items():
        network = networks[arm["run"]]
        top1 = estimate(network.answers)
        row = {
            "arm": name,
            "variant": arm["variant"],
            "display": arm.get("display", arm["variant"]),
            "baseline": spec["baseline"],
            "seeds": top1.seeds,
            "epochs": int(network.scores["epochs"].min()),
            "top1_mean": top1.mean,
            "top1_sd": top1.sd,
            "top1_ci_low": top1.low,
            "top1_ci_high": top1.high,
            "significant": False,
            "params_m": network.params / 1e6,
            "params_change_pct": 100 * (network.params / baseline.params - 1),
            "macs_m": network.macs / 1e6,
            "macs_change_pct": 100 * (network.macs / baseline.macs - 1),
            "run": network.name,
            "title": spec["title"]["en"],
        }
        if network.name in deltas:
            delta, p_holm = deltas[network.name], float(adjusted[network.name])
            row |= {
                "delta": delta.mean,
                "delta_ci_low": delta.low,
                "delta_ci_high": delta.high,
                "delta_df": delta.df,
                "delta_seeds": delta.seeds,
                "p_value": delta.p_value,
                "p_holm": p_holm,
                "significant": delta.about_architectures and p_holm < ALPHA,
            }
        elif name != spec["baseline"]:
            row["delta"] = 0.0
        rows.append(row)
    table = pd.DataFrame(rows, columns=ABLATION)
    table["same_network_as"] = same_network_as(arms, arms.values())
    # Whole numbers with gaps: a column of floats would print them as "10.0".
    return table.astype({"delta_seeds": "Int64"})
