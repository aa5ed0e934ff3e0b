"""How a study grows: the rounds in which `snakemake settle` adds seeds, and the looks over which its level is divided.

A study is looked at once before the first round and once after each. How many looks there will be has to be known at
the first of them, because each gets its part of the 5 %: so it is recorded with the first round, and kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from bakeoff.errors import UserError
from bakeoff.files import read_json
from bakeoff.settings import Count, Line, Positive, Seeds, Settings
from bakeoff.study.validation import in_file, parse

GENERAL = ("top", "ablations", "claims")
"""Questions of `settle` that are no single ablation or claim."""


class SettleConfig(Settings):
    """Which questions get more seeds, in rounds, and what that may cost."""

    questions: Annotated[tuple[Line, ...], Field(strict=False, min_length=1)] = GENERAL
    """top (which of the leading variants is best), ablations, claims; or names of ablations and ids of claims."""
    gpu_hours: Positive
    """What all added seeds together may cost; core-hours where no run was on a GPU."""
    rounds: Annotated[Count, Field(le=20)] = 3
    """How often seeds are added. It is part of the level of every verdict, and fixed by the first round."""


class Round(Settings):
    """Seeds that were added at once."""

    added: dict[str, Seeds]
    """{variant that is trained: its new seeds}."""
    questions: Annotated[tuple[str, ...], Field(strict=False)]
    """What they were to settle."""


class Growth(Settings):
    """What is recorded of a study that grows; one look and no rounds for all others."""

    looks: Count = 1
    """At how many looks the study is judged at most."""
    rounds: Annotated[tuple[Round, ...], Field(strict=False)] = ()
    """The rounds so far."""

    def seeds(self) -> dict[str, set[int]]:
        """Return {variant: all seeds that were added}."""
        found: dict[str, set[int]] = {}
        for each in self.rounds:
            for name, seeds in each.added.items():
                found.setdefault(name, set()).update(seeds)
        return found


GROWTH = TypeAdapter(Growth)


def rounds_file(root: Path) -> Path:
    """Return where the rounds of the study in `root` are recorded."""
    return root / "settle" / "rounds.json"


def read_growth(root: Path, config: SettleConfig | None) -> Growth:
    """Return how the study in `root` grows: as recorded, else as `config` wants it.

    Raises:
        UserError: the record is damaged, or `config` wants another number of rounds than it was begun with.
    """
    file = rounds_file(root)
    wanted = 1 if config is None else 1 + config.rounds
    try:
        content = read_json(file)
    except (FileNotFoundError, NotADirectoryError):
        return Growth(looks=wanted)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file} cannot be read ({error}). It says which seeds were added to the study: restore it from a copy."
        ) from None
    growth: Growth
    growth, mistakes = parse(GROWTH, content, in_file(str(file)))
    if mistakes:
        raise UserError("\n".join(mistakes))
    if growth.rounds and config is not None and growth.looks != wanted:
        raise UserError(
            f"settle.rounds is {config.rounds}, but {file} has rounds of a study that was begun with "
            f"{growth.looks - 1}, and the level of every verdict depends on it. Set it to {growth.looks - 1}."
        )
    return growth if growth.rounds else Growth(looks=wanted)


def looks_of(spec: Mapping[str, Any]) -> int:
    """Return at how many looks the study that a spec is of is judged at most."""
    return int(spec["study"].get("looks", 1))


def told_of_looks(looks: int, level: float) -> str:
    """Return a sentence for captions on the level of a study that grows, empty for others.

    Args:
        looks: at how many the study is judged at most.
        level: of all of them together, such as 0.95.
    """
    if looks == 1:
        return ""
    return (
        f" The study may grow by what it shows, and is judged up to {looks} times: {100 * (1 - level):g} % are divided "
        f"over these looks, so each interval is one of {100 - 100 * (1 - level) / looks:g} % at this look, and what is "
        "said holds for all looks together."
    )
