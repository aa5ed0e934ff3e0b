"""Layout: nothing overlaps, shrinks too far, or leaves the slide."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from pptx import Presentation

from bakeoff.errors import UserError
from bakeoff.slides import build_deck, talk, theme
from bakeoff.slides import text as measure
from bakeoff.slides.grid import Column, Grid, Line, lay_out, lay_out_blocks
from bakeoff.slides.templates import LANGUAGES
from tests.support.decks import deck_path, slides_yaml, spec_of

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
            if shape.name == "Arrow":
                continue
            full = shape.has_table or shape.has_chart or hasattr(shape, "image")
            if full or shape.text_frame.text:
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_talk_is_readable_from_the_last_row(root: Path, language: str) -> None:
    """Fourteen points and more, but for topic, foot, and charts and tables with many names."""
    slides = list(Presentation(deck_path(root, language)).slides)[: len(talk.SECONDS)]
    small = ("Topic", "Footer", "Slide number", "Table", "Set-up", "Chart")
    for number, slide in enumerate(slides, start=1):
        for shape in slide.shapes:
            sizes = [
                int(each.get("sz")) for each in shape._element.iter() if each.tag.endswith("}rPr")
            ]
            if sizes and shape.name not in small:
                assert min(sizes) >= 1400, (number, shape.name)
            if shape.name in ("Table", "Set-up"):
                assert min(sizes) >= 1200, (number, shape.name)


def test_pictures_keep_their_shape_and_are_described(root: Path) -> None:
    shown = [
        shape
        for slide in Presentation(deck_path(root, "en")).slides
        for shape in slide.shapes
        if hasattr(shape, "image")
    ]
    assert len(shown) == 3
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
    with pytest.raises(UserError, match=r"slide 11 .*config/slides.yaml"):
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
