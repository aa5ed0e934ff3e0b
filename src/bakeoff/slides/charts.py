"""Native charts: they can be edited in the presentation, and keep their text as text.

python-pptx has no error bars and no labels of single points of a scatter; both are put into the chart's XML
(ECMA-376, part 1, 21.2.2.55 and 21.2.2.47).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.dml.color import RGBColor
from pptx.enum.chart import (
    XL_CHART_TYPE,
    XL_LABEL_POSITION,
    XL_MARKER_STYLE,
    XL_TICK_LABEL_POSITION,
)
from pptx.oxml.ns import nsdecls, qn
from pptx.util import Pt

from bakeoff.slides import theme
from bakeoff.slides.values import Text, Value, plain

LABEL_SIZE = 14


@dataclass(frozen=True)
class Bar:
    """One bar: what it is called, how long it is, its interval, its colour."""

    label: str
    value: Value
    interval: tuple[Value, Value] | None
    colour: str


@dataclass(frozen=True)
class Dot:
    """One point of a scatter; `above` tells where its name stands, which is not drawn where it is None."""

    label: str
    x: Value
    y: Value
    interval: tuple[Value, Value] | None
    colour: str
    above: bool | None = True


def bar_chart(
    shapes: Any,
    place: tuple[int, ...],
    bars: Sequence[Bar],
    axis: Text,
    size: float,
    limits: tuple[float, float],
) -> Any:
    """Draw horizontal bars, the first on top, and return the shape.

    Args:
        shapes: of the slide.
        place: left, top, width and height in EMU.
        bars: at least one.
        axis: what the lengths are.
        size: of the labels, in points.
        limits: of the axis, which includes zero.
    """
    data = CategoryChartData()
    data.categories = [bar.label for bar in bars]
    data.add_series(plain(axis), [_shown(bar.value) for bar in bars])
    frame = shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, *place, data)
    chart = frame.chart
    _plain_chart(chart, size)
    chart.category_axis.reverse_order = True
    chart.category_axis.format.line.color.rgb = RGBColor.from_string(theme.HAIRLINE)
    chart.category_axis.tick_label_position = XL_TICK_LABEL_POSITION.LOW
    _label_each(chart.category_axis)
    _axis(chart.value_axis, axis, size)
    # The value axis of reversed categories would stand on top.
    crosses = chart.category_axis._element.getparent().findall(qn("c:catAx"))[0]
    crosses.find(qn("c:crosses")).set("val", "autoZero")
    chart.value_axis._element.find(qn("c:crosses")).set("val", "max")
    chart.value_axis.minimum_scale, chart.value_axis.maximum_scale = limits
    plot = chart.plots[0]
    plot.gap_width = 45
    series = plot.series[0]
    for point, bar in enumerate(bars):
        fill = series.points[point].format.fill
        fill.solid()
        fill.fore_color.rgb = RGBColor.from_string(bar.colour)
    _error_bars(series, [(bar.value, bar.interval) for bar in bars], before="c:cat")
    return frame


def scatter_chart(
    shapes: Any, place: tuple[int, ...], dots: Sequence[Dot], axes: tuple[Text, Text], size: float
) -> Any:
    """Draw points with names beside them over a logarithmic axis, and return the shape."""
    data = XyChartData()
    series = data.add_series(plain(axes[1]))
    for dot in dots:
        series.add_data_point(_shown(dot.x), _shown(dot.y))
    frame = shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, *place, data)
    chart = frame.chart
    _plain_chart(chart, size)
    _axis(chart.category_axis, axes[0], size)
    _axis(chart.value_axis, axes[1], size)
    _logarithmic(chart.category_axis, [_shown(dot.x) for dot in dots])
    low, high = _limits([_shown(each) for dot in dots for each in (dot.y, *(dot.interval or ()))])
    chart.value_axis.minimum_scale, chart.value_axis.maximum_scale = low, high
    drawn = chart.plots[0].series[0]
    drawn.format.line.fill.background()
    for number, dot in enumerate(dots):
        point = drawn.points[number]
        point.marker.style, point.marker.size = XL_MARKER_STYLE.CIRCLE, 9
        point.marker.format.fill.solid()
        point.marker.format.fill.fore_color.rgb = RGBColor.from_string(dot.colour)
        point.marker.format.line.fill.background()
        if dot.above is None:
            continue
        label = point.data_label
        label.position = XL_LABEL_POSITION.ABOVE if dot.above else XL_LABEL_POSITION.BELOW
        frame_ = label.text_frame
        frame_.text = dot.label
        font = frame_.paragraphs[0].runs[0].font
        font.size, font.name = Pt(size), theme.LATIN
        font.color.rgb = RGBColor.from_string(theme.INK)
    _error_bars(drawn, [(dot.y, dot.interval) for dot in dots], before="c:xVal", direction="y")
    return frame


def bar_limits(bars: Sequence[Bar]) -> tuple[float, float]:
    """Return round limits of an axis that holds zero and all bars with their intervals."""
    ends = [_shown(value) for bar in bars for value in (bar.value, *(bar.interval or ()))]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    step = 10 ** math.floor(math.log10(max(high - low, 1e-9) / 2))
    return math.floor(low / step) * step, math.ceil(high / step) * step


def _label_each(axis: Any) -> None:
    """Name each bar: programs leave names out where they think that they are crowded."""
    skip = axis._element.makeelement(qn("c:tickLblSkip"), {"val": "1"})
    axis._element.find(qn("c:noMultiLvlLbl")).addprevious(skip)


def _shown(value: Value) -> float:
    return float(value.content) * value.scale


def _plain_chart(chart: Any, size: float) -> None:
    chart.has_legend = chart.has_title = False
    chart.font.size, chart.font.name = Pt(size), theme.LATIN
    chart.font.color.rgb = RGBColor.from_string(theme.INK)


def _axis(axis: Any, title: Text, size: float) -> None:
    axis.has_title = True
    axis.axis_title.text_frame.text = plain(title)
    font = axis.axis_title.text_frame.paragraphs[0].runs[0].font
    font.size, font.bold, font.name = Pt(size), False, theme.LATIN
    font.color.rgb = RGBColor.from_string(theme.GREY)
    axis.has_major_gridlines = True
    axis.major_gridlines.format.line.color.rgb = RGBColor.from_string(theme.PALE)
    axis.format.line.color.rgb = RGBColor.from_string(theme.HAIRLINE)
    axis.tick_labels.font.size = Pt(size)


def _logarithmic(axis: Any, numbers: Sequence[float]) -> None:
    scaling = axis._element.find(qn("c:scaling"))
    base = etree.SubElement(scaling, qn("c:logBase"))
    base.set("val", "10")
    scaling.insert(0, base)  # the schema's order
    low, high = min(numbers), max(numbers)
    axis.minimum_scale = _power(low, below=True)
    axis.maximum_scale = _power(high, below=False)
    axis.tick_labels.number_format = "General"
    axis.tick_labels.number_format_is_linked = False
    axis._element.getparent().findall(qn("c:valAx"))[-1].find(qn("c:crosses")).set("val", "min")


def _power(number: float, *, below: bool) -> float:
    power = 1e-6
    while power * 10 <= number:
        power *= 10
    return power if below else power * 10


def _limits(numbers: Sequence[float]) -> tuple[float, float]:
    """Return round limits around `numbers`, in whole fives, with room for names."""
    low, high = min(numbers), max(numbers)
    return max(0.0, 5 * (low // 5)), min(105.0, 5 * (high // 5 + 1) + 5)


def _error_bars(
    series: Any,
    values: Sequence[tuple[Value, tuple[Value, Value] | None]],
    *,
    before: str,
    direction: str = "",
) -> None:
    """Give each point of a series its own interval, if any has one."""
    if not any(interval for _, interval in values):
        return
    ups, downs = [], []
    for value, interval in values:
        low, high = interval or (value, value)
        ups.append(_shown(high) - _shown(value))
        downs.append(_shown(value) - _shown(low))
    points = {
        side: "".join(
            f'<c:pt idx="{number}"><c:v>{max(0.0, length):.6g}</c:v></c:pt>'
            for number, length in enumerate(lengths)
        )
        for side, lengths in (("plus", ups), ("minus", downs))
    }
    sides = "".join(
        f"<c:{side}><c:numLit><c:formatCode>General</c:formatCode>"
        f'<c:ptCount val="{len(values)}"/>{inner}</c:numLit></c:{side}>'
        for side, inner in points.items()
    )
    where = f'<c:errDir val="{direction}"/>' if direction else ""
    element = etree.fromstring(
        f"<c:errBars {nsdecls('c', 'a')}>{where}"
        '<c:errBarType val="both"/><c:errValType val="cust"/><c:noEndCap val="0"/>'
        f'{sides}<c:spPr><a:ln w="15875"><a:solidFill><a:srgbClr val="{theme.INK}"/></a:solidFill></a:ln></c:spPr>'
        "</c:errBars>"
    )
    series._element.find(qn(before)).addprevious(element)
