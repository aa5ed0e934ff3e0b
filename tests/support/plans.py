"""Work, demands and plans for tests of planning."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bakeoff.files import write_json
from bakeoff.planning.allocation import (
    Demand,
)
from bakeoff.planning.follow import (
    plan_file,
)
from bakeoff.planning.machine import Fleet
from bakeoff.planning.work import Work

WORK = Work(
    variant="large",
    params=57_000_000,
    macs=4_000_000_000,
    epochs=200,
    images=45_000,
    held_out=5_000,
    global_batch=1024,
    micro_batch=128,
    classes=100,
    image_size=32,
)
EIGHT_GPUS = Fleet("gpu", 8)
NIGHT = 8 * 3600.0


def demand(variant: str, runs: int, *seconds: float) -> Demand:
    """Return a demand whose runs take `seconds` on 1, 2, 4, ... devices."""
    return Demand(variant, tuple(range(runs)), {1 << i: s for i, s in enumerate(seconds)})


def plan_spec_of(seeds: int, **variants: Work) -> dict[str, Any]:
    """Return the spec of a plan for made-up variants."""
    return {
        "study": {"name": "made up", "dataset": "shapes", "protocol": "uniform", "epochs": 200},
        "gpus": "auto",
        "price": {"gpu_hour": 2.0, "currency": "EUR"},
        "variants": {
            name: {
                "family": "Made up",
                "work": {**vars(work), "variant": name},
                "seeds": list(range(seeds)),
            }
            for name, work in variants.items()
        },
    }


def follow_plan(root: Path, spec: Mapping[str, Any], runs: Mapping[str, Any]) -> None:
    """Write a plan of `spec` that gives runs something that no rule would."""
    from bakeoff.planning.follow import plan_key  # noqa: PLC0415

    write_json(plan_file(root), {"key": plan_key(spec, EIGHT_GPUS), "runs": runs})
