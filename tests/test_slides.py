"""The deck: its words, its numbers and where they come from, its sentences, its layout, its bytes."""

from __future__ import annotations

import ast
import csv
import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from pptx import Presentation

from bakeoff.analysis.ablation import ablate
from bakeoff.analysis.claims import test_claims as judge_claims
from bakeoff.analysis.comparison import compare
from bakeoff.errors import UserError
from bakeoff.slides import build_deck, check_slides, findings, formats, theme, write_assets
from bakeoff.slides import text as measure
from bakeoff.slides.grid import Column, Grid, Line, lay_out
from bakeoff.slides.results import load_results
from bakeoff.slides.templates import GLOSSARIES, LANGUAGES, TEMPLATES, TERMS, leaves
from bakeoff.slides.values import plain
from bakeoff.slides.words import Words, load_words
from fake_study import FakeStudy, full_study, small_study, write_study

CONFIG = Path(__file__).resolve().parents[1] / "config" / "slides.yaml"
PICTURES = {
    "accuracy_bars": (900, 730),
    "accuracy_vs_parameters": (900, 650),
    "accuracy_vs_time": (900, 650),
    "learning_curves": (900, 700),
    "ablation_deltas": (900, 640),
    "superclass_confusion": (800, 720),
}
RECIPE = {
    "name": "uniform",
    "epochs": 200,
    "global_batch": 1024,
    "optimizer": {"name": "sgd", "momentum": 0.9, "weight_decay": 0.0005},
    "learning_rate": {"base": 0.1, "per_images": 256},
    "label_smoothing": 0.0,
    "augmentation": {"crop_padding": 4, "flip": True},
}


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
    judge_claims(read_json(root / "specs/claims.json"), out / "models.csv", tables, root / "claims")
    (root / "figures").mkdir()
    for name, size in PICTURES.items():
        Image.new("RGB", size, "white").save(root / "figures" / f"{name}.png")
    slides = {
        "study": {
            **study.header,
            "global_batch": RECIPE["global_batch"],
            "recipe": {**RECIPE, "epochs": study.epochs},
            "seeds": {"comparison": [0], "ablations": [0]},
        },
        "slides": slides_yaml(),
        "ablations": list(study.ablations),
    }
    (root / "specs" / "slides.json").write_text(json.dumps(slides), encoding="utf-8")
    return root


