"""Which figures there are, and what each is drawn from: as their modules say, without importing them.

A figure is a module of `bakeoff.figures` with the constants `READS` (what its function `plot` is called with, in order,
from the names below), `CAPTION` and `CATEGORY` (of Snakemake's report). A study has the figures that it has something
to draw from: those of ablations where it has any, those of superclasses where its data have them.
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


def find_figures(ablations: Sequence[str], superclasses: bool) -> dict[str, Figure]:
    """Return {name: figure} of the figures that a study with these ablations, with or without superclasses, has."""
    absent = {
        name for name, has in (("ablations", ablations), ("superclasses", superclasses)) if not has
    }
    found = {}
    for file in sorted(FOLDER.glob("*.py")):
        said: Mapping[str, Any] = constants(file)
        if "READS" in said and not absent & set(said["READS"]):
            reads = tuple(said["READS"])
            found[file.stem] = Figure(file.stem, reads, said["CAPTION"], said["CATEGORY"])
    return found


# {what a figure reads: what `plot` is called with}, of the study in a root with these ablations.
ARGUMENTS: Mapping[str, Callable[[Path, Sequence[str]], Any]] = {
    "models": lambda root, _: root / "comparison" / "models.csv",
    "runs": lambda root, _: root / "comparison" / "runs.csv",
    "runs_dir": lambda root, _: root / "runs",
    "superclasses": lambda root, _: root / "data" / "meta.json",
    "ablations": lambda root, names: [root / "ablation" / f"{name}.csv" for name in names],
}
# What a figure reads of each run, where it reads the folder of the runs.
RUN_FILES = ("metrics.json", "history.csv", "predictions.npz")
