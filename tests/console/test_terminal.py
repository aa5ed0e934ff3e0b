"""What a person sees: the plugin, driven by events that Snakemake 9.27 sent, on a terminal and where there is none."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).parents[1] / "support" / "console.py"
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)")
ECA = "eca_resnet_20_after_addition"
BEGIN = [
    {"event": "workflow_started", "message": "Workflow has started!"},
    {"message": "Building DAG of jobs..."},
    {"event": "resources_info", "message": "Provided cores: 2"},
    {"message": "Conda environments: ignored"},
    {"event": "run_info", "message": "Job stats:\njob  count"},
    {"bakeoff": "Begun"},
    {"message": "Select jobs to execute..."},
]
LAST = [
    {
        "event": "error",
        "levelno": 40,
        "message": "WorkflowError:\nAt least one job did not complete successfully.",
    }
]


def started(number: int, rule: str, log: str = "", **wildcards: str) -> dict[str, Any]:
    return {
        "event": "job_info",
        "message": f" Rule: {rule}, Jobid: {number}",
        "jobid": number,
        "rule_name": rule,
        "wildcards": wildcards,
        "log": [log],
        "reason": "Missing output files: a, b, c",
    }


def finished(number: int) -> dict[str, Any]:
    return {"event": "job_finished", "message": f"Finished jobid: {number}", "job_id": number}


def failed(number: int, rule: str, log: str) -> list[dict[str, Any]]:
    return [
        {
            "event": "job_error",
            "levelno": 40,
            "message": f"Error in rule {rule}, jobid: {number}",
            "jobid": number,
            "rule_name": rule,
            "log": [log],
            "rule_msg": None,
        },
        {
            "message": "Exiting because a job execution failed. Look below for error messages",
            "levelno": 40,
        },
    ]


TRAINED = [
    started(1, "train", variant="resnet_20", seed="0"),
    started(2, "train", variant=ECA, seed="1"),
    {"at_work": "resnet_20/seed0"},
    {"at_work": f"{ECA}/seed1"},
    {"pause": 2.5},
    {"complete": "resnet_20/seed0"},
    finished(1),
]


def write_events(folder: Path, events: list[dict[str, Any]]) -> Path:
    path = folder / "events.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in events), encoding="utf-8")
    return path


def drive(folder: Path, events: list[dict[str, Any]], **environment: str) -> str:
    """Return what the plugin writes where stderr is no terminal."""
    command = [
        sys.executable,
        str(DRIVER),
        str(folder),
        str(write_events(folder, events)),
    ]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


def drive_on_terminal(
    folder: Path, events: list[dict[str, Any]], columns: int, **environment: str
) -> str:
    """Return the raw bytes that the plugin writes to a terminal of so many columns."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("CI", "NO_COLOR", "COLUMNS")
    }
    command = [
        sys.executable,
        str(DRIVER),
        str(folder),
        str(write_events(folder, events)),
    ]
    process = subprocess.Popen(
        command,
        env={**kept, "TERM": "xterm-256color", **environment},
        stderr=terminal,
        stdin=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(main, 65536):
            shown += part
    except OSError:
        # The other end is closed.
        pass
    assert process.wait() == 0
    os.close(main)
    return shown.decode()


def text_of(raw: str) -> str:
    return re.sub(r"[\r\n]+", "\n", ESCAPES.sub("", raw))


def test_where_there_is_no_terminal_each_event_is_a_line(tmp_path: Path) -> None:
    shown = drive(tmp_path, [*BEGIN, *TRAINED, {"bakeoff": "Ended", "success": True}])
    lines = shown.splitlines()
    assert lines[0] == "Study tiny: shapes, protocol uniform, 4 epochs"
    assert "of 2 variants: eca.py changed" in shown
    assert "started  resnet_20 seed 0" in lines
    assert "done     resnet_20 seed 0: test top-1 37.50 %, 1:12 (1 of 4 runs)" in lines
    assert any(line.startswith("Done in ") and "forecast: 2 core-minutes" in line for line in lines)
    assert "\x1b" not in shown
    assert max(map(len, lines)) <= 100
    assert not re.search("Select jobs|Conda|Provided|Building|Missing output|Job stats", shown)


@pytest.mark.parametrize("columns", [80, 140])
def test_on_a_terminal_a_table_follows_the_runs_at_work(tmp_path: Path, columns: int) -> None:
    raw = drive_on_terminal(
        tmp_path, [*BEGIN, *TRAINED, {"bakeoff": "Ended", "success": True}], columns
    )
    text = text_of(raw)
    assert max(map(len, text.splitlines())) <= columns
    (row, *_) = [line for line in text.splitlines() if line.startswith("resnet_20 ")]
    assert row.split() == ["resnet_20", "0", "2/4", "31.25", "432", "CPU", "1:15"]
    # Two of four runs are at 0.6, and three light jobs wait.
    assert re.search(r"2[78] %  \d:\d\d left · 0 of 3 light jobs", text)
    assert any(line.startswith(f"{ECA} ") and line.endswith(" 1:15") for line in text.splitlines())
    assert "done     resnet_20 seed 0: test top-1 37.50 %" in text
    # The table is gone at the end, and the cursor is back.
    assert raw.count("\x1b[?25l") == raw.count("\x1b[?25h")
    assert any(line.startswith("Done in") for line in text.rstrip().splitlines()[-2:])


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"CI": "true"}])
def test_a_terminal_that_wants_plain_lines_gets_them(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    events = [*BEGIN, {"bakeoff": "Ended", "success": True}]
    raw = drive_on_terminal(tmp_path, events, 140, **environment)
    assert "\x1b" not in raw
    assert "Study tiny" in raw


def test_a_failure_is_a_sentence_and_says_what_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "seed0.log"
    log.write_text(
        "2026-01-01 10:00:00,000 ERROR resnet_20/seed0: the loss is not finite at step 7.\n"
    )
    events = [
        *BEGIN,
        started(1, "train", str(log), variant="resnet_20", seed="0"),
        {
            "event": "error",
            "levelno": 40,
            "exception": "CalledProcessError",
            "message": "Traceback",
        },
        *failed(1, "train", str(log)),
        {"bakeoff": "Ended", "success": False},
        *LAST,
    ]
    shown = drive(tmp_path, events)
    assert "FAILED   resnet_20 seed 0: the loss is not finite at step 7." in shown
    assert f"         Log: {log}\n" in shown
    assert "Jobs at work are finished, no others are started" in shown
    assert "Not finished: 1 failed: resnet_20 seed 0. 0 of 4 runs done." in shown
    assert not re.search("Traceback|WorkflowError|Exiting because|Error in rule", shown)


def test_who_interrupts_it_is_told_of_no_failure(tmp_path: Path) -> None:
    log = tmp_path / "seed0.log"
    log.write_text(
        "2026-01-01 10:00:00,000 WARNING resnet_20/seed0: stopped at step 30 by SIGINT.\n"
    )
    events = [
        *BEGIN,
        started(1, "train", str(log), variant="resnet_20", seed="0"),
        {"message": "Terminating processes on user request, this might take some time."},
        *failed(1, "train", str(log)),
        {"bakeoff": "Ended", "success": False},
    ]
    shown = drive(tmp_path, events)
    assert "stopped  resnet_20 seed 0: stopped at step 30 by SIGINT." in shown
    assert "Not finished: stopped. 0 of 4 runs done." in shown
    assert "The same command goes on from there" in shown
    assert "FAILED" not in shown


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"keeps_going": True}, "The other jobs go on; what reads its files is not made."),
        (
            {"retries": 2},
            "It is started again (1 of 2 retries) and resumes at its last checkpoint.",
        ),
    ],
)
def test_what_goes_on_depends_on_the_profile(
    tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    begin = [{**each, "options": options} if "bakeoff" in each else each for each in BEGIN]
    run = started(1, "train", variant="resnet_20", seed="0")
    assert says in drive(tmp_path, [*begin, run, *failed(1, "train", "")])


def test_a_mistake_before_the_first_job_is_shown(tmp_path: Path) -> None:
    event = {
        "event": "error",
        "levelno": 40,
        "exception": "RuleException",
        "message": "A rule is wrong.",
    }
    assert "A rule is wrong." in drive(tmp_path, [BEGIN[0], event])


def test_what_snakemake_says_without_running_anything_is_passed_on(tmp_path: Path) -> None:
    events = [{"message": "Unlocked working directory."}, {"levelno": 30, "message": "Beware."}]
    assert drive(tmp_path, events) == "Unlocked working directory.\nBeware.\n"


def test_where_nothing_is_to_be_done_the_results_are_told(tmp_path: Path) -> None:
    models = tmp_path / "results/comparison/models.csv"
    models.parent.mkdir(parents=True)
    models.write_text(
        "rank,group,distinct,variant,score_mean,score_ci_low,score_ci_high\n"
        "1,leading,True,b,40.5,39.25,41.75\n2,leading,True,a,40.25,39,41.5\n"
        "2,leading,False,alias,40.25,39,41.5\n3,behind,True,c,20,19,21\n"
    )
    shown = drive(tmp_path, [BEGIN[0], {"bakeoff": "Begun", "options": {"jobs": False}}])
    assert shown.startswith("Nothing to do: all that was asked for is current, 4 of 4 runs")
    assert "  1  b   40.50  [39.25, 41.75]  leads" in shown
    assert "2 of 3 lead and cannot be told apart." in shown
    assert "report/report.md" in shown


def test_thousands_of_jobs_do_not_flood(tmp_path: Path) -> None:
    events = [*BEGIN]
    for number in range(5000):
        events += [started(number, "plot", figure=f"f{number}"), finished(number)]
    shown = drive(tmp_path, [*events, {"bakeoff": "Ended", "success": True}])
    assert len(shown.splitlines()) < 40
