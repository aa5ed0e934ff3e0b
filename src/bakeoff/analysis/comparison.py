"""The comparison: all variants of a study, ranked, by family and pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from bakeoff.analysis.networks import (
    MOST,
    NetworkRuns,
    Networks,
    load_networks,
    read_superclasses,
    same_network_as,
)
from bakeoff.analysis.statistics import (
    ALPHA,
    LEVEL,
    Answers,
    Intervals,
    Means,
    front_shares,
    intervals,
    uneven,
)
from bakeoff.analysis.tables import Column, titled, write_table
from bakeoff.analysis.verdicts import JUDGED, judge, standing, worse_than
from bakeoff.data.reading import load_reading
from bakeoff.errors import UserError
from bakeoff.files import read_json
from bakeoff.study.growth import looks_of, told_of_looks
from bakeoff.study.metric import NAMES, TITLES, Metric, metric_of

MODEL_COLUMNS = (
    Column("rank", "Rank", ",.0f"),
    Column("rank_low", "Rank from", ",.0f"),
    Column("rank_high", "to", ",.0f"),
    Column("letters", "Not told apart"),
    Column("variant", "Variant", variant=True),
    Column("family", "Family"),
    Column("seeds", "Seeds", ",.0f"),
    Column("score_mean", "{metric} (%)", ",.2f", ("score_ci_low", "score_ci_high")),
    Column("score_sd", "SD over seeds", ",.2f"),
    Column("top5_mean", "Top-5 (%)", ",.2f"),
    Column("ece_mean", "ECE (%)", ",.2f", ("ece_ci_low", "ece_ci_high")),
    Column("params_m", "Params (M)", ",.3f"),
    Column("macs_m", "MACs (M)", ",.1f"),
    Column("train_hours", "Training (h)", ",.3f"),
    Column("gpu_hours", "GPU-hours", ",.3f"),
    Column("latency_ms", "Latency (ms)", ",.2f"),
    Column("param_efficiency", "{metric} per M params", ",.1f"),
    Column("same_network_as", "Same network as", variant=True),
)
FAMILY_COLUMNS = (
    Column("family", "Family"),
    Column("variants", "Variants", ",.0f"),
    Column("score_mean", "{metric} (%), mean", ",.2f"),
    Column("best_variant", "Best variant", variant=True),
    Column("score_best", "That of the best (%)", ",.2f"),
    Column("top5_mean", "Top-5 (%)", ",.2f"),
    Column("params_m", "Params (M)", ",.3f"),
    Column("macs_m", "MACs (M)", ",.1f"),
    Column("train_hours", "Training (h)", ",.3f"),
    Column("latency_ms", "Latency (ms)", ",.2f"),
    Column("param_efficiency", "{metric} per M params", ",.1f"),
)
PAIR_COLUMNS = (
    Column("variant_a", "A", variant=True),
    Column("variant_b", "B", variant=True),
    Column("delta", "A − B (points)", "+,.2f", ("ci_low", "ci_high")),
    Column("p_adjusted", "p (adjusted)", ",.3f"),
    Column("verdict", "A is"),
    Column("errors_change_pct", "Errors of A against B (%)", "+,.1f"),
    Column("detectable", "Detectable (points)", ",.2f"),
    Column("equivalent_within", "Equivalent within (points)", ",.2f"),
    Column("more_seeds", "More seeds", ",.0f"),
    Column("more_gpu_hours", "GPU-hours", ",.1f"),
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
    Column("outcome", "Outcome"),
)

COSTS = {
    "params": "params_m",
    "macs": "macs_m",
    "gpu_hours": "gpu_hours",
    "latency": "latency_ms",
}
"""{what accuracy is bought with: column of models.csv}"""

SHARED_ERRORS = ("agreement", "agreement_ci_low", "agreement_ci_high", "error_consistency")
PAIRWISE = (
    *("variant_a", "variant_b", *JUDGED, "more_gpu_hours"),
    *("seeds_a", "seeds_b", "same_network", "distinct", *SHARED_ERRORS),
)

FAMILY_MEANS = [
    *("top5_mean", "params_m", "macs_m", "train_hours", "gpu_hours"),
    *("images_per_s", "latency_ms", "param_efficiency"),
]

ONE_SEED = "with one seed they count the images only and hold for that trained network"
MODELS_CAPTION = (
    "Variants by {metric} on the test split. Intervals are 95 % for each variant by itself and count seeds and "
    f"test images; {ONE_SEED}. Ranks from and to, and the letters, follow from the pairs: variants that share a letter "
    "are not told apart. ECE is the expected calibration error in 15 bins."
)
FAMILIES_CAPTION = (
    "Means over the variants of each family; variants that are the same network count once."
)
PAIRS_CAPTION = (
    "Differences in {metric}, paired on test images. Intervals are 95 % for all pairs at once: one leaves out "
    "zero exactly where A is called better or worse. Equivalent: two one-sided tests at 5 % for all pairs at once show "
    "a difference within the margin; the smallest margin they could show stands beside it. Detectable: the true "
    "difference that this design would find with 80 % probability. More seeds: how many on each side would settle an "
    "open pair with 80 % probability, and their GPU-hours. A variant with one seed is not judged."
)
RUNS_CAPTION = "Every run behind the comparison, on the test split unless stated otherwise."


def compare(
    spec: Mapping[str, Any],
    runs_dir: str | Path,
    profiles_dir: str | Path,
    out_dir: str | Path,
    meta: str | Path | None = None,
    reading: str | Path | None = None,
) -> None:
    """Write models, families, pairwise and runs (.csv, .md, .tex) to `out_dir`.

    `spec` is comparison.json. `profiles_dir` may lack profiles: what was not measured stays empty,
    as does superclass accuracy without `meta`, the data set's meta.json, or where its classes are not grouped.
    `reading`, its reading.json, knows the test images that also stand in train; without it no score leaves them out.

    Raises:
        UserError: a run is missing or damaged, the runs do not belong together, or all of them diverged.
    """
    entries: Sequence[Mapping[str, Any]] = spec["variants"]
    if not entries:
        raise UserError("The comparison has no variants. Name at least one under 'variants'.")
    superclass_of = None if meta is None else read_superclasses(meta)
    networks = load_networks(entries, runs_dir, superclass_of, metric_of(spec))
    if not networks.finished:
        raise UserError(
            "All runs of the comparison diverged, so there is nothing to compare: their logs say at which step. Lower "
            "learning_rate.base in the recipe, lengthen warmup_epochs or set gradient_clip."
        )
    copies = () if reading is None else load_reading(reading).copies
    profiles = Path(profiles_dir)
    looks = looks_of(spec)
    models, pairs = comparison_tables(entries, networks, spec["margin"], profiles, copies, looks)
    out = Path(out_dir)
    display = {entry["variant"]: entry.get("display", entry["variant"]) for entry in entries}
    decides = NAMES[networks.metric]
    diverged = networks.told(display)
    caption = MODELS_CAPTION.format(metric=decides) + _copies(networks, copies)
    grows = told_of_looks(looks, LEVEL)
    caption += _protocol(models) + grows + diverged
    tables = {
        "runs": (run_table(networks), RUN_COLUMNS, RUNS_CAPTION),
        "pairwise": (pairs, PAIR_COLUMNS, PAIRS_CAPTION.format(metric=decides) + grows),
        "families": (family_table(models), FAMILY_COLUMNS, FAMILIES_CAPTION),
        "models": (models, model_columns(models), caption),
    }
    for name, (table, columns, caption) in tables.items():
        marked = "score_mean" if name == "models" else None
        shown = titled(columns, networks.metric)
        write_table(table, shown, out / f"{name}.csv", caption, display, marked)


def model_columns(models: pd.DataFrame) -> tuple[Column, ...]:
    """Return the columns of the table of variants for people.

    Where the classes have different numbers of test images, the accuracy that does not decide and macro F1 stand
    beside the one that does.
    """
    beside: list[Column] = []
    if not np.allclose(models["top1_mean"], models["balanced_mean"]):
        other: Metric = "top1" if models["metric"].iloc[0] == "balanced" else "balanced"
        bounds = (f"{other}_ci_low", f"{other}_ci_high")
        beside.append(Column(f"{other}_mean", f"{TITLES[other]} (%)", ",.2f", bounds))
        beside.append(Column("macro_f1_mean", "Macro F1 (%)", ",.2f"))
    if models["without_copies_mean"].notna().any():
        bounds = ("without_copies_ci_low", "without_copies_ci_high")
        beside.append(Column("without_copies_mean", "Without copies (%)", ",.2f", bounds))
    place = [column.name for column in MODEL_COLUMNS].index("score_sd") + 1
    return (*MODEL_COLUMNS[:place], *beside, *MODEL_COLUMNS[place:])


def comparison_tables(
    entries: Sequence[Mapping[str, Any]],
    networks: Networks,
    margin: float,
    profiles_dir: Path,
    copies: Sequence[int] = (),
    looks: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of the variants and that of their pairs, decided once for both.

    A variant without a finished run is in neither. `copies` are the rows of test images that also stand in train: all
    is decided with them, and the means without them stand beside it.
    """
    finished = networks.finished
    means = networks.means()
    known = [entry for entry in entries if entry["run"] in finished]
    models = model_table(known, networks, means, profiles_dir, looks)
    models = models.join(_without_copies(networks, copies, looks), on="run")
    models["diverged"] = models["run"].map(networks.count_diverged)
    pairs = pairwise_table(models, finished, means, margin, looks)
    return with_standing(models, pairs), pairs


