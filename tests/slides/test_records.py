"""Machines, commits and papers on their slides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pptx import Presentation

from bakeoff.slides import build_deck
from tests.support.decks import change_json, change_runs, spec_of, texts, words_of

# --- the records ----------------------------------------------------------------------------------


def record_slide(root: Path, out: Path, language: str = "en") -> tuple[str, dict[str, str]]:
    """Build the deck and return title and table of the slide on reproducibility."""
    build_deck(spec_of(root), root, language, out)
    kicker = words_of(language).templates["backup.reproducibility.kicker"]
    slides = Presentation(out / f"deck.{language}.pptx").slides
    (slide,) = [slide for slide in slides if kicker in texts(slide)]
    (table,) = [shape.table for shape in slide.shapes if shape.has_table]
    title = slide.shapes.title.text_frame.text
    return title, {row.cells[0].text: row.cells[1].text for row in table.rows}


def test_the_machine_is_told_in_words(study: Path, tmp_path: Path) -> None:
    _, rows = record_slide(study, tmp_path)
    assert rows["Hardware"] == "2 × V100, Xeon E5, 40 CPUs, CUDA 12.6"

    def without_gpu(record: dict[str, Any]) -> dict[str, Any]:
        record["hardware"] |= {"processor": "AMD EPYC", "cpus": 2, "gpus": [], "cuda": None}
        return record

    change_runs(study, "*/*/provenance.json", without_gpu)
    assert record_slide(study, tmp_path)[1]["Hardware"] == "AMD EPYC, 2 CPUs"
    assert record_slide(study, tmp_path, "zh")[1]["硬件"] == "AMD EPYC、2个CPU"


def test_uncommitted_changes_are_in_the_title(study: Path, tmp_path: Path) -> None:
    title, rows = record_slide(study, tmp_path)
    assert title == "All 3 runs come from one commit"
    assert "Uncommitted changes" not in rows

    def dirty(record: dict[str, Any]) -> dict[str, Any]:
        record["git"]["dirty"] = True
        return record

    change_runs(study, "resnet_20/*/provenance.json", dirty)
    title, rows = record_slide(study, tmp_path)
    assert title == "All 3 runs come from one commit, 1 of them with uncommitted changes"
    assert rows["Uncommitted changes"] == "1 of the runs"
    change_runs(study, "*/*/provenance.json", dirty)
    title, _ = record_slide(study, tmp_path)
    assert title == "All 3 runs come from one commit, with uncommitted changes"


def test_a_paper_is_listed_once_with_all_its_families(study: Path, tmp_path: Path) -> None:
    papers = iter(
        ("He et al., ResNet, 2016", "Han et al., Ghost, 2020, section 3.1",
         "Han et al., Ghost, 2020, sections 3.2 and 4")
    )  # fmt: skip

    def cite(spec: dict[str, Any]) -> dict[str, Any]:
        for entry in spec["variants"]:
            entry["paper"] = next(papers)
        return spec

    def cite_in_slides(spec: dict[str, Any]) -> dict[str, Any]:
        return {**spec, "comparison": cite(spec["comparison"])}

    change_json(study / "specs/slides/en.json", cite_in_slides)
    build_deck(spec_of(study), study, "en", tmp_path)
    slide = list(Presentation(tmp_path / "deck.en.pptx").slides)[-1]
    (table,) = [shape.table for shape in slide.shapes if shape.has_table]
    rows = [[cell.text for cell in row.cells] for row in table.rows][1:]
    assert rows == [
        ["ResNet", "He et al., ResNet, 2016", "2016"],
        ["ECA-Net and GhostNet", "Han et al., Ghost, 2020", "2020"],
    ]
