"""The console in a real invocation: the profile sets it, the Snakefile tells it the plan, jobs do not disturb it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.project import REPOSITORY, project_environment

STUDY = """\
name: tiny
results_root: results/tiny
data:
  kind: shapes
  validation: {images: 100, seed: 0}
  shapes: {train_images: 300, test_images: 100, seed: 0}
seeds: {comparison: [0], ablations: [0]}
variants: [resnet_20]
ablations: []
variant_overrides: {resnet_20: {args: {depth: 8}}}
recipe_overrides: {epochs: 1, global_batch: 50, micro_batch: 50, warmup_epochs: 0.5}
"""
MODELS = "results/tiny/comparison/models.csv"


@dataclass(frozen=True)
class Checkout:
    folder: Path

    def snakemake(self, target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        snakefile = str(REPOSITORY / "workflow" / "Snakefile")
        command = [sys.executable, "-m", "snakemake", target, "--snakefile", snakefile]
        profile = ("--profile", "profiles/cpu", "--cores", "1", "--configfile", "tiny.yaml")
        return subprocess.run(
            [*command, *profile, *arguments],
            cwd=self.folder,
            env=project_environment(),
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    folder = tmp_path_factory.mktemp("console") / "project"
    for name in ("config", "profiles"):
        shutil.copytree(REPOSITORY / name, folder / name)
    (folder / "tiny.yaml").write_text(STUDY, encoding="utf-8")
    return Checkout(folder)


@pytest.fixture(scope="module")
def made(checkout: Checkout) -> subprocess.CompletedProcess[str]:
    done = checkout.snakemake(MODELS)
    assert done.returncode == 0, done.stderr
    return done


def test_an_invocation_is_told_from_its_plan_to_its_results(
    checkout: Checkout, made: subprocess.CompletedProcess[str]
) -> None:
    lines = made.stderr.splitlines()
    assert "Study tiny: shapes, protocol uniform, 1 epoch" in lines
    assert "  1 run of 1 network (1 variant compared): 1 not made yet" in lines
    assert any(
        re.match(r"  Forecast: about .* on 1 core, .* core-(?:hours|minutes) \(predicted", each)
        for each in lines
    )
    assert "started  resnet_20 seed 0" in lines
    metrics = (checkout.folder / "results/tiny/runs/resnet_20/seed0/metrics.json").read_text()
    shown = re.search(
        r"resnet_20 seed 0: test top-1 (\d+\.\d\d) %, 0:\d\d \(1 of 1 runs\)", made.stderr
    )
    assert shown and f'"top1": {float(shown[1])}' in metrics
    assert "done     1 comparison" in lines
    assert any(each.startswith("Done in ") for each in lines)
    snakemakes = ("Using profiles", "Config file")
    assert max(len(each) for each in lines if not each.startswith(snakemakes)) <= 100
    assert not re.search(r"^(local)?rule |Job stats|reason:", made.stderr, re.M)
    # Snakemake's own log is as ever.
    (log,) = (checkout.folder / ".snakemake/log").glob("*.log")
    assert "rule train:" in log.read_text()
    assert not list((checkout.folder / "results/tiny/checkpoints").rglob("status.json"))


@pytest.mark.usefixtures("made")
def test_the_second_time_nothing_is_to_be_done(checkout: Checkout) -> None:
    done = checkout.snakemake(MODELS)
    assert "Nothing to do: all that was asked for is current, 1 of 1 runs" in done.stderr
    assert "  1  ResNet-20" in done.stderr or "  1  resnet_20" in done.stderr
    assert not re.search("Done in|Study tiny", done.stderr)


@pytest.mark.usefixtures("made")
def test_a_dry_run_says_why_and_lists_jobs_when_asked(checkout: Checkout) -> None:
    stale = ("-n", "--config", "recipe_overrides={label_smoothing: 0.1}")
    plain = checkout.snakemake(MODELS, *stale)
    assert plain.returncode == 0, plain.stderr
    assert "1 runs" not in plain.stdout
    assert "of resnet_20: recipe.label_smoothing: 0.0 -> 0.1" in plain.stdout
    assert "comparison           what it reads is made again" in plain.stdout
    assert "rule train:" not in plain.stdout
    shown = checkout.snakemake(MODELS, "-p", *stale).stdout
    assert "rule train:" in shown and "scripts/train.py" in shown
    assert "stale: resnet_20/seed0: recipe.label_smoothing: 0.0 -> 0.1" in shown.splitlines()


@pytest.mark.usefixtures("made")
def test_a_question_is_answered_and_nothing_else_is_said(checkout: Checkout) -> None:
    done = checkout.snakemake("why", "--config", f"target={MODELS}")
    assert "is current" in done.stdout
    assert not re.search("Study|started|Done in", done.stderr)


@pytest.mark.usefixtures("made")
def test_a_question_that_cannot_be_answered_is_one_sentence(checkout: Checkout) -> None:
    done = checkout.snakemake("adopt")
    assert done.returncode == 1
    assert "FAILED   adopt: Say why the change is harmless" in done.stderr
    assert not re.search("Traceback|WorkflowError|Error in rule", done.stderr)


def test_a_job_that_fails_is_one_sentence(checkout: Checkout) -> None:
    (checkout.folder / "bad.tar.gz").write_bytes(b"no archive")
    bad = ("results_root=results/bad", 'data={"kind": "cifar100", "archive": "bad.tar.gz"}')
    done = checkout.snakemake("results/bad/data/meta.json", "--config", *bad)
    assert done.returncode == 1
    (failure,) = [each for each in done.stderr.splitlines() if each.startswith("FAILED")]
    assert failure.startswith("FAILED   data set: ") and "bad.tar.gz" in failure
    assert "Log: results/bad/logs/prepare.log" in done.stderr
    assert "Not finished: 1 failed: data set." in done.stderr
    assert not re.search("Traceback|Error in rule|RuleException|CalledProcess", done.stderr)
