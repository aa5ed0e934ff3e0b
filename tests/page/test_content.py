"""What the page holds: the tables' own figures, runs, mistakes, and nothing that could break out of its element."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bakeoff.analysis.tables import read_table
from bakeoff.files import read_json, write_json
from bakeoff.page.build import in_script, write_page
from bakeoff.page.content import table_names
from bakeoff.page.mistakes import IMAGES
from bakeoff.page.words import load_words
from tests.support.analysis import variant
from tests.support.fake_study import FakeStudy, small_study
from tests.support.pages import make_page, page_spec

STUDY = replace(
    small_study(seeds=(0, 1)),
    ablations={"eca": (("none", "resnet_20"), ("adaptive", "eca_resnet_20"))},
    images=400,
)


def content_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    read: dict[str, Any] = json.loads(found)
    return read


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_page(tmp_path_factory.mktemp("page") / "root", STUDY)


def test_every_cell_is_that_of_its_table(page: Path) -> None:
    root, shown = page.parents[1], content_of(page)["tables"]
    assert set(shown) == {"models", "families", "pairwise", "runs", "ablation/eca"}
    for name, named in table_names(["eca"]).items():
        table = read_table(root / named.file)
        if name == "claims":  # the study has none
            assert table.empty
            continue
        assert len(shown[name]["rows"]) == len(table)
        for row, known in zip(shown[name]["rows"], table.to_dict("records"), strict=True):
            for column, value in zip(shown[name]["data"], row, strict=True):
                expected = known[column]
                if value is None:
                    assert pd.isna(expected)
                elif isinstance(value, float):
                    assert value == pytest.approx(expected, rel=1e-5)
                else:
                    assert value == expected
        assert {column["name"] for column in shown[name]["columns"]} <= set(shown[name]["data"])


def test_histories_and_runs_are_those_on_disk(page: Path) -> None:
    root, content = page.parents[1], content_of(page)
    history = read_table(root / "runs/resnet_20/seed1/history.csv")
    curve = content["curves"]["resnet_20"]
    assert curve["seeds"] == [0, 1]
    assert curve["val_top1"][1] == pytest.approx(list(history["val_top1"]), rel=1e-5)
    assert len(content["runs"]) == 6
    record = read_json(root / "runs/resnet_20/seed1/provenance.json")
    (run,) = (r for r in content["runs"] if (r["variant"], r["seed"]) == ("resnet_20", 1))
    assert (run["commit"], run["start"]) == (record["git"]["commit"], record["start"])


def test_what_the_plan_had_stands_beside_what_a_run_took(tmp_path: Path) -> None:
    page = make_page(tmp_path / "root", STUDY)
    root = page.parents[1]
    alike = {"kind": "gpu", "gpus": 4, "seconds": 7200.0, "work": "x"}
    predictions = {"resnet_20/seed0": alike, "resnet_20/seed1": alike | {"gpus": 8}}
    write_json(root / "plan/gpus.json", {"key": "k", "runs": {}, "predictions": predictions})
    write_page(page_spec(STUDY), root)
    planned = {
        (run["variant"], run["seed"]): run["planned_hours"] for run in content_of(page)["runs"]
    }
    assert planned.pop(("resnet_20", 0)) == 2.0
    # On another number of GPUs it says nothing, and neither for what was not planned.
    assert set(planned.values()) == {None}


def test_the_hardest_images_are_those_that_most_networks_miss(page: Path) -> None:
    root, found = page.parents[1], content_of(page)["mistakes"]
    answers = []
    for folder in sorted((root / "runs").glob("*/seed*")):
        with np.load(folder / "predictions.npz") as arrays:
            logits, labels = arrays["logits"], arrays["labels"]
        answers.append(logits.argmax(axis=1) != labels)
    share = np.mean(answers, axis=0)
    gallery = found["gallery"]
    assert len(gallery) == IMAGES
    for each in gallery:
        assert each["missed"] == pytest.approx(100 * share[each["number"]], abs=0.1)
    assert min(share[each["number"]] for each in gallery) >= np.sort(share)[-IMAGES - 1]
    classes = read_json(root / "data/meta.json")["classes"]
    assert gallery[0]["label"] == classes[labels[gallery[0]["number"]]]
    picture = Image.open(io.BytesIO(base64.b64decode(gallery[0]["image"].partition(",")[2])))
    stored = np.load(root / "data/test_images.npy")[gallery[0]["number"]]
    np.testing.assert_array_equal(np.asarray(picture), stored.transpose(1, 2, 0))
    mean = np.mean([each for each in found["classes"]["resnet_20"] if each is not None])
    models = read_table(root / "comparison/models.csv").set_index("variant")
    assert mean == pytest.approx(100 - models.loc["resnet_20", "top1_mean"], abs=0.01)


def test_it_is_one_file_that_asks_for_nothing(page: Path) -> None:
    head = page.read_text(encoding="utf-8").partition("<script>")[0]
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]', head)


def test_names_cannot_end_the_script_or_become_elements(tmp_path: Path) -> None:
    nasty = "</script><img src=x onerror=alert(1)>"
    made = FakeStudy(variants=(variant("net", 60.0, display=nasty),), name=nasty, epochs=2)
    text = make_page(tmp_path / "root", made).read_text(encoding="utf-8")
    assert nasty not in text
    assert "&lt;/script&gt;" in text
    assert json.loads(in_script({"a": nasty})) == {"a": nasty}


def test_without_superclasses_images_ablations_or_several_seeds(tmp_path: Path) -> None:
    made = small_study()
    page = make_page(tmp_path / "root", made)
    root = page.parents[1]
    meta = read_json(root / "data/meta.json") | {"superclasses": None, "class_to_superclass": None}
    (root / "data/meta.json").write_text(json.dumps(meta))
    (root / "data/test_images.npy").unlink()
    write_page(page_spec(made), root)
    content = content_of(page)
    assert content["mistakes"]["superclasses"] is None
    assert content["mistakes"]["gallery"] == []
    assert content["mistakes"]["classes"]
    assert content["ablations"] == {}


def test_a_study_whose_runs_diverged_in_part(tmp_path: Path) -> None:
    made = replace(
        STUDY,
        variants=tuple(
            replace(each, diverged=(1,) if each.name == "resnet_20" else ())
            for each in STUDY.variants
        ),
    )
    content = content_of(make_page(tmp_path / "root", made))
    lost = [run for run in content["runs"] if run["outcome"] != "finished"]
    assert [(run["variant"], run["seed"]) for run in lost] == [("resnet_20", 1)]
    assert len(content["curves"]["resnet_20"]["val_top1"][1]) == 1


def test_both_languages_have_the_same_words() -> None:
    words = load_words()
    assert set(words["en"]) == set(words["zh"])
    for key, english in words["en"].items():
        fields = set(re.findall(r"\{(\w+)\}", english))
        assert fields == set(re.findall(r"\{(\w+)\}", words["zh"][key])), key


def test_both_accuracies_are_shown_where_classes_have_different_numbers_of_images(
    page: Path, tmp_path: Path
) -> None:
    def shown(page: Path) -> dict[str, str]:
        columns = content_of(page)["tables"]["models"]["columns"]
        return {column["name"]: column["title"]["en"] for column in columns if column["shown"]}

    assert shown(page)["score_mean"] == "Top-1 (%)"
    assert not {"top1_mean", "balanced_mean", "without_copies_mean"} & set(shown(page))
    uneven = replace(STUDY, uneven=True, metric="balanced", copies=(1, 2))
    found = shown(make_page(tmp_path / "root", uneven))
    assert found["score_mean"] == "Balanced accuracy (%)"
    assert found["top1_mean"] == "Top-1 (%)" and found["macro_f1_mean"] == "Macro F1 (%)"
    assert found["without_copies_mean"] == "Without copies of training images (%)"
