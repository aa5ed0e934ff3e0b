"""A kind of data in a user's own file: `data.kind: path/to/file.py:Class`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.project import REPOSITORY, Project, make_project

STUDY = {
    "variants": ["resnet_20"],
    "ablations": [],
    "seeds": {"comparison": [0], "ablations": [0]},
    "recipe_overrides": {"epochs": 1, "global_batch": 8, "micro_batch": 8},
}


def example() -> str:
    """Return the class that docs/own-data.md shows."""
    text = (REPOSITORY / "docs" / "own-data.md").read_text(encoding="utf-8")
    (code,) = (part for part in text.split("```python\n")[1:] if "DataConfig" in part)
    return code.partition("```")[0]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path / "project")
    (made.folder / "mine").mkdir()
    (made.folder / "mine/scans.py").write_text(example())
    rng = np.random.default_rng(0)
    np.save(made.folder / "scans.npy", rng.integers(0, 256, (90, 20, 20), np.uint8))
    return made


def given(kind: str = "mine/scans.py:Scans", **data: object) -> list[str]:
    settings = {"kind": kind, "path": "scans.npy", "image_size": 16, "validation": {"images": 6}}
    return [
        *(f"{key}={json.dumps(value)}" for key, value in STUDY.items()),
        f"data={json.dumps(settings | data)}",
    ]


def test_the_class_of_the_documentation_reads_a_users_own_files(project: Project) -> None:
    run = "results/runs/resnet_20/seed0/metrics.json"
    done = project.snakemake(run, "results/data_card/data_card.md", "--config", *given())
    assert done.returncode == 0, done.stdout + done.stderr
    meta = json.loads((project.folder / "results/data/meta.json").read_text())
    assert (meta["kind"], meta["name"]) == ("mine/scans.py:Scans", "scans")
    assert (meta["classes"], meta["train_images"], meta["test_images"]) == (
        ["left", "right"],
        60,
        30,
    )
    card = (project.folder / "results/data_card/data_card.md").read_text(encoding="utf-8")
    assert card.startswith("# Data card: my scans") and "| left | 27 | 3 | 15 |" in card
    assert (project.folder / "results/data_card/data_card.png").stat().st_size > 5000
    again = project.snakemake("-n", run, "--config", *given())
    assert "Nothing to be done" in again.stdout + again.stderr
    # The class is code of the data: another class makes other data.
    with (project.folder / "mine/scans.py").open("a") as file:
        file.write("\nMORE = 1\n")
    changed = project.snakemake("-n", run, "--config", *given())
    assert "mine/scans.py" in changed.stdout + changed.stderr
    wrong = project.snakemake("-n", run, "--config", *given(reversed="many"))
    assert wrong.returncode == 2
    assert 'data.reversed is "many", expected true or false' in wrong.stderr


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("mine/none.py:Scans", None, "There is no file mine/none.py, which data.kind names."),
        ("mine/scans.py:Scan", None, "the file mine/scans.py has no class 'Scan'"),
        ("mine/bad.py:Scans", "1 / 0", "mine/bad.py fails when it is imported: ZeroDivisionError"),
        ("mine/bad.py:Scans", "class Scans: pass", "no class 'Scans' made of bakeoff.data.config"),
        (
            "mine/bad.py:Scans",
            "from bakeoff.data.config import DataConfig\nclass Scans(DataConfig): pass",
            "has no TITLE, which says what to call the data",
        ),
        ("mine/scans:Scans", None, 'data.kind is "mine/scans:Scans", expected one of "cifar10"'),
    ],
)
def test_what_is_wrong_with_a_users_kind_is_told_in_a_sentence(
    project: Project, kind: str, code: str | None, words: str
) -> None:
    if code is not None:
        (project.folder / "mine/bad.py").write_text(code)
    done = project.snakemake("-n", "all", "--config", *given(kind))
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
