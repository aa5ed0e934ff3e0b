"""Drawing on slides with python-pptx. What is drawn is also kept, so that every value can be traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.enum.shapes import MSO_CONNECTOR, MSO_SHAPE
from pptx.enum.text import MSO_ANCHOR, PP_ALIGN
from pptx.oxml.ns import qn
from pptx.util import Pt

from bakeoff.errors import UserError
from bakeoff.slides import text as measure
from bakeoff.slides import theme
from bakeoff.slides.grid import PAD_X, PAD_Y, Sheet
from bakeoff.slides.theme import Box
from bakeoff.slides.values import Text, Value, plain, values_in

_TITLE_ONLY = 5  # among the layouts of python-pptx's default template
_PLACEHOLDERS = {"ftr": "11", "sldNum": "12"}  # their numbers in that layout
_PLAIN_TABLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"  # Office's "No Style, No Grid"


@dataclass(frozen=True)
class Style:
    """How a paragraph looks. `bullet` sets a dash before it, `gap` is the space above in font sizes."""

    colour: str = theme.INK
    bold: bool = False
    align: str = "left"
    bullet: bool = False
    gap: float = 0.0


@dataclass(frozen=True)
class Paragraph:
    """A text and its style."""

    text: Text
    style: Style = Style()


@dataclass
class Page:
    """One slide and what stands on it."""

    deck: Deck
    slide: Any
    number: int
    values: list[tuple[str, Value]] = field(default_factory=list)
    notes: str = ""
    body: Box = theme.BODY

    def write(
        self,
        box: Box,
        paragraphs: Sequence[Paragraph | Text],
        sizes: Sequence[float] = theme.BODY_SIZES,
        anchor: str = "top",
        name: str = "Text",
    ) -> float:
        """Write paragraphs into `box` in the largest of `sizes` that fits; return their height."""
        shape = self.slide.shapes.add_textbox(*_emu(box))
        shape.name = name
        return self._fill(shape.text_frame, box, paragraphs, sizes, anchor)

    def fits(
        self, box: Box, paragraphs: Sequence[Paragraph | Text], sizes: Sequence[float]
    ) -> bool:
        """Tell whether paragraphs fit into `box` in one of `sizes`."""
        return _fitting(_paragraphs(paragraphs), box, sizes) is not None

    def what_fits(
        self, box: Box, paragraphs: Sequence[Paragraph | Text], sizes: Sequence[float]
    ) -> Sequence[Paragraph | Text]:
        """Return the first of `paragraphs`, as many as fit into `box` in one of `sizes`; one in any case."""
        count = len(paragraphs)
        while count > 1 and not self.fits(box, paragraphs[:count], sizes):
            count -= 1
        return paragraphs[:count]

    def height(
        self, box: Box, paragraphs: Sequence[Paragraph | Text], sizes: Sequence[float]
    ) -> float:
        """Return how high paragraphs are in `box`, in the largest of `sizes` in which they fit."""
        return _fit(_paragraphs(paragraphs), box, sizes, self.number)[1]

    def write_alike(
        self,
        boxes: Sequence[Box],
        blocks: Sequence[Sequence[Paragraph | Text]],
        sizes: Sequence[float] = theme.BODY_SIZES,
    ) -> None:
        """Write one block into each box, all in one size."""
        pairs = list(zip(boxes, blocks, strict=True))
        size = min(_fit(_paragraphs(block), box, sizes, self.number)[0] for box, block in pairs)
        for box, block in pairs:
            self.write(box, block, (size,))

    def table(self, box: Box, sheet: Sheet, name: str) -> None:
        """Draw a table, laid out before, at the top of `box`."""
        rows, columns = len(sheet.lines) + 1, len(sheet.columns)
        area = Box(box.left, box.top, sum(sheet.widths), sum(sheet.heights))
        frame = self.slide.shapes.add_table(rows, columns, *_emu(area))
        frame.name = name
        table = frame.table
        table._tbl.tblPr.find(qn("a:tableStyleId")).text = _PLAIN_TABLE
        table.horz_banding = False
        for column, width in zip(table.columns, sheet.widths, strict=True):
            column.width = Pt(width)
        for row, height in zip(table.rows, sheet.heights, strict=True):
            row.height = Pt(height)
        headings = tuple(column.heading for column in sheet.columns)
        for number, column in enumerate(sheet.columns):
            align = "right" if column.number else "left"
            style = Style(theme.GREY, bold=True, align=align)
            self._cell(table.cell(0, number), headings[number], sheet.size, style, theme.ACCENT)
            for index, line in enumerate(sheet.lines, start=1):
                colour = theme.ACCENT if line.strong else theme.INK
                style = Style(colour, line.strong, align)
                cell = table.cell(index, number)
                self._cell(cell, line.cells[number], sheet.size, style, theme.HAIRLINE)

    def picture(self, box: Box, path: Path, alt: Text) -> Box:
        """Put the picture at `path` into `box`, undistorted and centred; return where it stands."""
        picture = self.slide.shapes.add_picture(str(path), 0, 0)
        place = box.fitted(picture.width / picture.height)
        picture.left, picture.top, picture.width, picture.height = _emu(place)
        properties = picture._element.nvPicPr.cNvPr
        properties.set("descr", plain(alt))
        properties.set("name", path.stem)
        self._keep("alt text", alt)
        return place

    def chart(
        self, box: Box, draw: Callable[[Any, tuple[int, ...]], Any], alt: Text, values: Text
    ) -> None:
        """Let `draw`, given the slide's shapes and a place in EMU, put a chart of `values` into `box`."""
        frame = draw(self.slide.shapes, _emu(box))
        frame.name = "Chart"
        frame._element.nvGraphicFramePr.cNvPr.set("descr", plain(alt))
        self._keep("alt text", alt)
        self._keep("chart", values)

    def step(self, box: Box, text: Text, size: float) -> Any:
        """Draw a step of the workflow and return its shape, to join it to others."""
        shape = self.slide.shapes.add_shape(MSO_SHAPE.ROUNDED_RECTANGLE, *_emu(box))
        shape.name = "Step"
        shape._element.remove(shape._element.find(qn("p:style")))
        shape.adjustments[0] = 0.12
        shape.fill.solid()
        shape.fill.fore_color.rgb = RGBColor.from_string(theme.PALE)
        shape.line.color.rgb = RGBColor.from_string(theme.ACCENT)
        shape.line.width = Pt(1)
        self._fill(
            shape.text_frame, box, [Paragraph(text, Style(align="center"))], (size,), "middle"
        )
        return shape

    def arrow(self, start: Any, end: Any) -> None:
        """Join two steps, from the right edge of the one to the left edge of the other."""
        line = self.slide.shapes.add_connector(MSO_CONNECTOR.STRAIGHT, 0, 0, 0, 0)
        line.begin_connect(start, 3)
        line.end_connect(end, 1)
        line.name = "Arrow"
        line.line.color.rgb = RGBColor.from_string(theme.GREY)
        line.line.width = Pt(1.25)
        outline = line.line._get_or_add_ln()
        outline.append(_element(outline, "a:tailEnd", None, {"type": "triangle"}))

    def block(self, box: Box, colour: str, name: str = "Block") -> None:
        """Fill `box` with one colour."""
        shape = self.slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, *_emu(box))
        shape.name = name
        shape._element.remove(shape._element.find(qn("p:style")))  # it would bring a shadow
        shape.fill.solid()
        shape.fill.fore_color.rgb = RGBColor.from_string(colour)
        shape.line.fill.background()

    def say(self, paragraphs: Sequence[Text]) -> None:
        """Set the notes of the speaker."""
        for paragraph in paragraphs:
            self._keep("notes", paragraph)
        self.notes = "\n".join(plain(paragraph) for paragraph in paragraphs)
        self.slide.notes_slide.notes_text_frame.text = self.notes

    def files(self) -> list[str]:
        """Return the files whose values stand on the slide, in the order of their appearance."""
        return list(dict.fromkeys(value.source.file for _, value in self.values))

    def head(self, kicker: Text, title: Text) -> None:
        """Write the topic and, below it, the statement of the slide."""
        self.write(
            theme.KICKER, [Paragraph(kicker, Style(theme.ACCENT, bold=True))], (13,), name="Topic"
        )
        one_line = Box(theme.TITLE.left, theme.TITLE.top, theme.TITLE.width, theme.ONE_LINE)
        short = self.fits(one_line, [Paragraph(title, Style(bold=True))], theme.ONE_LINE_SIZES)
        sizes = theme.ONE_LINE_SIZES if short else theme.TITLE_SIZES
        used = self.headline(one_line if short else theme.TITLE, title, sizes)
        top = theme.TITLE.top + used + theme.BELOW_TITLE
        self.body = Box(theme.BODY.left, top, theme.BODY.width, theme.BODY.bottom - top)

    def headline(self, box: Box, title: Text, sizes: Sequence[float], anchor: str = "top") -> float:
        """Fill the title of the slide and return its height."""
        shape = self.slide.shapes.title
        shape.left, shape.top, shape.width, shape.height = _emu(box)
        paragraphs = [Paragraph(title, Style(bold=True))]
        return self._fill(shape.text_frame, box, paragraphs, sizes, anchor)

    def foot(self, text: Text) -> None:
        """Write the line at the bottom and the number of the slide."""
        rule = Box(theme.FOOTER.left, theme.FOOTER.top - 6, theme.BODY.width, 0.75)
        self.block(rule, theme.HAIRLINE, name="Rule")
        grey = Style(theme.GREY)
        self.write(theme.FOOTER, [Paragraph(text, grey)], (theme.SMALL,), name="Footer")
        _make_placeholder(self.slide.shapes[-1], "ftr")
        shape = self.slide.shapes.add_textbox(*_emu(theme.NUMBER))
        _make_placeholder(shape, "sldNum")
        shape.name = "Slide number"
        _prepare(shape.text_frame, "top")
        paragraph = shape.text_frame.paragraphs[0]
        number = Paragraph((), Style(theme.GREY, align="right"))
        _shape_paragraph(paragraph, theme.SMALL, number, first=True)
        _add_slide_number(paragraph, self.number)

    def _fill(
        self,
        frame: Any,
        box: Box,
        paragraphs: Sequence[Paragraph | Text],
        sizes: Sequence[float],
        anchor: str,
    ) -> float:
        items = _paragraphs(paragraphs)
        size, height = _fit(items, box, sizes, self.number)
        _prepare(frame, anchor)
        for number, item in enumerate(items):
            paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
            _shape_paragraph(paragraph, size, item, first=number == 0)
            self._write_runs(paragraph, item.text, size, item.style)
        return height

    def _cell(self, cell: Any, text: Text, size: float, style: Style, rule: str) -> None:
        cell.margin_left = cell.margin_right = Pt(PAD_X)
        cell.margin_top = cell.margin_bottom = Pt(PAD_Y)
        cell.vertical_anchor = MSO_ANCHOR.MIDDLE
        paragraph = cell.text_frame.paragraphs[0]
        _shape_paragraph(paragraph, size, Paragraph(text, style), first=True)
        self._write_runs(paragraph, text, size, style)
        _rule_below(cell, rule)

    def _write_runs(self, paragraph: Any, text: Text, size: float, style: Style) -> None:
        for number, line in enumerate(plain(text).split("\n")):
            if number:
                paragraph.add_line_break()
            run = paragraph.add_run()
            run.text = line
            font = run.font
            font.size, font.bold, font.name = Pt(size), style.bold, theme.LATIN
            font.color.rgb = RGBColor.from_string(style.colour)
            properties = run._r.get_or_add_rPr()
            properties.set("lang", self.deck.locale)
            properties.set("altLang", "en-US")
            latin = properties.find(qn("a:latin"))
            east_asian = properties.makeelement(qn("a:ea"), {"typeface": theme.EAST_ASIAN})
            latin.addnext(east_asian)
        self._keep("slide", text)

    def _keep(self, where: str, text: Text) -> None:
        self.values.extend((where, value) for value in values_in(text))


