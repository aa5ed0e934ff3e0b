"""The deck: its words, its numbers and where they come from, its sentences, its layout, its bytes."""

from __future__ import annotations

import ast
import csv
import dataclasses
import itertools
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from PIL import Image
from pptx import Presentation
from pydantic import BaseModel

from bakeoff.analysis.ablation import ablate
from bakeoff.analysis.claims import judge_claims
from bakeoff.analysis.comparison import compare
from bakeoff.errors import UserError
from bakeoff.figures.sheet import DPI, Sheet
from bakeoff.figures.style import SMALL
from bakeoff.slides import build_deck, check_slides, findings, formats, pictures, recipe, theme
from bakeoff.slides import text as measure
from bakeoff.slides.grid import Column, Grid, Line, lay_out, lay_out_blocks
from bakeoff.slides.results import load_results
from bakeoff.slides.templates import GLOSSARIES, LANGUAGES, TEMPLATES, TERMS, leaves
from bakeoff.slides.values import plain
from bakeoff.slides.words import Words, load_words
from bakeoff.training.recipe import Recipe
from fake_study import FakeStudy, full_study, small_study, write_study

REPOSITORY = Path(__file__).resolve().parents[1]
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


@pytest.fixture(scope="module", autouse=True)
def quick_figures() -> Iterator[None]:
    """Most tests do not look at the figures; drawing them would be most of their time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "plot", blank)
        yield


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
    slides = {
        "study": study.header,
        "slides": slides_yaml(),
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
        build_deck(spec_of(built), built, language, built / "slides")
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
        build_deck({**spec_of(demo), "slides": content}, demo, "en", tmp_path)
    assert not (tmp_path / "deck.en.pptx").exists()


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
    build_deck(spec_of(study), study, "en", tmp_path)
    shown = [
        text for slide in Presentation(tmp_path / "deck.en.pptx").slides for text in texts(slide)
    ]
    assert shown.count("123") == 3


def test_an_empty_cell_is_a_dash_and_never_zero(study: Path, tmp_path: Path) -> None:
    def forget(row: dict[str, str]) -> None:
        row.update(latency_ms="", top5_mean="", train_hours="")

    change_rows(study / "comparison/models.csv", forget)
    build_deck(spec_of(study), study, "en", tmp_path)
    words = words_of("en")
    for slide in Presentation(tmp_path / "deck.en.pptx").slides:
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
    finding = findings.headline(load_results(spec_of(study), study, "en"))
    assert finding.key == f"overall.headline.{outcome}"


def test_best_means_separable_from_all_others(study: Path) -> None:
    set_pairs(study, True, "1.0", "3.0")

    def third_is_uncertain(row: dict[str, str]) -> None:
        if {row["variant_a"], row["variant_b"]} == {"eca_resnet_20", "ghost_resnet_20"}:
            row.update(significant="False", ci_low="-3.0", ci_high="9.0")

    change_rows(study / "comparison/pairwise.csv", third_is_uncertain)
    finding = findings.headline(load_results(spec_of(study), study, "en"))
    assert finding.key == "overall.headline.tied"
    assert "ghost_resnet_20" in plain(words_of("en").tell(finding))


def test_one_seed_says_that_nothing_can_be_said(demo: Path) -> None:
    results = load_results(spec_of(demo), demo, "en")
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
    results = load_results(spec_of(study), study, "en")
    assert findings.headline(results).key == "overall.headline.identical"
    assert [row["variant"] for row in findings.networks(results)] == ["eca_resnet_20"]


def test_a_difference_reads_the_same_in_both_directions(study: Path) -> None:
    results = load_results(spec_of(study), study, "en")
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
    words, table = words_of(language), load_results(spec_of(study), study, "en").ablations["eca"]
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
    words, table = words_of("en"), load_results(spec_of(study), study, "en").ablations["eca"]
    assert findings.verdict(table, words).key == "ablations.verdict.identical"
    (finding,) = findings.same_networks(table, words)
    assert plain(words.tell(finding)) == "“adaptive” and “no module” resolve to the same network."


def test_arms_that_are_one_network_are_named_and_judged_once(paper: Path) -> None:
    words = words_of("en")
    table = load_results(spec_of(paper), paper, "en").ablations["eca"]
    outcomes = {row["arm"]: findings.outcome(table, row) for row in table.rows}
    assert outcomes["k=3"] == "same"
    assert outcomes["adaptive"] != "same"
    sentences = [plain(words.tell(finding)) for finding in findings.same_networks(table, words)]
    assert sentences == ["“k=3” and “adaptive” resolve to the same network."]


def test_an_arm_whose_twin_is_elsewhere_is_judged(paper: Path) -> None:
    table = load_results(spec_of(paper), paper, "en").ablations["attention_position"]
    row = table.row("before addition")
    assert row is not None
    assert row["same_network_as"]
    assert findings.outcome(table, row) not in {"same", "baseline"}


def test_losing_parameters_is_told_with_its_price(paper: Path) -> None:
    table = load_results(spec_of(paper), paper, "en").ablations["ghost"]
    finding = findings.saving(table, words_of("en"))
    assert finding is not None
    assert "71.1" in plain(words_of("en").tell(finding))
    assert (
        findings.saving(load_results(spec_of(paper), paper, "en").ablations["eca"], words_of("en"))
        is None
    )


def test_a_claim_that_is_not_tested_says_why(demo: Path) -> None:
    build_deck(spec_of(demo), demo, "en", demo / "slides")
    shown = list(texts(Presentation(deck_path(demo, "en")).slides[8]))
    assert "not tested: other data set" in shown
    assert "0.276 (exact)" in shown  # a count of parameters depends on no data set
    assert "confirmed" in shown


def test_every_reason_for_not_testing_has_words() -> None:
    """The codes are given by the analysis; a new one needs a template."""
    code = (REPOSITORY / "src/bakeoff/analysis/claims.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'NotTestedError\("(\w+)"', code))
    keys = {key for key in TEMPLATES if key.startswith("claims.reason.")}
    assert keys == {f"claims.reason.{name}" for name in codes}


def test_claims_about_parameters_need_no_data_set() -> None:
    claims = yaml.safe_load((REPOSITORY / "config/claims.yaml").read_text(encoding="utf-8"))
    counts = [each for each in claims if each["measure"]["kind"].startswith("params")]
    assert counts
    assert not any(each.get("requires") for each in counts)
    accuracies = [each for each in claims if each not in counts]
    assert all(each["requires"]["dataset"] == "cifar100" for each in accuracies)


def test_synthetic_data_is_called_so(demo: Path, paper: Path, tmp_path: Path) -> None:
    said = {}
    for name, root in (("demo", demo), ("paper", paper)):
        build_deck(spec_of(root), root, "en", tmp_path / name)
        slides = Presentation(tmp_path / name / "deck.en.pptx").slides
        said[name] = any("not CIFAR-100" in text for text in texts(slides[0]))
        named = "drawn images" if name == "demo" else "CIFAR-100"
        assert f"backbones on {named}" in slides[0].shapes.title.text_frame.text
    assert said == {"demo": True, "paper": False}


def test_a_study_without_ablations_or_claims_still_has_ten_slides(
    study: Path, tmp_path: Path
) -> None:
    spec = {**spec_of(study), "ablations": {}}
    claims = study / "claims/claims.csv"
    claims.write_text(claims.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    build_deck(spec, study, "en", tmp_path)
    slides = Presentation(tmp_path / "deck.en.pptx").slides
    words = words_of("en")
    assert words.templates["ablations.none"] in list(texts(slides[7]))
    assert words.templates["claims.none"] in list(texts(slides[8]))


# --- the recipe -----------------------------------------------------------------------------------


def settings(model: type[BaseModel] = Recipe, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all settings that a recipe may have."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if inner:
            yield from settings(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_setting_of_a_recipe_has_a_group_and_a_name() -> None:
    expected = set(settings())
    grouped = [name for group in recipe.GROUPS.values() for name in group]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == expected
    for language in LANGUAGES:
        assert set(slides_yaml()[language]["recipe"]) == expected, language


def change_runs(
    root: Path, pattern: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    paths = list(root.glob(f"runs/{pattern}"))
    assert paths
    for path in paths:
        change_json(path, change)


def recipe_rows(root: Path, out: Path) -> dict[str, list[str]]:
    """Build the deck and return the rows of the tables on the slides of the recipe."""
    build_deck(spec_of(root), root, "en", out)
    kicker = words_of("en").templates["protocol.kicker"]
    slides = Presentation(out / "deck.en.pptx").slides
    shown = [slide for slide in slides if kicker in texts(slide)]
    tables = [shape.table for slide in shown for shape in slide.shapes if shape.has_table]
    cells = [[cell.text for cell in row.cells] for table in tables for row in table.rows]
    return {name: values for name, *values in cells}


def test_the_recipe_leaves_out_what_is_off_or_of_another_optimizer(
    study: Path, tmp_path: Path
) -> None:
    rows = recipe_rows(study, tmp_path)
    assert rows["Optimizer"] == ["SGD"]
    assert rows["Momentum"] == ["0.9"]
    assert rows["Learning rate at the end"] == ["0"]  # says that the cosine ends there
    assert not {"Betas", "Mixup", "Label smoothing", "Compiled", "Largest gradient norm"} & set(
        rows
    )

    def use_adamw(record: dict[str, Any]) -> dict[str, Any]:
        optimizer = record["configuration"]["recipe"]["optimizer"]
        optimizer.update(name="adamw", decay_norm_and_bias=False)
        record["configuration"]["recipe"].update(label_smoothing=0.1)
        return record

    change_runs(study, "*/*/provenance.json", use_adamw)
    rows = recipe_rows(study, tmp_path)
    assert rows["Betas"] == ["0.9, 0.999"]
    assert rows["… of norms and biases too"] == ["no"]
    assert rows["Label smoothing"] == ["0.1"]
    assert not {"Momentum", "Nesterov momentum"} & set(rows)


def test_the_precision_is_the_one_that_was_used(study: Path, tmp_path: Path) -> None:
    assert recipe_rows(study, tmp_path)["Precision"] == ["fp16, mixed"]  # "auto" was asked for
    change_runs(study, "*/*/metrics.json", lambda metrics: metrics | {"precision": "no"})
    assert recipe_rows(study, tmp_path)["Precision"] == ["fp32"]
    change_runs(study, "resnet_20/*/metrics.json", lambda metrics: metrics | {"precision": "bf16"})
    assert recipe_rows(study, tmp_path)["Precision"] == ["bf16, mixed, fp32"]


def test_a_tuned_protocol_shows_each_recipe(study: Path, tmp_path: Path) -> None:
    def tune(record: dict[str, Any]) -> dict[str, Any]:
        record["configuration"]["recipe"]["learning_rate"]["base"] = 0.4
        record["configuration"]["model"]["args"]["drop_path_rate"] = 0.1
        return record

    change_runs(study, "ghost_resnet_20/*/provenance.json", tune)
    rows = recipe_rows(study, tmp_path)
    users = rows["Setting"]
    assert sorted(users) == ["GhostNet", "ResNet and ECA-Net"]
    ghost, others = users.index("GhostNet"), users.index("ResNet and ECA-Net")
    assert (rows["Base learning rate"][ghost], rows["Base learning rate"][others]) == ("0.4", "0.1")
    assert (rows["Drop path"][ghost], rows["Drop path"][others]) == ("0.1", formats.MISSING)
    assert rows["Optimisation"] == ["", ""]


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


# --- the pictures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_are_drawn_for_their_place(
    demo: Path, tmp_path: Path, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the size at which they are shown, so that their type is as large as it was drawn."""
    monkeypatch.setattr(pictures, "plot", REAL_PLOT)
    build_deck(spec_of(demo), demo, language, tmp_path)
    drawn = {path.name for path in (tmp_path / "assets").glob("*.png")}
    assert drawn == {f"{name}.{language}.png" for name in pictures.PICTURES}
    shown = [
        shape
        for slide in Presentation(tmp_path / f"deck.{language}.pptx").slides
        for shape in slide.shapes
        if hasattr(shape, "image")
    ]
    assert len(shown) == len(pictures.PICTURES)
    for picture in shown:
        scale = picture.width.inches / (picture.image.size[0] / DPI)
        assert scale * SMALL >= 10.99, picture.name
        assert scale <= 1.01


