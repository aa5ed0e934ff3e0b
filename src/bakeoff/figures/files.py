"""Drawing a figure by its name, which is that of its module."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from bakeoff.errors import UserError, did_you_mean
from bakeoff.figures.sheet import Sheet
from bakeoff.study.figures import ARGUMENTS, find_figures


def plot(figure: str, root: Path, ablations: Sequence[str], sheet: Sheet) -> None:
    """Draw one figure of the study in `root`.

    Args:
        figure: its name.
        root: folder of the study's results.
        ablations: the names of the study's ablations.
        sheet: what it is drawn on.

    Raises:
        UserError: there is no such figure, or what it is drawn from is missing or damaged.
    """
    figures = find_figures(["any"], superclasses=True)
    if figure not in figures:
        raise UserError(
            f"There is no figure '{figure}'{did_you_mean(figure, figures)}. Figures: {', '.join(figures)}."
        )
    inputs = [ARGUMENTS[name](root, ablations) for name in figures[figure].reads]
    importlib.import_module(f"bakeoff.figures.{figure}").plot(*inputs, sheet)
