"""What the workflow reads of a plan: GPUs, time and priority of each run, and how long all will take.

Read at each parse. A plan is followed as long as it was made for the study and the devices as they are; finished
runs do not make it old. Without one, or for runs that it does not have, a quick rule decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.files import canonical_json, read_json, sha256_text
from bakeoff.planning.allocation import balanced, demands
from bakeoff.planning.calibration import calibrated, load_calibration
from bakeoff.planning.machine import Fleet, Kind, counted
from bakeoff.planning.measured import corrected, read_finished
from bakeoff.planning.prediction import Predictor
from bakeoff.planning.schedule import PlannedRun, list_schedule, makespan, priorities
from bakeoff.planning.work import all_runs, run_name, works

# Of a time limit, over the prediction.
MARGIN = 3
SPARE_MINUTES = 15
# On a Slurm cluster a job starts about 12 s later than a run that shares the job of the one before it (measured:
# docs/planning.md). That is less than a fiftieth of a run that takes longer than this.
WORTH_GROUPING_SECONDS = 600


@dataclass(frozen=True)
class Assignment:
    """What a run is given."""

    gpus: int
    seconds: float
    """Predicted, on that many GPUs."""
    priority: int

    @property
    def minutes_allowed(self) -> int:
        """The time limit that a cluster is told: far above the prediction, because it kills what exceeds it."""
        return math.ceil(MARGIN * self.seconds / 60) + SPARE_MINUTES

    @property
    def is_small(self) -> bool:
        """Whether it saves time to let the run share a cluster's job with others, one after another."""
        return self.gpus == 1 and self.seconds < WORTH_GROUPING_SECONDS


def plan_key(spec: Mapping[str, Any], devices: Fleet) -> str:
    """Return a digest of what a plan is valid for: the work of all runs, the setting of GPUs, and the devices."""
    return sha256_text(
        canonical_json([spec["variants"], spec["gpus"], devices.kind, devices.count])
    )


def assignments(spec: Mapping[str, Any], root: Path, devices: Fleet) -> dict[str, Assignment]:
    """Return {run: assignment} for all runs of the study in `root`."""
    predictor = known_predictor(spec, root, devices.kind)
    wanted = demands(works(spec), all_runs(spec), predictor, devices.count, spec["gpus"])
    by_rule = balanced(wanted, devices.count)
    return assigned(by_rule) | _planned(spec, root, devices)


def assigned(jobs: Sequence[PlannedRun]) -> dict[str, Assignment]:
    """Return {run: assignment} for jobs in their starting order."""
    return {
        job.run: Assignment(job.gpus, job.seconds, priority)
        for job, priority in zip(jobs, priorities(jobs), strict=True)
    }


def assigned_to(variant: str, seed: int, given: Mapping[str, Assignment]) -> Assignment:
    """Return what a run is given; for a seed that the study has not, what the variant's other runs are given."""
    of_variant = (each for run, each in given.items() if run.startswith(f"{variant}/"))
    return given.get(run_name(variant, seed)) or next(of_variant, Assignment(1, 0.0, 0))


def allocated_gpus(environment: Mapping[str, str]) -> int | None:
    """Return how many GPUs a job of Slurm has been given; None outside of one, or where Slurm does not say."""
    if "SLURM_JOB_ID" not in environment:
        return None
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_GPUS"):
        if name in environment:
            return len([gpu for gpu in environment[name].split(",") if gpu])
    on_node = environment.get("SLURM_GPUS_ON_NODE", "")
    return int(on_node) if on_node.isdigit() else None


@dataclass(frozen=True)
class Forecast:
    """How long runs will take, and what they cost; all predicted."""

    devices: Fleet
    seconds: float
    """From the start of the first run to the end of the last."""
    run_seconds: Mapping[str, float]
    """Of devices, by run: the length of a run times its devices."""
    price: float | None
    """None for cores."""
    currency: str
    basis: str
    """What it rests on, in words."""

    @property
    def device_hours(self) -> float:
        """The hours that devices are taken, summed over devices."""
        return sum(self.run_seconds.values()) / 3600

    def __str__(self) -> str:
        """Return it as one line."""
        runs = counted(len(self.run_seconds), "run")
        return f"About {duration(self.seconds)} for {runs} on {self.devices} (predicted from {self.basis})."


def forecast(
    spec: Mapping[str, Any],
    root: Path,
    devices: Fleet,
    runs: Mapping[str, Sequence[int]],
    given: Mapping[str, Assignment],
) -> Forecast:
    """Return how long `runs`, {variant: seeds}, will take, and what that rests on."""
    predictor = known_predictor(spec, root, devices.kind)
    finished = read_finished(root, all_runs(spec))
    predictor = corrected(predictor, works(spec), finished)
    work = works(spec)
    jobs = []
    for variant, seeds in runs.items():
        for seed in seeds:
            run = run_name(variant, seed)
            gpus = min(assigned_to(variant, seed, given).gpus, devices.count)
            jobs.append(
                PlannedRun(run, variant, seed, gpus, predictor.seconds(work[variant], gpus))
            )
    jobs.sort(key=lambda job: -assigned_to(job.variant, job.seed, given).priority)
    taken = {job.run: job.gpus * job.seconds for job in jobs}
    gpu_hour = spec["price"]["gpu_hour"] if devices.kind == "gpu" else None
    return Forecast(
        devices,
        makespan(list_schedule(jobs, devices.count)),
        taken,
        None if gpu_hour is None else gpu_hour * sum(taken.values()) / 3600,
        spec["price"]["currency"],
        _basis(predictor, len(finished)),
    )


def known_predictor(spec: Mapping[str, Any], root: Path, kind: Kind) -> Predictor:
    """Return the predictor that the last calibration gives, or the one of the default constants."""
    return calibrated(load_calibration(root, kind), works(spec))


def duration(seconds: float) -> str:
    """Return a time as people say it: "40 s", "6 min", "3.4 h"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _planned(spec: Mapping[str, Any], root: Path, devices: Fleet) -> dict[str, Assignment]:
    plan = read_plan(root)
    if plan.get("key") != plan_key(spec, devices):
        return {}
    return {run: Assignment(**entry) for run, entry in plan["runs"].items()}


def read_plan(root: Path) -> dict[str, Any]:
    """Return the content of `gpus.json`, or nothing where there is no plan or it cannot be read."""
    try:
        plan = read_json(plan_file(root))
    except (OSError, ValueError):
        return {}
    return plan if isinstance(plan, dict) else {}


def plan_file(root: Path) -> Path:
    """Return where the plan that the workflow follows is."""
    return root / "plan" / "gpus.json"


def _basis(predictor: Predictor, finished: int) -> str:
    if predictor.factors:
        return "the runs that are done" if finished > 1 else "the run that is done"
    if predictor.micro_batch_seconds:
        return f"a calibration on {predictor.machine.device}"
    return "default constants, which may be off by a factor of three; `snakemake plan` measures this machine"
