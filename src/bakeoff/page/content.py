"""What the page shows, as JSON: tables with their headings, learning curves, runs, and how to read them.

Nothing is computed here that a table has: verdicts, intervals and ranks are the tables' own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bakeoff.analysis.ablation import COLUMNS as ARM_COLUMNS
from bakeoff.analysis.claims import COLUMNS as CLAIM_COLUMNS
from bakeoff.analysis.comparison import (
    FAMILY_COLUMNS,
    MODEL_COLUMNS,
    PAIR_COLUMNS,
    RUN_COLUMNS,
    model_columns,
)
from bakeoff.analysis.runs import Run, load_runs
from bakeoff.analysis.tables import Column, read_table
from bakeoff.figures.style import family_styles
from bakeoff.files import read_json
from bakeoff.page.words import headings
from bakeoff.planning.follow import plan_file, read_plan
from bakeoff.planning.history import Prediction, stored_predictions
from bakeoff.planning.work import run_name
from bakeoff.study.metric import Metric, metric_of

DIGITS = 6
CURVES = ("train_loss", "train_top1", "val_loss", "val_top1")
KEYS: Mapping[str, tuple[str, ...]] = {
    "models": ("variant",),
    "families": ("family",),
    "pairwise": ("variant_a", "variant_b"),
    "runs": ("variant", "seed"),
    "claims": ("id",),
    "ablation": ("arm",),
}
"""{table: columns that name a row}, as `bakeoff trace` knows them."""
MORE: Mapping[str, tuple[str, ...]] = {
    "models": (
        *("top1_mean", "balanced_mean", "macro_f1_mean", "without_copies_mean", "gpu_hours"),
        "images_per_s",
        *("peak_memory_mb", "inference_images_per_s", "loss_mean"),
        *("brier_mean", "worst_class_top1_mean", "best_epoch_gain_mean"),
        *("superclass_top1_mean", "group", "dominated_by", "front_share_params", "device"),
        *("front_share_macs", "front_share_gpu_hours", "front_share_latency", "diverged"),
    ),
    "pairwise": ("agreement", "error_consistency", "margin", "seeds_a", "seeds_b"),
    "runs": (
        "balanced",
        "macro_f1",
        "gpu_hours",
        "images_per_s",
        "peak_memory_mb",
        "epochs",
        "superclass_top1",
    ),
    "ablation": ("macs_m", "macs_change_pct", "epochs", "margin"),
}
"""Columns that no other form of the table has: there to be chosen, and not shown at first."""
LESS: Mapping[str, tuple[str, ...]] = {
    "models": ("rank_low", "rank_high"),
    "pairwise": ("more_gpu_hours",),
    "claims": ("source",),
    "ablation": ("params_change_pct", "gpu_hours_change"),
}
"""Columns that other forms show, and that are not shown at first for want of room."""


@dataclass(frozen=True)
class Named:
    """A table of the study: its file below the root, its kind, and its columns that people see."""

    file: str
    kind: str
    columns: tuple[Column, ...]


def table_names(ablations: Iterable[str]) -> dict[str, Named]:
    """Return {name on the page: table} of a study."""
    shown = {
        "models": Named("comparison/models.csv", "models", MODEL_COLUMNS),
        "families": Named("comparison/families.csv", "families", FAMILY_COLUMNS),
        "pairwise": Named("comparison/pairwise.csv", "pairwise", PAIR_COLUMNS),
        "runs": Named("comparison/runs.csv", "runs", RUN_COLUMNS),
        "claims": Named("claims/claims.csv", "claims", CLAIM_COLUMNS),
    }
    arms = {f"ablation/{name}": f"ablation/{name}.csv" for name in ablations}
    return shown | {name: Named(file, "ablation", ARM_COLUMNS) for name, file in arms.items()}


def gather(spec: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return what the page shows of the study in `root`, without its images; `spec` is `{root}/specs/page.json`.

    Raises:
        UserError: a table or a run is missing or damaged.
    """
    names = table_names(spec["ablations"])
    tables = {name: read_table(root / named.file) for name, named in names.items()}
    models = tables["models"]
    meta = read_json(root / "data" / "meta.json")
    styles = family_styles(models["family"])
    runs = _runs(root, spec["runs"])
    # Only where the rule has it among its inputs.
    planned = stored_predictions(read_plan(root) if plan_file(root).is_file() else {})
    display = {
        str(row["variant"]): str(row["display"]) for row in models.to_dict("records")
    } | dict(spec["display"])
    return {
        "study": {**spec["study"], "root": str(root)},
        "data": {
            "title": dict(spec["data"]),
            "classes": meta["classes"],
            "superclasses": meta.get("superclasses"),
            "image_size": meta["image_size"],
            "train": meta["train_images"] - meta["validation_images"],
            "validation": meta["validation_images"],
            "test": meta["test_images"],
        },
        "margin": spec["margin"],
        "ablations": {name: dict(title) for name, title in spec["ablations"].items()},
        "display": display,
        "families": {name: colour for name, (colour, _) in styles.items()},
        "family": dict(spec["family"]),
        "tables": {
            name: _table(named, tables[name], metric_of(spec))
            for name, named in names.items()
            if len(tables[name])
        },
        "curves": {name: _curves(found) for name, found in runs.items()},
        "runs": [_facts(run, planned) for found in runs.values() for run in found],
        "used": _used(spec),
    }


