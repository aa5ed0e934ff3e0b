"""The schedule as a Gantt chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.patches import Patch

from bakeoff.figures import style
from bakeoff.figures.sheet import Sheet, drawing
from bakeoff.planning.follow import duration
from bakeoff.planning.machine import Fleet, counted, devices_in_words
from bakeoff.planning.schedule import Placed, blocks
from bakeoff.planning.summary import HOUR, Summary

WIDTH = 12.0  # inches
ROW = 0.42
BAR = 0.84  # height of a bar, in rows
CHARACTER = 0.075  # width of a character of a label, in inches
LABEL_SIZE = 9
EDGE = 0.8  # points
BARS_WITH_EDGES = 40  # on a device


def draw(
    out: Path,
    placed: Sequence[Placed],
    devices: Fleet,
    families: Mapping[str, str],
    summary: Summary,
) -> None:
    """Draw a row for each device and a bar for each run, coloured by family, to `out` as PNG and SVG."""
    styles = style.family_styles(families[each.job.variant] for each in placed)
    # White edges part the bars, but must not hide what thousands of thin ones show.
    edge = EDGE * min(1.0, BARS_WITH_EDGES * devices.count / max(1, len(placed)))
    sheet = Sheet((out.with_suffix(".png"), out.with_suffix(".svg")), WIDTH)
    with drawing(sheet, 1.9 + ROW * devices.count) as figure:
        axes = figure.add_subplot()
        for family, (colour, _) in styles.items():
            mine = [each for each in placed if families[each.job.variant] == family]
            _bars(axes, mine, colour, edge)
        for each in placed:
            _label(axes, each, summary.hours)
        if placed:
            axes.axvline(summary.lower_bound_hours, color=style.INK, linestyle=":", linewidth=1.2)
            axes.set_xlim(0, 1.01 * max(summary.hours, summary.lower_bound_hours))
        axes.set_ylim(devices.count - 0.4, -0.6)
        word = "GPU" if devices.kind == "gpu" else "core"
        axes.set_yticks(
            range(devices.count), [f"{word} {number}" for number in range(devices.count)]
        )
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("Hours from the start, predicted (dotted: lower bound)")
        axes.set_title(_title(summary))
        patches = [Patch(color=colour, label=family) for family, (colour, _) in styles.items()]
        if patches:
            figure.legend(handles=patches, loc="outside lower center", ncols=min(6, len(patches)))


def _bars(axes: Axes, placed: Sequence[Placed], colour: str, edge: float) -> None:
    rows: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for each in placed:
        for block in blocks(each.devices):
            bar = (each.start / HOUR, each.job.seconds / HOUR)
            rows.setdefault(block, []).append(bar)
    for (first, number), bars in rows.items():
        extent = (first - BAR / 2, number - 1 + BAR)
        axes.broken_barh(bars, extent, facecolor=colour, edgecolor="white", linewidth=edge)


def _label(axes: Axes, each: Placed, hours: float) -> None:
    """Write a run's name into its bar, if there is room."""
    room = WIDTH * 0.88 * each.job.seconds / HOUR / hours
    names = (each.job.run.replace("/seed", " "), each.job.variant)
    fitting = [name for name in names if CHARACTER * len(name) < room]
    if fitting:
        first, number = blocks(each.devices)[0]
        axes.text(
            (each.start + each.job.seconds / 2) / HOUR, first + (number - 1) / 2, fitting[0],
            ha="center", va="center", fontsize=LABEL_SIZE, color="white", clip_on=True,
        )  # fmt: skip


def _title(summary: Summary) -> str:
    devices = devices_in_words(summary.kind, summary.devices)
    if not summary.planned:
        return f"{summary.study}: all {counted(summary.finished, 'run')} are done"
    return (
        f"{summary.study}: {counted(summary.planned, 'run')} on {devices} in {duration(HOUR * summary.hours)}, "
        f"{summary.gap_pct:.1f} % above the lower bound"
    )
