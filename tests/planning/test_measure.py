"""Measuring a machine and its networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bakeoff.files import write_json
from bakeoff.planning.calibration import Calibration
from bakeoff.planning.measure import calibrate, count_operations, micro_batch_seconds, power_limit
from tests.support.plans import WORK
from tests.support.runs import SPEC, spec_with

# Measuring


def test_a_step_of_a_deeper_network_takes_longer() -> None:
    import torch  # noqa: PLC0415

    work = replace(WORK, global_batch=100, micro_batch=25, images=400)
    cpu = torch.device("cpu")
    shallow = micro_batch_seconds(SPEC, work, cpu)
    deep = micro_batch_seconds(spec_with(model={"args": {"depth": 32}}), work, cpu)
    assert 1.5 * shallow < deep < 30 * shallow


def test_operations_are_those_of_the_network() -> None:
    shallow, deep = (
        count_operations(spec_with(model={"args": {"depth": depth}})["model"], 100, 32)
        for depth in (8, 14)
    )
    # Three blocks more: each at least two convolutions, two norms, two activations and a sum.
    assert deep >= shallow + 3 * 7


def test_what_was_measured_is_kept_until_the_network_changes(tmp_path: Path) -> None:
    folder = tmp_path / "specs" / "runs"
    write_json(folder / "a.json", SPEC)
    write_json(folder / "b.json", SPEC)
    both = {name: replace(WORK, variant=name, micro_batch=25) for name in "ab"}
    first = calibrate(tmp_path, both, "cpu", Calibration("cpu"))
    assert first.seconds.keys() == {"a", "b"}
    write_json(folder / "b.json", spec_with(model={"args": {"depth": 14}}))
    # Without any time nothing new is measured.
    kept = calibrate(tmp_path, both, "cpu", first, budget=0.0)
    assert kept.seconds == {"a": first.seconds["a"]}
    elsewhere = calibrate(tmp_path, both, "cpu", replace(first, device="another"), budget=0.0)
    assert elsewhere.seconds == {}


def test_the_power_limit_is_what_the_driver_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert power_limit() is None
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho 250.00\necho 300.00\n")
    driver.chmod(0o755)
    assert power_limit() == 250.0
    driver.write_text("#!/bin/sh\necho '[N/A]'\n")
    assert power_limit() is None
