"""One table, three files: CSV for programs, Markdown and LaTeX for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bakeoff.errors import UserError, did_you_mean
from bakeoff.files import write_text
from bakeoff.markup import latex, markdown
from bakeoff.study.metric import TITLES, Metric

CSV_DIGITS = "%.8g"  # beyond what float32 metrics carry, short of printing binary noise
P_VALUES = ("p_value", "p_adjusted")
SMALLEST_P = 0.001  # smaller ones are printed as "< 0.001"


@dataclass(frozen=True)
class Column:
    """A column of the Markdown and LaTeX table.

    `name` is the CSV column that is shown, `title` its heading, `spec` the format of its numbers
    (as in Python's format strings; None for what is not a number). `interval` names the CSV columns
    of the two bounds, printed after the number as in "71.3 [70.8, 71.9]". `variant` marks a column of
    variants, which people know by their display names.
    """

    name: str
    title: str
    spec: str | None = None
    interval: tuple[str, str] | None = None
    variant: bool = False


def titled(columns: Sequence[Column], metric: Metric) -> tuple[Column, ...]:
    """Return `columns` with {metric} in their titles filled in: the accuracy that decides."""
    return tuple(
        replace(column, title=column.title.replace("{metric}", TITLES[metric]))
        for column in columns
    )


def write_table(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    path: str | Path,
    caption: str,
    display: Mapping[str, str] | None = None,
    marked: str | None = None,
) -> None:
    """Write `frame` to `path` (.csv) with all its columns, and `columns` of it to .md and .tex.

    `caption` says what the rows are and what the intervals mean; Markdown prints it below the
    table. `display` maps variants to the names that Markdown and LaTeX show. `marked` is a column whose
    number LaTeX marks where the rows say that they lead (`group`): bold the first of them, underlined the others,
    which none is shown to be better than. Missing values are empty
    cells in CSV and dashes elsewhere. Each file is replaced whole.
    """
    path = Path(path)
    names = display or {}
    cells = [[_cell(row, column, names) for column in columns] for row in frame.to_dict("records")]
    titles = [column.title for column in columns]
    numeric = [column.spec is not None for column in columns]
    write_text(path, frame.to_csv(index=False, float_format=CSV_DIGITS, lineterminator="\n"))
    write_text(path.with_suffix(".md"), _markdown(titles, cells, numeric, caption))
    body = [[latex(text) for text in line] for line in cells]
    if marked and len(marks := _marks(frame)) > 0:
        place = [column.name for column in columns].index(marked)
        for line, mark in zip(body, marks, strict=True):
            line[place] = f"{mark}{{{line[place]}}}" if mark else line[place]
        caption += " Bold: the highest mean over several seeds; underlined: not shown to be worse than any other."
    write_text(path.with_suffix(".tex"), _latex(titles, body, numeric, caption, path.stem))


def read_table(path: str | Path, columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV made by `write_table`.

    Only empty cells count as missing, so that an arm may be called "None".

    Raises:
        UserError: the file is missing, unreadable or lacks one of `columns`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} is missing. Run the workflow to make it.")
    try:
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(
            f"{path} is not a CSV table ({error}). Run Snakemake: what is not as it was made is made again."
        ) from error
    for column in columns:
        if column not in frame:
            raise UserError(
                f"{path} has no column '{column}'{did_you_mean(column, frame.columns)}. "
                "Run Snakemake: what is not as it was made is made again."
            )
    return frame


def format_number(value: float, spec: str) -> str:
    """Return `value` in the format `spec`, with a true minus sign and never a negative zero."""
    text = format(value, spec)
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def _cell(row: dict[Any, Any], column: Column, display: Mapping[str, str]) -> str:
    value = row[column.name]
    if pd.isna(value) or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column.spec is None:
        return display.get(value, str(value)) if column.variant else str(value)
    if column.name in P_VALUES and value < SMALLEST_P:
        return f"< {SMALLEST_P}"
    bounds = [row[name] for name in column.interval or ()]
    text, *ends = (format_number(number, column.spec) for number in (value, *bounds))
    return f"{text} [{', '.join(ends)}]" if ends and not any(map(pd.isna, bounds)) else text


def _markdown(
    titles: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool], caption: str
) -> str:
    rule = ["--:" if right else ":--" for right in numeric]
    lines = [[markdown(text) for text in line] for line in (titles, *cells)]
    lines.insert(1, rule)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{markdown(caption)}\n"


def _marks(frame: pd.DataFrame) -> list[str]:
    """Return the LaTeX command that marks each row: of those that lead the first, and the others; none if none does."""
    leads = [group == "leading" for group in frame["group"]]
    if not any(leads):
        return []
    first = leads.index(True)
    return [
        r"\textbf" if row == first else r"\underline" if lead else ""
        for row, lead in enumerate(leads)
    ]


def _latex(
    titles: Sequence[str],
    body: Sequence[Sequence[str]],
    numeric: Sequence[bool],
    caption: str,
    label: str,
) -> str:
    alignment = "".join("r" if right else "l" for right in numeric)
    # Braces first: a bracket or star at the start of a row would belong to the end of the row above.
    head, *lines_of_table = (
        "{}" * line[0].startswith(("[", "*")) + " & ".join(line) + r" \\"
        for line in ([latex(title) for title in titles], *body)
    )
    lines = [
        r"% Needs \usepackage{booktabs}.",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex(caption)}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        head,
        r"\midrule",
        *lines_of_table,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
