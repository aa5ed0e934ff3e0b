"""How numbers look on a slide: each function turns a number into its text."""

from __future__ import annotations

import math
from collections.abc import Callable

Format = Callable[[float], str]

MISSING = "–"


def percent(number: float) -> str:
    """Return a percentage with one decimal, without its sign: `71.3`."""
    return f"{number:.1f}"


def signed(number: float) -> str:
    """Return a difference with its sign and two decimals: `+0.42`, `−1.30`, `0.00`."""
    text = f"{number:+.2f}"
    if not text.strip("+-0."):
        return "0.00"
    return text.replace("-", "−")


def points(number: float) -> str:
    """Return a difference whose direction is told in words, with two decimals: `0.42`, `−1.30`."""
    text = f"{number:.2f}"
    return "0.00" if not text.strip("-0.") else text.replace("-", "−")


def signed_percent(number: float) -> str:
    """Return a relative change with its sign and one decimal: `−47.4`."""
    text = f"{number:+.1f}"
    return "0.0" if not text.strip("+-0.") else text.replace("-", "−")


def magnitude(number: float) -> str:
    """Return the size of a relative change with one decimal."""
    return f"{abs(number):.1f}"


def whole(number: float) -> str:
    """Return a whole number with thousands separated: `45,000`."""
    return f"{number:,.0f}"


def three_digits(number: float) -> str:
    """Return three significant digits, never as a power of ten: `0.276`, `27.9`, `1,450`."""
    if number == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(number))))
    return f"{number:,.{decimals}f}".replace("-", "−")


def general(number: float) -> str:
    """Return a number as it was given, without needless zeros: `0.1`, `1e-06`, `75.71`."""
    text = f"{number:.6g}"
    return text.replace("-", "−", 1) if number < 0 else text


def p_value(number: float) -> str:
    """Return a p-value with three decimals, or as a bound below them: `0.012`, `< 0.001`."""
    return "<\u00a00.001" if number < 0.001 else f"{number:.3f}"


def duration(hours: float) -> tuple[str, float]:
    """Return a time given in hours as text in its natural unit, and how many of it are an hour."""
    for unit, per_hour in (("h", 1), ("min", 60)):
        if hours * per_hour >= 1:
            return f"{three_digits(hours * per_hour)}\u00a0{unit}", per_hour
    return f"{three_digits(hours * 3600)}\u00a0s", 3600
