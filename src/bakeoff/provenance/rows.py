"""From a value to the runs that it was computed from: of a table's row, only the runs of that row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bakeoff.provenance.cells import Cell, row_key
from bakeoff.provenance.graph import RUNS, Graph
from bakeoff.study.metric import NAMES

# Columns that say what a row is about: they stand in the configuration, and no run is behind them.
OF_CONFIGURATION = frozenset(
    {
        *("variant", "display", "family", "arm", "baseline", "title"),
        *("id", "source", "statement", "statement_zh", "claimed", "unit", "relation", "tolerance"),
    }
)
# What is known of the mean of a row only from all of them: they share what they know of seeds.
OF_THE_MEANS = ("ci_low", "ci_high", "error")
# Columns that no row has by itself: they follow from all rows of their table.
OF_ALL_ROWS = frozenset(
    {
        *("rank", "rank_low", "rank_high", "letters", "group", "dominated_by", "seeds_vary_more"),
        *("ci_low", "ci_high", "df", "p_value", "p_adjusted", "error", "image_error"),
        *(
            f"{metric}_{part}"
            for metric in ("score", *NAMES, "without_copies")
            for part in OF_THE_MEANS
        ),
        *("verdict", "equivalent_within", "detectable", "more_seeds", "more_gpu_hours"),
        *("same_network_as", "distinct"),
        *(f"front_share_{cost}" for cost in ("params", "macs", "gpu_hours", "latency")),
    }
)
# Beginnings of the columns of an ablation's table that compare an arm with the baseline.
OF_BASELINE = ("delta", "errors_change", "params_change", "macs_change", "baseline_")

# Kinds of measures of the variants that they name, and of no others.
OF_ONE_OR_TWO = frozenset(
    {"top1", "params", "param_efficiency", "hours", "gpu_hours", "difference", "efficiency_ratio"}
)


def table_runs(graph: Graph) -> tuple[str, ...]:
    """Return the runs behind all tables of the study."""
    return graph.runs(
        *(job for job in graph.records if job.startswith(("comparison", "ablations/")))
    )


def runs_of_cell(graph: Graph, cell: Cell) -> tuple[str, ...]:
    """Return the runs that a value was computed from: of a table's row, only the runs of that row.

    Where a value depends on the whole table (a rank, a correction for the number of tests), all of its runs count.
    """
    if "*" in cell.file:
        return table_runs(graph)
    job = graph.writers.get(cell.file)
    is_row = bool(cell.row) and set(cell.row) == set(row_key(cell.file))
    if job is None or (is_row and cell.column in OF_CONFIGURATION):
        return ()
    of_row = _ROWS.get(cell.file.partition("/")[0])
    if of_row is None or not is_row or cell.column in OF_ALL_ROWS:
        return graph.runs(job)
    wanted = of_row(graph, job, cell)
    return tuple(run for run in graph.runs(job) if run in wanted)


def _of_comparison(graph: Graph, job: str, cell: Cell) -> frozenset[str]:
    row = cell.row
    variants = {row[column] for column in ("variant", "variant_a", "variant_b") if column in row}
    return _runs(
        {**entry, "seeds": [row["seed"]]} if "seed" in row else entry
        for entry in graph.records[job].spec["variants"]
        if entry["variant"] in variants or entry["family"] == row.get("family")
    )


def _of_ablation(graph: Graph, job: str, cell: Cell) -> frozenset[str]:
    spec = graph.records[job].spec
    wanted = {cell.row["arm"]}
    if cell.column.startswith(OF_BASELINE):
        wanted.add(spec["baseline"])
    return _runs(entry for entry in spec["arms"] if entry["arm"] in wanted)


def _of_claim(graph: Graph, job: str, cell: Cell) -> frozenset[str]:
    claims = {claim["id"]: claim for claim in graph.records[job].spec["claims"]}
    measure = claims[cell.row["id"]]["measure"]
    found = (_of_measure(graph, part) for part in measure.get("of") or [measure])
    return frozenset().union(*found)


def _of_measure(graph: Graph, measure: Mapping[str, Any]) -> frozenset[str]:
    if ablation := measure.get("ablation"):
        table = f"ablations/{ablation}"
        if table not in graph.records:
            return frozenset()
        arms = [measure.get("arm"), measure.get("than")]
        entries = {arm["arm"] for arm in graph.records[table].spec["arms"]}
        if not set(arms) - {None} <= entries or arms == [None, None]:
            # The best, the worst, all others, or the mean.
            return frozenset(graph.runs(table))
        wanted = (Cell("", "", "delta", {"arm": arm}, "cell") for arm in arms if arm)
        return frozenset().union(*(_of_ablation(graph, table, cell) for cell in wanted))
    if measure["kind"] in OF_ONE_OR_TWO:
        variants = (measure[key] for key in ("variant", "other") if key in measure)
        cells = (Cell("", "", "", {"variant": name}, "cell") for name in variants)
        return frozenset().union(*(_of_comparison(graph, "comparison", cell) for cell in cells))
    return frozenset(graph.runs("comparison"))


def _runs(entries: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(
        f"{RUNS}{entry['run']}/seed{seed}" for entry in entries for seed in entry["seeds"]
    )


_ROWS: Mapping[str, Callable[[Graph, str, Cell], frozenset[str]]] = {
    "comparison": _of_comparison,
    "ablation": _of_ablation,
    "claims": _of_claim,
}
