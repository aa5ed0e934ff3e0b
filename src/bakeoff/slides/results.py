"""The results of one study as the deck needs them: tables, specs and the runs behind them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bakeoff.slides.formats import whole
from bakeoff.slides.tables import Document, Table, read_document, read_table
from bakeoff.slides.values import Source, Value

METRICS = "runs/*/seed*/metrics.json"
PROVENANCE = "runs/*/seed*/provenance.json"


@dataclass(frozen=True)
class Run:
    """The records of one run that the study uses."""

    folder: str
    metrics: Document
    provenance: Document


@dataclass(frozen=True)
class Results:
    """Everything the slides are made from. Ablations and their specs are in the order of the study.

    An ablation whose arms, or whose baseline, have no finished run says nothing and is not among them.
    """

    root: Path
    study: Document
    comparison: Document
    models: Table
    pairwise: Table
    ablations: Mapping[str, Table]
    ablation_specs: Mapping[str, Document]
    claims: Table
    data: Document
    runs: tuple[Run, ...]

    @property
    def synthetic(self) -> bool:
        """Tell whether the images were drawn by the study itself."""
        return bool(self.data.get("kind") == "shapes" or self.data.get("name") == "shapes")

    @property
    def repeated(self) -> bool:
        """Tell whether at least two networks, or the only one, have the seeds for a verdict."""
        rows = [row for row in self.models.rows if self.models.true(row, "distinct")]
        several = [row for row in rows if self.models.true(row, "judged")]
        return len(several) >= min(2, len(rows)) > 0

    @property
    def without_ablations(self) -> Literal["none", "diverged"]:
        """Tell why there are no ablations where there are none."""
        return "diverged" if self.study.get("ablations") else "none"

    def runs_of(self, variant: str, seeds: Iterable[int]) -> tuple[Run, ...]:
        """Return the runs of a variant with `seeds`."""
        folders = {_folder(variant, seed) for seed in seeds}
        return tuple(run for run in self.runs if run.folder in folders)

    def run_count(self) -> Value:
        """Return the number of runs that the study uses."""
        return Value(whole(len(self.runs)), len(self.runs), Source(PROVENANCE, "seed", (), "count"))

    def gpu_hours(self, form: Callable[[float], str]) -> Value | None:
        """Return the GPU hours of all runs together, or None where none was on a GPU."""
        hours = math.fsum(float(run.metrics.get("gpu_hours") or 0) for run in self.runs)
        if not hours:
            return None
        return Value(form(hours), hours, Source(METRICS, "gpu_hours", (), "sum"))

    def diverged(self) -> Value:
        """Return the number of runs that diverged."""
        count = sum(run.metrics.get("test") is None for run in self.runs)
        return Value(whole(count), count, Source(METRICS, "test", (("test", "None"),), "count"))

    def first_start(self) -> Value:
        """Return the date on which the first run started."""
        return self._date("start", "min")

    def last_end(self) -> Value:
        """Return the date on which the last run ended."""
        return self._date("end", "max")

    def distinct(self, path: str) -> tuple[Document, ...]:
        """Return one provenance record for each different content at `path`, in the order of the runs."""
        first: dict[str, Document] = {}
        for run in self.runs:
            content = run.provenance.get(path)
            if content is not None:
                first.setdefault(str(content), run.provenance)
        return tuple(first.values())

    def _date(self, path: str, how: Any) -> Value:
        choose = min if how == "min" else max
        moment = choose(str(run.provenance.value(path).content) for run in self.runs)
        return Value(moment[:10], moment, Source(PROVENANCE, path, (), how))


def load_results(spec: Mapping[str, Any], root: Path, language: str) -> Results:
    """Read what the deck of the study below `root` is made from.

    Raises:
        UserError: something is missing; the message names it.
    """
    study = Document(f"specs/slides/{language}.json", spec)
    comparison = study.part("comparison")
    specs = {name: study.part(f"ablations.{name}") for name in spec["ablations"]}
    tables = {name: read_table(root, f"ablation/{name}.csv", "arm") for name in specs}
    ablations = {name: table for name, table in tables.items() if len(table.rows) > 1}
    return Results(
        root=root,
        study=study,
        comparison=comparison,
        models=read_table(root, "comparison/models.csv", "variant"),
        pairwise=read_table(root, "comparison/pairwise.csv", "variant_a", "variant_b"),
        ablations=ablations,
        ablation_specs={name: specs[name] for name in ablations},
        claims=read_table(root, "claims/claims.csv", "id"),
        data=read_document(root, "data/meta.json"),
        runs=_runs(root, comparison, specs.values()),
    )


def _runs(root: Path, comparison: Document, ablations: Iterable[Document]) -> tuple[Run, ...]:
    users = [
        *comparison.get("variants", []),
        *(a for spec in ablations for a in spec.get("arms", [])),
    ]
    used = {(user["run"], int(seed)) for user in users for seed in user["seeds"]}
    folders = [_folder(run, seed) for run, seed in sorted(used)]
    return tuple(
        Run(
            folder,
            read_document(root, f"{folder}/metrics.json"),
            read_document(root, f"{folder}/provenance.json"),
        )
        for folder in folders
    )


def _folder(variant: str, seed: int) -> str:
    return f"runs/{variant}/seed{seed}"
