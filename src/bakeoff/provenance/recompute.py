"""Tables computed again from the runs, to be compared with those that are there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from bakeoff.analysis.ablation import ablate
from bakeoff.analysis.claims import judge_claims
from bakeoff.analysis.comparison import compare
from bakeoff.provenance.graph import Graph

# Another processor may add in another order. Tables have eight digits.
TOLERANCE = 1e-5


def is_table(job: str) -> bool:
    """Return whether a job makes tables."""
    return job.partition("/")[0] in ("comparison", "ablations", "claims")


def table_again(graph: Graph, job: str) -> Iterator[str]:
    """Yield how the tables of a job differ from what its spec and the runs give, a sentence each."""
    with tempfile.TemporaryDirectory(prefix="bakeoff-tables-") as temporary:
        _compute(graph, job, Path(temporary))
        for path in graph.records[job].writes:
            if path.endswith(".csv"):
                difference = _difference(graph.root / path, Path(temporary) / Path(path).name)
                if difference:
                    yield f"{path} does not follow from the runs: {difference}."


def _compute(graph: Graph, job: str, out: Path) -> None:
    root, spec = graph.root, graph.records[job].spec
    match job.partition("/")[0]:
        case "comparison":
            compare(spec, root / "runs", root / "profiles", out, meta=root / "data" / "meta.json")
        case "ablations":
            ablate(spec, root / "runs", out / f"{spec['ablation']}.csv")
        case _:
            ablations = [root / "ablation" / f"{name}.csv" for name in spec["ablations"]]
            judge_claims(spec, root / "comparison", ablations, out)


def _difference(there: Path, again: Path) -> str:
    """Return the first difference between two tables in words; nothing where they are equal."""
    if there.read_bytes() == again.read_bytes():
        return ""
    try:
        pd.testing.assert_frame_equal(
            pd.read_csv(there), pd.read_csv(again), rtol=TOLERANCE, atol=TOLERANCE
        )
    except AssertionError as error:
        return "; ".join(str(error).splitlines()[:1])
    return ""
