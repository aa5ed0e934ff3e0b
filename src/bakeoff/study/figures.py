"""Which figures there are, and what each is drawn from: as their modules say, without importing them.

A figure is a module of `bakeoff.figures` with the constants `READS` (what its function `plot` is called with, in order,
from the names below), `CAPTION` and `CATEGORY` (of Snakemake's report).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.jobs.code import SOURCE, constants

FOLDER = SOURCE / "figures"


@dataclass(frozen=True)
class Figure:
    """What the module of a figure says about it."""

    name: str
    reads: tuple[str, ...]
    caption: str
    category: str


def find_figures(ablations: Sequence[str]) -> dict[str, Figure]:
    """Return {name: figure} of the figures that a study has: those of ablations only where it has any."""
    found = {}
    for file in sorted(FOLDER.glob("*.py")):
        said: Mapping[str, Any] = constants(file)
        if "READS" in said and (ablations or "ablations" not in said["READS"]):
            reads = tuple(said["READS"])
            found[file.stem] = Figure(file.stem, reads, said["CAPTION"], said["CATEGORY"])
    return found


# {what a figure reads: what `plot` is called with}, of the study in a root with these ablations.
ARGUMENTS: Mapping[str, Callable[[Path, Sequence[str]], Any]] = {
    "models": lambda root, _: root / "comparison" / "models.csv",
    "runs": lambda root, _: root / "comparison" / "runs.csv",
    "runs_dir": lambda root, _: root / "runs",
    "meta": lambda root, _: root / "data" / "meta.json",
    "ablations": lambda root, names: [root / "ablation" / f"{name}.csv" for name in names],
}
# What a figure reads of each run, where it reads the folder of the runs.
RUN_FILES = ("metrics.json", "history.csv", "predictions.npz")
