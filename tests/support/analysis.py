"""A made-up study with all its tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bakeoff.analysis import claims as claims_module
from bakeoff.analysis.ablation import ablate
from bakeoff.analysis.comparison import compare
from bakeoff.files import read_json, write_json
from tests.support import fake_study
from tests.support.fake_study import FakeStudy, FakeVariant


def variant(name: str, top1: float, **changes: Any) -> FakeVariant:
    return replace(FakeVariant(name, "Family", top1, 200_000), **changes)


def make(root: Path, study: FakeStudy) -> Path:
    """Write `study` and all its tables."""
    fake_study.write_study(root, study)
    spec = read_json(root / "specs/comparison.json")
    compare(
        spec,
        root / "runs",
        root / "profiles",
        root / "comparison",
        root / "data/meta.json",
        root / "data/reading.json",
    )
    tables = []
    for name in study.ablations:
        tables.append(root / "ablation" / f"{name}.csv")
        ablate(read_json(root / "specs/ablations" / f"{name}.json"), root / "runs", tables[-1])
    spec = read_json(root / "specs/claims.json")
    claims_module.judge_claims(spec, root / "comparison", tables, root / "claims")
    return root


def edit(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        metrics = read_json(folder / "metrics.json")
        for key, value in changes.items():
            target, _, inner = key.partition("__")
            if inner:
                metrics[target][inner] = value
            else:
                metrics[target] = value
        write_json(folder / "metrics.json", metrics)

    return damage
