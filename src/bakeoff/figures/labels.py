"""Placing names beside points and curves so that they do not overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from bakeoff.figures.style import MUTED, SMALL

Boxes = NDArray[np.float64]  # rows of x0, y0, x1, y1 in pixels

ANGLES = np.deg2rad(np.arange(0, 360, 22.5))
GAPS = (6.0, 10.0, 16.0, 24.0, 34.0, 48.0, 64.0)  # between point and label, points
LEADER_FROM = 14.0  # a label further away is tied to its point by a line
PASSES = 4
PITCH = 1.2  # least distance of names in a column, in sizes of their type


def place(anchors: Boxes, sizes: Boxes, obstacles: Boxes, frame: Boxes, unit: float) -> Boxes:
    """Return the lower left corners (n x 2) of labels with `sizes` beside `anchors` (n x 2 each).

    All lengths are in pixels; `unit` is pixels per point, `obstacles` (m x 4) are boxes to keep
    clear and `frame` (4) the axes. Each label takes the cheapest of the candidate places around its
    point, given where the others are; a few passes settle them.
    """
    candidates = np.stack([_around(*pair, unit) for pair in zip(anchors, sizes, strict=True)])
    fixed = (
        np.stack([_fixed_cost(boxes, obstacles, frame) for boxes in candidates]) + _distance_cost()
    )
    chosen = fixed.argmin(axis=1)
    for _ in range(PASSES):
        for i in range(len(anchors)):
            others = np.delete(candidates[np.arange(len(anchors)), chosen], i, axis=0)
            cost = fixed[i] + 20 * _overlap(candidates[i], others).sum(axis=1)
            chosen[i] = cost.argmin()
    corners: Boxes = candidates[np.arange(len(anchors)), chosen][:, :2]
    return corners


def annotate(axes: Axes, names: Sequence[str], xy: Boxes, obstacles: Sequence[Bbox]) -> None:
    """Write `names` beside the points `xy` (n x 2, data coordinates) of finished `axes`.

    `obstacles` are what must stay readable, in pixels. The figure must have been laid out, and its
    limits must not change after.
    """
    unit = axes.figure.dpi / 72
    anchors = axes.transData.transform(xy)
    labels = [_label(axes, name, point) for name, point in zip(names, xy, strict=True)]
    sizes = np.array([label.get_window_extent().size for label in labels]) + 2 * unit
    boxes = np.array([box.extents for box in obstacles]).reshape(-1, 4)
    corners = place(anchors, sizes, boxes, np.array(axes.bbox.extents), unit)
    for label, point, corner, size in zip(labels, xy, corners, sizes, strict=True):
        anchor = axes.transData.transform(point)
        label.set_position(tuple((corner + unit - anchor) / unit))
        nearest = np.clip(anchor, corner, corner + size)
        if np.hypot(*(nearest - anchor)) > LEADER_FROM * unit:
            line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
            end = (nearest - anchor) / unit
            axes.annotate(
                "", tuple(point), tuple(end), textcoords="offset points", arrowprops=line
            ).set_in_layout(False)


def spread(wanted: Boxes, pitch: float, low: float, high: float) -> Boxes:
    """Return positions (n) as near as possible to `wanted`, `pitch` apart, between `low` and `high`.

    They keep their order. Where they do not fit, they are as far apart as there is room.
    """
    order = np.argsort(wanted, kind="stable")
    steps = np.arange(len(wanted)) * min(pitch, (high - low) / max(1, len(wanted) - 1))
    # Apart by a pitch is not falling once the pitches are taken away.
    nearest = isotonic_regression(wanted[order] - steps).x
    placed = np.empty(len(wanted))
    placed[order] = np.clip(nearest, low, high - steps[-1]) + steps
    return placed


def annotate_ends(
    axes: Axes,
    names: Sequence[str],
    ends: Sequence[tuple[float, float]],
    looks: Sequence[Mapping[str, Any]],
) -> None:
    """Write `names` in a column right of `axes`, each tied to the end of its curve.

    `ends` are (x, y) in data coordinates and `looks` colour and line style of each curve. Room is
    made for the column; the limits of `axes` must not change after.
    """
    labels = [
        axes.annotate(
            name, end, (1.09, end[1]), textcoords=axes.get_yaxis_transform(), va="center",
            fontsize=SMALL, arrowprops={
                "arrowstyle": "-", "linewidth": 1.2, "shrinkA": 1, "shrinkB": 2,
                "relpos": (0, 0.5), **look,
            },
        )
        for name, end, look in zip(names, ends, looks, strict=True)
    ]  # fmt: skip
    axes.figure.canvas.draw()
    heights = axes.transData.transform(np.array(ends, dtype=float))[:, 1]
    pitch = PITCH * SMALL * axes.figure.dpi / 72
    placed = spread(heights, pitch, axes.bbox.y0, axes.bbox.y1)
    for label, height in zip(labels, placed, strict=True):
        label.set_y(axes.transData.inverted().transform((0, height))[1])


def _label(axes: Axes, name: str, point: Boxes) -> Annotation:
    label = axes.annotate(
        name,
        tuple(point),
        (0, 0),
        textcoords="offset points",
        fontsize=SMALL,
        va="bottom",
        ha="left",
    )
    label.set_path_effects([withStroke(linewidth=2, foreground="white")])
    label.set_in_layout(False)
    return label


def _around(anchor: Boxes, size: Boxes, unit: float) -> Boxes:
    """Return the candidate boxes of one label, nearest first, k x 4."""
    direction = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
    # The box touches a circle around the point with the side or corner that faces the point.
    middle = np.concatenate([direction * gap * unit for gap in GAPS])
    middle += np.tile(direction * size / 2, (len(GAPS), 1)) + anchor
    return np.concatenate([middle - size / 2, middle + size / 2], axis=1)


def _fixed_cost(boxes: Boxes, obstacles: Boxes, frame: Boxes) -> Boxes:
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    outside = 1 - _overlap(boxes, frame[None])[:, 0] / area
    cost: Boxes = 20 * _overlap(boxes, obstacles).sum(axis=1) + 1e4 * area * outside
    return cost


def _distance_cost() -> Boxes:
    """Return the dislike of far places, and a slight one of left and below, in pixels squared."""
    gap = np.repeat(GAPS, len(ANGLES))
    taste = np.tile(1 - 0.5 * (np.cos(ANGLES) + np.sin(ANGLES)), len(GAPS))
    cost: Boxes = gap**1.5 + taste
    return cost


def _overlap(boxes: Boxes, others: Boxes) -> Boxes:
    """Return the common area of each of `boxes` (k x 4) with each of `others` (m x 4), k x m."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    area: Boxes = np.prod(np.clip(high - low, 0, None), axis=2)
    return area
