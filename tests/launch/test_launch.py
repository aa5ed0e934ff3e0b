"""How a run is started: GPUs, processes, signals; and what the workflow asks of Slurm, without a Slurm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bakeoff.errors import UserError
from bakeoff.launch.slurm import JOB_PREFIX, Queue, SlurmJob, check_no_job_is_left, jobs_left
from tests.support.project import REPOSITORY, make_project, project_environment
from tests.support.runs import prepare_data, spec_with, train_command
from tests.support.study import ONE_RUN, small_study

STAND_INS = REPOSITORY / "profiles" / "slurm" / "bin"
AddCommand = Callable[[str, str], None]


@pytest.fixture
def add_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AddCommand:
    """Return a function that puts a command before all others of its name."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def add(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return add


# --- GPUs and processes


def train_on_cpu(
    folder: Path, *options: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Train with GPUs that do not exist, and the CPU in their place."""
    data = prepare_data(folder)
    locks = {"BAKEOFF_LOCKS": str(folder / "locks")}
    return subprocess.run(
        train_command(spec_with({"epochs": 1}), data, folder, *options),
        cwd=REPOSITORY,
        env={**project_environment(), **locks, "BAKEOFF_DEVICE": "cpu", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_cpu_stands_in_for_leased_gpus(tmp_path: Path) -> None:
    done = train_on_cpu(tmp_path, "--gpus", "2", CUDA_VISIBLE_DEVICES="7,3,5")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert (metrics["processes"], metrics["gpu_hours"]) == (2, 0)
    assert provenance["allocation"] == {"visible_devices": "7,3", "slurm_job": None}
    assert "CUDA_VISIBLE_DEVICES=7,3\n" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CUDA_VISIBLE_DEVICES": "4"}, r"given 2 GPU(s), but it may use only 1: 4"),
        ({"BAKEOFF_DEVICE": "tpu"}, "BAKEOFF_DEVICE is 'tpu', expected 'cpu' or nothing"),
    ],
)
def test_what_cannot_be_had_is_said_before_anything_starts(
    tmp_path: Path, environment: dict[str, str], message: str
) -> None:
    done = train_on_cpu(tmp_path, "--gpus", "2", **environment)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_runs_of_one_server_have_different_gpus(tmp_path: Path) -> None:
    study = small_study(
        ONE_RUN, {"seeds": {"comparison": [0, 1]}, "recipe_overrides": {"epochs": 5}}
    )
    project = make_project(tmp_path / "project", study)
    runs = [f"results/runs/resnet_20/seed{seed}" for seed in (0, 1)]
    done = project.snakemake(
        *("--profile", "profiles/gpu8", "--cores", "2", "--resources", "gpu=2", "--"),
        *(f"{run}/metrics.json" for run in runs),
        BAKEOFF_DEVICE="cpu",
        BAKEOFF_LOCKS=str(tmp_path / "locks"),
        CUDA_VISIBLE_DEVICES="4,6",
    )
    assert done.returncode == 0, done.stderr
    provenances = [
        json.loads((project.folder / run / "provenance.json").read_text()) for run in runs
    ]
    # One after the other, both would have had the first.
    assert {each["allocation"]["visible_devices"] for each in provenances} == {"4", "6"}


# --- signals

# A process that relays, one that it has started, and one that this has started in turn.
FAMILY = """
import os, signal, subprocess, sys
from bakeoff.launch.slurm import relay_signals

generation = int(sys.argv[1])
def tell(number, frame):
    # In one write: three processes share this pipe, and print() writes the line's end by itself.
    os.write(1, f"{generation} {signal.Signals(number).name}\\n".encode())
if generation == 0:
    relay_signals()
    # Snakemake sets its handler after the workflow has been read.
    signal.signal(signal.SIGTERM, tell)
else:
    signal.signal(signal.SIGUSR1, tell)
    signal.signal(signal.SIGTERM, tell)
if generation < 2:
    child = subprocess.Popen([sys.executable, __file__, str(generation + 1)])
else:
    print("ready", flush=True)
while sys.stdin.readline():
    pass
"""


def test_signals_reach_what_runs_below_snakemake(tmp_path: Path) -> None:
    (tmp_path / "family.py").write_text(FAMILY)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "family.py"), "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as oldest:
        assert oldest.stdout is not None
        assert oldest.stdout.readline() == "ready\n"
        oldest.send_signal(signal.SIGUSR1)
        assert {oldest.stdout.readline() for _ in range(2)} == {"1 SIGUSR1\n", "2 SIGUSR1\n"}
        oldest.send_signal(signal.SIGTERM)
        told = {oldest.stdout.readline() for _ in range(3)}
        assert told == {"0 SIGTERM\n", "1 SIGTERM\n", "2 SIGTERM\n"}
    assert oldest.returncode == 0


# --- jobs that an earlier Snakemake has left in the queue


def test_only_our_jobs_in_this_folder_count(tmp_path: Path, add_command: AddCommand) -> None:
    queue = (
        f"12|RUNNING|bakeoff_1f0e|rule_train_wildcards_x_0|{tmp_path}",
        "13|PENDING|bakeoff_1f0e|rule_train_wildcards_x_1|/another/folder",
        f"14|RUNNING|interactive||{tmp_path}",
        f"15|PENDING|bakeoff_77aa||{tmp_path}",
        "",
    )
    add_command("squeue", "\n".join(f"echo '{line}'" for line in queue))
    assert jobs_left(tmp_path) == [
        SlurmJob("12", "RUNNING", "rule_train_wildcards_x_0"),
        SlurmJob("15", "PENDING"),
    ]
    with pytest.raises(UserError, match=r"12 \(running\), 15 \(pending\).* scancel 12 15"):
        check_no_job_is_left(tmp_path)


def test_the_queue_is_asked_rarely_and_knows_jobs_by_their_comment(
    tmp_path: Path, add_command: AddCommand
) -> None:
    add_command("squeue", f"echo '7|PENDING|bakeoff_1|rule_train_wildcards_x_0|{tmp_path}'")
    queue = Queue(tmp_path)
    found = {"rule_train_wildcards_x_0": SlurmJob("7", "PENDING", "rule_train_wildcards_x_0")}
    assert queue() == found
    add_command("squeue", "exit 1")
    assert queue() == found


def test_a_machine_whose_slurm_does_not_answer_has_no_jobs(
    tmp_path: Path, add_command: AddCommand
) -> None:
    add_command("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
    check_no_job_is_left(tmp_path)


def test_jobs_have_the_name_by_which_they_are_recognised() -> None:
    profile = yaml.safe_load((REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text())
    assert profile["slurm-jobname-prefix"] == JOB_PREFIX


# --- how Snakemake's plugin asks for the states of its jobs


def ask(command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{STAND_INS}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [STAND_INS / command, *arguments],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_job_that_was_preempted_for_good_is_over(add_command: AddCommand) -> None:
    add_command("squeue", "echo '7|PREEMPTED'; echo '8|RUNNING'; echo \"9|$*\"")
    done = ask("squeue", "--name", "bakeoff_x")
    assert done.stdout.splitlines() == ["7|CANCELLED", "8|RUNNING", "9|--name bakeoff_x"]


def test_a_queue_that_does_not_answer_is_not_taken_for_an_empty_one(
    add_command: AddCommand,
) -> None:
    add_command("squeue", "exit 3")
    assert ask("squeue").returncode == 3


def test_accounts_are_asked_where_they_are_kept(add_command: AddCommand) -> None:
    add_command("sacct", 'echo "1|$*"')
    add_command("squeue", "exit 1")
    assert ask("sacct", "-X", "--name", "bakeoff_x").stdout.strip() == "1|-X --name bakeoff_x"


def test_where_no_accounts_are_kept_the_queue_is_asked(add_command: AddCommand) -> None:
    add_command("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    add_command("squeue", 'echo "1|COMPLETED"; echo "2|$*"')
    done = ask("sacct", "-X", "--parsable2", "--name", "bakeoff_x")
    assert done.stdout.splitlines() == [
        "1|COMPLETED",
        "2|--noheader --states=all --format=%i|%T --name bakeoff_x",
    ]
    assert (ask("sacct", "-nu", "me").stdout, ask("sacct", "-nu", "me").returncode) == ("", 0)
    add_command("squeue", "exit 1")
    assert ask("sacct", "--name", "bakeoff_x").returncode == 1
