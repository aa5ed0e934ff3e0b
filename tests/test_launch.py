"""How a run is started: GPUs, processes, signals; and what the workflow asks of Slurm, without a Slurm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakeoff.errors import UserError
from bakeoff.launch import slurm
from bakeoff.launch.slurm import JOB_PREFIX, Job, check_no_job_is_left, jobs_left
from conftest import REPOSITORY, make_project, project_environment
from runs import SPEC, train_command

STAND_INS = REPOSITORY / "profiles" / "slurm" / "bin"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is first on PATH, for commands that a machine may not have."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def add_command(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


# --- signals

# Below a process that relays: one that is told by the launcher's name only, and below it one that trains.
FAMILY = """
import signal, subprocess, sys, threading
from bakeoff.launch.slurm import relay_signals

CHILD = '''
import signal, subprocess, sys
name, *below = sys.argv[1:]
def told(number, _):
    print(name, signal.Signals(number).name, flush=True)
signal.signal(signal.SIGUSR1, told)
signal.signal(signal.SIGTERM, told)
if below:
    subprocess.Popen([sys.executable, "-c", sys.argv[0], *below]) if False else None
print(name, "ready", flush=True)
while True:
    signal.pause()
'''
"""


def test_the_jobs_of_the_profile_have_the_name_by_which_they_are_recognised() -> None:
    profile = yaml.safe_load((REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text())
    assert profile["slurm-jobname-prefix"] == JOB_PREFIX