def _without_copies(networks: Networks, copies: Sequence[int], looks: int) -> pd.DataFrame:
    """Return the accuracies on the test images that do not stand in train, by network; NaN where all do, or none."""
    names, columns = list(networks.finished), ("mean", "ci_low", "ci_high")
    found = pd.DataFrame(np.nan, index=names, columns=[f"without_copies_{c}" for c in columns])
    kept = np.setdiff1d(np.arange(len(networks.labels)), copies)
    if len(copies) and len(kept) > 1:
        each = intervals(networks.on(kept).means(), 1 - ALPHA / looks)
        found[:] = np.stack([each.mean, each.low, each.high], axis=1)
    return found


def _copies(networks: Networks, copies: Sequence[int]) -> str:
    """Return a sentence for the caption on test images that also stand in train; empty where there are none."""
    if not len(copies):
        return ""
    return (
        f" Of the {len(networks.labels):,} test images, {len(copies):,} also stand in train, or nearly do; ranks and "
        "verdicts count them, and the accuracy without them stands beside."
    )


def _protocol(models: pd.DataFrame) -> str:
    """Return a sentence for the caption on how latencies were measured; empty where none was.

    As `bakeoff.evaluation.cost` measures, which loads torch and so cannot be asked here.
    """
    measured = models[models["latency_ms"].notna()]
    if measured.empty:
        return ""
    devices = sorted(set(measured["latency_device"]))
    batches = ", ".join(
        f"{batch:.0f}" for batch in sorted(set(measured["inference_batch"].dropna()))
    )
    where = (
        f" on {devices[0]}"
        if len(devices) == 1
        else f"; on {len(devices)} devices, which do not compare"
    )
    throughput = f"; throughput (inference_images_per_s) in batches of {batches}" if batches else ""
    return (
        f" Latency: the forward pass of one image in float32, the median over a second of passes, at least five, after "
        f"three to warm up{throughput}{where}."
    )