@dataclass
class Deck:
    """The presentation under way; its pictures are kept in the folder `assets`."""

    presentation: Any
    locale: str
    footer: Text
    assets: Path
    pages: list[Page] = field(default_factory=list)

    def page(self) -> Page:
        """Add a slide with an empty title."""
        slide = self.presentation.slides.add_slide(self.presentation.slide_layouts[0])
        page = Page(self, slide, len(self.pages) + 1)
        self.pages.append(page)
        return page

    def topic(self, kicker: Text, title: Text) -> Page:
        """Add a slide with topic, title and foot."""
        page = self.page()
        page.head(kicker, title)
        page.foot(self.footer)
        return page


def new_deck(language: str, footer: Text, assets: Path) -> Deck:
    """Return an empty 16:9 deck; `footer` stands on every slide but the first."""
    presentation = Presentation()
    presentation.slide_width, presentation.slide_height = Pt(theme.WIDTH), Pt(theme.HEIGHT)
    layouts = presentation.slide_layouts
    for number, layout in enumerate(list(layouts)):
        if number != _TITLE_ONLY:
            layouts.remove(layout)
    master = presentation.slide_master
    for holder in (*master.placeholders, *layouts[0].placeholders):
        kind = holder.placeholder_format.type
        if "TITLE" in str(kind):
            holder.left, holder.top, holder.width, holder.height = _emu(theme.TITLE)
        elif holder.is_placeholder and "BODY" in str(kind):
            holder.left, holder.top, holder.width, holder.height = _emu(theme.BODY)
        elif "FOOTER" in str(kind):
            holder.left, holder.top, holder.width, holder.height = _emu(theme.FOOTER)
        elif "SLIDE_NUMBER" in str(kind):
            holder.left, holder.top, holder.width, holder.height = _emu(theme.NUMBER)
        else:  # the date
            holder._element.getparent().remove(holder._element)
    return Deck(presentation, {"en": "en-US", "zh": "zh-CN"}[language], footer, assets)


