"""From a number to the runs behind it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bakeoff.errors import UserError
from bakeoff.files import read_json, write_json
from bakeoff.provenance.cells import Cell
from bakeoff.provenance.graph import Graph
from bakeoff.provenance.rows import runs_of_cell
from bakeoff.provenance.slides import load_slides
from bakeoff.provenance.trace import trace
from tests.support.project import Project
from tests.support.provenance import COMPARED, DECK, RUNS, bakeoff, texts

# --- trace ----------------------------------------------------------------------------------------


def test_a_figure_is_traced_to_its_runs(root: Path) -> None:
    found = trace(root / "figures" / "accuracy_bars.png")
    assert [f"runs/{run.variant}/seed{run.seed}" for run in found.runs] == RUNS
    assert "comparison/{models.csv,runs.csv}" in " ".join(texts(found.step))
    assert found.breaks == ()
    for run in found.runs:
        folder = root / "runs" / run.variant / f"seed{run.seed}"
        origin = read_json(folder / "provenance.json")
        assert run.top1 == read_json(folder / "metrics.json")["test"]["top1"]
        assert run.commit == origin["git"]["commit"]
        assert run.data == origin["data_checksum"]


@pytest.mark.parametrize(
    ("file", "row", "column", "runs"),
    [
        ("comparison/models.csv", {"variant": "resnet_20"}, "top1_mean", RUNS[2:]),
        ("comparison/models.csv", {"variant": "resnet_20"}, "rank", RUNS),
        ("comparison/models.csv", {"variant": "resnet_20"}, "display", []),
        ("comparison/models.csv", {}, "epochs", RUNS),
        ("comparison/families.csv", {"family": "GhostNet"}, "top1_mean", RUNS[:2]),
        ("comparison/runs.csv", {"variant": "resnet_20", "seed": "1"}, "top1", RUNS[3:]),
        ("comparison/pairwise.csv", {"variant_a": COMPARED[0], "variant_b": COMPARED[1]}, "delta", RUNS),
        ("ablation/ghost.csv", {"arm": "ratio 2"}, "top1_mean", RUNS[:2]),
        ("ablation/ghost.csv", {"arm": "ratio 2"}, "delta", RUNS),
        ("ablation/ghost.csv", {"arm": "ratio 2"}, "arm", []),
        ("runs/resnet_20/seed1/metrics.json", {}, "params", [RUNS[3]]),
        ("runs/*/seed*/provenance.json", {}, "seed", RUNS),
        ("data/meta.json", {}, "classes", []),
    ],
)  # fmt: skip
def test_a_cell_comes_from_its_row_and_no_other(
    graph: Graph, file: str, row: dict[str, str], column: str, runs: list[str]
) -> None:
    assert list(runs_of_cell(graph, Cell("", file, column, row, "cell"))) == runs


def claims_with(graph: Graph, **measure: str) -> list[str]:
    claims = graph.records["claims"].spec["claims"]
    return [c["id"] for c in claims if measure.items() <= c["measure"].items()]


def test_a_claims_figure_has_no_run_behind_it_and_its_measurement_has(graph: Graph) -> None:
    (claim, *_) = claims_with(graph, variant="ghost_resnet_20")
    row = {"id": claim}
    assert runs_of_cell(graph, Cell("", "claims/claims.csv", "claimed", row, "cell")) == ()
    assert (
        list(runs_of_cell(graph, Cell("", "claims/claims.csv", "measured", row, "cell")))
        == RUNS[:2]
    )


def test_a_number_on_a_slide_is_traced(root: Path, graph: Graph) -> None:
    shown = [
        (slide.number, number)
        for slide in load_slides(graph, DECK)
        for number in slide.numbers
        if number.cell.row == {"variant": "resnet_20"} and number.cell.column == "params_m"
    ]
    slide, number = shown[0]
    found = trace(root / DECK, number.text, slide)
    assert [f"runs/{run.variant}/seed{run.seed}" for run in found.runs] == RUNS[2:]
    assert any(number.cell.place in text for text in texts(found.step))
    # As a number, however many zeros were typed.
    assert trace(root / DECK, f"{float(number.text):.6f}", slide).runs == found.runs


def test_a_slide_is_traced_with_its_pictures(root: Path, graph: Graph) -> None:
    (slide, *_) = (
        s for s in load_slides(graph, DECK) if any("learning_curves" in p for p in s.pictures)
    )
    found = trace(root / DECK, slide=slide.number)
    told = " ".join(texts(found.step))
    assert slide.title in told
    assert "slides/assets/learning_curves.en.png, made by slides/en" in told
    assert {(run.variant, run.seed) for run in found.runs} >= {(variant, 0) for variant in COMPARED}


def test_a_number_in_a_table_is_traced_by_what_it_rounds_to(root: Path) -> None:
    params = read_json(root / "runs" / "resnet_20" / "seed0" / "metrics.json")["params"] / 1e6
    found = trace(root / "comparison" / "models.csv", f"{params:.3f}")
    assert {run.variant for run in found.runs} == {"resnet_20"}


@pytest.mark.parametrize(
    ("path", "number", "slide", "expected"),
    [
        (DECK, "12345.678", None, "shows no number 12345.678"),
        (DECK, None, 99, "but no slide 99"),
        ("figures/accuracy_bars.png", None, 3, "has no slides"),
        ("figures/accuracy_bar.png", None, None, "did you mean 'figures/accuracy_bars.png'"),
        ("comparison/models.csv", "12345.678", None, "no number that rounds to 12345.678"),
    ],
)
def test_what_cannot_be_traced_is_said(
    root: Path, path: str, number: str | None, slide: int | None, expected: str
) -> None:
    with pytest.raises(UserError, match=re.escape(expected)):
        trace(root / path, number, slide)


def test_a_file_outside_of_any_study_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not below the root of a study"):
        trace(tmp_path / "figure.png")


def test_a_broken_chain_is_told(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    figure = copy / "figures" / "accuracy_bars.png"
    figure.write_bytes(figure.read_bytes() + b" ")
    assert "altered" in trace(figure).step.text
    record = copy / "records" / "comparison.json"
    content = read_json(record)
    content["writes"]["comparison/models.csv"]["digest"] = "0" * 64
    write_json(record, content)
    assert trace(figure).breaks == (
        "figures/accuracy_bars was made from another comparison/models.csv than the one that comparison wrote",
    )


def test_trace_in_words(built: Project) -> None:
    done = bakeoff(built.folder, "trace", "results/figures/accuracy_bars.png")
    assert done.returncode == 0, done.stderr
    assert "4 runs: ghost_resnet_20 (seed 0, 1); resnet_20 (seed 0, 1)" in done.stdout
    meta = read_json(built.folder / "results" / "data" / "meta.json")
    assert done.stdout.count(meta["checksum"][:12]) == len(RUNS)
    refused = bakeoff(built.folder, "trace", "results/figures/bars.png")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def test_trace_as_a_target(built: Project) -> None:
    done = built.snakemake("trace", "--config", "file=results/ablation/ghost.csv")
    assert "4 runs: ghost_resnet_20 (seed 0, 1); resnet_20 (seed 0, 1)" in done.stdout
    done = built.snakemake("trace", "--config", "number=12345.678")
    assert done.returncode != 0
    assert "results/slides/deck.en.pptx shows no number 12345.678" in done.stdout + done.stderr
