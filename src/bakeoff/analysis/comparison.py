"""The comparison: all variants of a study, ranked, by family and pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bakeoff.analysis.networks import (
    Network,
    load_networks,
    read_superclasses,
    same_network_as,
)
from bakeoff.analysis.statistics import ALPHA, difference, estimate, holm, rank_interval
from bakeoff.analysis.tables import Column, write_table
from bakeoff.errors import UserError
from bakeoff.files import read_json

MODEL_COLUMNS = (
    Column("rank", "Rank", ",.0f"),
    Column("rank_low", "Rank from", ",.0f"),
    Column("rank_high", "to", ",.0f"),
    Column("variant", "Variant", variant=True),
    Column("family", "Family"),
    Column("seeds", "Seeds", ",.0f"),
    Column("top1_mean", "Top-1 (%)", ",.2f", ("top1_ci_low", "top1_ci_high")),
    Column("top1_sd", "SD over seeds", ",.2f"),
    Column("top5_mean", "Top-5 (%)", ",.2f"),
    Column("ece_mean", "ECE (%)", ",.2f"),
    Column("params_m", "Params (M)", ",.3f"),
    Column("macs_m", "MACs (M)", ",.1f"),
    Column("train_hours", "Training (h)", ",.3f"),
    Column("latency_ms", "Latency (ms)", ",.2f"),
    Column("param_efficiency", "Top-1 per M params", ",.1f"),
    Column("same_network_as", "Same network as", variant=True),
)
FAMILY_COLUMNS = (
    Column("family", "Family"),
    Column("variants", "Variants", ",.0f"),
    Column("top1_mean", "Mean top-1 (%)", ",.2f"),
    Column("best_variant", "Best variant", variant=True),
    Column("top1_best", "Its top-1 (%)", ",.2f"),
    Column("top5_mean", "Top-5 (%)", ",.2f"),
    Column("params_m", "Params (M)", ",.3f"),
    Column("macs_m", "MACs (M)", ",.1f"),
    Column("train_hours", "Training (h)", ",.3f"),
    Column("latency_ms", "Latency (ms)", ",.2f"),
    Column("param_efficiency", "Top-1 per M params", ",.1f"),
)
PAIR_COLUMNS = (
    Column("variant_a", "A", variant=True),
    Column("variant_b", "B", variant=True),
    Column("delta", "A − B (points)", "+,.2f", ("ci_low", "ci_high")),
    Column("p_value", "p", ",.3f"),
    Column("p_holm", "p (Holm)", ",.3f"),
    Column("significant", "Significant"),
    Column("same_network", "Same network"),
)
RUN_COLUMNS = (
    Column("variant", "Variant", variant=True),
    Column("seed", "Seed", ",.0f"),
    Column("top1", "Top-1 (%)", ",.2f"),
    Column("top5", "Top-5 (%)", ",.2f"),
    Column("val_top1", "Validation top-1 (%)", ",.2f"),
    Column("loss", "Loss", ",.3f"),
    Column("ece", "ECE (%)", ",.2f"),
    Column("train_hours", "Training (h)", ",.3f"),
    Column("device", "Device"),
)

PAIRWISE = (
    *("variant_a", "variant_b", "delta", "ci_low", "ci_high", "df", "p_value", "p_holm"),
    *("significant", "seeds", "same_network"),
)

FAMILY_MEANS = [
    *("top5_mean", "params_m", "macs_m", "train_hours", "gpu_hours"),
    *("images_per_s", "latency_ms", "param_efficiency"),
]

INTERVALS = (
    "Intervals are 95 % and count seeds and test images; with one seed they count the images only "
    "and hold for that trained network."
)
MODELS_CAPTION = (
    f"Variants by top-1 accuracy on the test split. {INTERVALS} Ranks from and to: 95 % range in a "
    "bootstrap over seeds and images. ECE is the expected calibration error in 15 bins."
)
FAMILIES_CAPTION = (
    "Means over the variants of each family; variants that are the same network count once."
)
PAIRS_CAPTION = (
    f"Differences in top-1 accuracy, paired on test images. {INTERVALS} Significant: Holm-adjusted "
    "p below 0.05 over all pairs, and at least two seeds on both sides."
)
RUNS_CAPTION = "Every run behind the comparison, on the test split unless stated otherwise."


def compare(
    spec: Mapping[str, Any],
    runs_dir: str | Path,
    profiles_dir: str | Path,
    out_dir: str | Path,
    meta: str | Path | None = None,
) -> None:
    """Write models, families, pairwise and runs (.csv, .md, .tex) to `out_dir`.

    `spec` is comparison.json. `profiles_dir` may lack profiles: what was not measured stays empty,
    as does superclass accuracy without `meta`, the data set's meta.json, or where its classes are not grouped.

    Raises UserError when a run is missing or damaged or the runs do not belong together.
    """
    entries: Sequence[Mapping[str, Any]] = spec["variants"]
    if not entries:
        raise UserError("The comparison has no variants. Name at least one under 'variants'.")
    superclass_of = None if meta is None else read_superclasses(meta)
    networks = load_networks(entries, runs_dir, superclass_of)
    models = model_table(entries, networks, Path(profiles_dir))
    out = Path(out_dir)
    tables = {
        "runs": (run_table(networks), RUN_COLUMNS, RUNS_CAPTION),
        "pairwise": (pairwise_table(models, networks), PAIR_COLUMNS, PAIRS_CAPTION),
        "families": (family_table(models), FAMILY_COLUMNS, FAMILIES_CAPTION),
        "models": (models, MODEL_COLUMNS, MODELS_CAPTION),
    }
    display = dict(zip(models["variant"], models["display"], strict=True))
    for name, (table, columns, caption) in tables.items():
        write_table(table, columns, out / f"{name}.csv", caption, display)


def model_table(
    entries: Sequence[Mapping[str, Any]], networks: Mapping[str, Network], profiles_dir: Path
) -> pd.DataFrame:
    """Return one row per variant, best top-1 first.

    Ranks count networks: variants that are the same network share one.
    """
    lows, highs = rank_interval([network.answers for network in networks.values()])
    bounds = dict(zip(networks, zip(lows, highs, strict=True), strict=True))
    rows = []
    for entry in entries:
        network = networks[entry["run"]]
        top1 = estimate(network.answers)
        means = network.scores.mean(numeric_only=True)
        params_m = network.params / 1e6
        profile = _profile(profiles_dir, entry)
        rows.append(
            {
                "rank_low": bounds[network.name][0],
                "rank_high": bounds[network.name][1],
                "variant": entry["variant"],
                "display": entry.get("display", entry["variant"]),
                "family": entry["family"],
                "pretrained": entry["pretrained"],
                "seeds": top1.seeds,
                "epochs": int(network.scores["epochs"].min()),
                "top1_mean": top1.mean,
                "top1_sd": top1.sd,
                "top1_ci_low": top1.low,
                "top1_ci_high": top1.high,
                "top1_val_mean": means["val_top1"],
                "top5_mean": means["top5"],
                "superclass_top1_mean": means["superclass_top1"],
                "loss_mean": means["loss"],
                "ece_mean": means["ece"],
                "params_m": params_m,
                "macs_m": network.macs / 1e6,
                "input_size": network.input_size,
                "train_hours": means["train_hours"],
                "gpu_hours": means["gpu_hours"],
                "images_per_s": means["images_per_s"],
                "peak_memory_mb": means["peak_memory_mb"],
                "device": " + ".join(sorted(set(network.scores["device"]))),
                "latency_ms": profile.get("latency_ms", np.nan),
                "inference_images_per_s": profile.get("inference_images_per_s", np.nan),
                "latency_device": profile.get("device", ""),
                "param_efficiency": top1.mean / params_m,
                "run": network.name,
            }
        )
    models = pd.DataFrame(rows)
    models["same_network_as"] = same_network_as(models["variant"], entries)
    distinct = models.drop_duplicates("run").set_index("run")["top1_mean"]
    rank = distinct.rank(ascending=False, method="min").astype(int)
    models.insert(0, "rank", models["run"].map(rank))
    return models.sort_values(["rank", "run"], kind="stable", ignore_index=True)


def family_table(models: pd.DataFrame) -> pd.DataFrame:
    """Return one row per family with the means over its variants, best mean first."""
    rows = []
    for family, group in models.drop_duplicates("run").groupby("family", sort=False):
        best = group.iloc[0]
        rows.append(
            {
                "family": family,
                "variants": len(group),
                "top1_mean": group["top1_mean"].mean(),
                "best_variant": best["variant"],
                "top1_best": best["top1_mean"],
                **group[FAMILY_MEANS].mean().to_dict(),
            }
        )
    return pd.DataFrame(rows).sort_values(
        "top1_mean", ascending=False, kind="stable", ignore_index=True
    )


def pairwise_table(models: pd.DataFrame, networks: Mapping[str, Network]) -> pd.DataFrame:
    """Return one row per pair of variants, the higher ranked first.

    The family of tests for Holm's correction are the pairs of different networks, each once.
    """
    pairs = list(combinations(dict.fromkeys(models["run"]), 2))
    deltas = [difference(networks[a].answers, networks[b].answers) for a, b in pairs]
    adjusted = holm([delta.p_value for delta in deltas])
    cells = {
        pair: {
            "delta": delta.mean,
            "ci_low": delta.low,
            "ci_high": delta.high,
            "df": delta.df,
            "p_value": delta.p_value,
            "p_holm": p_holm,
            "significant": delta.about_architectures and bool(p_holm < ALPHA),
            "seeds": delta.seeds,
            "same_network": False,
        }
        for pair, delta, p_holm in zip(pairs, deltas, adjusted, strict=True)
    }
    rows = []
    for a, b in combinations(models.to_dict("records"), 2):
        same = {"delta": 0.0, "significant": False, "seeds": a["seeds"], "same_network": True}
        rows.append(
            {
                "variant_a": a["variant"],
                "variant_b": b["variant"],
                **cells.get((a["run"], b["run"]), same),
            }
        )
    return pd.DataFrame(rows, columns=PAIRWISE)


def run_table(networks: Mapping[str, Network]) -> pd.DataFrame:
    """Return one row per run, under the variant that was trained."""
    return pd.concat(
        [network.scores.assign(variant=network.name) for network in networks.values()],
        ignore_index=True,
    ).pipe(lambda frame: frame[["variant", *frame.columns.drop("variant")]])


def _profile(profiles_dir: Path, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the cost profile of a variant, or of the one that is the same network, or nothing."""
    for name in (entry["variant"], entry["run"]):
        path = profiles_dir / f"{name}.json"
        if path.is_file():
            try:
                return dict(read_json(path))
            except ValueError as error:
                raise UserError(
                    f"{path} is not valid JSON ({error}): it was cut short or edited. Run "
                    "Snakemake: it is made again."
                ) from error
    return {}