def model_table(
    entries: Sequence[Mapping[str, Any]],
    found: Networks,
    means: Means,
    profiles_dir: Path,
    looks: int = 1,
) -> pd.DataFrame:
    """Return one row per variant, the most accurate first; `means` are those of `found` by its metric.

    Ranks count networks: variants that are the same network share one.
    """
    networks = found.finished
    level = 1 - ALPHA / looks
    each, seeds_vary = intervals(means, level), uneven(means)
    by_metric: dict[str, Intervals] = {"score": each}
    for metric in NAMES:
        by_metric[metric] = (
            each if metric == found.metric else intervals(found.means(metric), level)
        )
    beside = {name: _of_several(intervals(of, level)) for name, of in found.beside().items()}
    places = {name: place for place, name in enumerate(networks)}
    rows = []
    for entry in entries:
        network = networks[entry["run"]]
        k = places[network.name]
        scores = network.scores.mean(numeric_only=True)
        params_m = network.params / 1e6
        profile = _profile(profiles_dir, entry)
        rows.append(
            {
                "variant": entry["variant"],
                "display": entry.get("display", entry["variant"]),
                "family": entry["family"],
                "pretrained": entry["pretrained"],
                "seeds": int(means.seeds[k]),
                "epochs": int(network.scores["epochs"].min()),
                "metric": found.metric,
                **{
                    f"{which}_{part}": values[k]
                    for which, of in by_metric.items()
                    for part, values in (
                        *(("mean", of.mean), ("sd", of.sd), ("ci_low", of.low)),
                        *(("ci_high", of.high), ("error", of.error)),
                        ("image_error", of.image_error),
                    )
                },
                "macro_f1_mean": scores["macro_f1"],
                "seeds_vary_more": bool(seeds_vary[k]),
                "top1_val_mean": scores["val_top1"],
                "top5_mean": scores["top5"],
                "superclass_top1_mean": scores["superclass_top1"],
                "loss_mean": scores["loss"],
                **{
                    f"{name}_{part}": MOST[name] / 100 * column[k]
                    for name, of in beside.items()
                    for part, column in (
                        *(("mean", of.mean), ("ci_low", of.low), ("ci_high", of.high)),
                    )
                },
                "worst_class_top1_mean": scores["worst_class_top1"],
                "best_epoch_gain_mean": scores["best_epoch_gain"],
                "params_m": params_m,
                "macs_m": network.macs / 1e6,
                "input_size": network.input_size,
                "train_hours": scores["train_hours"],
                "gpu_hours": scores["gpu_hours"],
                "images_per_s": scores["images_per_s"],
                "peak_memory_mb": scores["peak_memory_mb"],
                "device": " + ".join(sorted(set(network.scores["device"]))),
                "latency_ms": profile.get("latency_ms", np.nan),
                "inference_images_per_s": profile.get("inference_images_per_s", np.nan),
                "inference_batch": profile.get("batch", np.nan),
                "latency_device": profile.get("device", ""),
                "latency_threads": profile.get("threads", np.nan),
                "param_efficiency": each.mean[k] / params_m,
                "run": network.name,
            }
        )
    models = pd.DataFrame(rows)
    at = models["run"].map(places).to_numpy()
    for name, column in COSTS.items():
        cost = np.full(len(places), np.nan)
        # Nothing is free: no GPU was used.
        cost[at] = models[column].where(models[column] > 0)
        models[f"front_share_{name}"] = 100 * front_shares(means, cost)[at]
    models["judged"] = models["seeds"] > 1
    models["distinct"] = ~models["run"].duplicated()
    models["same_network_as"] = same_network_as(models["variant"], entries)
    distinct = models.drop_duplicates("run").set_index("run")["score_mean"]
    rank = distinct.rank(ascending=False, method="min").astype(int)
    models.insert(0, "rank", models["run"].map(rank))
    return models.sort_values(["rank", "run"], kind="stable", ignore_index=True)


