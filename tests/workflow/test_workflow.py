"""The workflow, end to end: from drawn data to the deck, and what a person sees on the way."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from pptx import Presentation

from tests.support.project import REPOSITORY, Project, make_project, project_environment
from tests.support.study import COMPARISON, small_study

NOTHING = "Nothing to be done"
DEMO = ("all", "--configfile", "config/demo.yaml")


@pytest.fixture(scope="module")
def built(small_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose study has been built by one command."""
    return make_project(
        tmp_path_factory.mktemp("built") / "project", small_study(), results=small_results
    )


def planned(text: str) -> dict[str, int]:
    """Return {rule: number of jobs} of a dry run's table."""
    table = re.search(r"job +count\n-+ +-+\n(.*?)\ntotal", text, flags=re.DOTALL)
    rows = table.group(1).splitlines() if table else []
    return {row.split()[0]: int(row.split()[1]) for row in rows}


def test_everything_is_there(built: Project) -> None:
    results = built.folder / "results"
    for table in ("models", "families", "pairwise"):
        for suffix in ("csv", "md", "tex"):
            assert (results / "comparison" / f"{table}.{suffix}").stat().st_size > 0
    for ablation in ("eca", "ghost", "attention_position"):
        assert (results / "ablation" / f"{ablation}.csv").is_file()
    assert len(list((results / "figures").glob("*.png"))) == 6
    for suffix in ("svg", "pdf"):
        assert len(list((results / "figures").glob(f"*.{suffix}"))) == 6
    assert not list(results.rglob("*.pt")), "checkpoints go when their run is complete"


def test_nothing_to_do_the_second_time(built: Project) -> None:
    done = built.snakemake("-n", "all")
    assert NOTHING in done.stdout + done.stderr


def test_the_comparison_is_computed_from_the_runs(built: Project) -> None:
    results = built.folder / "results"
    models = pd.read_csv(results / "comparison" / "models.csv").set_index("variant")
    assert set(models.index) == set(COMPARISON)
    for variant in COMPARISON:
        runs = [
            json.loads((results / "runs" / variant / f"seed{seed}" / "metrics.json").read_text())
            for seed in (0, 1)
        ]
        mean = sum(run["test"]["top1"] for run in runs) / 2
        row = models.loc[variant]
        assert row["top1_mean"] == pytest.approx(mean, abs=0.01)
        assert row["seeds"] == 2
        assert row["params_m"] == pytest.approx(runs[0]["params"] / 1e6, rel=1e-3)
        assert row["param_efficiency"] == pytest.approx(mean / (runs[0]["params"] / 1e6), rel=1e-2)
        assert row["latency_ms"] > 0
    expected = models["top1_mean"].rank(ascending=False, method="min")
    assert models["rank"].tolist() == expected.tolist()


def test_an_arm_that_is_the_same_network_is_trained_once(built: Project) -> None:
    results = built.folder / "results"
    trained = {path.name for path in (results / "runs").iterdir()}
    assert "eca_resnet_20_k3" not in trained
    assert "eca_resnet_20_after_conv2" not in trained
    eca = pd.read_csv(results / "ablation" / "eca.csv", keep_default_na=False).set_index("arm")
    assert eca.loc["k=3", "same_network_as"] == "adaptive"
    assert eca.loc["k=3", "top1_mean"] == eca.loc["adaptive", "top1_mean"]
    position = pd.read_csv(results / "ablation" / "attention_position.csv").set_index("arm")
    assert position.loc["before addition", "top1_mean"] == float(eca.loc["adaptive", "top1_mean"])


def test_with_one_seed_nothing_is_significant(built: Project) -> None:
    for table in (built.folder / "results" / "ablation").glob("*.csv"):
        frame = pd.read_csv(table)
        single = frame[frame[["seeds", "baseline_seeds"]].min(axis=1) == 1]
        assert set(single["verdict"].dropna()) <= {"one seed", "same network"}


def test_claims_about_cifar_are_not_tested_on_drawn_images(built: Project) -> None:
    claims = pd.read_csv(built.folder / "results" / "claims" / "claims.csv").set_index("id")
    accuracy = claims[claims["unit"].isin(["percent", "points", "percent_per_million"])]
    assert len(accuracy) > 0
    assert set(accuracy["verdict"]) == {"not tested"}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_deck(built: Project, language: str) -> None:
    slides = built.folder / "results" / "slides"
    deck = Presentation(str(slides / f"deck.{language}.pptx"))
    assert len(deck.slides) >= 10
    numbers = json.loads((slides / "assets" / f"numbers.{language}.json").read_text())
    assert numbers


def test_what_is_open_and_what_would_settle_it(built: Project) -> None:
    done = built.snakemake("power")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(built.folder / "results/power/power.csv")
    pairs = pd.read_csv(built.folder / "results/comparison/pairwise.csv")
    leading = pd.read_csv(built.folder / "results/comparison/models.csv")["group"] != "behind"
    assert (table["kind"] == "pair").sum() <= len(pairs)
    assert leading.any() and len(table) > 0
    # With one seed each, no ablation can be told, and none is given a number.
    arms = table[table["kind"].str.startswith("arm of")]
    assert len(arms) and arms["more_seeds"].isna().all()
    assert "one seed" in done.stdout
    assert "results/power" in done.stdout
    assert "core-hours" in (built.folder / "results/power/power.md").read_text(encoding="utf-8")


