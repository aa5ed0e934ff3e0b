"""What a session knows of runs at work, between what files say and what Snakemake says."""

from __future__ import annotations

import io
from pathlib import Path

from bakeoff.console.screens import PlainScreen
from bakeoff.console.session import Session
from tests.support.console import at_work, complete, plan_of

RUN = "resnet_20/seed0"


def begun(folder: Path) -> Session:
    session = Session(PlainScreen(io.StringIO()))
    session.begin(plan_of(folder, {}))
    session.start(1, "train", {"variant": "resnet_20", "seed": "0"}, ["a.log"])
    return session


def test_a_run_that_was_started_and_says_nothing_is_starting(tmp_path: Path) -> None:
    (status,) = begun(tmp_path).at_work()
    assert (status.state, status.device, status.share) == ("waiting", "starting", 0.0)


def test_a_run_that_says_no_more_stands_where_it_was_seen_last(tmp_path: Path) -> None:
    session = begun(tmp_path)
    at_work(tmp_path, RUN)
    (before,) = session.at_work()
    assert (before.share, before.seconds_left) == (0.6, 75.0)
    (tmp_path / "checkpoints" / RUN / "status.json").unlink()
    (after,) = session.at_work()
    assert (after.share, after.epoch, after.seconds_left) == (0.6, 2, None)
    assert session.progress([after])[0] == session.progress([before])[0]


def test_a_run_that_is_complete_counts_whole(tmp_path: Path) -> None:
    session = begun(tmp_path)
    complete(tmp_path, RUN)
    session.finish(1)
    share, left = session.progress(session.at_work())
    # One of four runs of 30 s, and none of three light jobs of 4 s.
    assert abs(share - 30 / (120 + 12)) < 1e-9
    assert left is not None


def test_a_run_that_failed_and_starts_again_starts(tmp_path: Path) -> None:
    session = begun(tmp_path)
    at_work(tmp_path, RUN)
    session.at_work()
    (tmp_path / "checkpoints" / RUN / "status.json").unlink()
    session.fail(1, "train", ["a.log"], "it was killed")
    session.start(1, "train", {"variant": "resnet_20", "seed": "0"}, ["a.log"])
    (status,) = session.at_work()
    assert status.device == "starting"