def _of_several(found: Intervals) -> Intervals:
    """Return intervals without those of networks with one seed, which would be those of shares of images."""
    single = np.isnan(found.error)
    low, high = (np.where(single, np.nan, bound) for bound in (found.low, found.high))
    return replace(found, low=low, high=high)


def family_table(models: pd.DataFrame) -> pd.DataFrame:
    """Return one row per family with the means over its variants, best mean first."""
    rows = []
    for family, group in models.drop_duplicates("run").groupby("family", sort=False):
        best = group.iloc[0]
        rows.append(
            {
                "family": family,
                "variants": len(group),
                "metric": best["metric"],
                "score_mean": group["score_mean"].mean(),
                "top1_mean": group["top1_mean"].mean(),
                "best_variant": best["variant"],
                "score_best": best["score_mean"],
                "top1_best": best["top1_mean"],
                **group[FAMILY_MEANS].mean().to_dict(),
            }
        )
    return pd.DataFrame(rows).sort_values(
        "score_mean", ascending=False, kind="stable", ignore_index=True
    )


def pairwise_table(
    models: pd.DataFrame,
    networks: Mapping[str, NetworkRuns],
    means: Means,
    margin: float,
    looks: int = 1,
) -> pd.DataFrame:
    """Return one row per pair of variants, the higher ranked first.

    The differences that are judged at once are the pairs of different networks, each once: `distinct` marks their rows.
    """
    places = {name: place for place, name in enumerate(networks)}
    pairs = list(combinations(dict.fromkeys(models["run"]), 2))
    a, b = (np.array([places[pair[side]] for pair in pairs], dtype=int) for side in (0, 1))
    judged = judge(means, a, b, margin, looks)
    hours = {name: network.scores["gpu_hours"].mean() for name, network in networks.items()}
    judged["more_gpu_hours"] = judged["more_seeds"] * [
        hours[x] + hours[y] or np.nan for x, y in pairs
    ]
    for column in SHARED_ERRORS:
        judged[column] = np.nan
    if pairs:
        judged[list(SHARED_ERRORS)] = [
            shared_errors(networks[x].answers, networks[y].answers, 1 - ALPHA / looks)
            for x, y in pairs
        ]
    cells = dict(zip(pairs, judged.to_dict("records"), strict=True))
    rows = []
    for first, second in combinations(models.to_dict("records"), 2):
        same = first["run"] == second["run"]
        cell = (
            {"delta": 0.0, "verdict": "same network"}
            if same
            else cells[first["run"], second["run"]]
        )
        rows.append(
            {
                "variant_a": first["variant"],
                "variant_b": second["variant"],
                **{str(column): value for column, value in cell.items()},
                "seeds_a": first["seeds"],
                "seeds_b": second["seeds"],
                "same_network": same,
                "distinct": first["distinct"] and second["distinct"],
            }
        )
    return pd.DataFrame(rows, columns=PAIRWISE)