def as_recorded(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a run as training writes it."""
    return {
        "configuration": {},
        "seed": record["seed"],
        "data_checksum": "ab" * 32,
        "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "versions": {"python": "3.12.4", "torch": "2.10.0"},
        "hardware": {"host": f"node{record['seed']}", "cpus": 40, "gpus": ["V100", "V100"]},
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
    content: dict[str, Any] = read_json(root / "specs" / "slides.json")
    return content


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three variants, one seed, synthetic data."""
    study = dataclasses.replace(
        small_study(),
        claims=CLAIMS,
        ablations={"eca": (("none", "resnet_20"), ("adaptive", "eca_resnet_20"))},
    )
    return make_root(tmp_path_factory.mktemp("demo"), study)


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighteen variants with three seeds, three ablations with four."""
    study = full_study(arm_seeds=(0, 1, 2, 3), claims=CLAIMS)
    return make_root(tmp_path_factory.mktemp("paper"), dataclasses.replace(study, images=300))


@pytest.fixture(scope="module", params=["demo", "paper"])
def root(request: pytest.FixtureRequest) -> Path:
    built: Path = request.getfixturevalue(request.param)
    for language in LANGUAGES:
        build_deck(spec_of(built), built, language, deck_path(built, language))
        write_assets(spec_of(built), built, language, built / "slides" / "assets")
    return built


@pytest.fixture
def study(demo: Path, tmp_path: Path) -> Path:
    """A copy of the demo, with two seeds in its tables, to be edited."""
    copy = tmp_path / "study"
    shutil.copytree(demo, copy)
    change_rows(copy / "comparison/models.csv", lambda row: row.update(seeds="3"))
    change_rows(copy / "comparison/pairwise.csv", lambda row: row.update(seeds="3"))
    change_rows(
        copy / "ablation/eca.csv",
        lambda row: row.update(seeds="3", delta_seeds="3" if row["delta"] else ""),
    )
    return copy


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


# --- templates ------------------------------------------------------------------------------------


def test_the_texts_of_the_project_are_right() -> None:
    assert check_slides(slides_yaml(), "config/slides.yaml") == []


def test_no_template_holds_a_digit() -> None:
    for language in LANGUAGES:
        for key, template in leaves(slides_yaml()[language]):
            if key.split(".")[0] not in GLOSSARIES:
                assert not re.search(r"\d", re.sub(r"\{\w+\}", "", template)), key


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda y: y["en"]["overall"]["headline"].update(tied="{bets} ties"), "did you mean 'best'"),
        (lambda y: y["zh"]["overall"]["headline"].pop("tied"), "zh.overall.headline.tied"),
        (lambda y: y["en"]["overall"].update(heading="Results"), "en.overall.heading: unknown key"),
        (lambda y: y["en"]["claims"].update(claim="Claim 1"), "en.claims.claim: a digit"),
        (lambda y: y["en"]["claims"].update(claim="{best"), "en.claims.claim: expected '}'"),
        (lambda y: y["en"]["claims"].update(claim=None), "en.claims.claim: expected a text"),
        (lambda y: y["en"]["names"].update(eca="{best}"), "en.names.eca: unknown placeholder"),
        (lambda y: y["zh"]["names"].update({"ratio 2": "比率 3"}), "names.ratio 2: a digit"),
        (lambda y: y["zh"].pop("families"), "zh.families: this section is missing"),
        (lambda y: y.pop("zh"), "zh: the block of this language is missing"),
        (lambda y: y.update(cn={}), "cn: unknown language"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_texts_is_named(
    change: Callable[[dict[str, Any]], Any], expected: str
) -> None:
    content = slides_yaml()
    change(content)
    mistakes = check_slides(content, "my.yaml")
    assert any(expected in mistake for mistake in mistakes), mistakes
    assert all(mistake.startswith("my.yaml: ") for mistake in mistakes)


def test_all_mistakes_are_listed_at_once(demo: Path, tmp_path: Path) -> None:
    content = slides_yaml()
    content["en"]["claims"]["claim"] = "{x}"
    content["zh"]["claims"]["verdict"] = "{y}"
    with pytest.raises(UserError, match=r"(?s)en\.claims\.claim.*zh\.claims\.verdict"):
        build_deck({**spec_of(demo), "slides": content}, demo, "en", tmp_path / "deck.pptx")
    assert not (tmp_path / "deck.pptx").exists()


def test_checking_the_texts_loads_no_heavy_library() -> None:
    code = "import sys, bakeoff.slides as s; s.check_slides({}, 'x'); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pptx", "lxml", "PIL", "numpy", "pandas", "torch"} & set(run.stdout.split())


# --- the deck -------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_ten_slides_then_the_backup(root: Path, language: str) -> None:
    words = words_of(language)
    backups = {words.templates[f"backup.{part}.kicker"] for part in (
        "models", "pairs", "ablation", "confusion", "reproducibility", "references")}  # fmt: skip
    slides = Presentation(deck_path(root, language)).slides
    shown = [set(texts(slide)) for slide in slides]
    assert len(shown) > 10
    assert not any(part & backups for part in shown[:10])
    assert all(part & backups for part in shown[10:])
    assert set().union(*shown) >= backups


def test_both_languages_have_the_same_structure(root: Path) -> None:
    """The same topics in the same order, with as many figures and rows; long tables may break elsewhere."""
    english, chinese = (structure(root, language) for language in LANGUAGES)
    assert english == chinese
    assert len(english) >= 15


def structure(root: Path, language: str) -> list[tuple[str, int, int]]:
    """Return the key of each topic with its number of pictures and of table rows."""
    templates = words_of(language).templates
    key_of = {text: key for key, text in templates.items() if key.endswith(".kicker")}
    found: list[tuple[str, int, int]] = []
    for slide in Presentation(deck_path(root, language)).slides:
        key = next((key_of[text] for text in texts(slide) if text in key_of), "title")
        pictures = sum(hasattr(shape, "image") for shape in slide.shapes)
        rows = sum(len(shape.table.rows) - 1 for shape in slide.shapes if shape.has_table)
        if found and found[-1][0] == key:
            _, pictures_before, rows_before = found.pop()
            pictures, rows = pictures + pictures_before, rows + rows_before
        found.append((key, pictures, rows))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_placeholder_is_left_and_no_title_or_note_is_empty(root: Path, language: str) -> None:
    for slide in Presentation(deck_path(root, language)).slides:
        assert slide.shapes.title.text_frame.text.strip()
        assert slide.notes_slide.notes_text_frame.text.strip()
        assert not [text for text in texts(slide) if "{" in text or "}" in text]
        assert not [shape for shape in slide.placeholders if not shape.text_frame.text]


def test_chinese_text_has_a_chinese_typeface(root: Path) -> None:
    for slide in Presentation(deck_path(root, "zh")).slides:
        for run in slide._element.iter("{http://schemas.openxmlformats.org/drawingml/2006/main}r"):
            assert f'typeface="{theme.EAST_ASIAN}"' in run.xml
            assert 'lang="zh-CN"' in run.xml


# --- every number and where it comes from ---------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_on_a_slide_is_traced(root: Path, language: str) -> None:
    traced = numbers(root, language)
    for number, slide in enumerate(Presentation(deck_path(root, language)).slides, start=1):
        known = {entry["text"] for entry in traced if entry["slide"] == number} | set(
            TERMS.values()
        )
        known |= {"Top-1", "Top-5"}
        pattern = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
        for text in texts(slide):
            rest = re.sub(pattern, "", text)
            assert not re.search(r"\d", rest), (number, text, rest)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_traced_number_is_on_its_slide(root: Path, language: str) -> None:
    slides = list(Presentation(deck_path(root, language)).slides)
    for entry in numbers(root, language):
        slide = slides[entry["slide"] - 1]
        if entry["where"] == "slide":
            places = list(texts(slide))
        elif entry["where"] == "notes":
            places = [slide.notes_slide.notes_text_frame.text]
        else:
            places = [
                shape._element.nvPicPr.cNvPr.get("descr")
                for shape in slide.shapes
                if hasattr(shape, "image")
            ]
        assert any(entry["text"] in place for place in places), entry


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_traced_number_is_what_its_file_says(root: Path, language: str) -> None:
    entries = numbers(root, language)
    runs = read_json(root / f"slides/assets/numbers.{language}.json")["runs"]
    assert sum(entry["file"].endswith(".csv") for entry in entries) > 30
    for entry in entries:
        if entry["file"] == "bakeoff.analysis.statistics":
            assert entry["text"] == "95"
            continue
        found = looked_up(root, runs, entry)
        if isinstance(entry["value"], str):
            assert str(found) == entry["value"], entry
        else:
            assert float(found) == pytest.approx(entry["value"]), entry
            assert shows(entry["text"], entry["value"] * entry["scale"]), entry


def looked_up(root: Path, runs: list[str], entry: Mapping[str, Any]) -> Any:
    """Return what stands at the source of an entry, read without the code under test."""
    cells = cells_of(root, runs, entry)
    made: Mapping[str, Callable[[list[Any]], Any]] = {
        "cell": lambda found: found[0],
        "count": len,
        "distinct": lambda found: len(set(found)),
        "sum": lambda found: sum(map(float, found)),
        "min": lambda found: min(found, key=comparable),
        "max": lambda found: max(found, key=comparable),
    }
    if entry["how"] == "cell":
        assert len(cells) == 1, entry
    return made[entry["how"]](cells)


def cells_of(root: Path, runs: list[str], entry: Mapping[str, Any]) -> list[Any]:
    file, column, row = entry["file"], entry["column"], entry["row"]
    if file.endswith(".csv"):
        with (root / file).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        picked = [r for r in rows if all(r[name] == cell for name, cell in row.items())]
        return [r[column] for r in picked if r[column] or entry["how"] == "count"]
    files = [f"{run}/{Path(file).name}" for run in runs] if "*" in file else [file]
    found = [at(read_json(root / name), column) for name in files]
    if entry["how"] == "count" and "*" not in file:
        return list(found[0])
    return [json.dumps(item) if isinstance(item, dict) else item for item in found]


def at(content: Any, path: str) -> Any:
    for step in path.split("."):
        content = content[int(step)] if isinstance(content, list) else content[step]
    return content


def comparable(item: Any) -> Any:
    try:
        return float(item)
    except ValueError:
        return item


def shows(text: str, number: float) -> bool:
    """Tell whether `text` is `number`, rounded to the digits that it shows."""
    if text.startswith("<"):
        return number < float(text[1:])
    if isinstance(number, bool) or not re.search(r"\d", text):
        return True  # a name or a yes
    digits = re.search(r"[-+−]?[\d,]*\.?\d+(e[-+]?\d+)?", text)
    assert digits is not None
    shown = digits.group().replace("−", "-").replace(",", "")
    decimals = len(shown.partition(".")[2]) if "e" not in shown else 12
    return abs(float(shown) - number) <= 0.5000001 * 10**-decimals


def test_a_changed_cell_changes_the_slide(study: Path, tmp_path: Path) -> None:
    change_rows(study / "comparison/models.csv", lambda row: row.update(latency_ms="123.4"))
    build_deck(spec_of(study), study, "en", tmp_path / "deck.pptx")
    shown = [text for slide in Presentation(tmp_path / "deck.pptx").slides for text in texts(slide)]
    assert shown.count("123") == 3


def test_an_empty_cell_is_a_dash_and_never_zero(study: Path, tmp_path: Path) -> None:
    def forget(row: dict[str, str]) -> None:
        row.update(latency_ms="", top5_mean="", train_hours="")

    change_rows(study / "comparison/models.csv", forget)
    build_deck(spec_of(study), study, "en", tmp_path / "deck.pptx")
    words = words_of("en")
    for slide in Presentation(tmp_path / "deck.pptx").slides:
        shown = list(texts(slide))
        if words.templates["backup.models.kicker"] in shown:
            assert shown.count(formats.MISSING) == 9
        if words.templates["dynamics.kicker"] in shown:
            assert words.templates["dynamics.title.not_measured"] in shown


# --- sentences ------------------------------------------------------------------------------------


def set_pairs(root: Path, significant: bool, low: str, high: str) -> None:
    cells = {"significant": str(significant), "delta": "2.0", "ci_low": low, "ci_high": high}
    change_rows(root / "comparison/pairwise.csv", lambda row: row.update(cells))


@pytest.mark.parametrize(
    ("significant", "low", "high", "outcome"),
    [
        (True, "1.0", "3.0", "separable"),
        (False, "-1.0", "5.0", "tied"),
        (False, "0.5", "3.5", "tied"),  # lost its significance to the correction
        (
            True,
            "-1.0",
            "5.0",
            "tied",
        ),  # an interval with zero is no difference, whatever else is said
    ],
)
def test_the_headline_follows_test_and_interval(
    study: Path, significant: bool, low: str, high: str, outcome: str
) -> None:
    set_pairs(study, significant, low, high)
    finding = findings.headline(load_results(spec_of(study), study))
    assert finding.key == f"overall.headline.{outcome}"


def test_best_means_separable_from_all_others(study: Path) -> None:
    set_pairs(study, True, "1.0", "3.0")

    def third_is_uncertain(row: dict[str, str]) -> None:
        if {row["variant_a"], row["variant_b"]} == {"eca_resnet_20", "ghost_resnet_20"}:
            row.update(significant="False", ci_low="-3.0", ci_high="9.0")

    change_rows(study / "comparison/pairwise.csv", third_is_uncertain)
    finding = findings.headline(load_results(spec_of(study), study))
    assert finding.key == "overall.headline.tied"
    assert "ghost_resnet_20" in plain(words_of("en").tell(finding))


def test_one_seed_says_that_nothing_can_be_said(demo: Path) -> None:
    results = load_results(spec_of(demo), demo)
    finding = findings.headline(results)
    assert finding.key == "overall.headline.one_seed"
    assert plain(words_of("en").tell(finding)) == (
        "One seed: no statement about the architectures is possible; shown to try the pipeline"
    )
    assert findings.size_of_leaders(results).key == "efficiency.title.one_seed"
    assert findings.verdict(results.ablations["eca"], words_of("zh")).key.endswith(".one_seed")


def test_variants_of_one_network_are_not_compared(study: Path) -> None:
    def same(row: dict[str, str]) -> None:
        row["same_network_as"] = "" if row["variant"] == "eca_resnet_20" else "eca_resnet_20"

    change_rows(study / "comparison/models.csv", same)
    results = load_results(spec_of(study), study)
    assert findings.headline(results).key == "overall.headline.identical"
    assert [row["variant"] for row in findings.networks(results)] == ["eca_resnet_20"]


def test_a_difference_reads_the_same_in_both_directions(study: Path) -> None:
    results = load_results(spec_of(study), study)
    a, b, *_ = findings.networks(results)
    there, back = findings.difference(results, a, b), findings.difference(results, b, a)
    assert there is not None
    assert back is not None
    for one, other in ((there.delta, back.delta), (there.low, back.high), (there.high, back.low)):
        shown = [float(value.text.replace("−", "-")) for value in (one, other)]
        assert shown[0] == -shown[1]


@pytest.mark.parametrize(
    ("significant", "delta", "low", "high", "outcome"),
    [
        (True, "1.2", "0.4", "2.0", "improvement"),
        (True, "-1.2", "-2.0", "-0.4", "loss"),
        (False, "1.2", "-0.4", "2.8", "not_separable"),
        (False, "1.2", "0.1", "2.3", "not_separable"),
        (True, "1.2", "-0.4", "2.8", "not_separable"),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_ablation_claims_no_more_than_it_shows(
    study: Path, language: str, significant: bool, delta: str, low: str, high: str, outcome: str
) -> None:
    def set_arm(row: dict[str, str]) -> None:
        if row["arm"] != row["baseline"]:
            row.update(
                delta=delta, delta_ci_low=low, delta_ci_high=high, significant=str(significant)
            )

    change_rows(study / "ablation/eca.csv", set_arm)
    words, table = words_of(language), load_results(spec_of(study), study).ablations["eca"]
    finding = findings.verdict(table, words)
    assert finding.key == f"ablations.verdict.{outcome}"
    sentence = plain(words.tell(finding))
    assert words.name("adaptive") in sentence
    assert delta.replace("-", "−") in sentence
    gains = re.search("(?<!No arm )improves on|提高", sentence)
    assert (gains is not None) == (outcome == "improvement")


def test_an_arm_that_is_the_baseline_is_called_identical(study: Path) -> None:
    def same(row: dict[str, str]) -> None:
        if row["arm"] == "adaptive":
            row.update(same_network_as="none", delta="0", delta_ci_low="", delta_ci_high="")

    change_rows(study / "ablation/eca.csv", same)
    words, table = words_of("en"), load_results(spec_of(study), study).ablations["eca"]
    assert findings.verdict(table, words).key == "ablations.verdict.identical"
    (finding,) = findings.same_networks(table, words)
    assert plain(words.tell(finding)) == "“adaptive” and “no module” resolve to the same network."


def test_arms_that_are_one_network_are_named_and_judged_once(paper: Path) -> None:
    words = words_of("en")
    table = load_results(spec_of(paper), paper).ablations["eca"]
    outcomes = {row["arm"]: findings.outcome(table, row) for row in table.rows}
    assert outcomes["k=3"] == "same"
    assert outcomes["adaptive"] != "same"
    sentences = [plain(words.tell(finding)) for finding in findings.same_networks(table, words)]
    assert sentences == ["“k=3” and “adaptive” resolve to the same network."]


def test_an_arm_whose_twin_is_elsewhere_is_judged(paper: Path) -> None:
    table = load_results(spec_of(paper), paper).ablations["attention_position"]
    row = table.row("before addition")
    assert row is not None
    assert row["same_network_as"]
    assert findings.outcome(table, row) not in {"same", "baseline"}


def test_losing_parameters_is_told_with_its_price(paper: Path) -> None:
    table = load_results(spec_of(paper), paper).ablations["ghost"]
    finding = findings.saving(table, words_of("en"))
    assert finding is not None
    assert "71.1" in plain(words_of("en").tell(finding))
    assert (
        findings.saving(load_results(spec_of(paper), paper).ablations["eca"], words_of("en"))
        is None
    )


@pytest.mark.parametrize(("language", "column"), [("en", "reason"), ("zh", "reason_zh")])
def test_a_claim_that_is_not_tested_says_why(demo: Path, language: str, column: str) -> None:
    root = demo
    build_deck(spec_of(root), root, language, deck_path(root, language))
    with (root / "claims/claims.csv").open(encoding="utf-8", newline="") as stream:
        reasons = [row[column] for row in csv.DictReader(stream) if row["verdict"] == "not tested"]
    assert reasons
    shown = list(texts(Presentation(deck_path(root, language)).slides[8]))
    for reason in reasons:
        assert any(reason in text for text in shown)


def test_synthetic_data_is_called_so(demo: Path, paper: Path, tmp_path: Path) -> None:
    said = {}
    for name, root in (("demo", demo), ("paper", paper)):
        build_deck(spec_of(root), root, "en", tmp_path / f"{name}.pptx")
        slides = Presentation(tmp_path / f"{name}.pptx").slides
        said[name] = any("not CIFAR-100" in text for text in texts(slides[0]))
    assert said == {"demo": True, "paper": False}


def test_a_study_without_ablations_or_claims_still_has_ten_slides(
    study: Path, tmp_path: Path
) -> None:
    spec = {**spec_of(study), "ablations": []}
    claims = study / "claims/claims.csv"
    claims.write_text(claims.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    build_deck(spec, study, "en", tmp_path / "deck.pptx")
    slides = Presentation(tmp_path / "deck.pptx").slides
    words = words_of("en")
    assert words.templates["ablations.none"] in list(texts(slides[7]))
    assert words.templates["claims.none"] in list(texts(slides[8]))


def test_a_tuned_protocol_shows_each_recipe(study: Path, tmp_path: Path) -> None:
    folder = study / "specs" / "runs"
    folder.mkdir()
    for variant, base in (("resnet_20", 0.1), ("eca_resnet_20", 0.1), ("ghost_resnet_20", 0.4)):
        recipe = {**RECIPE, "learning_rate": {"base": base, "per_images": 128}}
        (folder / f"{variant}.json").write_text(json.dumps({"recipe": recipe}), encoding="utf-8")
    spec = spec_of(study)
    spec["study"]["protocol"] = "tuned"
    build_deck(spec, study, "en", tmp_path / "deck.pptx")
    slide = Presentation(tmp_path / "deck.pptx").slides[3]
    (table,) = [shape.table for shape in slide.shapes if shape.has_table]
    rows = {row.cells[0].text: [cell.text for cell in row.cells][1:] for row in table.rows}
    assert rows["Setting"] == ["ResNet and ECA-Net", "GhostNet"]
    assert rows["Base learning rate"] == ["0.1", "0.4"]


# --- layout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_overlaps_or_leaves_the_slide(root: Path, language: str) -> None:
    presentation = Presentation(deck_path(root, language))
    for number, slide in enumerate(presentation.slides, start=1):
        boxes = []
        for shape in slide.shapes:
            left, top = shape.left, shape.top
            right, bottom = left + shape.width, top + shape.height
            assert left >= 0, (number, shape.name)
            assert top >= 0, (number, shape.name)
            assert right <= presentation.slide_width, (number, shape.name)
            assert bottom <= presentation.slide_height, (number, shape.name)
            if shape.has_table or hasattr(shape, "image") or shape.text_frame.text:
                boxes.append((shape.name, left, top, right, bottom))
        for i, (one, left, top, right, bottom) in enumerate(boxes):
            for other, left2, top2, right2, bottom2 in boxes[i + 1 :]:
                apart = right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top
                assert apart, (number, one, other)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_font_is_smaller_than_eleven_points(root: Path, language: str) -> None:
    for slide in Presentation(deck_path(root, language)).slides:
        sizes = [
            int(element.get("sz"))
            for element in slide._element.iter()
            if element.tag.endswith("}rPr")
        ]
        assert min(sizes) >= 1100


def test_pictures_keep_their_shape_and_are_described(root: Path) -> None:
    pictures = [
        shape
        for slide in Presentation(deck_path(root, "en")).slides
        for shape in slide.shapes
        if hasattr(shape, "image")
    ]
    assert len(pictures) == 6
    for picture in pictures:
        wide, high = picture.image.size
        assert picture.width / picture.height == pytest.approx(wide / high, rel=0.01)
        assert picture._element.nvPicPr.cNvPr.get("descr")


@pytest.mark.parametrize("count", [1, 7, 18, 60])
def test_a_long_table_is_cut_into_sheets_that_fit(count: int) -> None:
    lines = tuple(
        Line(((f"variant_{i}",), ("a cell with several words " * 3,))) for i in range(count)
    )
    grid = Grid((Column(("Name",)), Column(("Text",), wraps=True)), lines)
    sheets = lay_out(grid, (420, 300))
    assert tuple(line for sheet in sheets for line in sheet.lines) == lines
    for sheet in sheets:
        assert sum(sheet.heights) <= 300.01
        assert sum(sheet.widths) <= 420.01
        assert sheet.size >= 11
    counts = [len(sheet.lines) for sheet in sheets]
    assert max(counts) - min(counts) <= max(2, max(counts) // 3)


def test_a_table_that_cannot_fit_is_refused() -> None:
    grid = Grid((Column(("Name",)),), (Line((("x" * 300,),)),))
    with pytest.raises(UserError, match="too large for a slide"):
        lay_out(grid, (400, 300))


def test_text_that_does_not_fit_is_refused_with_its_slide(demo: Path, tmp_path: Path) -> None:
    content = slides_yaml()
    content["en"]["method"]["question"] = "A question without an end? " * 60
    with pytest.raises(UserError, match=r"slide 2 .*config/slides.yaml"):
        build_deck({**spec_of(demo), "slides": content}, demo, "en", tmp_path / "deck.pptx")


def test_measured_lines_follow_words_and_characters() -> None:
    assert measure.lines("one two three", 20, 1000) == 1
    assert measure.lines("one two three", 20, measure.width("one two", 20) + 1) == 2
    assert measure.lines("准确率" * 10, 20, 20 * 15 + 1) == 2
    assert measure.lines("x" * 100, 20, measure.width("x" * 26, 20)) == 4
    assert measure.width("准确率", 20) == 60
    mixed = "从 a 到 b".replace(" ", "") * 8
    assert measure.lines(mixed, 20, measure.width(mixed, 20) - 1) == 2
    assert measure.lines(mixed, 20, measure.width(mixed, 20) + 1) == 1
    assert measure.width("abc", 20, bold=True) > measure.width("abc", 20)


# --- bytes and errors -----------------------------------------------------------------------------


def test_equal_inputs_give_equal_bytes(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_deck(spec_of(demo), demo, "zh", tmp_path / "first.pptx")
    # Two seconds are the resolution of the dates in a zip archive.
    monkeypatch.setattr("time.time", lambda: 4_000_000_000.0)
    build_deck(spec_of(demo), demo, "zh", tmp_path / "second.pptx")
    assert (tmp_path / "first.pptx").read_bytes() == (tmp_path / "second.pptx").read_bytes()


def test_the_deck_is_dated_by_its_last_run(paper: Path, tmp_path: Path) -> None:
    build_deck(spec_of(paper), paper, "en", tmp_path / "deck.pptx")
    properties = Presentation(tmp_path / "deck.pptx").core_properties
    assert properties.created.isoformat()[:19] == "2025-03-03T09:30:00"
    assert properties.modified == properties.created


def test_runs_that_the_study_does_not_use_are_ignored(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study / "runs/resnet_20/seed0", study / "runs/resnet_20/seed9")
    results = load_results(spec_of(study), study)
    assert results.run_count().content == 3


@pytest.mark.parametrize(
    "missing",
    ["figures/accuracy_bars.png", "comparison/models.csv", "data/meta.json", "claims/claims.csv",
     "runs/resnet_20/seed0/provenance.json"],
)  # fmt: skip
def test_a_missing_input_is_named(study: Path, tmp_path: Path, missing: str) -> None:
    (study / missing).unlink()
    with pytest.raises(UserError, match=re.escape(missing)):
        build_deck(spec_of(study), study, "en", tmp_path / "deck.pptx")


def test_a_damaged_table_is_named(study: Path, tmp_path: Path) -> None:
    models = study / "comparison/models.csv"
    models.write_text(models.read_text(encoding="utf-8").replace("latency_ms", "latency_sm", 1))
    with pytest.raises(UserError, match=r"models\.csv.*'latency_ms'.*did you mean 'latency_sm'"):
        build_deck(spec_of(study), study, "en", tmp_path / "deck.pptx")
    change_rows(models, lambda row: row.update(rank="first"))
    with pytest.raises(UserError, match=r"models\.csv.*'rank'.*found 'first'"):
        build_deck(spec_of(study), study, "en", tmp_path / "deck.pptx")


def test_an_unknown_language_is_named(demo: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no language 'fr'"):
        build_deck(spec_of(demo), demo, "fr", tmp_path / "deck.pptx")


# --- formats --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "number", "expected"),
    [
        (formats.percent, 71.26, "71.3"),
        (formats.signed, 0.416, "+0.42"),
        (formats.signed, -1.3, "−1.30"),
        (formats.signed, -0.001, "0.00"),
        (formats.three_digits, 0.275572, "0.276"),
        (formats.three_digits, 27.897, "27.9"),
        (formats.three_digits, 1450.2, "1,450"),
        (formats.three_digits, 0.0, "0"),
        (formats.whole, 45000, "45,000"),
        (formats.p_value, 0.0004, "<0.001"),
        (formats.p_value, 0.0124, "0.012"),
        (formats.general, 1e-6, "1e-06"),
        (formats.magnitude, -47.39, "47.4"),
    ],
)
def test_numbers_look_as_people_write_them(
    function: formats.Format, number: float, expected: str
) -> None:
    assert function(number) == expected


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(2.94, ("2.94\u00a0h", 1)), (0.25, ("15.0\u00a0min", 60)), (0.0035, ("12.6\u00a0s", 3600))],
)
def test_times_have_their_natural_unit(hours: float, expected: tuple[str, float]) -> None:
    assert formats.duration(hours) == expected


def test_every_template_is_used() -> None:
    """A key that no code shows would have to be translated for nothing."""
    folder = Path(formats.__file__).parent
    modules = [path for path in folder.glob("*.py") if path.name != "templates.py"]
    patterns = [
        pattern
        for path in modules
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (pattern := key_pattern(node))
    ]
    unused = [key for key in TEMPLATES if not any(re.fullmatch(p, key) for p in patterns)]
    assert unused == []


def key_pattern(node: ast.AST) -> str:
    """Return the keys of templates that a string in the code can name, as a regular expression."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    if not isinstance(parts[0], ast.Constant) or not isinstance(parts[0].value, str):
        return ""
    return "".join(
        re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+" for part in parts
    )
