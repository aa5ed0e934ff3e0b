"""Decks as a person sees them: rendered by LibreOffice, with their font and with the widest that may replace it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pptx import Presentation

from bakeoff.errors import UserError
from bakeoff.slides import build_deck
from bakeoff.slides.pdf import write_pdf
from bakeoff.slides.templates import LANGUAGES
from tests.support.decks import CLAIMS, make_root, spec_of
from tests.support.fake_study import FakeStudy, full_study, small_study

NEEDED = ("soffice", "pdftotext", "fc-list")
MISSING = [program for program in NEEDED if shutil.which(program) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"no {', '.join(MISSING)}; tests/slides/install.sh installs them"
)

POINT = 12700  # EMU
SLACK = 0.3
"""How far a word's box, which is as high as its font, may reach beyond that of its shape, in heights of the word."""
STEPS = (
    *(
        ("prepare", "train"),
        ("train", "compare"),
        ("train", "ablate"),
        ("profile_model", "compare"),
    ),
    *(("compare", "claims"), ("ablate", "claims"), ("claims", "deck"), ("compare", "deck")),
)
WIDE = ("DejaVu Sans", "Noto Sans CJK")
OCCASION = {
    **{"logo": "", "subtitle": "A course project", "presenter": "Lin Chen", "course": "Vision"},
    **{"date": "3 July 2026", "thanks": ["the computing centre", "our tutor"]},
    "team": [{"name": f"Member {i}", "role": "training, statistics and slides"} for i in range(6)],
}


@dataclass(frozen=True)
class Word:
    """A word on a rendered page; lengths in points from the upper left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def hanging(self) -> float:
        """How far punctuation at its end may hang over the edge, as East Asian typesetting lets it."""
        return self.bottom - self.top if self.text[-1] in "，。；：、）」》" else 0.0

    def inside(self, box: tuple[float, ...], slack: float) -> bool:
        left, top, right, bottom = box
        slack *= self.bottom - self.top
        return (
            self.left >= left - slack
            and self.top >= top - slack
            and self.right <= right + slack + self.hanging
            and self.bottom <= bottom + slack
        )

    def covers(self, other: Word) -> float:
        """Return the share of the smaller of two words that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        areas = [(w.right - w.left) * (w.bottom - w.top) for w in (self, other)]
        return max(0.0, wide) * max(0.0, high) / max(1e-6, min(areas))


def studies() -> dict[str, FakeStudy]:
    eca = {"eca": (("none", "resnet_20"), ("adaptive", "eca_resnet_20"))}
    one_seed = dataclasses.replace(small_study(), claims=CLAIMS, ablations=eca)
    many = full_study(arm_seeds=(0, 1, 2, 3), claims=CLAIMS)
    named = tuple(
        dataclasses.replace(variant, display=f"{variant.name} with a name that is long {number}")
        for number, variant in enumerate(many.variants[:6])
    )
    long_names = dataclasses.replace(many, variants=named, ablations={}, arms=())
    return {"one seed": one_seed, "many": many, "long names": long_names}