def _paragraphs(items: Sequence[Paragraph | Text]) -> list[Paragraph]:
    return [item if isinstance(item, Paragraph) else Paragraph(item) for item in items]


def _fit(
    items: Sequence[Paragraph], box: Box, sizes: Sequence[float], slide: int
) -> tuple[float, float]:
    fitting = _fitting(items, box, sizes)
    if fitting is None:
        text = " ".join(plain(item.text) for item in items)
        raise UserError(
            f"The text on slide {slide} does not fit even at {sizes[-1]} points: '{text[:80]}...'; "
            "shorten its template in config/slides.yaml."
        )
    return fitting


def _fitting(
    items: Sequence[Paragraph], box: Box, sizes: Sequence[float]
) -> tuple[float, float] | None:
    """Return the largest size at which `items` fit into `box`, and their height; None if none does."""
    for size in sizes:
        height = 0.0
        for number, item in enumerate(items):
            room = box.width - (_indent(size) if item.style.bullet else 0)
            height += measure.height(plain(item.text), size, room, item.style.bold)
            height += item.style.gap * size if number else 0
        if height <= box.height + 0.5:
            return size, height
    return None


def _indent(size: float) -> float:
    return 1.1 * size


def _prepare(frame: Any, anchor: str) -> None:
    frame.word_wrap = True
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    frame.vertical_anchor = {
        "top": MSO_ANCHOR.TOP, "middle": MSO_ANCHOR.MIDDLE, "bottom": MSO_ANCHOR.BOTTOM,
    }[anchor]  # fmt: skip
    body = frame._txBody.bodyPr
    for child in list(body):
        body.remove(child)
    body.append(body.makeelement(qn("a:noAutofit"), {}))


