"""What all tests share: one thread for each process, and a project that a test may spoil."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.project import Project, make_project

# Two cores are all that a test may count on, and each process takes one.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a fresh project with the configuration as it is committed."""
    return make_project(tmp_path / "project")
