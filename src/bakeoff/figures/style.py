"""What all figures share: fonts, colours, sizes, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bakeoff.files import atomic_path

PNG_DPI = 200
INK = "#2b2b2b"
MUTED = "#8a8a8a"
FAINT = "#d9d9d9"
ACCENT = "#0072b2"
AGAINST = "#d55e00"

STYLE: Mapping[str, object] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#ececec",
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handletextpad": 0.4,
    "lines.linewidth": 1.6,
    "figure.facecolor": "white",
    "svg.fonttype": "path",  # glyphs go into the file: no font is needed to show it
    "svg.hashsalt": "bakeoff",
}

# Okabe and Ito's palette without yellow (too faint on white) and black, then Tol's muted scheme:
# told apart with every common colour blindness, and the marker says it again.
FAMILY_STYLES = (
    *(("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"), ("#e69f00", "v")),
    *(("#56b4e9", "P"), ("#882255", "X"), ("#332288", "p"), ("#999933", "<"), ("#44aa99", ">")),
    *(("#7f7f7f", "h"), ("#117733", "*")),
)


@contextmanager
def drawing(out: str | Path, width: float, height: float) -> Iterator[Figure]:
    """Yield an empty figure of `width` x `height` inches; write it to `out` as PNG and SVG after.

    Both files are replaced whole and carry no date, so that the same figure is the same file.
    """
    with matplotlib.style.context(["default", dict(STYLE)]):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        for suffix, options in (
            (".png", {"dpi": PNG_DPI, "metadata": {"Software": None}}),
            (".svg", {"metadata": {"Date": None}}),
        ):
            with atomic_path(Path(out).with_suffix(suffix)) as temporary:
                figure.savefig(temporary, **options)


def family_styles(families: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each family; in alphabetical order, so all figures agree."""
    names = sorted(set(families))
    return {name: FAMILY_STYLES[i % len(FAMILY_STYLES)] for i, name in enumerate(names)}


def family_legend(
    figure: Figure, styles: Mapping[str, tuple[str, str]], lines: Sequence[Line2D] = ()
) -> None:
    """Explain colours and markers, if there are several families, and `lines` below the figure."""
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=name)
        for name, (colour, marker) in styles.items()
        if len(styles) > 1
    ]
    if handles := [*handles, *lines]:
        figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))


def log_x(axes: Axes) -> None:
    """Make the x axis of `axes` logarithmic, with ticks at 1, 2 and 5 written as plain numbers."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def count_seeds(counts: Iterable[int]) -> str:
    """Return "1 seed", "3 seeds" or "3 to 10 seeds"."""
    low, high = min(counts := list(counts)), max(counts)
    if low != high:
        return f"{low} to {high} seeds"
    return f"{low} seed" if low == 1 else f"{low} seeds"
