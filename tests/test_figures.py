"""The figures: they are drawn for studies of any size, say what the tables say, and repeat."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

import fake_study
from bakeoff.analysis.ablation import ablate
from bakeoff.analysis.comparison import compare
from bakeoff.analysis.runs import load_runs
from bakeoff.analysis.tables import format_number, read_table
from bakeoff.errors import UserError
from bakeoff.figures import (
    ablation_deltas,
    accuracy_bars,
    accuracy_vs_parameters,
    accuracy_vs_time,
    labels,
    learning_curves,
    scatter,
    style,
    superclass_confusion,
)
from bakeoff.files import read_json
from fake_study import FakeStudy, FakeVariant

NAMES = (
    *("accuracy_bars", "accuracy_vs_parameters", "accuracy_vs_time", "learning_curves"),
    "superclass_confusion",
)


def make(root: Path, study: FakeStudy) -> Path:
    """Write `study` and the tables that figures are drawn from."""
    fake_study.write_study(root, study)
    spec = read_json(root / "specs/comparison.json")
    compare(spec, root / "runs", root / "profiles", root / "comparison", root / "data/meta.json")
    for name in study.ablations:
        spec = read_json(root / "specs/ablations" / f"{name}.json")
        ablate(spec, root / "runs", root / "ablation" / f"{name}.csv")
    return root


def draw(root: Path, name: str, out: Path) -> None:
    models, runs = root / "comparison/models.csv", root / "comparison/runs.csv"
    if name == "accuracy_bars":
        accuracy_bars.plot(models, runs, out)
    elif name == "accuracy_vs_parameters":
        accuracy_vs_parameters.plot(models, out)
    elif name == "accuracy_vs_time":
        accuracy_vs_time.plot(models, out)
    elif name == "learning_curves":
        learning_curves.plot(models, runs, root / "runs", out)
    elif name == "superclass_confusion":
        superclass_confusion.plot(models, runs, root / "runs", root / "data/meta.json", out)
    else:
        ablation_deltas.plot(sorted((root / "ablation").glob("*.csv")), out)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = fake_study.full_study(seeds=(0, 1), arm_seeds=(0, 1, 2), epochs=12)
    twin = FakeVariant("eca_resnet_20_k3", "ECA-Net", 68.9, 275_599, (0, 1), run="eca_resnet_20")
    return make(tmp_path_factory.mktemp("full"), replace(study, variants=(*study.variants, twin)))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = FakeStudy(variants=(FakeVariant("resnet_20", "ResNet", 31.0, 275_572, (0,)),), epochs=1)
    return make(tmp_path_factory.mktemp("one"), study)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Figure]]:
    """Collect the figures that are written."""
    figures: list[Figure] = []
    save = Figure.savefig

    def spy(self: Figure, *args: object, **options: object) -> None:
        figures.append(self)
        save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", spy)
    yield figures


def words(figure: Figure) -> list[str]:
    """Return every text of a figure that is drawn."""
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    for axes in figure.axes:
        ticks = (*axes.get_xticklabels(), *axes.get_yticklabels())
        found += [axes.get_title("left"), axes.get_xlabel(), axes.get_ylabel()]
        found += [tick.get_text() for tick in ticks]
        if axes.get_legend():
            found += [text.get_text() for text in axes.get_legend().get_texts()]
    return found


@pytest.mark.parametrize("name", [*NAMES, "ablation_deltas"])
def test_a_large_study_is_drawn_without_warnings(full: Path, tmp_path: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(full, name, tmp_path / f"{name}.png")
    pixels = imread(tmp_path / f"{name}.png")
    assert min(pixels.shape[:2]) > 500
    assert pixels[..., :3].min() < 0.5  # something was drawn
    assert (tmp_path / f"{name}.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.png", f"{name}.svg"]


@pytest.mark.parametrize("name", NAMES)
def test_one_variant_with_one_seed_is_drawn_and_says_so(
    one: Path, tmp_path: Path, name: str, seen: list[Figure]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(one, name, tmp_path / name)
    assert (tmp_path / f"{name}.png").stat().st_size > 5000
    text = " ".join([*words(seen[0]), seen[0].get_supxlabel()])
    if not name.startswith("accuracy_vs"):
        assert "1 seed" in text
    assert "[" not in text  # no interval is claimed


@pytest.mark.parametrize("name", ["accuracy_vs_parameters", "learning_curves"])
def test_the_same_tables_give_the_same_files(one: Path, tmp_path: Path, name: str) -> None:
    for copy in ("a", "b"):
        draw(one, name, tmp_path / copy)
    for suffix in (".png", ".svg"):
        first, second = ((tmp_path / copy).with_suffix(suffix) for copy in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_bars_print_the_figures_of_the_table(
    full: Path, tmp_path: Path, seen: list[Figure]
) -> None:
    draw(full, "accuracy_bars", tmp_path / "bars")
    printed = words(seen[0])
    for row in read_table(full / "comparison/models.csv").to_dict("records"):
        mean, low, high = (
            format_number(row[key], ".1f") for key in ("top1_mean", "top1_ci_low", "top1_ci_high")
        )
        assert f"{mean} [{low}, {high}]" in printed
    assert "eca_resnet_20_k3 (= eca_resnet_20)" in printed


def test_deltas_print_the_figures_of_the_tables_and_what_is_not_separable(
    full: Path, tmp_path: Path, seen: list[Figure]
) -> None:
    draw(full, "ablation_deltas", tmp_path / "deltas")
    printed = words(seen[0])
    for path in (full / "ablation").glob("*.csv"):
        for row in read_table(path).to_dict("records")[1:]:
            value, low, high = (
                format_number(row[key], "+.2f")
                for key in ("delta", "delta_ci_low", "delta_ci_high")
            )
            end = "" if row["significant"] else "  not separable"
            assert f"{value} [{low}, {high}]{end}" in printed
    assert "k=3\n(= adaptive)" in printed


def test_deltas_of_one_seed_have_no_interval(tmp_path: Path, seen: list[Figure]) -> None:
    study = fake_study.full_study(seeds=(0,), arm_seeds=(0,), epochs=2)
    small = replace(study, variants=study.variants[:6], ablations={"eca": study.ablations["eca"]})
    root = make(tmp_path, small)
    draw(root, "ablation_deltas", tmp_path / "deltas")
    notes = [text.get_text() for text in seen[0].axes[0].texts]
    assert sum("(1 seed)" in note for note in notes) == 5
    assert not any("[" in note for note in notes)


def test_no_ablation_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no ablation"):
        ablation_deltas.plot([], tmp_path / "deltas")


def test_a_variant_without_its_cost_is_left_out_and_counted(
    full: Path, tmp_path: Path, seen: list[Figure]
) -> None:
    table = read_table(full / "comparison/models.csv")
    table.loc[:2, "train_hours"] = np.nan
    table.to_csv(tmp_path / "models.csv", index=False)
    accuracy_vs_time.plot(tmp_path / "models.csv", tmp_path / "time")
    printed = words(seen[0])
    assert table["display"][0] not in printed
    assert table["display"][5] in printed
    assert any("3 not measured" in text for text in printed)


def test_the_front_holds_what_nothing_beats() -> None:
    cost = pd.Series([1.0, 2.0, 2.0, 3.0, 4.0, 1.0])
    accuracy = pd.Series([50.0, 60.0, 55.0, 60.0, 70.0, 45.0])
    assert list(scatter.pareto_front(cost, accuracy)) == [0, 1, 4]


def test_names_do_not_overlap_and_stay_inside() -> None:
    generator = np.random.default_rng(0)
    anchors = generator.uniform((150, 100), (850, 500), size=(25, 2))
    anchors[:5] = anchors[0] + generator.uniform(-15, 15, size=(5, 2))  # a crowd
    anchors[5] = (995, 590)  # a corner
    sizes = np.tile((110.0, 14.0), (25, 1))
    points = np.concatenate([anchors - 4, anchors + 4], axis=1)
    corners = labels.place(anchors, sizes, points, np.array([0, 0, 1000, 600.0]), 1.0)
    boxes = np.concatenate([corners, corners + sizes], axis=1)
    assert (boxes[:, :2] >= -1e-9).all()
    assert (boxes[:, 2:] <= (1000 + 1e-9, 600 + 1e-9)).all()
    for i, first in enumerate(boxes):
        for second in boxes[i + 1 :]:
            apart = (first[:2] >= second[2:] - 1) | (second[:2] >= first[2:] - 1)
            assert apart.any()
    nearest = np.clip(anchors, corners, corners + sizes)
    assert np.hypot(*(nearest - anchors).T).max() < 70


def test_a_family_of_many_variants_gets_several_panels(tmp_path: Path, seen: list[Figure]) -> None:
    variants = tuple(
        FakeVariant(f"net_{i}", "Family", 50.0 + i, 100_000 * (i + 1), (0,)) for i in range(6)
    )
    root = make(tmp_path, FakeStudy(variants=variants, epochs=2))
    draw(root, "learning_curves", tmp_path / "curves")
    titles = [axes.get_title("left") for axes in seen[0].axes]
    assert titles == ["Family (1 of 2)", "Family (2 of 2)"]
    assert {f"net_{i}" for i in range(6)} <= set(words(seen[0]))


def test_confusion_agrees_with_counting(full: Path) -> None:
    runs = load_runs(full / "runs", "resnet_20", (0, 1))
    superclass_of = np.arange(100) // 5
    share = superclass_confusion.superclass_confusion(runs, superclass_of)
    np.testing.assert_allclose(share.sum(axis=1), 100)
    hits = total = 0
    for run in runs:
        predictions = run.predictions()
        for label, found in zip(predictions.labels, predictions.logits.argmax(1), strict=True):
            if label // 5 == 3:
                total += 1
                hits += found // 5 == 7
    assert share[3, 7] == pytest.approx(100 * hits / total)


def test_confusion_with_other_names_is_refused(one: Path, tmp_path: Path) -> None:
    meta = read_json(one / "data/meta.json")
    meta["superclasses"].pop()
    path = tmp_path / "meta.json"
    path.write_text(json.dumps(meta), encoding="utf-8")
    models, runs = one / "comparison/models.csv", one / "comparison/runs.csv"
    with pytest.raises(UserError, match="names 19 superclasses"):
        superclass_confusion.plot(models, runs, one / "runs", path, tmp_path / "c")


def test_families_keep_their_colour_and_differ() -> None:
    styles = style.family_styles(["b", "a", "c", "b"])
    assert styles == style.family_styles(["c", "b", "a"])
    assert len(set(style.FAMILY_STYLES)) == len({c for c, _ in style.FAMILY_STYLES}) == 12


def test_users_settings_do_not_change_the_figures(
    one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(one, "accuracy_bars", tmp_path / "a")
    monkeypatch.setitem(mpl.rcParams, "lines.linewidth", 9)
    monkeypatch.setitem(mpl.rcParams, "axes.facecolor", "black")
    draw(one, "accuracy_bars", tmp_path / "b")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert mpl.rcParams["axes.facecolor"] == "black"


def test_figures_need_no_torch_and_no_pyplot() -> None:
    code = (
        "import sys, json, bakeoff.figures; cheap = 'matplotlib' not in sys.modules\n"
        "import bakeoff.figures.accuracy_bars, bakeoff.figures.learning_curves\n"
        "import bakeoff.figures.superclass_confusion, bakeoff.figures.ablation_deltas\n"
        "print(json.dumps([cheap, 'torch' in sys.modules, 'matplotlib.pyplot' in sys.modules]))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(printed) == [True, False, False]
