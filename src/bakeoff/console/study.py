"""How a study stands: its runs, read from specs, records, histories and what runs at work say of themselves.

Everything is read from files, so that it can be asked at any time, while another process or a cluster works. What no
file says is None or empty.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from bakeoff.console.logs import last_error
from bakeoff.errors import UserError
from bakeoff.files import read_json
from bakeoff.jobs.recorded import RecordedJobs
from bakeoff.jobs.records import record_path
from bakeoff.jobs.state import Staleness
from bakeoff.launch.slurm import SlurmJob
from bakeoff.support.status import read_pulse

RunState = Literal["done", "diverged", "stale", "running", "waiting", "failed"]


@dataclass(frozen=True)
class ShownRun:
    """A run of the study, and what is known of it beforehand."""

    variant: str
    family: str
    seed: int
    arms: tuple[str, ...]
    """`ablation/arm` of the ablations that use it."""
    compared: bool
    epochs: int
    work: float
    """In any unit: multiply-accumulates of its training."""

    @property
    def name(self) -> str:
        """Its folder below `{root}/runs`."""
        return f"{self.variant}/seed{self.seed}"


@dataclass(frozen=True)
class RunStatus:
    """How a run stands."""

    run: ShownRun
    state: RunState
    share: float = 0.0
    """The part of its training that is done, 0 to 1."""
    epoch: int = 0
    """Epochs that are complete."""
    top1: float | None = None
    """In percent: of a run that is done on the test images, else the last on the held-out ones."""
    images_per_s: float | None = None
    device: str = ""
    slurm: str = ""
    """Slurm's number and state of its job: "4711 running"."""
    seconds: float | None = None
    """That its training took, where it is done."""
    seconds_left: float | None = None
    device_hours: float | None = None
    """That a run which is done used: GPU-hours, or hours of cores."""
    reason: str = ""
    """Why it is stale, or failed, or where it diverged."""


@dataclass(frozen=True)
class ShownStudy:
    """A study as its specs have it."""

    root: Path
    about: Mapping[str, Any]
    """Its `name`, `dataset`, `protocol` and `epochs`."""
    runs: tuple[ShownRun, ...]

    def run(self, variant: str, seed: int) -> ShownRun | None:
        """Return one of its runs; for a seed that it has not, one like the variant's others."""
        found = self._by_name.get((variant, seed))
        if found is None and (alike := next((r for r in self.runs if r.variant == variant), None)):
            return replace(alike, seed=seed, arms=(), compared=False)
        return found

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, int], ShownRun]:
        return {(run.variant, run.seed): run for run in self.runs}


def study_of(root: Path, specs: Mapping[str, Mapping[str, Any]]) -> ShownStudy:
    """Return a study from its specs: {name: content} with `plan`, `comparison` and `ablations/...`."""
    arms: dict[str, list[str]] = {}
    for name, spec in specs.items():
        if name.startswith("ablations/"):
            for arm in spec["arms"]:
                arms.setdefault(arm["run"], []).append(f"{spec['ablation']}/{arm['arm']}")
    compared = {each["run"] for each in specs["comparison"]["variants"]}
    runs = []
    for variant, entry in specs["plan"]["variants"].items():
        work = entry["work"]
        macs = float(work["macs"]) * (3 * work["images"] + work["held_out"]) * work["epochs"]
        runs += [
            ShownRun(
                variant,
                entry["family"],
                seed,
                tuple(arms.get(variant, ())),
                variant in compared,
                work["epochs"],
                macs,
            )
            for seed in entry["seeds"]
        ]
    return ShownStudy(root, specs["plan"]["study"], tuple(runs))


def load_study(root: Path) -> ShownStudy:
    """Return the study whose results are in `root`.

    Raises:
        UserError: there is none.
    """
    folder = root / "specs"
    try:
        # Specs of ablations that are gone may be there, too.
        ablations = read_json(folder / "claims.json")["ablations"]
        names = ["plan", "comparison", *(f"ablations/{name}" for name in ablations)]
        return study_of(root, {name: read_json(folder / f"{name}.json") for name in names})
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"{root} holds no study whose first job has started: {folder}/plan.json cannot be read. Name the folder "
            "of a study's results, such as results/demo; `snakemake -n` says what would be made."
        ) from None


