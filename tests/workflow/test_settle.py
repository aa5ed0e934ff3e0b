"""A study that grows: `settle` adds seeds in rounds, within its budget, and what it has added stays."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pandas as pd
import pytest

from tests.support.project import Project, make_project, project_environment
from tests.support.study import small_study

GROWING = {
    "variants": ["resnet_20", "eca_resnet_20"],
    "ablations": [],
    "seeds": {"comparison": [0, 1]},
    "settle": {"questions": ["top"], "gpu_hours": 1.0, "rounds": 2},
}
COMPARISON = "results/comparison/pairwise.csv"


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project of which one pair is just open: the margin is a little less than what is shown."""
    folder = tmp_path_factory.mktemp("growing") / "project"
    project = make_project(folder, small_study(GROWING, {"margin": 50.0}))
    done = project.snakemake("settle")
    assert done.returncode == 0, done.stderr
    assert "Settled: nothing that was asked is open any more (0 of 2 rounds" in done.stdout
    shown = float(pair(project)["equivalent_within"])
    project.edit("config/config.yaml", lambda config: {**config, "margin": round(0.9 * shown, 3)})
    return project


def pair(project: Project) -> pd.Series[Any]:
    return pd.read_csv(project.folder / COMPARISON).iloc[0]


def settled(project: Project, **change: Any) -> dict[str, Any]:
    """Lay `change` over the part `settle` of the configuration and return it as it was."""
    before: dict[str, Any] = {}

    def lay(config: dict[str, Any]) -> None:
        before.update(config["settle"])
        config["settle"] = {**config["settle"], **change}

    project.edit("config/config.yaml", lay)
    return before


def test_seeds_are_added_until_it_is_settled(growing: Project) -> None:
    record = growing.folder / "results/settle/rounds.json"
    before = settled(growing, gpu_hours=1e-9)
    done = growing.snakemake("settle")
    assert "The budget is spent: 1 still open" in done.stdout, done.stderr
    assert not record.exists()
    assert pair(growing)["verdict"] == "cannot tell"
    settled(growing, **before)

    command = [sys.executable, "-m", "bakeoff", "settle", *growing.arguments()]
    done = subprocess.run(
        command,
        cwd=growing.folder,
        env=project_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Round 1 of 2: " in done.stdout
    recorded = json.loads(record.read_text())
    assert recorded["looks"] == 3
    added: dict[str, list[int]] = {}
    for each in recorded["rounds"]:
        for name, seeds in each["added"].items():
            added.setdefault(name, []).extend(seeds)
    for name in ("resnet_20", "eca_resnet_20"):
        # The smallest that were free, all of them trained and in the tables.
        assert added[name] == list(range(2, 2 + len(added[name])))
        assert (
            growing.folder / f"results/runs/{name}/seed{added[name][-1]}/metrics.json"
        ).is_file()
    assert pair(growing)["seeds_a"] == 2 + len(added["resnet_20"])
    last = done.stdout.strip().splitlines()[-2]
    assert last.startswith(("Settled: ", "All rounds are done: ")), done.stdout
    table = pd.read_csv(growing.folder / "results/settle/rounds.csv")
    assert table["added"].sum() == 2 * len(added["resnet_20"])
    caption = (growing.folder / "results/comparison/pairwise.md").read_text(encoding="utf-8")
    assert "judged up to 3 times" in caption and "98.33" in caption


def test_what_was_added_stays_whatever_the_configuration_says_later(growing: Project) -> None:
    file = growing.folder / "config/config.yaml"
    text = file.read_text(encoding="utf-8")
    try:
        growing.edit("config/config.yaml", lambda config: config.pop("settle") and None)
        done = growing.snakemake("-n", "comparison")
        assert "Nothing to be done" in done.stdout + done.stderr
        done = growing.snakemake("settle")
        assert done.returncode != 0
        assert "Add settle: {gpu_hours: 20} to it" in done.stderr
    finally:
        file.write_text(text, encoding="utf-8")
    settled(growing, rounds=5)
    done = growing.snakemake("-n", "comparison")
    assert "settle.rounds is 5, but results/settle/rounds.json" in done.stderr
    assert "begun with 2" in done.stderr and "Traceback" not in done.stderr
    settled(growing, rounds=2)