def shared_errors(a: Answers, b: Answers, level: float) -> tuple[float, float, float, float]:
    """Return how far two networks err on the same images, over all pairs of their runs.

    The first is the share of images in percent that both have right or both have wrong, with its interval for this
    pair by itself, NaN where one has one seed: the variances over images and over the runs of either are added, the
    degrees of freedom follow Satterthwaite (1946). The last is that share beyond what two networks of their accuracies
    would have by chance, 1 at most, 0 for chance (Cohen's kappa; Geirhos, Meding and Wichmann 2020, "Beyond accuracy",
    eq. 3), NaN where chance alone would agree on all.
    """
    x, y = (each.correct.mean(axis=0) for each in (a, b))
    same = x * y + (1 - x) * (1 - y)
    observed = float(same.mean())
    expected = float(x.mean() * y.mean() + (1 - x.mean()) * (1 - y.mean()))
    kappa = (observed - expected) / (1 - expected) if expected < 1 else np.nan
    # Of each run against the mean of the other network's.
    of_runs = [
        (r * m + (1 - r) * (1 - m)).mean(axis=1) for r, m in ((a.correct, y), (b.correct, x))
    ]
    if min(map(len, of_runs)) < 2:
        return 100 * observed, np.nan, np.nan, kappa
    parts = [(each.var(ddof=1) / len(each), len(each) - 1) for each in (same, *of_runs)]
    total = sum(part for part, _ in parts)
    if total == 0:
        # All answers of all runs agree, which says nothing of other images.
        return 100 * observed, np.nan, np.nan, kappa
    df = total**2 / sum(part**2 / each for part, each in parts)
    half = stats.t.isf((1 - level) / 2, df) * np.sqrt(total)
    low, high = 100 * np.clip([observed - half, observed + half], 0, 1)
    return 100 * observed, float(low), float(high), kappa


def with_standing(models: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return `models` with what follows from the pairs: ranks, letters, groups, and who is dominated.

    `dominated_by` is a variant with as few parameters or fewer that is shown to be better; several with one seed have
    no standing.
    """
    distinct = models[models["distinct"]]
    several = list(distinct.loc[distinct["judged"], "variant"])
    better = worse_than(pairs[pairs["distinct"]], "variant_a", "variant_b", distinct["variant"])
    found = standing(better, several).astype({"rank_low": "Int64", "rank_high": "Int64"})
    size = distinct.set_index("variant")["params_m"]
    found["dominated_by"] = [
        next((x for x in distinct["variant"] if x in better[name] and size[x] <= size[name]), "")
        for name in several
    ]
    # Of words even where no network has several seeds.
    found = found.reindex(distinct["variant"]).astype(
        {"group": object, "letters": object, "dominated_by": object}
    )
    found["group"] = found["group"].fillna("one seed")
    found = found.fillna({"letters": "", "dominated_by": ""}).set_index(distinct["run"].to_numpy())
    return models.join(found, on="run")


def run_table(networks: Networks) -> pd.DataFrame:
    """Return one row per run, under the variant that was trained; those that diverged come last, without scores."""
    finished = [each.scores.assign(variant=each.name) for each in networks.finished.values()]
    # An empty frame would decide the types of the others' columns.
    parts = [*finished, networks.diverged] if len(networks.diverged) else finished
    return pd.concat(parts, ignore_index=True).pipe(
        lambda frame: frame[["variant", *frame.columns.drop("variant")]]
    )


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
