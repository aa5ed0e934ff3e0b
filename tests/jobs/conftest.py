"""A checkout of its own whose study is built once."""

from __future__ import annotations

import pytest

from tests.support.checkout import Checkout, copy_repository


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout whose study is complete."""
    checkout = copy_repository(tmp_path_factory.mktemp("staleness") / "checkout")
    done = checkout.snakemake("all")
    assert done.returncode == 0, done.stderr
    return checkout
