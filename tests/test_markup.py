"""Names with the characters of every markup are drawn as they are: in figures, tables, report and deck."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from pptx import Presentation

from bakeoff.analysis.report import write_report
from bakeoff.figures.files import plot
from bakeoff.figures.sheet import Sheet
from bakeoff.files import write_json
from bakeoff.markup import latex, markdown
from bakeoff.slides import build_deck
from tests.support import decks, fake_study

# A formula for matplotlib, one that it cannot parse, an emphasis, a link, two lines.
DISPLAY = (r"A $x_1^2$ \alpha", "50 % & #1 $5 {x}", "_B_ *c* ~d~ <i>")
ARMS = ("$k$ = [3](x)", r"\frac{1}")
FAMILY, SUPERCLASS, STUDY = "R&D_$1$", "large_$omnivores$ #1", "Study $C$ #"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = fake_study.small_study(seeds=(0, 1))
    variants = [replace(v, display=d) for v, d in zip(study.variants, DISPLAY, strict=True)]
    variants[1] = replace(variants[1], family=FAMILY)
    names = [variant.name for variant in variants]
    twin = replace(variants[1], name="twin", display="twin", run=names[1])
    ablations = {"eca": ((ARMS[0], names[0]), (ARMS[1], names[1]))}
    folder = tmp_path_factory.mktemp("names")
    study = replace(study, variants=(*variants, twin), ablations=ablations, name=STUDY)
    decks.make_root(folder, study)
    meta = json.loads((folder / "data/meta.json").read_text(encoding="utf-8"))
    meta["superclasses"][3] = SUPERCLASS
    write_json(folder / "data/meta.json", meta)
    return folder


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect the texts of the figures that are written; none may be read as a formula."""
    found: list[str] = []
    save = Figure.savefig

    def spy(self: Figure, *args: Any, **options: Any) -> None:
        save(self, *args, **options)
        texts = [text for text in self.findobj(Text) if text.get_text()]
        assert not any(text.get_parse_math() for text in texts)
        found.extend(text.get_text() for text in texts)

    monkeypatch.setattr(Figure, "savefig", spy)
    yield found


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        ("accuracy_bars", (*DISPLAY, FAMILY, f"twin (= {DISPLAY[1]})")),
        ("accuracy_vs_parameters", (*DISPLAY, FAMILY)),
        ("learning_curves", DISPLAY),
        ("superclass_confusion", (f"{SUPERCLASS}  4",)),
        ("ablation_deltas", (ARMS[1],)),
    ],
)
def test_figures_draw_names_as_they_are(
    root: Path, drawn: list[str], tmp_path: Path, figure: str, shown: tuple[str, ...]
) -> None:
    plot(figure, root, ["eca"], Sheet((tmp_path / "figure.svg",)))
    assert set(shown) <= set(drawn)


def test_tables_show_display_names_and_no_markup(root: Path) -> None:
    best, other, _ = DISPLAY
    for table, names in {
        "comparison/models": (*DISPLAY, FAMILY),
        "comparison/families": DISPLAY,
        "comparison/pairwise": DISPLAY,
        "comparison/runs": DISPLAY,
        "ablation/eca": (best, other, *ARMS),
    }.items():
        marked = (root / f"{table}.md").read_text(encoding="utf-8")
        texed = (root / f"{table}.tex").read_text(encoding="utf-8")
        for name in names:
            if table == "comparison/families" and markdown(name) not in marked:
                continue  # not the best of its family
            assert f"| {markdown(name)} |" in marked, (table, name)
            assert latex(name) in texed, (table, name)
        assert "resnet_20 |" not in marked


def test_the_report_has_no_markup_in_names(root: Path) -> None:
    study = {"name": STUDY, "protocol": "uniform", "epochs": 2}
    write_report({"study": study, "data": "CIFAR-100", "figures": {}, "ablations": {}}, root)
    text = (root / "report/report.md").read_text(encoding="utf-8")
    assert text.startswith("# Study Study \\$C\\$ \\#\n")


def test_the_report_says_what_is_left_out(root: Path) -> None:
    study = {"name": STUDY, "protocol": "uniform", "epochs": 2}
    told = {"study": study, "data": "CIFAR-100", "figures": {}, "ablations": {}}
    write_report({**told, "left_out": "Left out: ablation x."}, root)
    text = (root / "report/report.md").read_text(encoding="utf-8")
    assert "\n\n## Ablations\n\nLeft out: ablation x.\n\n## Claims" in text


def test_the_deck_shows_names_as_they_are(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decks.pictures, "plot", decks.blank)
    build_deck(decks.spec_of(root), root, "en", root / "slides")
    slides = Presentation(str(root / "slides/deck.en.pptx")).slides
    shown = "\n".join(text for slide in slides for text in decks.texts(slide))
    for name in (*DISPLAY, *ARMS, FAMILY, STUDY):
        assert name in shown, name


@pytest.mark.parametrize(
    ("text", "marked", "texed"),
    [
        ("resnet_20", "resnet_20", r"resnet\_20"),
        ("__init__ _a", r"\_\_init\_\_ \_a", r"\_\_init\_\_ \_a"),
        ("$x^2$", r"\$x^2\$", r"\$x\textasciicircum{}2\$"),
        (r"\alpha|b", r"\\alpha\|b", r"\textbackslash{}alpha$|$b"),
        ("5 % & #1 &amp; C#", r"5 % & \#1 \&amp; C#", r"5 \% \& \#1 \&amp; C\#"),
        ("a < b <i>", r"a < b \<i>", "a $<$ b $<$i$>$"),
        ("[70.8, 71.9] [a](b)", r"[70.8, 71.9] \[a](b)", "[70.8, 71.9] [a](b)"),
        ("two\n lines\r\n--", "two lines --", "two lines -{}-"),
        ("> quote", r"\> quote", "$>$ quote"),
        ("*a* `b` ~c~", r"\*a\* \`b\` \~c\~", None),
    ],
)
def test_markup_is_escaped_and_plain_text_left_alone(
    text: str, marked: str, texed: str | None
) -> None:
    assert markdown(text) == marked
    if texed is not None:
        assert latex(text) == texed
