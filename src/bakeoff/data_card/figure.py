"""The figure of a data card: samples, class balance, mean image, and pairs of images that are nearly the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from bakeoff.data.dataset import Images, Labels
from bakeoff.figures import style
from bakeoff.figures.sheet import Sheet, drawing

SAMPLES, COLUMNS, GAP = 60, 12, 2
NAMED = 12  # classes whose names there is room for
LEVEL = 5  # of them, how many stand level
LETTERS = 16  # of a name
TILE = 0.72  # inches


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images, 3 x H x H each, that are nearly the same."""

    one: Images
    other: Images


def draw_card(
    file: Path,
    classes: Sequence[str],
    samples: Sequence[Images],
    counts: tuple[Labels, Labels],
    mean: npt.NDArray[np.float64],
    pairs: Sequence[Pair],
) -> None:
    """Draw the figure.

    Args:
        file: what is written.
        classes: their names, K.
        samples: an image of each, 3 x H x H.
        counts: images of each in train, those held out included, and in test, int64 K each.
        mean: of the images, H x H x 3, on the 0..255 scale.
        pairs: near copies, the first few.
    """
    shown = list(samples[:SAMPLES])
    rows = -(-len(shown) // COLUMNS)
    heights = [0.35 + rows * TILE, 2.9, *([0.35 + 2 * TILE] if pairs else [])]
    with drawing(Sheet((file,)), sum(heights) + 0.5) as figure:
        grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=(3, 1))
        _tiles(
            figure.add_subplot(grid[0, :]),
            [shown[i : i + COLUMNS] for i in range(0, len(shown), COLUMNS)],
        )
        more = len(samples) - len(shown)
        figure.axes[-1].set_title(
            "A training image of each class"
            + (f" ({len(shown)} of {len(samples)})" if more else "")
        )
        _balance(figure.add_subplot(grid[1, 0]), classes, counts)
        axes = figure.add_subplot(grid[1, 1])
        _tiles(axes, [[mean.round().astype(np.uint8).transpose(2, 0, 1)]])
        axes.set_title("Mean image")
        if pairs:
            axes = figure.add_subplot(grid[2, :])
            _tiles(axes, [[pair.one for pair in pairs], [pair.other for pair in pairs]])
            axes.set_title("Nearly the same, one above the other")


def _tiles(axes: Axes, rows: Sequence[Sequence[Images]]) -> None:
    """Show images side by side, in rows."""
    size = rows[0][0].shape[-1] + GAP
    across = max(map(len, rows)) if len(rows[0]) == 1 else COLUMNS
    canvas = np.full((len(rows) * size - GAP, across * size - GAP, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            place = np.s_[y * size : (y + 1) * size - GAP, x * size : (x + 1) * size - GAP]
            canvas[place] = image.transpose(1, 2, 0)
    axes.imshow(canvas, interpolation="nearest")
    axes.set_anchor("W")
    axes.axis("off")


def _balance(axes: Axes, classes: Sequence[str], counts: tuple[Labels, Labels]) -> None:
    """Draw the images of each class, the most frequent first."""
    train, test = counts
    order = np.argsort(-train, kind="stable")
    places = np.arange(len(order))
    wide, narrow = (0.9, 0.5) if len(classes) <= NAMED else (1.0, 1.0)
    axes.bar(places, train[order], wide, color=style.ACCENT, label="train, with those held out")
    axes.bar(places, test[order], narrow, color=style.AGAINST, label="test")
    axes.margins(x=0.02)
    axes.set_ylabel("Images")
    axes.grid(visible=False, axis="x")
    if len(classes) <= NAMED:
        names = [_short(classes[label]) for label in order]
        level = len(names) <= LEVEL
        axes.set_xticks(
            places, names, rotation=0 if level else 40, ha="center" if level else "right"
        )
    else:
        axes.set_xlabel(f"{len(classes)} classes, the largest first")
    axes.set_title("Images of each class", pad=24)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, borderpad=0)


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