def test_a_figure_whose_table_is_missing_stops_the_deck(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "plot", REAL_PLOT)
    (study / "comparison/runs.csv").unlink()
    with pytest.raises(UserError, match=r"comparison/runs\.csv"):
        build_deck(spec_of(study), study, "en", tmp_path)
    assert not (tmp_path / "deck.en.pptx").exists()


@pytest.mark.parametrize(("has_font", "drawn_in"), [(True, "zh"), (False, "en")])
def test_figures_are_in_the_language_of_the_deck_where_there_is_a_font(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_font: bool, drawn_in: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    sheets: list[Sheet] = []

    def collect(*inputs: Any) -> None:
        sheets.append(inputs[-1])
        blank(*inputs)

    monkeypatch.setattr(pictures, "plot", collect)
    monkeypatch.setattr(pictures, "can_write", lambda language: has_font or language == "en")
    build_deck(spec_of(demo), demo, "zh", tmp_path)
    assert {sheet.language for sheet in sheets} == {drawn_in}
    assert (not has_font) == any("no font" in message for message in caplog.messages)
    notes = (tmp_path / "assets/notes.zh.md").read_text(encoding="utf-8")
    assert ("图中文字为英文" in notes) == (not has_font)
    if has_font:
        assert sheets[0].name("Ablation of eca") == "消融：eca"


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
    shown = [
        shape
        for slide in Presentation(deck_path(root, "en")).slides
        for shape in slide.shapes
        if hasattr(shape, "image")
    ]
    assert len(shown) == 6
    for picture in shown:
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


def test_small_tables_stand_in_two_even_columns() -> None:
    columns = (Column(("Name",)), Column(("Text",)))
    grids = [
        Grid(columns, tuple(Line(((f"row {i}",), ("yes",))) for i in range(count)))
        for count in (7, 3, 3, 2)
    ]
    box = theme.BODY
    placed = lay_out_blocks(grids, box, gaps=(40, 10))
    assert [len(sheet.lines) for _, sheet in placed] == [7, 3, 3, 2]
    assert len({sheet.size for _, sheet in placed}) == 1
    assert [place.left == box.left for place, _ in placed] == [True, False, False, False]
    for place, _ in placed:
        assert place.bottom <= box.bottom
    below = [place for place, _ in placed[1:]]
    assert all(a.bottom + 10 == pytest.approx(b.top) for a, b in itertools.pairwise(below))
    too_many = Grid(columns, tuple(Line(((f"row {i}",), ("yes",))) for i in range(60)))
    assert lay_out_blocks([too_many, too_many], box, gaps=(40, 10)) == []


def test_a_table_shrinks_a_little_to_spare_its_cells_a_second_line() -> None:
    size = 15
    text = "a cell with some words that fill it"
    room = measure.width("name", size) + measure.width(text, size) + 4 * 6 + 4
    grid = Grid((Column(("N",)), Column(("T",), wraps=True)), (Line((("name",), (text,))),))
    (sheet,) = lay_out(grid, (room, 300))
    assert sheet.size == size
    long = Grid(grid.columns, (Line((("name",), (f"{text} " * 4,))),))
    (sheet,) = lay_out(long, (room, 300))
    assert sheet.size > size  # they cannot be spared, so the type stays large


def test_a_table_that_cannot_fit_is_refused() -> None:
    grid = Grid((Column(("Name",)),), (Line((("x" * 300,),)),))
    with pytest.raises(UserError, match="too large for a slide"):
        lay_out(grid, (400, 300))


def test_text_that_does_not_fit_is_refused_with_its_slide(demo: Path, tmp_path: Path) -> None:
    content = slides_yaml()
    content["en"]["method"]["question"] = "A question without an end? " * 60
    with pytest.raises(UserError, match=r"slide 2 .*config/slides.yaml"):
        build_deck({**spec_of(demo), "slides": content}, demo, "en", tmp_path)


def test_measured_lines_follow_words_and_characters() -> None:
    assert measure.lines("one two three", 20, 1000) == 1
    assert measure.lines("one two three", 20, measure.width("one two", 20) + 1) == 2
    assert measure.lines("准确率" * 10, 20, 20 * 30 + 1) == 1
    assert measure.lines("准确率" * 10, 20, 20 * 15 / 0.96 + 1) == 2  # lines are not filled wholly
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
    build_deck(spec_of(demo), demo, "zh", tmp_path / "first")
    # Two seconds are the resolution of the dates in a zip archive.
    monkeypatch.setattr("time.time", lambda: 4_000_000_000.0)
    build_deck(spec_of(demo), demo, "zh", tmp_path / "second")
    written = [path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*.*")]
    assert {path.suffix for path in written} == {".pptx", ".png", ".json", ".md"}
    for path in written:
        one, other = (tmp_path / name / path for name in ("first", "second"))
        assert one.read_bytes() == other.read_bytes(), path


def test_the_deck_is_dated_by_its_last_run(paper: Path, tmp_path: Path) -> None:
    build_deck(spec_of(paper), paper, "en", tmp_path)
    properties = Presentation(tmp_path / "deck.en.pptx").core_properties
    assert properties.created.isoformat()[:19] == "2025-03-03T09:30:00"
    assert properties.modified == properties.created


def test_runs_that_the_study_does_not_use_are_ignored(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study / "runs/resnet_20/seed0", study / "runs/resnet_20/seed9")
    results = load_results(spec_of(study), study, "en")
    assert results.run_count().content == 3


@pytest.mark.parametrize(
    "missing",
    ["runs/resnet_20/seed0/metrics.json", "comparison/models.csv", "data/meta.json", "claims/claims.csv",
     "runs/resnet_20/seed0/provenance.json"],
)  # fmt: skip
def test_a_missing_input_is_named(study: Path, tmp_path: Path, missing: str) -> None:
    (study / missing).unlink()
    with pytest.raises(UserError, match=re.escape(missing)):
        build_deck(spec_of(study), study, "en", tmp_path)


def test_a_damaged_table_is_named(study: Path, tmp_path: Path) -> None:
    models = study / "comparison/models.csv"
    models.write_text(models.read_text(encoding="utf-8").replace("latency_ms", "latency_sm", 1))
    with pytest.raises(UserError, match=r"models\.csv.*'latency_ms'.*did you mean 'latency_sm'"):
        build_deck(spec_of(study), study, "en", tmp_path)
    change_rows(models, lambda row: row.update(rank="first"))
    with pytest.raises(UserError, match=r"models\.csv.*'rank'.*found 'first'"):
        build_deck(spec_of(study), study, "en", tmp_path)


def test_an_unknown_language_is_named(demo: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no language 'fr'"):
        build_deck(spec_of(demo), demo, "fr", tmp_path)


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
        (formats.p_value, 0.0004, "<\u00a00.001"),
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