@pytest.fixture(scope="module")
def decks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three studies in both languages; one of them with an occasion."""
    made = []
    for number, (name, study) in enumerate(studies().items()):
        root = make_root(tmp_path_factory.mktemp("root"), dataclasses.replace(study, images=300))
        spec = spec_of(root) | ({"talk": OCCASION} if name == "many" else {})
        for language in LANGUAGES:
            build_deck(spec, root, language, root / "slides", STEPS)
            deck = root / f"{number}.{language}.pptx"
            (root / "slides" / f"deck.{language}.pptx").rename(deck)
            made.append(deck)
    return made


@pytest.fixture(scope="module", params=["its font", "the widest"])
def pages(
    request: pytest.FixtureRequest, decks: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[str, Any, list[Word]]]:
    """Each slide of each deck with the words of its rendered page."""
    folder = tmp_path_factory.mktemp("rendered")
    environment = dict(os.environ)
    if request.param == "the widest":
        environment["FONTCONFIG_FILE"] = str(without_narrow_fonts(folder))
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", folder, *decks]
    subprocess.run(command, check=True, capture_output=True, timeout=500, env=environment)
    return [
        (f"{deck.name}, slide {number}", slide, words)
        for deck in decks
        for number, (slide, words) in enumerate(
            zip(Presentation(deck).slides, words_of_pages(folder / f"{deck.stem}.pdf"), strict=True),
            start=1,
        )
    ]  # fmt: skip


def without_narrow_fonts(folder: Path) -> Path:
    """Write a configuration of fontconfig in which only fonts are left that are at least as wide as DejaVu Sans."""
    hidden = "".join(
        f'<rejectfont><pattern><patelt name="family"><string>{family}</string></patelt></pattern></rejectfont>'
        for family in installed_families()
        if not family.startswith(WIDE)
    )
    path = folder / "fonts.conf"
    path.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        '<include ignore_missing="yes">/etc/fonts/fonts.conf</include>'
        f"<selectfont>{hidden}</selectfont><cachedir>{folder}/cache</cachedir></fontconfig>",
        encoding="utf-8",
    )
    return path


def installed_families() -> list[str]:
    listed = subprocess.run(["fc-list", ":", "family"], capture_output=True, text=True, check=True)
    return sorted({name for line in listed.stdout.splitlines() for name in line.split(",")})


def words_of_pages(pdf: Path) -> Iterator[list[Word]]:
    out = pdf.with_suffix(".html")
    subprocess.run(["pdftotext", "-bbox", pdf, out], check=True)
    space = "{http://www.w3.org/1999/xhtml}"
    for page in ET.parse(out).getroot().iter(f"{space}page"):
        scale = 960 / float(page.get("width", "960"))
        yield [
            Word(
                word.text or "",
                *(scale * float(word.get(side, "0")) for side in ("xMin", "yMin", "xMax", "yMax")),
            )
            for word in page.iter(f"{space}word")
            if word.text
        ]


def boxes_of(slide: Any) -> dict[str, list[tuple[float, ...]]]:
    """Return the boxes of the shapes that hold text, in points, by kind."""
    found: dict[str, list[tuple[float, ...]]] = {"chart": [], "text": []}
    for shape in slide.shapes:
        if shape.name in ("Arrow", "Card", "Block"):
            continue
        kind = "chart" if shape.has_chart or hasattr(shape, "image") else "text"
        left, top = shape.left / POINT, shape.top / POINT
        box = (left, top, left + shape.width / POINT, top + shape.height / POINT)
        found[kind].append(box)
    return found


def test_no_text_leaves_its_box_or_the_page(pages: list[tuple[str, Any, list[Word]]]) -> None:
    wrong = []
    for place, slide, words in pages:
        boxes = [box for kind in boxes_of(slide).values() for box in kind]
        for word in words:
            if not word.inside((0, 0, 960, 540), 0):
                wrong.append(f"{place}: '{word.text}' leaves the page")
            elif not any(word.inside(box, SLACK) for box in boxes):
                wrong.append(
                    f"{place}: '{word.text}' at {word.left:.0f}, {word.top:.0f} is in no box"
                )
    assert not wrong, "\n".join(wrong)


def test_no_words_stand_upon_each_other(pages: list[tuple[str, Any, list[Word]]]) -> None:
    wrong = []
    for place, slide, words in pages:
        charts = boxes_of(slide)["chart"]
        # Names of neighbouring points may touch in a chart, whose text the program places.
        outside = [word for word in words if not any(word.inside(box, 0) for box in charts)]
        wrong += [
            f"{place}: '{a.text}' and '{b.text}'"
            for a, b in combinations(outside, 2)
            if a.covers(b) > 0.3
        ]
    assert not wrong, "\n".join(wrong)


def test_no_page_shows_what_is_not_for_people(pages: list[tuple[str, Any, list[Word]]]) -> None:
    for place, _, words in pages:
        for word in words:
            assert word.text.lower() not in ("nan", "null", "inf", "todo"), place
            assert "{" not in word.text and "}" not in word.text, place


def test_the_widest_font_is_in_use(decks: list[Path], tmp_path: Path) -> None:
    """Otherwise these tests would show nothing."""
    environment = {**os.environ, "FONTCONFIG_FILE": str(without_narrow_fonts(tmp_path))}
    found = subprocess.run(
        ["fc-match", "-f", "%{family}", "Arial"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert "DejaVu Sans" in found.stdout


def test_a_deck_becomes_a_pdf(
    decks: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pdf(decks[0], tmp_path / "deck.pdf")
    assert len(list(words_of_pages(tmp_path / "deck.pdf"))) == len(Presentation(decks[0]).slides)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="made by LibreOffice, which is not here"):
        write_pdf(decks[0], tmp_path / "other.pdf")
    assert not (tmp_path / "other.pdf").exists()
