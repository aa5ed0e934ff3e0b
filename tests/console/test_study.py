"""How a study stands is read from its files, and what no file says is not said."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bakeoff.cli import main
from bakeoff.console.logs import last_error, last_words
from bakeoff.console.study import (
    Reader,
    RunStatus,
    ShownRun,
    load_study,
    share_done,
    time_left,
)
from bakeoff.console.table import runs_table, study_view
from bakeoff.errors import UserError
from bakeoff.jobs.records import ended, save_record, start_record
from bakeoff.launch.slurm import SlurmJob
from bakeoff.support.status import RunPulse, first_pulse

WORK = {"macs": 1_000_000, "images": 100, "held_out": 20, "epochs": 4}
SPEC = {"variant": "resnet_20", "recipe": {"epochs": 4}}
METRICS = {
    "epochs": 4,
    "test": {"top1": 43.21},
    "images_per_s": 900.0,
    "device": "Tesla V100",
    "wall_hours": 0.5,
    "gpu_hours": 1.0,
    "processes": 2,
}


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "results"
    about = {"name": "small", "dataset": "shapes", "protocol": "uniform", "epochs": 4}
    variants = {
        name: {"family": "ResNet", "work": {**WORK, "macs": macs}, "seeds": [0, 1]}
        for name, macs in (("resnet_20", 1_000_000), ("resnet_56", 3_000_000))
    }
    arms = [{"arm": "none", "run": "resnet_20"}]
    write(root / "specs/plan.json", {"study": about, "variants": variants})
    write(root / "specs/comparison.json", {"variants": [{"run": "resnet_20"}]})
    write(root / "specs/claims.json", {"ablations": ["eca"]})
    write(root / "specs/ablations/eca.json", {"ablation": "eca", "arms": arms})
    write(root / "specs/ablations/gone.json", {"ablation": "gone", "arms": arms})
    write(root / "specs/runs/resnet_20.json", SPEC)
    return root


def complete(root: Path, seed: int = 0) -> None:
    """Make a run that is done."""
    folder = root / f"runs/resnet_20/seed{seed}"
    write(folder / "metrics.json", METRICS)
    record = start_record(root, SPEC, {}, [])
    save_record(
        root, f"runs/resnet_20/seed{seed}", ended(root, record, [str(folder / "metrics.json")])
    )


def at_work(root: Path, run: str = "resnet_56/seed0", **changes: Any) -> RunPulse:
    """Make a run say of itself that it is at work."""
    pulse = replace(
        first_pulse(60, 100, 4, 100, "cpu"),
        seconds_left=40.0,
        images_per_s=321.0,
        updated=time.time(),
    )
    pulse = replace(pulse, **changes)
    write(root / f"checkpoints/{run}/status.json", asdict(pulse))
    return pulse


def status(
    root: Path, run: str = "resnet_56/seed0", queue: dict[str, SlurmJob] | None = None
) -> RunStatus:
    found = Reader(load_study(root), lambda: queue or {}).read()
    return next(each for each in found if each.run.name == run)


def test_a_study_knows_its_runs_and_their_arms(root: Path) -> None:
    runs = load_study(root).runs
    assert [run.name for run in runs][:2] == ["resnet_20/seed0", "resnet_20/seed1"]
    assert (runs[0].arms, runs[0].compared) == (("eca/none",), True)
    assert (runs[2].arms, runs[2].compared) == ((), False)
    assert runs[2].work == 3 * runs[0].work


def test_a_run_that_nothing_is_known_of_waits(root: Path) -> None:
    assert status(root) == RunStatus(status(root).run, "waiting")


def test_a_run_at_work_says_how_far_it_is(root: Path) -> None:
    at_work(root)
    rows = "epoch,val_top1,images_per_s\n1,10.5,300\n2,20.25,310\n"
    write(root / "checkpoints/resnet_56/seed0/history.csv", rows)
    found = status(root)
    assert (found.state, found.share, found.epoch, found.top1) == ("running", 0.6, 2, 20.25)
    assert (found.images_per_s, found.seconds_left, found.device) == (321.0, 40.0, "CPU")
    assert found.slurm == ""


def test_a_run_whose_process_is_gone_is_not_at_work_and_keeps_its_epochs(root: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    at_work(root, pid=gone.pid)
    folder = root / "checkpoints/resnet_56/seed0"
    write(folder / "history.csv", "epoch,val_top1\n1,10.5\n2,20.25\n3,30.0\n")
    assert (status(root).state, status(root).share) == ("waiting", 0.0)
    # It resumes here, and does the third epoch again.
    write(folder / "step-000000050.pt", "")
    found = status(root)
    assert (found.state, found.epoch, found.share, found.top1) == ("waiting", 2, 0.5, 20.25)
    assert found.seconds_left is None and found.device == ""


def test_another_process_with_its_number_is_not_the_run(root: Path) -> None:
    at_work(root, updated=1000.0)  # before this process began
    assert status(root).state == "waiting"


@pytest.mark.parametrize(("silent", "state"), [(5, "running"), (600, "waiting")])
def test_a_run_on_another_machine_is_believed_while_it_speaks(
    root: Path, silent: float, state: str
) -> None:
    at_work(root, host="not-" + socket.gethostname(), updated=time.time() - silent)
    assert status(root).state == state


def test_slurm_is_quoted_and_never_guessed(root: Path) -> None:
    queue = {"rule_train_wildcards_resnet_56_0": SlurmJob("4711", "PENDING", "")}
    found = status(root, queue=queue)
    assert (found.state, found.slurm) == ("waiting", "4711 pending")
    at_work(root, slurm_job="4711")
    assert status(root).slurm == "4711 running"


def test_a_complete_run_is_done_until_something_of_it_changes(root: Path) -> None:
    complete(root)
    found = status(root, "resnet_20/seed0")
    assert (found.state, found.top1, found.seconds, found.device_hours) == (
        "done",
        43.21,
        1800,
        1.0,
    )
    write(root / "specs/runs/resnet_20.json", {**SPEC, "recipe": {"epochs": 9}})
    found = status(root, "resnet_20/seed0")
    assert (found.state, found.share) == ("stale", 0.0)
    assert found.reason == "recipe.epochs: 4 -> 9"


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (
            "2026-01-01 10:00:00,000 INFO begun\n2026-01-01 10:00:01,000 ERROR The disk is full.\n",
            "The disk is full.",
        ),
        (
            "2026-01-01 10:00:00,000 ERROR The disk is full.\n2026-01-01 11:00:00,000 INFO resumed\n",
            None,
        ),
        (
            "2026-01-01 10:00:00,000 ERROR train failed\nTraceback (most recent call last):\n"
            '  File "x.py", line 1\nValueError: no\n',
            "ValueError: no",
        ),
        (
            "noise\nTraceback (most recent call last):\n  File\nImportError: gone\n",
            "ImportError: gone",
        ),
        ("", None),
    ],
)
def test_the_log_says_why_a_job_failed(tmp_path: Path, log: str, says: str | None) -> None:
    write(tmp_path / "log", log)
    assert last_error(tmp_path / "log") == says
    assert last_error(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("2026-01-01 10:00:00,000 INFO epoch 3/4\n", None),
        ("2026-01-01 10:00:00,000 INFO epoch 3/4\nSegmentation fault\n", "Segmentation fault"),
        ("2026-01-01 10:00:00,000 WARNING stopped by SIGTERM\n", "stopped by SIGTERM"),
        ("Say why the change is harmless.\n", "Say why the change is harmless."),
    ],
)
def test_what_a_job_that_failed_said_last(tmp_path: Path, log: str, says: str | None) -> None:
    write(tmp_path / "log", log)
    assert last_words(tmp_path / "log") == says
    assert last_error(tmp_path / "log") is None


def test_a_failed_run_says_why(root: Path) -> None:
    log = "2026-01-01 10:00:00,000 ERROR resnet_56/seed0: the loss is not finite.\n"
    write(root / "logs/train/resnet_56/seed0.log", log)
    assert (status(root).state, status(root).reason) == (
        "failed",
        "resnet_56/seed0: the loss is not finite.",
    )


def test_a_run_that_diverged_is_over_and_says_where(root: Path) -> None:
    complete(root)
    folder = root / "runs/resnet_20/seed0"
    how = {"what": "loss", "step": 40, "epoch": 1, "learning_rate": 12.5}
    write(folder / "metrics.json", {**METRICS, "test": None, "diverged": how})
    record = start_record(root, SPEC, {}, [])
    save_record(root, "runs/resnet_20/seed0", ended(root, record, [str(folder / "metrics.json")]))
    found = status(root, "resnet_20/seed0")
    assert (found.state, found.reason) == ("diverged", "diverged at step 40")
    assert (found.top1, found.share, found.epoch) == (None, 1.0, 1)
    shown = Console(file=io.StringIO(), width=100)
    runs = Reader(load_study(root)).read()
    shown.print(study_view("small", runs, runs))
    text = shown.file.getvalue()  # type: ignore[attr-defined]
    assert "resnet_20 seed 0 diverged at step 40" in text and "1 diverged" in text


def test_all_is_weighted_by_work_and_the_rest_goes_at_the_speed_of_what_runs(root: Path) -> None:
    complete(root)
    at_work(root)
    runs = Reader(load_study(root)).read()
    # Of 1 + 1 + 3 + 3 units of work, 1 + 0.6 * 3 are done; 1.2 units take 40 s.
    assert share_done(runs) == pytest.approx(2.8 / 8)
    assert time_left(runs) == pytest.approx(5.2 / 1.2 * 40)


def test_a_status_that_is_half_written_is_none(root: Path) -> None:
    write(root / "checkpoints/resnet_56/seed0/status.json", '{"step": 1')
    write(root / "checkpoints/resnet_56/seed0/history.csv", "epoch,val_to")
    assert status(root).state == "waiting"


def test_the_command_shows_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    complete(root)
    at_work(root)
    assert main(["status", str(root)]) == 0
    text = capsys.readouterr().out
    assert "Study small: 4 runs" in text
    (row,) = [line for line in text.splitlines() if "resnet_56" in line]
    assert row.split() == ["resnet_56", "0", "running", "2/4", "321", "CPU", "0:40"]
    assert "35 %" in text and "1 done · 1 running · 2 waiting" in text
    assert "resnet_20" not in text
    assert main(["status", "--all", str(root)]) == 0
    assert "43.21" in capsys.readouterr().out


def test_where_there_is_no_study_the_command_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no study whose first job has started"):
        load_study(tmp_path)


def test_the_environment_says_where_a_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    pulse = first_pulse(0, 100, 4, 1000, "cuda")
    assert (pulse.device, pulse.slurm_job, pulse.images_per_step) == ("GPU 0,3", "12", 40)
    assert pulse.pid == os.getpid()


def test_long_names_of_arms_take_no_room_from_numbers() -> None:
    run = ShownRun("convnext_tiny_timm+weights+resize128+finetune", "F", 1, (), True, 200, 1.0)
    status = RunStatus(
        run, "running", 0.4, 80, 71.2, 12345.0, "Tesla V100-SXM2-32GB", seconds_left=4000.0
    )
    for width in (80, 100):
        console = Console(width=width, file=io.StringIO(), color_system=None)
        console.print(runs_table([status]))
        assert isinstance(console.file, io.StringIO)
        said = console.file.getvalue()
        assert max(map(len, said.splitlines())) <= width
        for number in ("convnext_", "running", "80/200", "71.20", "12,345", "1:06:40"):
            assert number in said, (width, number)
