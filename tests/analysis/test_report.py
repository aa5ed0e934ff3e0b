"""The findings at the head of the report follow from the tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bakeoff.analysis.report import findings
from bakeoff.analysis.tables import read_table
from tests.support.analysis import make, variant
from tests.support.fake_study import FakeStudy

TITLES = {"rate": {"en": "Rate", "zh": "率"}}


def spec(study: FakeStudy) -> dict[str, object]:
    return {"ablations": dict.fromkeys(study.ablations, TITLES["rate"])}


def test_the_leading_variants_and_the_verdicts_on_arms_are_those_of_the_tables(full: Path) -> None:
    names = sorted(path.stem for path in (full / "ablation").glob("*.csv"))
    first, *arms, last = findings({"ablations": {name: {"en": name} for name in names}}, full)
    models = read_table(full / "comparison/models.csv")
    leading = models.loc[models["group"] == "leading", "display"]
    assert first.startswith(f"{len(leading)} of 18 variants with several seeds lead")
    assert first.endswith(f": {', '.join(leading)}.")
    for name, told in zip(names, [*arms, last], strict=True):
        table = read_table(full / "ablation" / f"{name}.csv")
        assert told.startswith(f"{name}: ")
        groups = dict(part.split(": ", 1) for part in told.removeprefix(f"{name}: ").split("; "))
        for row in table[table["verdict"].notna()].to_dict("records"):
            assert f"{row['arm']} (" in groups[row["verdict"]]


def test_one_winner_one_seed_and_runs_that_diverged(tmp_path: Path) -> None:
    winner = FakeStudy(
        variants=(variant("good", 80.0), variant("bad", 40.0, diverged=(2,))),
        arms=(variant("lost", 50.0, diverged=(0, 1, 2)),),
        ablations={"rate": (("base", "lost"), ("arm", "good"))},
        epochs=2,
    )
    told = findings(spec(winner), make(tmp_path / "winner", winner))
    assert told == [
        "good is better than each other variant with several seeds (2).",
        "Rate: no finished run of the baseline.",
        "Runs that diverged, and are in no mean: 1.",
    ]
    alone = replace(
        winner,
        variants=(variant("good", 80.0, seeds=(0,)), variant("bad", 40.0)),
        arms=(),
        ablations={},
    )
    (said,) = findings(spec(alone), make(tmp_path / "alone", alone))
    assert said.startswith("No difference between variants can be told")
