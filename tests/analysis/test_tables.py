"""Tables for programs and for people, and what the package imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bakeoff.analysis.tables import Column, format_number, read_table, write_table
from bakeoff.errors import UserError
from tests.support import fake_study
from tests.support.analysis import make
from tests.support.fake_study import small_study

# ---- Tables --------------------------------------------------------------------------------------


def test_a_table_is_written_for_programs_and_for_people(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "arm": ["None", "a_b & 5 %"],
            "delta": [-1.23456789, np.nan],
            "low": [-2.0, np.nan],
            "high": [-0.001, np.nan],
            "p_value": [0.0002, 0.25],
            "significant": [True, False],
            "hidden": [1, 2],
        }
    )
    columns = (
        Column("arm", "Arm"),
        Column("delta", "Change", "+.2f", ("low", "high")),
        Column("p_value", "p", ".3f"),
        Column("significant", "Significant"),
    )
    write_table(frame, columns, tmp_path / "t.csv", "A caption with 95 %.")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.csv"), frame, rtol=1e-7)
    markdown = (tmp_path / "t.md").read_text(encoding="utf-8")
    assert "| None | −1.23 [−2.00, 0.00] | < 0.001 | yes |" in markdown
    assert "| a_b & 5 % | – | 0.250 | no |" in markdown
    assert markdown.endswith("A caption with 95 %.\n")
    latex = (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"a\_b \& 5 \% & -- & 0.250 & no \\" in latex
    assert r"None & $-$1.23 [$-$2.00, 0.00] & $<$ 0.001 & yes \\" in latex
    assert r"\caption{A caption with 95 \%.}" in latex
    assert latex.index(r"\toprule") < latex.index(r"\midrule") < latex.index(r"\bottomrule")


def test_numbers_are_never_negative_zero() -> None:
    assert format_number(-0.001, "+.2f") == "0.00"
    assert format_number(-0.01, "+.2f") == "−0.01"
    assert format_number(1234.5, ",.1f") == "1,234.5"


def test_a_missing_table_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"models\.csv is missing"):
        read_table(tmp_path / "models.csv")
    (tmp_path / "models.csv").write_text("variant,seed\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"no column 'seeds' \(did you mean 'seed'\?\)"):
        read_table(tmp_path / "models.csv", ("variant", "seeds"))
    (tmp_path / "models.csv").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="not a CSV table"):
        read_table(tmp_path / "models.csv")


def test_the_same_runs_give_the_same_tables(tmp_path: Path) -> None:
    study = fake_study.small_study((0, 1))
    first, second = make(tmp_path / "a", study), make(tmp_path / "b", study)
    for path in sorted((first / "comparison").iterdir()):
        assert path.read_bytes() == (second / "comparison" / path.name).read_bytes()


# ---- Imports -------------------------------------------------------------------------------------


def test_analysis_needs_no_torch_and_importing_the_package_costs_nothing() -> None:
    code = (
        "import sys, json; import bakeoff.analysis; cheap = 'numpy' not in sys.modules\n"
        "import bakeoff.analysis.comparison, bakeoff.analysis.ablation, bakeoff.analysis.claims\n"
        "print(json.dumps([cheap, 'torch' in sys.modules]))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(printed) == [True, False]


def test_latex_marks_the_best_and_those_that_are_not_shown_to_be_worse(full: Path) -> None:
    models = read_table(full / "comparison/models.csv")
    text = (full / "comparison/models.tex").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.endswith(r"\\")][1:]
    assert len(rows) == len(models)
    leading = (models["group"] == "leading").tolist()
    assert leading[0] and sum(leading) > 1
    for place, (row, leads) in enumerate(zip(rows, leading, strict=True)):
        assert (r"\textbf{" in row) == (place == 0)
        assert (r"\underline{" in row) == (leads and place > 0)
    assert "Bold: the highest mean" in text
    # Markdown and the other tables are as they were.
    assert r"\textbf" not in (full / "comparison/pairwise.tex").read_text(encoding="utf-8")


def test_latex_marks_nothing_where_nothing_can_be_told(tmp_path: Path) -> None:
    one = make(tmp_path, small_study())
    text = (one / "comparison/models.tex").read_text(encoding="utf-8")
    assert r"\textbf" not in text and "Bold" not in text
