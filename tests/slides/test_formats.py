"""How numbers and times look."""

from __future__ import annotations

import pytest

from bakeoff.slides import formats

# --- formats --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "number", "expected"),
    [
        (formats.percent, 71.26, "71.3"),
        (formats.signed, 0.416, "+0.42"),
        (formats.signed, -1.3, "−1.30"),
        (formats.signed, -0.001, "0.00"),
        (formats.three_digits, 0.275572, "0.276"),
        (formats.three_digits, 27.897, "27.9"),
        (formats.three_digits, 1450.2, "1,450"),
        (formats.three_digits, 0.0, "0"),
        (formats.whole, 45000, "45,000"),
        (formats.p_value, 0.0004, "<\u00a00.001"),
        (formats.p_value, 0.0124, "0.012"),
        (formats.general, 1e-6, "1e-06"),
        (formats.magnitude, -47.39, "47.4"),
    ],
)
def test_numbers_look_as_people_write_them(
    function: formats.Format, number: float, expected: str
) -> None:
    assert function(number) == expected


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(2.94, ("2.94\u00a0h", 1)), (0.25, ("15.0\u00a0min", 60)), (0.0035, ("12.6\u00a0s", 3600))],
)
def test_times_have_their_natural_unit(hours: float, expected: tuple[str, float]) -> None:
    assert formats.duration(hours) == expected
