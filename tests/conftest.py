"""What all tests share: one thread for each process, and a project that a test may spoil."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.built import build_small_study, once
from tests.support.project import REPOSITORY, Project, make_project

# Two cores are all that a test may count on, and each process takes one.
os.environ["OMP_NUM_THREADS"] = "1"

# The longest files start first, so that no worker is left with one at the end. The first makes the small study, beside
# which the second does not wait for it.
FIRST = (
    "jobs/test_edits.py",
    "training/test_reproducible.py",
    "training/test_training.py",
    "workflow/test_documented_commands.py",
    "models/test_interface.py",
    "workflow/test_callers.py",
    "workflow/test_workflow.py",
    "training/test_rehearsal.py",
    "models/test_families.py",
    "planning/test_plan.py",
    "workflow/test_weights.py",
    "jobs/test_additions.py",
    "jobs/test_adopt.py",
    "provenance/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files in the order in which `--dist loadfile --no-loadscope-reorder` gives them to workers."""

    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(REPOSITORY / "tests").as_posix()
        return next(
            (place for place, first in enumerate(FIRST) if file.startswith(first)), len(FIRST)
        )

    items.sort(key=place)


@pytest.fixture(scope="session")
def small_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the complete results of the small study, to be copied: results are current wherever they lie."""
    return once(tmp_path_factory, "small_study", build_small_study) / "results"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a fresh project with the configuration as it is committed."""
    return make_project(tmp_path / "project")
