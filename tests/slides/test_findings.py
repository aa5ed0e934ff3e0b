"""Sentences say what tests and intervals allow."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from pptx import Presentation

from bakeoff.slides import build_deck, findings
from bakeoff.slides.results import load_results
from bakeoff.slides.templates import TEMPLATES
from bakeoff.slides.values import plain
from tests.support.decks import REPOSITORY, change_rows, deck_path, spec_of, texts, words_of

# --- sentences ------------------------------------------------------------------------------------


def set_pairs(root: Path, verdict: str) -> None:
    cells = {"verdict": verdict, "delta": "2.0", "ci_low": "1.0", "ci_high": "3.0", "margin": "1.0"}
    change_rows(root / "comparison/pairwise.csv", lambda row: row.update(cells))


def test_one_seed_says_that_nothing_can_be_said(demo: Path) -> None:
    results = load_results(spec_of(demo), demo, "en")
    finding = findings.headline(results)
    assert finding.key == "overall.headline.one_seed"
    assert plain(words_of("en").tell(finding)) == (
        "One seed: no statement about the architectures is possible; shown to try the pipeline"
    )
    assert findings.size_of_leaders(results).key == "efficiency.title.one_seed"
    (finding,) = findings.verdicts(results.ablations["eca"], words_of("zh"))
    assert finding.key.endswith(".one_seed")


def test_variants_of_one_network_are_not_compared(study: Path) -> None:
    def same(row: dict[str, str]) -> None:
        row["same_network_as"] = "" if row["variant"] == "eca_resnet_20" else "eca_resnet_20"
        row["distinct"] = str(row["variant"] == "eca_resnet_20")

    change_rows(study / "comparison/models.csv", same)
    results = load_results(spec_of(study), study, "en")
    assert findings.headline(results).key == "overall.headline.identical"
    assert [row["variant"] for row in findings.networks(results)] == ["eca_resnet_20"]


def test_a_difference_reads_the_same_in_both_directions(study: Path) -> None:
    set_pairs(study, "better")
    results = load_results(spec_of(study), study, "en")
    a, b, *_ = findings.networks(results)
    there, back = findings.difference(results, a, b), findings.difference(results, b, a)
    assert there is not None
    assert back is not None
    for one, other in ((there.delta, back.delta), (there.low, back.high), (there.high, back.low)):
        shown = [float(value.text.replace("−", "-")) for value in (one, other)]
        assert shown[0] == -shown[1]


def test_an_arm_that_is_the_baseline_is_called_identical(study: Path) -> None:
    def same(row: dict[str, str]) -> None:
        if row["arm"] == "adaptive":
            row.update(same_network_as="none", delta="0", ci_low="", ci_high="")

    change_rows(study / "ablation/eca.csv", same)
    words, table = words_of("en"), load_results(spec_of(study), study, "en").ablations["eca"]
    assert findings.verdicts(table, words)[0].key == "ablations.verdict.identical"
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
    shown = [text for slide in Presentation(deck_path(demo, "en")).slides for text in texts(slide)]
    assert "not tested: other data set" in shown
    assert "0.276 (exact)" in shown  # a count of parameters depends on no data set
    assert "confirmed" in shown


def test_every_reason_for_not_testing_has_words() -> None:
    """The codes are given by the analysis; a new one needs a template."""
    analysis = REPOSITORY / "src/bakeoff/analysis"
    code = "".join(path.read_text(encoding="utf-8") for path in analysis.glob("claim*.py"))
    codes = set(re.findall(r'NotTestedError\(\s*"(\w+)"', code))
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
    assert words.templates["ablations.none"] in list(texts(slides[6]))
    everything = [text for slide in slides for text in texts(slide)]
    assert words.templates["claims.none"] in everything