class Reader:
    """Reads how runs stand, again and again; what is unchanged is not read twice."""

    def __init__(
        self,
        study: ShownStudy,
        queue: Callable[[], Mapping[str, SlurmJob]] = dict,
        *,
        stale: bool = True,
    ) -> None:
        """Look at a study.

        Args:
            study: as its specs have it.
            queue: returns {comment: job} of Slurm's queue.
            stale: whether to look at what is stale, which takes longer.
        """
        self.study, self._queue, self._stale = study, queue, stale
        self._finished: dict[str, tuple[int, RunStatus]] = {}
        self._state = cache(lambda: Staleness(study.root, RecordedJobs(study.root)))

    def read(self, runs: Iterable[ShownRun] | None = None) -> list[RunStatus]:
        """Return how `runs`, or all runs, stand now."""
        queue = self._queue()
        self._state.cache_clear()
        return [self._read(run, queue) for run in (self.study.runs if runs is None else runs)]

    def _read(self, run: ShownRun, queue: Mapping[str, SlurmJob]) -> RunStatus:
        root, name = self.study.root, run.name
        checkpoints = root / "checkpoints" / name
        # As Snakemake's executor writes it.
        job = queue.get(f"rule_train_wildcards_{run.variant}_{run.seed}")
        pulse = read_pulse(checkpoints)
        if pulse is not None and pulse.is_alive:
            last = _epoch_row(checkpoints / "history.csv")
            number = job.number if job else pulse.slurm_job
            return RunStatus(
                run,
                "running",
                pulse.share,
                epoch=int(pulse.share * pulse.epochs + 1e-9),
                top1=last.get("val_top1"),
                images_per_s=pulse.images_per_s or last.get("images_per_s"),
                device=pulse.device,
                slurm=f"{number} running" if number else "",
                seconds_left=pulse.seconds_left,
            )
        if job is not None:
            state = job.state.lower()
            return replace(self._begun(run, "waiting", checkpoints), slurm=f"{job.number} {state}")
        error = last_error(root / "logs" / "train" / f"{name}.log")
        if error:
            return replace(self._begun(run, "failed", checkpoints), reason=error)
        return self._finished_run(run) or self._begun(run, "waiting", checkpoints)

    def _begun(self, run: ShownRun, state: RunState, checkpoints: Path) -> RunStatus:
        """Return the status of a run that is not at work, and may have been interrupted: it resumes a checkpoint."""
        names = sorted(path.stem for path in checkpoints.glob("step-*.pt"))
        pulse = read_pulse(checkpoints)
        if not names or pulse is None:
            return RunStatus(run, state)
        share = int(names[-1].removeprefix("step-")) / pulse.steps
        epoch = int(share * run.epochs + 1e-9)
        row = _epoch_row(checkpoints / "history.csv", epoch)
        return RunStatus(run, state, share, epoch=epoch, top1=row.get("val_top1"))

    def _finished_run(self, run: ShownRun) -> RunStatus | None:
        try:
            changed = record_path(self.study.root, f"runs/{run.name}").stat().st_mtime_ns
        except OSError:
            return None
        known = self._finished.get(run.name)
        if known is None or known[0] != changed:
            self._finished[run.name] = known = (changed, self._look(run))
        return known[1]

    def _look(self, run: ShownRun) -> RunStatus:
        root = self.study.root
        reasons: Sequence[str] = ()
        if self._stale:
            reasons = self._state().reasons(f"runs/{run.name}")
        try:
            metrics = read_json(root / "runs" / run.name / "metrics.json")
        except (OSError, ValueError):
            return RunStatus(run, "stale", reason="; ".join(reasons) or "metrics.json is missing")
        if not reasons and (diverged := metrics.get("diverged")):
            return RunStatus(
                run,
                "diverged",
                1.0,
                epoch=diverged["epoch"],
                device=metrics["device"],
                seconds=3600 * metrics["wall_hours"],
                device_hours=_device_hours(metrics),
                reason=f"diverged at step {diverged['step']}",
            )
        return RunStatus(
            run,
            "stale" if reasons else "done",
            0.0 if reasons else 1.0,
            epoch=metrics["epochs"],
            top1=metrics["test"] and metrics["test"]["top1"],
            images_per_s=metrics["images_per_s"],
            device=metrics["device"],
            seconds=3600 * metrics["wall_hours"],
            device_hours=_device_hours(metrics),
            reason="; ".join(reasons),
        )


def _device_hours(metrics: Mapping[str, Any]) -> float:
    """Return the GPU-hours of a run, or its hours of cores."""
    return float(metrics["gpu_hours"] or metrics["wall_hours"] * metrics["processes"])


def share_done(runs: Sequence[RunStatus]) -> float:
    """Return the part of the work of all runs that is done, 0 to 1."""
    whole = sum(each.run.work for each in runs)
    return sum(each.run.work * each.share for each in runs) / whole if whole else 1.0


def time_left(runs: Sequence[RunStatus]) -> float | None:
    """Return the seconds until all runs are done, at the speed of those at work; None while that is not known.

    What they do in a second, in work, is what all of the rest is done at; and no sooner than the slowest of them.
    """
    left = [(each, each.seconds_left) for each in runs if each.state == "running"]
    known = [(each, seconds) for each, seconds in left if seconds]
    speed = sum(each.run.work * (1 - each.share) / seconds for each, seconds in known)
    if not speed:
        return None
    # Runs that have just started, and say nothing yet, are as fast as the others.
    speed *= len(left) / len(known)
    remaining = sum(
        each.run.work * (1 - each.share)
        for each in runs
        if each.state not in ("done", "diverged", "failed")
    )
    return max(remaining / speed, *(seconds for _, seconds in known))


def counted_states(runs: Sequence[RunStatus]) -> dict[RunState, int]:
    """Return {state: number of runs}, for states that occur."""
    found = Counter(each.state for each in runs)
    order: tuple[RunState, ...] = ("done", "diverged", "running", "waiting", "stale", "failed")
    return {state: found[state] for state in order if found[state]}


def _epoch_row(history: Path, epoch: int | None = None) -> dict[str, float]:
    """Return the row of an epoch, or the last one, of a history; nothing where there is none."""
    try:
        with history.open(encoding="utf-8", newline="") as stream:
            rows = [
                {key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)
            ]
    except (OSError, ValueError, TypeError):
        return {}
    found = [row for row in rows if epoch in (None, row.get("epoch"))]
    return found[-1] if found else {}
