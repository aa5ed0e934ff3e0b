"""`config/examples` has an overlay for each kind of data, and each says how it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakeoff.data.kinds import kind_names
from bakeoff.study.study import load_study
from bakeoff.workflow import load_layers
from tests.support.project import REPOSITORY

EXAMPLES = REPOSITORY / "config" / "examples"


@pytest.mark.parametrize("kind", kind_names())
def test_each_kind_of_data_has_an_example_that_is_a_study(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    file = Path("config/examples") / f"{kind}.yaml"
    study = load_study(load_layers([file], {}))
    assert study.data.kind == kind
    # Beside the results of the default study, not in them.
    assert study.root.startswith("results/") and study.root != "results/"
    first = file.read_text(encoding="utf-8").splitlines()
    (command,) = (line for line in first[:3] if "snakemake" in line)
    assert command.endswith(f"--configfile {file}")
    profile = command.split("--profile ")[1].split()[0]
    assert (REPOSITORY / profile).is_dir()


def test_there_is_no_example_of_nothing() -> None:
    assert {file.stem for file in EXAMPLES.iterdir()} == set(kind_names())