def _shape_paragraph(paragraph: Any, size: float, item: Paragraph, first: bool) -> None:
    style = item.style
    paragraph.alignment = {
        "left": PP_ALIGN.LEFT, "right": PP_ALIGN.RIGHT, "center": PP_ALIGN.CENTER,
    }[style.align]  # fmt: skip
    # An exact distance: fonts that stand in for others must not push text out of its box.
    paragraph.line_spacing = Pt(size * measure.leading(plain(item.text)))
    paragraph.space_before = Pt(0 if first else style.gap * size)
    paragraph.space_after = Pt(0)
    properties = paragraph._p.get_or_add_pPr()
    if style.bullet:
        indent = int(Pt(_indent(size)))
        properties.set("marL", str(indent))
        properties.set("indent", str(-indent))
        properties.append(_element(properties, "a:buClr", ("a:srgbClr", {"val": theme.ACCENT})))
        properties.append(_element(properties, "a:buChar", None, {"char": "•"}))
    else:
        properties.append(_element(properties, "a:buNone"))


def _element(
    parent: Any, tag: str, child: tuple[str, dict[str, str]] | None = None, attributes: Any = None
) -> Any:
    made = parent.makeelement(qn(tag), attributes or {})
    if child is not None:
        made.append(parent.makeelement(qn(child[0]), child[1]))
    return made


def _rule_below(cell: Any, colour: str) -> None:
    properties = cell._tc.get_or_add_tcPr()
    line = _element(properties, "a:lnB", None, {"w": str(int(Pt(0.75))), "cap": "flat"})
    line.append(_element(properties, "a:solidFill", ("a:srgbClr", {"val": colour})))
    properties.insert(0, line)


def _make_placeholder(shape: Any, kind: str) -> None:
    """Make a text box the slide's footer ("ftr") or number ("sldNum"), as the master has it: it moves with that."""
    properties = shape._element.nvSpPr
    properties.cNvSpPr.attrib.pop("txBox", None)
    facts = {"type": kind, "sz": "quarter", "idx": _PLACEHOLDERS[kind]}
    properties.nvPr.insert(0, properties.nvPr.makeelement(qn("p:ph"), facts))


def _add_slide_number(paragraph: Any, number: int) -> None:
    field_ = paragraph._p.makeelement(
        qn("a:fld"), {"id": "{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}", "type": "slidenum"}
    )
    properties = _element(
        field_, "a:rPr", None, {"lang": "en-US", "sz": str(int(theme.SMALL * 100))}
    )
    properties.append(_element(properties, "a:solidFill", ("a:srgbClr", {"val": theme.GREY})))
    properties.append(_element(properties, "a:latin", None, {"typeface": theme.LATIN}))
    text = field_.makeelement(qn("a:t"), {})
    text.text = str(number)
    field_.append(properties)
    field_.append(text)
    paragraph._p.append(field_)


def _emu(box: Box) -> tuple[int, int, int, int]:
    return tuple(int(Pt(length)) for length in (box.left, box.top, box.width, box.height))  # type: ignore[return-value]
