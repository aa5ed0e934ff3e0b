"""Work, predictions, and how measurements correct them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bakeoff.data.config import DataConfig
from bakeoff.planning.allocation import (
    possible_widths,
)
from bakeoff.planning.calibration import Calibration, calibrated
from bakeoff.planning.history import Prediction, outcomes, summary_of_errors, work_digest
from bakeoff.planning.machine import CORE, V100
from bakeoff.planning.measured import Finished, corrected
from bakeoff.planning.prediction import Predictor
from bakeoff.planning.work import Work, split_sizes
from bakeoff.training.batches import cut_epoch
from tests.support.plans import WORK

# Work and predictions


@pytest.mark.parametrize(
    ("images", "global_batch", "micro_batch"),
    [(45_000, 1024, 128), (45_000, 128, 128), (400, 1024, 128), (4_000, 64, 64), (1_000, 96, 25)],
)
def test_work_cuts_epochs_as_the_engine_does(
    images: int, global_batch: int, micro_batch: int
) -> None:
    work = replace(WORK, images=images, global_batch=global_batch, micro_batch=micro_batch)
    steps = cut_epoch(images, global_batch, micro_batch)
    assert work.steps == len(steps)
    assert work.micro_batches == max(len(step.micro_batches) for step in steps)


def sizes(data: dict[str, Any]) -> tuple[int, int]:
    return split_sizes(DataConfig.model_validate(data))


def test_images_are_those_of_the_split_without_what_is_held_out() -> None:
    held_out = {"images": 500, "seed": 0}
    shapes = {"kind": "shapes", "shapes": {"train_images": 4_500}, "validation": held_out}
    archive = {"kind": "cifar100", "validation": held_out, "limit": {"train": 10_000}}
    assert sizes(shapes) == (4_000, 500)
    assert sizes(archive) == (9_500, 500)
    assert sizes({**archive, "limit": {"train": None}}) == (49_500, 500)


def test_images_of_an_archive_of_ones_own_are_guessed_from_its_size(tmp_path: Path) -> None:
    file = tmp_path / "own.tar.gz"
    with file.open("wb") as stream:
        stream.truncate(34_776_303)  # of a sample with 11,000 training and 2,000 test images
    own = {
        "kind": "cifar100",
        "archive": str(file),
        "md5": "0" * 32,
        "validation": {"images": 1_000},
    }
    images, held_out = sizes(own)
    assert held_out == 1_000
    assert images + held_out == pytest.approx(11_000, rel=0.1)
    assert sum(sizes({**own, "archive": str(tmp_path / "not yet there")})) == 50_000
    assert sum(sizes({**own, "md5": None})) == 50_000


def test_a_prediction_is_the_formula_of_the_documentation() -> None:
    machine = replace(V100, macs_per_s=1e12, exchange_bytes_per_s=1e9, start_up_seconds=7.0)
    predictor = Predictor(machine, operations={"large": 1})
    micro_batch = 3 * WORK.macs * (45_000 / 44 / 8) / 1e12
    exchange = 4 * WORK.params * 2 * (3 / 4) / 1e9
    step = 2 * micro_batch + exchange
    # 5,000 images held out are 40 micro-batches, ten on each of four devices.
    epoch = 44 * step + 10 * micro_batch / 3
    assert predictor.seconds(WORK, 4) == pytest.approx(200 * epoch + 7.0)


def test_a_small_network_takes_the_time_to_launch_it() -> None:
    small = replace(WORK, variant="small", macs=1_000_000)
    predictor = Predictor(V100, operations={"small": 133})
    assert predictor.seconds_per_micro_batch(small) == 133 * V100.seconds_per_operation
    assert predictor.seconds_per_micro_batch(WORK) > 133 * V100.seconds_per_operation


def test_more_devices_than_micro_batches_do_not_help() -> None:
    one = replace(WORK, global_batch=128)
    assert Predictor(V100).seconds(one, 2) > Predictor(V100).seconds(one, 1)
    assert possible_widths(one, V100, 8) == (1,)
    assert possible_widths(WORK, V100, 8) == (1, 2, 4, 8)
    assert possible_widths(WORK, V100, 6) == (1, 2, 4)
    assert possible_widths(WORK, V100, 32) == (1, 2, 4, 8), "a run stays on one server"
    assert possible_widths(WORK, CORE, 8) == (1,)
    assert possible_widths(WORK, V100, 8, gpus=8) == (8,)
    assert possible_widths(WORK, V100, 2, gpus=8) == (2,)


def test_calibration_moves_predictions_of_what_was_not_measured() -> None:
    """A device twice as slow in both ways, known from one variant of each sort."""
    all_works = {
        name: replace(WORK, variant=name, macs=macs)
        for name, macs in (("big", 4_000_000_000), ("tiny", 1_000_000), ("other", 2_000_000_000))
    }
    operations = {"big": 10, "tiny": 100, "other": 10}
    plain = Predictor(V100, operations)
    seconds = {name: 2 * plain.seconds_per_micro_batch(all_works[name]) for name in ("big", "tiny")}
    predictor = calibrated(Calibration("gpu", "A", 250.0, seconds, operations), all_works)
    assert predictor.seconds_per_micro_batch(all_works["tiny"]) == seconds["tiny"]
    assert predictor.seconds_per_micro_batch(all_works["other"]) == pytest.approx(
        2 * plain.seconds_per_micro_batch(all_works["other"])
    )
    assert predictor.machine.seconds_per_operation == pytest.approx(2 * V100.seconds_per_operation)
    assert (predictor.machine.device, predictor.machine.watts) == ("A", 250.0)
    assert predictor.basis(all_works["big"]) == "calibration"
    assert predictor.basis(all_works["other"]) == "model"


def finished_run(work: Work, predictor: Predictor, slower: float, **changes: Any) -> Finished:
    """Return a run that took `slower` times what `predictor` says."""
    run = Finished(
        variant=work.variant,
        seed=0,
        kind=predictor.machine.kind,
        device="A",
        processes=1,
        macs=work.macs,
        seconds=slower * predictor.training_seconds(work, 1),
        images_per_s=predictor.images_per_s(work, 1) / slower,
    )
    return replace(run, **changes)


def test_finished_runs_correct_predictions() -> None:
    other = replace(WORK, variant="other")
    plain = Predictor(V100)
    both = {"large": WORK, "other": other}
    predictor = corrected(plain, both, [finished_run(WORK, plain, 1.5)])
    assert predictor.training_seconds(WORK, 1) * predictor.factor(WORK) == pytest.approx(
        1.5 * plain.training_seconds(WORK, 1)
    )
    # On two GPUs too, and for a variant of which nothing is known.
    assert predictor.seconds(WORK, 2) > 1.4 * plain.seconds(WORK, 2)
    assert predictor.factor(other) == pytest.approx(1.5)
    assert (predictor.basis(WORK), predictor.basis(other)) == ("finished runs", "model")


@pytest.mark.parametrize("change", [{"kind": "cpu"}, {"device": "B"}, {"macs": 1}])
def test_runs_of_another_device_or_network_correct_nothing(change: dict[str, Any]) -> None:
    plain = Predictor(replace(V100, device="A"))
    run = finished_run(WORK, plain, 3.0, **change)
    assert corrected(plain, {"large": WORK}, [run]).factor(WORK) == 1.0


def test_past_predictions_are_judged_only_if_they_were_for_the_same_work() -> None:
    plain = Predictor(V100)
    run = finished_run(WORK, plain, 1.2)
    seconds = plain.training_seconds(WORK, 1)
    prediction = Prediction("gpu", 1, seconds, work_digest(WORK))
    (outcome,) = outcomes({"large/seed0": prediction}, [run], {"large": WORK})
    assert outcome.error == pytest.approx(0.2)
    errors = summary_of_errors([outcome, replace(outcome, measured=0.9 * seconds)])
    assert errors is not None
    assert errors["runs"] == 2
    assert errors["largest_error_pct"] == pytest.approx(20)
    assert errors["median_absolute_error_pct"] == pytest.approx(15)
    shorter = {"large": replace(WORK, epochs=100)}
    assert outcomes({"large/seed0": prediction}, [run], shorter) == []
    assert outcomes({"large/seed0": replace(prediction, gpus=2)}, [run], {"large": WORK}) == []
    assert summary_of_errors([]) is None