def test_the_report_shows_every_figure_and_table(built: Project) -> None:
    page = (built.folder / "results" / "report" / "report.md").read_text()
    pictures = re.findall(r"\]\((\.\./figures/[^)]+)\)", page)
    assert len(pictures) == 6
    for picture in pictures:
        assert (built.folder / "results" / "report" / picture).resolve().is_file()
    assert "not CIFAR-100" in page


def test_another_seed_costs_only_its_runs(built: Project) -> None:
    path = built.folder / "config" / "config.yaml"
    before = path.read_text()
    try:
        built.edit(
            "config/config.yaml", lambda config: config["seeds"].update(comparison=[0, 1, 2])
        )
        done = built.snakemake("-n", "all")
    finally:
        path.write_text(before)
    jobs = planned(done.stdout)
    assert jobs["train"] == len(COMPARISON)
    assert jobs["compare"] == 1
    assert jobs["ablate"] == 3  # the baseline of each has a seed more
    assert "prepare" not in jobs


def test_one_table_needs_only_its_runs(project: Project) -> None:
    done = project.snakemake("-n", "results/ablation/eca.csv")
    assert done.returncode == 0, done.stderr
    # Five networks (adaptive is k = 3) with ten seeds.
    assert planned(done.stdout) == {"download": 1, "prepare": 1, "train": 50, "ablate": 1}


def test_the_paper_study_plans_18_variants(project: Project) -> None:
    done = project.snakemake("-n", "comparison")
    assert done.returncode == 0, done.stderr
    assert (
        planned(done.stdout)["train"] == 18 * 3 + 3 * 7
    )  # three are in ablations too, with ten seeds


@pytest.mark.parametrize("profile", ["cpu", "slurm", "gpu8"])
def test_profiles_plan(project: Project, profile: str) -> None:
    done = project.snakemake("--profile", f"profiles/{profile}", "-n", *DEMO)
    assert done.returncode == 0, done.stderr
    assert planned(done.stdout)["train"] == 18


def test_mistakes_stop_before_any_job(project: Project) -> None:
    def spoil(config: dict[str, object]) -> None:
        config["protocoll"] = "fast"
        config["variants"] = ["resnet_20", "resnet_20x"]

    project.edit("config/config.yaml", spoil)
    project.edit("config/ablations.yaml", lambda content: content["eca"].update(baseline="nnone"))
    done = project.snakemake("all")
    assert done.returncode != 0
    assert (
        "config/config.yaml: protocoll is not a known key (did you mean 'protocol'?)" in done.stderr
    )
    assert "Traceback" not in done.stderr
    assert not (project.folder / "results").exists()


def test_all_cross_mistakes_at_once(project: Project) -> None:
    project.edit("config/config.yaml", lambda config: config.update(variants=["resnet_20x"]))
    project.edit("config/ablations.yaml", lambda content: content["eca"].update(baseline="nnone"))
    done = project.snakemake("-n", "all")
    assert "variants[0] is 'resnet_20x'" in done.stderr
    assert "eca.baseline is 'nnone' (did you mean 'none'?)" in done.stderr


def test_a_network_that_cannot_be_built_is_named_before_any_job(project: Project) -> None:
    project.edit(
        "config/models.yaml", lambda models: models["resnet_20"].update(args={"depth": 21})
    )
    done = project.snakemake("-n", *DEMO)
    assert done.returncode != 0
    assert "variant resnet_20" in done.stderr
    assert "depth" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_archive_that_is_not_there(project: Project) -> None:
    project.edit(
        "config/config.yaml", lambda config: config["data"].update(archive="missing.tar.gz")
    )
    done = project.snakemake("all")
    assert done.returncode != 0
    assert "'missing.tar.gz' does not exist" in done.stderr + done.stdout
    # The demo does not need it.
    assert project.snakemake("-n", *DEMO).returncode == 0


def test_an_archive_of_ones_own(project: Project) -> None:
    archive = project.folder / "cifar.tar.gz"
    archive.write_bytes(b"not an archive")
    project.edit("config/config.yaml", lambda config: config["data"].update(archive="cifar.tar.gz"))
    done = project.snakemake("results/data/meta.json")
    assert done.returncode != 0
    assert "md5" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.folder / "results" / "data" / "meta.json").exists()


def test_a_killed_study_goes_on_where_it_was(tmp_path: Path) -> None:
    study = small_study({"recipe_overrides": {"epochs": 6}, "checkpoint_minutes": 0})
    project = make_project(tmp_path / "project", study)
    target = "results/runs/resnet_20/seed0/metrics.json"
    command = project.command(target)
    process = subprocess.Popen(
        command, cwd=project.folder, env=project_environment(), stderr=subprocess.DEVNULL
    )
    folder = project.folder / "results" / "checkpoints" / "resnet_20" / "seed0"
    deadline = time.monotonic() + 120
    while not list(folder.glob("step-*.pt")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert project.snakemake("--unlock").returncode == 0
    done = project.snakemake("--rerun-incomplete", target)
    assert done.returncode == 0, done.stderr
    log = project.folder / "results" / "logs" / "train" / "resnet_20" / "seed0.log"
    assert "resumed at step" in log.read_text()
    history = pd.read_csv((project.folder / target).with_name("history.csv"))
    assert list(history["epoch"]) == [1, 2, 3, 4, 5, 6]


def test_conda_environment_has_the_bounds_of_the_package() -> None:
    import tomllib  # noqa: PLC0415

    package = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    environment = yaml.safe_load((REPOSITORY / "workflow" / "envs" / "bakeoff.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == package["project"]["dependencies"]
