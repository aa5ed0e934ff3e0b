"""A checkout of its own whose study is complete."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.checkout import Checkout, copy_repository


@pytest.fixture(scope="session")
def built(small_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout whose study is complete."""
    checkout = copy_repository(tmp_path_factory.mktemp("staleness") / "checkout")
    shutil.copytree(small_results, checkout.folder / "results")
    return checkout


@pytest.fixture
def spoilt(built: Checkout, tmp_path: Path) -> Checkout:
    """Return a copy of the complete study that a test may change for good."""
    shutil.copytree(built.folder, tmp_path / "copy", symlinks=True)
    return Checkout(tmp_path / "copy")
