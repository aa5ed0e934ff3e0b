"""What all figures share: colours, markers and sizes of type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import ArrayLike

INK = "#2b2b2b"
MUTED = "#6e6e6e"
ACCENT = "#0072b2"
AGAINST = "#d55e00"

SMALL = 11
"""The smallest type, in points; a figure is shown about as large as it is drawn."""

STYLE: Mapping[str, object] = {
    "font.size": 12,
    "text.color": INK,
    "text.parse_math": False,  # a name with two dollar signs is a name
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 12,
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
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "legend.handletextpad": 0.4,
    "legend.columnspacing": 1.2,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "svg.fonttype": "none",  # text stays text, which can be searched and edited
    "pdf.fonttype": 42,  # TrueType: the font is in the file, and text is text
    "svg.hashsalt": "bakeoff",
}

# Okabe and Ito's palette without yellow (too faint on white) and black, then Tol's muted scheme:
# told apart with every common colour blindness, and the marker says it again.
FAMILY_STYLES = (
    *(("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"), ("#e69f00", "v")),
    *(("#56b4e9", "P"), ("#882255", "X"), ("#332288", "p"), ("#999933", "<"), ("#44aa99", ">")),
    *(("#7f7f7f", "h"), ("#117733", "*")),
)


def family_styles(families: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each family; in alphabetical order, so all figures agree."""
    names = sorted(set(families))
    return {name: FAMILY_STYLES[i % len(FAMILY_STYLES)] for i, name in enumerate(names)}


def family_legend(figure: Figure, styles: Mapping[str, tuple[str, str]]) -> None:
    """Explain colours and markers below the figure, if there are several families."""
    if len(styles) < 2:
        return
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=name)
        for name, (colour, marker) in styles.items()
    ]
    entry = SMALL * (0.62 * max(map(len, styles)) + 4)  # width in points
    columns = max(1, int(72 * figure.get_figwidth() / entry))
    rows = -(-len(handles) // columns)
    figure.legend(handles=handles, loc="outside lower center", ncols=-(-len(handles) // rows))


def log_x(axes: Axes) -> None:
    """Make the x axis of `axes` logarithmic, with ticks at 1, 2 and 5 written as plain numbers."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def make_room(axes: Axes, points: ArrayLike) -> None:
    """Let the scales of `axes` reach to `points` (N x 2, data coordinates), which are not drawn.

    A scale as long as the differences at hand would make noise look like news.
    """
    axes.update_datalim(np.asarray(points, dtype=float))
    axes.autoscale_view()
