"""The CUDA path of training on a device that is not there (tests/support/emulated_cuda.py): numbers are the CPU's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.emulation import compile_stub, emulated, missing

REASON = missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_stub(tmp_path_factory.mktemp("stub"))


def test_a_run_writes_its_files(library: Path, tmp_path: Path) -> None:
    outcome = emulated(library, "whole", "policy, erased", tmp_path)
    wanted = {
        "history.csv",
        "metrics.json",
        "model.safetensors",
        "predictions.npz",
        "provenance.json",
    }
    assert wanted <= set(outcome["files"])
    assert outcome["precision"] == "fp16"
    assert outcome["device"] == "Tesla V100 (emulated)"


@pytest.mark.parametrize("recipe", ["sgd", "adamw, mixed, averaged"])
def test_a_stopped_run_and_recorded_micro_batches_have_the_same_bits(
    recipe: str, library: Path, tmp_path: Path
) -> None:
    outcome = emulated(library, "same", recipe, tmp_path)
    assert outcome["resumed_at"] == 3
    assert outcome["sizes_recorded"] == [25]
    assert outcome["resumed_equal"]
    assert outcome["recorded_equal"]


def test_a_step_waits_for_nothing_and_launches_little_of_its_own(
    library: Path, tmp_path: Path
) -> None:
    plain = emulated(library, "count", "sgd", tmp_path)
    assert plain["waits"] == {}
    assert plain["launches"]["engine"] <= 46
    # As runs are unless cuda_graphs is false: the graph is one more.
    replayed = emulated(library, "count with graphs", "sgd", tmp_path)
    assert replayed["waits"] == {}
    assert replayed["launches"].keys() == {"engine"}
    assert replayed["launches"]["engine"] <= 34


@pytest.mark.slow
def test_every_variant_takes_a_step(library: Path, tmp_path: Path) -> None:
    outcome = emulated(library, "variants", "adamw, mixed, averaged", tmp_path)
    assert len(outcome) == 18
    for name, counts in outcome.items():
        assert counts["launches"]["forward"] > 0, name
        assert counts["waits"] == {}, name
