"""Which files of a study each figure is drawn from."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError, did_you_mean


def draw(figure: str, spec: Mapping[str, Any], root: Path) -> None:
    """Draw one figure of the study in `root` to `{root}/figures`, as PNG and SVG.

    Args:
        figure: its name, which is that of its module.
        spec: content of `{root}/specs/figures/{figure}.json`.
        root: folder of the study's results.

    Raises:
        UserError: there is no such figure, or what it is drawn from is missing or damaged.
    """
    models, runs = root / "comparison" / "models.csv", root / "comparison" / "runs.csv"
    meta = root / "data" / "meta.json"
    ablations = [root / "ablation" / f"{name}.csv" for name in spec["ablations"]]
    sources: Mapping[str, tuple[Any, ...]] = {
        "accuracy_bars": (models, runs),
        "accuracy_vs_parameters": (models,),
        "accuracy_vs_time": (models,),
        "learning_curves": (models, runs, root / "runs"),
        "superclass_confusion": (models, runs, root / "runs", meta),
        "ablation_deltas": (ablations,),
    }
    if figure not in sources:
        raise UserError(
            f"There is no figure '{figure}'{did_you_mean(figure, sources)}. Figures: {', '.join(sources)}."
        )
    module = importlib.import_module(f"bakeoff.figures.{figure}")
    module.plot(*sources[figure], root / "figures" / f"{figure}.png")