def _runs(root: Path, seeds: Mapping[str, Sequence[int]]) -> dict[str, list[Run]]:
    return {name: load_runs(root / "runs", name, each) for name, each in seeds.items()}


def _table(named: Named, table: pd.DataFrame, metric: Metric) -> dict[str, Any]:
    """Return a table as the page has it: columns, and rows as lists with null for what is not known."""
    columns_of_all = model_columns(table) if named.kind == "models" else named.columns
    first = [column for column in columns_of_all if column.name in table]
    known = {column.name for column in first}
    bounds = {name for column in first for name in column.interval or ()}
    more = [Column(name, name, ",.2f") for name in MORE.get(named.kind, ()) if name in table]
    columns = [*first, *(column for column in more if column.name not in known)]
    data = [*dict.fromkeys([*(c.name for c in columns), *sorted(bounds), *table.columns])]
    return {
        "file": named.file,
        "kind": named.kind,
        "key": list(KEYS[named.kind]),
        "columns": [
            {
                "name": column.name,
                "title": headings(column.name, column.title, metric),
                "format": _format(column, table),
                "interval": list(column.interval or ()),
                "variant": column.variant,
                "shown": column in first
                and column.name not in LESS.get(named.kind, ())
                and bool(table[column.name].notna().any()),
            }
            for column in columns
        ],
        "data": data,
        "rows": [[_plain(row[name]) for name in data] for row in table.to_dict("records")],
    }


def _format(column: Column, table: pd.DataFrame) -> dict[str, Any] | None:
    """Return how a number is shown: its decimals and whether with a sign; None for words."""
    if column.spec is None or not pd.api.types.is_numeric_dtype(table[column.name]):
        return None
    digits = column.spec.rstrip("fg").rpartition(".")[2]
    return {"digits": int(digits), "sign": "+" in column.spec, "general": column.spec[-1] == "g"}


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it, numbers with as many digits as anyone reads."""
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else float(f"{value:.{DIGITS}g}")
    if isinstance(value, np.generic):
        return value.item()
    return None if pd.isna(value) else value


def _curves(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the histories of a network's runs: {figure: [a list for each seed]}."""
    return {
        "seeds": [run.seed for run in runs],
        **{
            name: [[_plain(value) for value in run.history[name]] for run in runs]
            for name in CURVES
        },
    }


def _facts(run: Run, planned: Mapping[str, Prediction]) -> dict[str, Any]:
    """Return when and on what a run was made, from which commit, and the hours that the plan had for it.

    The latter only where it ran on as many devices of the kind that the plan was made for.
    """
    plan = planned.get(run_name(run.variant, run.seed))
    kind = "gpu" if run.metrics["gpu_hours"] > 0 else "cpu"
    as_planned = plan and (plan.kind, plan.gpus) == (kind, run.metrics["processes"])
    origin = read_json(run.folder / "provenance.json")
    git = origin.get("git") or {}
    return {
        "variant": run.variant,
        "seed": run.seed,
        "outcome": run.outcome,
        "start": origin["start"],
        "end": origin["end"],
        "hours": _plain(float(run.metrics["wall_hours"])),
        "planned_hours": _plain(plan.seconds / 3600) if plan and as_planned else None,
        "gpu_hours": _plain(float(run.metrics["gpu_hours"])),
        "processes": run.metrics["processes"],
        "device": run.metrics["device"],
        "commit": git.get("commit"),
        "dirty": bool(git.get("dirty")),
    }


def _used(spec: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return {table: {variant or arm: network whose runs are used}}."""
    return {
        "models": dict(spec["variants"]),
        **{f"ablation/{name}": dict(arms) for name, arms in spec["arms"].items()},
    }
