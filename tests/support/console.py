"""Drives the logger plugin as Snakemake does: `python tests/support/console.py FOLDER EVENTS`.

An event is a line of JSON: the fields of a log record. `{"bakeoff": "Begun"}` stands for the plan of a study in FOLDER,
`{"pause": seconds}` for time, `{"at_work": run}` and `{"complete": run}` for what a run does meanwhile.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bakeoff.console.events import Begun, Ended
from bakeoff.console.plan import Plan, PlannedJob
from bakeoff.console.study import study_of
from bakeoff.jobs.records import ended, save_record, start_record
from bakeoff.planning.follow import Forecast
from bakeoff.planning.machine import Fleet
from bakeoff.support.status import first_pulse
from snakemake_logger_plugin_bakeoff import LogHandler

LIGHT = ("compare", "plot", "deck")


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def plan_of(root: Path, options: dict[str, Any]) -> Plan:
    """Return the plan of two variants with two seeds each, one of them stale."""
    work = {"macs": 40_000_000, "images": 1000, "held_out": 200, "epochs": 4}
    variants = {
        name: {"family": family, "work": work, "seeds": [0, 1]}
        for name, family in (("resnet_20", "ResNet"), ("eca_resnet_20_after_addition", "ECA-Net"))
    }
    about = {"name": "tiny", "dataset": "shapes", "protocol": "uniform", "epochs": 4}
    specs: dict[str, Any] = {
        "plan": {"study": about, "variants": variants},
        "comparison": {"variants": [{"run": name} for name in variants]},
    }
    study = study_of(root, specs)
    reasons = ("code changed: bakeoff.models.eca",)
    jobs = [
        PlannedJob(
            "train", f"runs/{run.name}", run, run.seed == 1, reasons if run.seed == 0 else ()
        )
        for run in study.runs
    ]
    jobs += [PlannedJob(rule, rule, None, is_new=True) for rule in LIGHT]
    taken = {f"{run.name}": 30.0 for run in study.runs}
    forecast = Forecast(Fleet("cpu", 2), 60.0, taken, None, "USD", "a test")
    settings = {"is_dry": False, "keeps_going": False, "retries": 0} | options
    names = frozenset(job.name for job in jobs) | {"comparison", "report", "slides/en"}
    return Plan(
        study, tuple(jobs) if settings.pop("jobs", True) else (), names, forecast, **settings
    )


def at_work(root: Path, run: str) -> None:
    pulse = replace(
        first_pulse(60, 100, 4, 1000, "cpu"),
        images_per_s=432.1,
        seconds_left=75.0,
        updated=time.time(),
    )
    write(root / "checkpoints" / run / "status.json", asdict(pulse))
    (root / "checkpoints" / run / "history.csv").write_text("epoch,val_top1\n2,31.25\n")


def complete(root: Path, run: str) -> None:
    (root / "checkpoints" / run / "status.json").unlink(missing_ok=True)
    metrics = {
        "epochs": 4,
        "test": {"top1": 37.5},
        "images_per_s": 430.0,
        "device": "EPYC",
        "wall_hours": 0.02,
        "gpu_hours": 0.0,
        "processes": 1,
    }
    write(root / "runs" / run / "metrics.json", metrics)
    save_record(root, f"runs/{run}", ended(root, start_record(root, {}, {}, []), []))


def main(folder: Path, events: Path) -> None:
    os.chdir(folder)
    root = Path("results")
    settings = dict.fromkeys(
        (
            "printshellcmds",
            "nocolor",
            "debug_dag",
            "verbose",
            "show_failed_logs",
            "stdout",
            "dryrun",
        ),
        False,
    )
    handler = LogHandler(SimpleNamespace(**settings, quiet=None), None)
    for line in events.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        match fields:
            case {"pause": seconds}:
                time.sleep(seconds)
                continue
            case {"at_work": run}:
                at_work(root, run)
                continue
            case {"complete": run}:
                complete(root, run)
                continue
            case {"bakeoff": "Begun"}:
                fields["bakeoff"] = Begun(plan_of(root, fields.pop("options", {})), None)
            case {"bakeoff": "Ended"}:
                fields["bakeoff"] = Ended(fields.pop("success"))
        record = logging.makeLogRecord(
            {"levelno": logging.INFO, "msg": fields.pop("message", ""), **fields}
        )
        handler.handle(record)
    handler.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
