"""A picture of the workflow: the rules that the deck comes from, and which reads what another wrote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bakeoff.slides.canvas import Page
from bakeoff.slides.theme import Box
from bakeoff.slides.words import Words

STEP_HEIGHT, GAP = 72.0, 24.0
SIZES = (16, 15, 14, 13, 12)


def draw(page: Page, box: Box, steps: Sequence[tuple[str, str]], words: Words) -> None:
    """Draw the steps in columns from left to right, each right of all that it reads from.

    Args:
        page: of the deck.
        box: where the picture stands.
        steps: pairs of rules, of which the second reads what the first writes; without cycles.
        words: with the rules' names.
    """
    layers = _layers(steps)
    columns = box.columns(*[1] * len(layers), gap=GAP)
    texts = {name: (words.name(name, "rules"),) for layer in layers for name in layer}
    boxes = {
        name: place
        for column, layer in zip(columns, layers, strict=True)
        for name, place in zip(layer, _stacked(column, len(layer)), strict=True)
    }
    size = next(
        (s for s in SIZES if all(page.fits(boxes[n], [texts[n]], (s,)) for n in boxes)), SIZES[-1]
    )
    shapes = {name: page.step(place, texts[name], size) for name, place in boxes.items()}
    for start, end in _reduced(steps):
        page.arrow(shapes[start], shapes[end])


def _stacked(column: Box, count: int) -> list[Box]:
    height = min(STEP_HEIGHT, (column.height - 12 * (count - 1)) / count)
    gap = (column.height - count * height) / (count + 1)
    return [
        Box(column.left, column.top + gap + number * (height + gap), column.width, height)
        for number in range(count)
    ]


def _layers(steps: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the rules by the longest way from them to the end, so that each stands just before what reads it."""
    names = list(dict.fromkeys(name for pair in steps for name in pair))
    left = dict.fromkeys(names, 0)
    for _ in names:
        for start, end in steps:
            left[start] = max(left[start], left[end] + 1)
    layers = [[n for n in names if left[n] == way] for way in range(max(left.values()), -1, -1)]
    # Beside what reads it, so that few arrows cross.
    place = {name: number for layer in layers for number, name in enumerate(layer)}
    for layer in reversed(layers):
        layer.sort(key=lambda name: _mean(place[end] for start, end in steps if start == name))
        place.update({name: number for number, name in enumerate(layer)})
    return layers


def _mean(numbers: Iterable[int]) -> float:
    found = list(numbers)
    return sum(found) / len(found) if found else 0.0


def _reduced(steps: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs without those that longer ways say already."""
    after: dict[str, set[str]] = {}
    for start, end in steps:
        after.setdefault(start, set()).add(end)

    def reaches(start: str, end: str) -> bool:
        return any(n == end or reaches(n, end) for n in after.get(start, ()))

    return [
        (start, end)
        for start, end in dict.fromkeys(steps)
        if not any(reaches(middle, end) for middle in after[start] - {end})
    ]
