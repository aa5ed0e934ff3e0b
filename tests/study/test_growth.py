"""What is recorded of a study that grows, and what the configuration may say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bakeoff.errors import UserError
from bakeoff.study.growth import Growth, SettleConfig, read_growth, rounds_file, told_of_looks

RECORD: dict[str, Any] = {"looks": 4, "rounds": [{"added": {"a": [3, 4]}, "questions": ["a or b"]}]}


def write(root: Path, content: Any) -> Path:
    file = rounds_file(root)
    file.parent.mkdir(parents=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_a_study_without_rounds_has_the_looks_of_its_configuration(tmp_path: Path) -> None:
    assert read_growth(tmp_path, None) == Growth(looks=1)
    assert read_growth(tmp_path, SettleConfig(gpu_hours=2.0, rounds=5)) == Growth(looks=6)


def test_the_first_round_fixes_the_looks(tmp_path: Path) -> None:
    file = write(tmp_path, RECORD)
    growth = read_growth(tmp_path, None)
    assert (growth.looks, growth.seeds()) == (4, {"a": {3, 4}})
    assert read_growth(tmp_path, SettleConfig(gpu_hours=2.0)) == growth
    with pytest.raises(UserError, match=r"settle\.rounds is 2, .* begun with 3") as error:
        read_growth(tmp_path, SettleConfig(gpu_hours=2.0, rounds=2))
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ({"looks": 0}, "looks is 0, expected at least 1"),
        ({**RECORD, "more": 1}, "more"),
        ({"looks": 2, "rounds": [{"added": {"a": [1, 1]}, "questions": []}]}, "more than once"),
    ],
)
def test_a_damaged_record_is_told_in_a_sentence(tmp_path: Path, content: Any, said: str) -> None:
    file = write(tmp_path, content)
    with pytest.raises(UserError, match=said) as error:
        read_growth(tmp_path, None)
    assert str(file) in str(error.value)


def test_captions_say_how_the_level_is_divided() -> None:
    assert told_of_looks(1, 0.95) == ""
    said = told_of_looks(4, 0.95)
    assert "up to 4 times" in said and "5 % are divided" in said and "98.75 %" in said
