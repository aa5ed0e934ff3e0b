"""The figures: they are drawn for studies of any size, say what the tables say, and repeat."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from string import Formatter

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from bakeoff.analysis.ablation import ablate
from bakeoff.analysis.comparison import compare
from bakeoff.analysis.runs import load_runs
from bakeoff.analysis.tables import format_number, read_table
from bakeoff.errors import UserError
from bakeoff.figures import (
    ablation_deltas,
    accuracy_vs_time,
    files,
    labels,
    scatter,
    sheet,
    style,
    superclass_confusion,
)
from bakeoff.figures.sheet import Sheet
from bakeoff.figures.words import WORDS
from bakeoff.files import read_json
from tests.support import fake_study
from tests.support.fake_study import FakeStudy, FakeVariant

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


def draw(root: Path, name: str, on: Path | Sheet) -> None:
    """Draw a figure on a sheet, or as the report has it: to `on` as PNG and SVG."""
    ablations = sorted(path.stem for path in (root / "ablation").glob("*.csv"))
    files.plot(name, root, ablations, on if isinstance(on, Sheet) else report_sheet(on))


def report_sheet(out: Path) -> Sheet:
    return Sheet(tuple(out.with_suffix(suffix) for suffix in (".png", ".svg", ".pdf")))


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


def texts(figure: Figure) -> list[Text]:
    """Return the texts of a figure that are drawn; ticks beyond the ends of an axis are not."""
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        beyond = [tick for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
        hidden |= {label for tick in beyond for label in (tick.label1, tick.label2)}
    return [
        text
        for text in figure.findobj(Text)
        if text.get_text() and text.get_visible() and text not in hidden
    ]


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


@pytest.mark.parametrize("name", [*NAMES, "ablation_deltas"])
def test_a_large_study_is_drawn_without_warnings(full: Path, tmp_path: Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(full, name, tmp_path / f"{name}.png")
    pixels = imread(tmp_path / f"{name}.png")
    assert min(pixels.shape[:2]) > 500
    assert pixels[..., :3].min() < 0.5  # something was drawn
    assert (tmp_path / f"{name}.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.{suffix}" for suffix in ("pdf", "png", "svg")
    ]
    assert "<text" in (tmp_path / f"{name}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_one_variant_with_one_seed_is_drawn_and_says_so(
    one: Path, tmp_path: Path, name: str, seen: list[Figure]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(one, name, tmp_path / name)
    assert (tmp_path / f"{name}.png").stat().st_size > 5000
    text = " ".join(words(seen[0]))
    if not name.startswith("accuracy_vs"):
        assert "1 seed" in text
    assert "[" not in text  # no interval is claimed


@pytest.mark.parametrize("name", ["accuracy_vs_parameters", "learning_curves"])
def test_the_same_tables_give_the_same_files(one: Path, tmp_path: Path, name: str) -> None:
    for copy in ("a", "b"):
        draw(one, name, tmp_path / copy)
    for suffix in (".png", ".svg", ".pdf"):
        first, second = ((tmp_path / copy).with_suffix(suffix) for copy in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_bars_print_the_figures_of_the_table(
    full: Path, tmp_path: Path, seen: list[Figure]
) -> None:
    draw(full, "accuracy_bars", tmp_path / "bars")
    printed = words(seen[0])
    for row in read_table(full / "comparison/models.csv").to_dict("records"):
        mean, low, high = (
            format_number(row[key], ".1f")
            for key in ("score_mean", "score_ci_low", "score_ci_high")
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
                format_number(row[key], "+.2f") for key in ("delta", "ci_low", "ci_high")
            )
            assert f"{value} [{low}, {high}]" in printed
    assert "k=3 (= adaptive)" in printed
    assert "before addition" in printed  # its twin is no arm of this ablation


def test_deltas_say_what_is_not_separable(full: Path, tmp_path: Path, seen: list[Figure]) -> None:
    path = full / "ablation/ghost.csv"
    table = read_table(path)
    tested = table[table["arm"] != table["baseline"]]
    table.loc[tested.index, "verdict"] = ["cannot tell", "better", "worse"]
    table.loc[tested.index, "delta"] = [2.0, 2.0, -2.0]
    table.to_csv(tmp_path / "ghost.csv", index=False)
    ablation_deltas.plot([tmp_path / "ghost.csv"], report_sheet(tmp_path / "deltas"))
    points = [each for each in seen[0].axes[0].collections if each.get_offsets().any()]
    faces = [mpl.colors.to_hex(each.get_facecolor()[0]) for each in points]
    assert faces == ["#ffffff", style.ACCENT, style.AGAINST]
    assert {"better", "worse", "cannot tell"} <= set(words(seen[0]))


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
        ablation_deltas.plot([], report_sheet(tmp_path / "deltas"))


def test_a_variant_without_its_cost_is_left_out_and_counted(
    full: Path, tmp_path: Path, seen: list[Figure]
) -> None:
    table = read_table(full / "comparison/models.csv")
    table.loc[:2, "train_hours"] = np.nan
    table.to_csv(tmp_path / "models.csv", index=False)
    accuracy_vs_time.plot(tmp_path / "models.csv", report_sheet(tmp_path / "time"))
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


def test_names_in_a_column_keep_their_order_and_distance() -> None:
    generator = np.random.default_rng(1)
    for count in (1, 5, 25):
        wanted = generator.uniform(40, 60, size=count)
        placed = labels.spread(wanted, 4.0, 0.0, 100.0)
        assert (np.argsort(placed) == np.argsort(wanted)).all()
        assert (np.diff(np.sort(placed)) >= 4.0 - 1e-9).all()
        assert placed.min() >= 0
        assert placed.max() <= 100
    # Room for all, so the middle stays where it is; no room, so they share it.
    assert labels.spread(np.array([50.0, 50.0]), 4.0, 0.0, 100.0) == pytest.approx([48, 52])
    assert labels.spread(np.array([50.0, 90.0]), 4.0, 0.0, 100.0) == pytest.approx([50, 90])
    assert labels.spread(np.full(3, 7.0), 80.0, 0.0, 100.0) == pytest.approx([0, 50, 100])


def test_every_curve_is_named_at_its_end(full: Path, tmp_path: Path, seen: list[Figure]) -> None:
    draw(full, "learning_curves", tmp_path / "curves")
    table = read_table(full / "comparison/models.csv")
    distinct = table[table["same_network_as"].isna()]
    (axes,) = seen[0].axes
    assert [text.get_text() for text in axes.texts] == list(distinct["display"])
    last = {
        row["display"]: np.mean([run.history["val_top1"].iloc[-1] for run in runs])
        for row in distinct.to_dict("records")
        if (runs := load_runs(full / "runs", row["run"], range(row["seeds"])))
    }
    assert [text.xy[1] for text in axes.texts] == pytest.approx(list(last.values()))
    seen[0].canvas.draw()
    # Of the words alone, without the line to the curve.
    extents = [Text.get_window_extent(text) for text in axes.texts]
    for one, other in combinations(sorted(extents, key=lambda box: box.y0), 2):
        assert one.y1 - other.y0 < 0.35 * one.height, "names overlap"


# --- the sheet ------------------------------------------------------------------------------------

SLIDE = {
    "accuracy_bars": (7.6, 4.9),
    "accuracy_vs_parameters": (7.6, 5.4),
    "accuracy_vs_time": (5.8, 4.3),
    "learning_curves": (5.8, 4.3),
    "superclass_confusion": (8.0, 5.4),
    "ablation_deltas": (7.1, 5.4),
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", SLIDE)
def test_at_the_size_of_a_slide_all_words_are_whole_and_large_enough(
    full: Path, tmp_path: Path, name: str, language: str, seen: list[Figure]
) -> None:
    width, height = SLIDE[name]
    on = Sheet((tmp_path / "figure.png",), width, height, language)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a machine without a Chinese font draws boxes
        draw(full, name, on)
    wide, high = imread(tmp_path / "figure.png").shape[1::-1]
    assert (wide, high) == pytest.approx((width * sheet.DPI, height * sheet.DPI), abs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    figure = seen[0]
    figure.canvas.draw()
    for text in texts(figure):
        assert text.get_fontsize() >= 11, text
        box = Text.get_window_extent(text)
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= figure.bbox.x1 + 1, text
        assert box.y1 <= figure.bbox.y1 + 1, text


def test_a_figure_fills_its_room_unless_it_would_look_stretched() -> None:
    assert Sheet(()).height(3.0) == 3.0
    assert Sheet((), room=2.0).height(3.0) == 2.0
    assert Sheet((), room=4.0).height(3.0) == 4.0
    assert Sheet((), room=9.0).height(3.0) == pytest.approx(3.0 * sheet.STRETCH)


def test_names_are_shown_as_the_sheet_has_them(
    full: Path, tmp_path: Path, seen: list[Figure]
) -> None:
    names = {"none": "nothing", "adaptive": "by itself", "Ablation of eca": "A kernel"}
    draw(full, "ablation_deltas", Sheet((tmp_path / "deltas.png",), names=names))
    printed = " ".join(words(seen[0]))
    for name in names.values():
        assert name in printed
    for raw in names:
        assert raw not in printed


# --- words ----------------------------------------------------------------------------------------


def test_all_languages_say_the_same_things() -> None:
    def fields(template: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(template) if name}

    english = WORDS["en"]
    for language, templates in WORDS.items():
        assert list(templates) == list(english), language
        for key, template in templates.items():
            assert fields(template) == fields(english[key]), (language, key)


def test_no_word_is_unused() -> None:
    folder = Path(style.__file__).parent
    code = "\n".join(
        path.read_text(encoding="utf-8").split("WORDS:")[0] for path in folder.glob("*.py")
    )
    code += (folder / "words.py").read_text(encoding="utf-8").split("def say(")[1]
    for key in WORDS["en"]:
        assert re.search(f'"{key}"', code), key


@pytest.mark.parametrize("name", [*NAMES, "ablation_deltas"])
def test_a_chinese_figure_has_no_english_words(
    full: Path, tmp_path: Path, name: str, seen: list[Figure]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        draw(full, name, Sheet((tmp_path / "a.png",), language="zh"))
    chinese = [text for text in words(seen[0]) if re.search("[\u4e00-\u9fff]", text)]
    assert chinese
    english = set(re.findall("[a-z]{4,}", " ".join(WORDS["en"].values()).lower()))
    for text in chinese:
        assert not english & set(re.findall("[a-z]{4,}", text.lower())), text


def test_chinese_needs_a_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "get_font_names", lambda: ["DejaVu Sans"])
    assert not sheet.can_write("zh")
    assert sheet.can_write("en")
    monkeypatch.setattr(sheet, "get_font_names", lambda: ["DejaVu Sans", "SimHei"])
    assert sheet.can_write("zh")


# --- the rest -------------------------------------------------------------------------------------


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
        superclass_confusion.plot(models, runs, one / "runs", path, report_sheet(tmp_path / "c"))


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
