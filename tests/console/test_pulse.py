"""What a run at work says of itself, for whoever looks."""

from __future__ import annotations

from pathlib import Path

from bakeoff.support.progress import Pulse
from bakeoff.support.status import STATUS, first_pulse, read_pulse

# Resumed at step 10 of 40; 5 epochs of 80 images.
BEGUN = first_pulse(10, 40, 5, 80, "cpu")


def test_a_run_says_how_far_and_how_fast_it_is(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path, BEGUN, is_main_process=True)
    for _ in range(10):
        pulse.step()
    pulse.close()
    told = read_pulse(tmp_path)
    assert told is not None and told.is_alive
    assert (told.step, told.share, told.images_per_step) == (20, 0.5, 10)
    assert told.images_per_s and told.seconds_left
    # Twenty steps are left, after ten; at ten images each.
    assert abs(told.images_per_s * told.seconds_left / 200 - 1) < 0.01


def test_the_speed_of_an_epoch_is_that_of_its_training(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path, BEGUN, is_main_process=True)
    pulse.step()
    pulse.next_epoch()
    pulse.step()
    pulse.close()
    told = read_pulse(tmp_path)
    assert told is not None and told.step == 12 and told.images_per_s


def test_of_several_processes_the_first_tells(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path, BEGUN, is_main_process=False)
    pulse.step()
    pulse.close()
    assert not (tmp_path / STATUS).exists()


def test_a_disk_that_takes_nothing_stops_no_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    pulse = Pulse(tmp_path / "file", BEGUN, is_main_process=True)
    pulse.step()
    pulse.close()
    assert read_pulse(tmp_path / "file") is None
