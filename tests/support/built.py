"""Studies that are built once in a session of tests, whichever worker asks first, and copied by whoever wants one."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.project import Project, make_project
from tests.support.study import small_study


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that `make` has filled once for all workers; it is to be copied, and never changed."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, complete = shared / name, shared / f"{name}.complete"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            complete.touch()
    return folder


def build(project: Project, *targets: str) -> Project:
    """Make targets of a project, and return it."""
    done = project.snakemake(*targets)
    assert done.returncode == 0, done.stderr
    return project


def build_small_study(folder: Path) -> None:
    """Make a project in `folder`, and all of its small study."""
    build(make_project(folder, small_study()), "all")
