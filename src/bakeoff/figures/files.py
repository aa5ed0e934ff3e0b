"""Which files of a study each figure is drawn from."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError, did_you_mean
from bakeoff.figures.sheet import Sheet


def draw(figure: str, spec: Mapping[str, Any], root: Path) -> None:
    """Draw one figure of the study in `root` to `{root}/figures`, as PNG and SVG.

    Args:
        figure: its name, which is that of its module.
        spec: content of `{root}/specs/figures/{figure}.json`.
        root: folder of the study's results.

    Raises:
        UserError: there is no such figure, or what it is drawn from is missing or damaged.
    """
    inputs = sources(figure, spec["ablations"], root)
    files = tuple(root / "figures" / f"{figure}.{suffix}" for suffix in ("png", "svg"))
    importlib.import_module(f"bakeoff.figures.{figure}").plot(*inputs, Sheet(files))


def sources(figure: str, ablations: Sequence[str], root: Path) -> tuple[Any, ...]:
    """Return what the function `plot` of a figure is called with, but for the sheet.

    Args:
        figure: its name.
        ablations: the names of the study's ablations.
        root: folder of the study's results.

    Raises:
        UserError: there is no such figure.
    """
    models, runs = root / "comparison" / "models.csv", root / "comparison" / "runs.csv"
    inputs: Mapping[str, tuple[Any, ...]] = {
        "accuracy_bars": (models, runs),
        "accuracy_vs_parameters": (models,),
        "accuracy_vs_time": (models,),
        "learning_curves": (models, runs, root / "runs"),
        "superclass_confusion": (models, runs, root / "runs", root / "data" / "meta.json"),
        "ablation_deltas": ([root / "ablation" / f"{name}.csv" for name in ablations],),
    }
    if figure not in inputs:
        raise UserError(
            f"There is no figure '{figure}'{did_you_mean(figure, inputs)}. Figures: {', '.join(inputs)}."
        )
    return inputs[figure]
