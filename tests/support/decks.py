"""Made-up studies with all that a deck is made from, and what a deck says."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from bakeoff.analysis.ablation import ablate
from bakeoff.analysis.claims import judge_claims
from bakeoff.analysis.comparison import compare
from bakeoff.figures.sheet import DPI, Sheet
from bakeoff.slides import pictures
from bakeoff.slides.words import Words, load_words
from bakeoff.study.config import TalkConfig
from tests.support.fake_study import FakeStudy, write_study
from tests.support.project import REPOSITORY

CONFIG = REPOSITORY / "config" / "slides.yaml"
REAL_PLOT = pictures.plot


def blank(*inputs: Any) -> None:
    """Stand in for the drawing of a figure: a white picture as large as the sheet."""
    sheet: Sheet = inputs[-1]
    assert sheet.room is not None
    (file,) = sheet.files
    file.parent.mkdir(parents=True, exist_ok=True)
    size = round(sheet.width * DPI), round(sheet.room * DPI)
    Image.new("1", size, 1).save(file)


def slides_yaml() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return content


def claim(**changes: Any) -> dict[str, Any]:
    base = {
        "id": "talk_top1",
        "source": "the original talk",
        "statement": {"en": "It reaches {claimed} %.", "zh": "达到{claimed}%。"},
        "claimed": 75.71,
        "unit": "percent",
        "relation": "at_least",
        "tolerance": 0.5,
        "requires": {"dataset": "cifar100", "min_epochs": 100},
        "measure": {"kind": "top1", "variant": "resnet_20"},
    }
    return base | changes


CLAIMS = (
    claim(),
    claim(id="params", unit="million", claimed=0.27, relation="equals", tolerance=0.02, requires={},
          measure={"kind": "params", "variant": "resnet_20"}),
    claim(id="absent", measure={"kind": "top1", "variant": "not_trained"}),
)  # fmt: skip


def make_root(root: Path, study: FakeStudy) -> Path:
    """Write everything below a root that the deck is made from."""
    write_study(root, study)
    for path in root.glob("runs/*/seed*/provenance.json"):
        change_json(path, as_recorded)
    spec = read_json(root / "specs" / "comparison.json")
    out = root / "comparison"
    compare(spec, root / "runs", root / "profiles", out, root / "data" / "meta.json")
    (root / "ablation").mkdir()
    for name in study.ablations:
        arms = read_json(root / "specs" / "ablations" / f"{name}.json")
        ablate(arms, root / "runs", root / "ablation" / f"{name}.csv")
    tables = sorted((root / "ablation").glob("*.csv"))
    judge_claims(read_json(root / "specs/claims.json"), out, tables, root / "claims")
    slides = {
        "study": study.header,
        "slides": slides_yaml(),
        "talk": TalkConfig().en.model_dump(mode="json") | {"logo": ""},
        "comparison": spec,
        "ablations": {
            name: read_json(root / "specs" / "ablations" / f"{name}.json")
            for name in study.ablations
        },
    }
    (root / "specs" / "slides").mkdir()
    for language in ("en", "zh"):
        path = root / "specs" / "slides" / f"{language}.json"
        path.write_text(json.dumps(slides), encoding="utf-8")
    return root


def as_recorded(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a run as training writes it."""
    return {
        **record,
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "versions": {"python": "3.12.4", "torch": "2.10.0"},
        "hardware": {
            "host": f"node{record['seed']}",
            "processor": "Xeon E5",
            "cpus": 40,
            "gpus": ["V100", "V100"],
            "cuda": "12.6",
            "system": "Linux",
        },
        "start": f"2025-03-0{1 + record['seed'] % 3}T08:00:00+00:00",
        "end": f"2025-03-0{1 + record['seed'] % 3}T09:30:00+00:00",
    }


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def change_json(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    path.write_text(json.dumps(change(read_json(path))), encoding="utf-8")


def change_rows(path: Path, change: Callable[[dict[str, str]], None]) -> None:
    """Edit the rows of a CSV in place."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        change(row)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def spec_of(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = read_json(root / "specs" / "slides" / "en.json")
    return content


def deck_path(root: Path, language: str) -> Path:
    return root / "slides" / f"deck.{language}.pptx"


def texts(slide: Any) -> Iterator[str]:
    """Yield the text of each box and cell of a slide; not the slide number, which is a field."""
    for shape in slide.shapes:
        if shape.has_text_frame and shape.name != "Slide number":
            yield from (paragraph.text for paragraph in shape.text_frame.paragraphs)
        if shape.has_table:
            yield from (cell.text for row in shape.table.rows for cell in row.cells)


def numbers(root: Path, language: str) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = read_json(root / f"slides/assets/numbers.{language}.json")[
        "numbers"
    ]
    return content


def words_of(language: str) -> Words:
    return load_words(slides_yaml(), language, "config/slides.yaml")


def change_runs(
    root: Path, pattern: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    paths = list(root.glob(f"runs/{pattern}"))
    assert paths
    for path in paths:
        change_json(path, change)
