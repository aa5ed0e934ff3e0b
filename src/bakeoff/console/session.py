"""An invocation as a person sees it, from the plan to the end. The logger plugin tells it what Snakemake does."""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bakeoff.console.logs import last_words
from bakeoff.console.plan import Plan, clock, device_hours, kind, plan_lines
from bakeoff.console.results import StudySummary, read_results
from bakeoff.console.study import Reader, RunState, RunStatus, ShownRun, share_done, time_left
from bakeoff.launch.slurm import SlurmJob
from bakeoff.planning.follow import duration
from bakeoff.study.metric import NAMES

# A light job (a table, a figure) in seconds of a core: an import and a drawing.
LIGHT_SECONDS = 4.0
# Of the comparison, at the end.
MOST_LEADERS = 5
LONGEST_MESSAGE = 240
# With more runs than these, starts are not told where lines are all there is.
FEW_RUNS = 60


class Screen(Protocol):
    """Where lines go."""

    @property
    def width(self) -> int:
        """The columns of a line."""
        ...

    def line(self, text: str, style: str = "") -> None:
        """Print a line; one that is too long goes on in the next."""
        ...

    def block(self, text: str) -> None:
        """Print a text as it is."""
        ...

    def watch(self, session: Session) -> None:
        """Begin to show what is at work, where that can be shown."""
        ...

    def close(self) -> None:
        """Stop showing it."""
        ...


@dataclass(frozen=True)
class StartedJob:
    """A job of Snakemake's that has been started."""

    rule: str
    run: ShownRun | None
    log: str
    since: float

    @property
    def title(self) -> str:
        """What to call it."""
        return f"{self.run.variant} seed {self.run.seed}" if self.run else kind(self.rule, 1)[2:]


class Session:
    """What is known of an invocation, and what is said of it."""

    def __init__(self, screen: Screen, *, tells_all: bool = False) -> None:
        """Say everything on `screen`; with `tells_all`, of each stale job why."""
        self._screen, self._tells_all = screen, tells_all
        self.plan: Plan | None = None
        self.reader: Reader | None = None
        self.jobs: dict[int, StartedJob] = {}
        """Those at work, by Snakemake's number."""
        self._ended: dict[str, RunStatus] = {}
        self._seen: dict[str, RunStatus] = {}
        """How runs stood when they were seen at work last."""
        self._light: Counter[str] = Counter()
        self._wanted: Counter[str] = Counter()
        self._attempts: Counter[int] = Counter()
        self._failed: dict[int, StartedJob] = {}
        self._began = time.monotonic()
        self._is_over = False
        self._on_cluster = False
        self._is_stopping = False

    # What Snakemake does

    def begin(self, plan: Plan, queue: Callable[[], Mapping[str, SlurmJob]] = dict) -> None:
        """Show the plan, and what is at work from now on."""
        self.plan, self._began = plan, time.monotonic()
        self._wanted = Counter(job.rule for job in plan.jobs)
        if not plan.jobs:
            self._say([f"Nothing to do: {_all_current(plan)}"], "bold green")
            self._results(plan)
            self._is_over = True
            return
        head, *lines = plan_lines(plan, self._screen.width)
        self._say([head], "bold")
        self._say(lines)
        if self._tells_all:
            for job in plan.jobs:
                if causes := job.causes:
                    self._screen.block(
                        f"stale: {job.name.removeprefix('runs/')}: {'; '.join(causes)}"
                    )
        if plan.is_dry:
            self._say(["Dry run: nothing was made. `-n -p` shows all jobs."])
            self._is_over = True
        else:
            self.reader = Reader(plan.study, queue, stale=False)
            self._on_cluster = queue is not dict
            self._screen.line("")
            self._screen.watch(self)

    def start(
        self, number: int, rule: str, wildcards: Mapping[str, str], log: Sequence[str]
    ) -> None:
        """Note that a job was started, or handed to a cluster."""
        run = None
        if rule == "train" and self.plan:
            run = self.plan.study.run(wildcards["variant"], int(wildcards["seed"]))
        self.jobs[number] = job = StartedJob(rule, run, log[0] if log else "", time.monotonic())
        if run and self.plan and len(self.plan.runs) <= FEW_RUNS:
            self._screen.line(f"started  {job.title}", "quiet")

    def finish(self, number: int) -> None:
        """Say that a run is complete; of other jobs only that all of their kind are."""
        job = self.jobs.pop(number, None)
        if job is None or self.plan is None or self.reader is None:
            return
        self._failed.pop(number, None)
        if job.run:
            (status,) = self.reader.read([job.run])
            state: RunState = "diverged" if status.state == "diverged" else "done"
            self._ended[job.run.name] = replace(status, state=state, share=1.0)
            style = "yellow" if state == "diverged" else "green"
            self._screen.line(self._run_line(job, status), style)
            return
        wanted = self._wanted[job.rule]
        if not wanted:
            # An answer to a question, which is no part of the plan.
            return
        self._light[job.rule] += 1
        if self._light[job.rule] == wanted:
            self._screen.line(f"done     {kind(job.rule, wanted)}", "green")

    def fail(self, number: int, rule: str, log: Sequence[str], message: str) -> None:
        """Say which job failed, why, where its log is, and what goes on."""
        job = self.jobs.pop(number, None) or StartedJob(
            rule, None, log[0] if log else "", time.monotonic()
        )
        self._attempts[number] += 1
        if job.run:
            self._seen.pop(job.run.name, None)
        self._failed[number] = job
        # Of a cluster's command, Snakemake's message holds all of its words.
        said = textwrap.shorten(message, LONGEST_MESSAGE, placeholder=" ...")
        why = (last_words(Path(job.log)) if job.log else None) or said
        if job.run:
            why = why.removeprefix(f"{job.run.name}: ")
        if self._is_stopping:
            self._screen.line(f"stopped  {job.title}{f': {why}' if why else ''}", "yellow")
            return
        self._screen.line(f"FAILED   {job.title}: {why or 'it ended without a word'}", "bold red")
        if job.log:
            self._screen.line(f"         Log: {job.log}")
        self._screen.line(f"         {self._what_goes_on(number, job)}")

    def stop(self) -> None:
        """Note that the user has interrupted Snakemake."""
        self._is_stopping = True
        self._screen.line(
            "Stopping. Runs save a checkpoint first, which may take a moment.", "yellow"
        )

    def end(self, success: bool) -> None:
        """Say how the invocation ended."""
        if self._is_over or self.plan is None:
            return
        self._is_over = True
        self._screen.close()
        seconds = time.monotonic() - self._began
        self._screen.line("")
        if success:
            self._results(self.plan)
            self._screen.line(self._used(self.plan, seconds), "bold green")
            return
        failed = [job.title for job in self._failed.values()]
        shown = ", ".join(failed[:5]) + (f" and {len(failed) - 5} more" if len(failed) > 5 else "")
        what = f"{len(failed)} failed: {shown}" if failed and not self._is_stopping else "stopped"
        runs = f" {len(self._ended)} of {len(self.plan.runs)} runs done." if self.plan.runs else ""
        self._screen.line(f"Not finished: {what}.{runs}", "bold red")
        resumes = "; interrupted runs resume at their last checkpoint" if self.plan.runs else ""
        self._screen.line(f"The same command goes on from there{resumes}.")

    def close(self) -> None:
        """End where nobody said how."""
        self._screen.close()
        if not self._is_over and self.plan is not None:
            self.end(success=False)

    def message(self, text: str, style: str = "") -> None:
        """Pass on what Snakemake says."""
        self._say(text.strip().splitlines(), style)

    def block(self, text: str) -> None:
        """Pass on what Snakemake says of a job, as it says it."""
        self._screen.block(text)

    # What there is to see

    def at_work(self) -> list[RunStatus]:
        """Return how the runs at work stand."""
        if self.reader is None:
            return []
        found = self.reader.read([job.run for job in list(self.jobs.values()) if job.run])
        return [self._seen_last(each) for each in found]

    def _seen_last(self, status: RunStatus) -> RunStatus:
        """Return the status of a run that Snakemake has started, also where the run says nothing yet, or no more."""
        name = status.run.name
        if status.state == "running":
            self._seen[name] = status
        if status.state == "running" or (self._on_cluster and name not in self._seen):
            return status
        if last := self._seen.get(name):
            # Its checkpoints are gone, and Snakemake does not know yet that it is complete.
            return replace(last, slurm=status.slurm, images_per_s=None, seconds_left=None)
        return replace(status, state="waiting", device="starting")

    def light_jobs(self) -> tuple[int, int, list[str]]:
        """Return how many other jobs are done, of how many, and the titles of those at work."""
        assert self.plan is not None  # shown after the plan only
        total = sum(job.run is None for job in self.plan.jobs)
        busy = [job.title for job in list(self.jobs.values()) if not job.run]
        return sum(self._light.values()), total, busy

    def progress(self, at_work: Sequence[RunStatus]) -> tuple[float, float | None]:
        """Return the part of all work that is done, 0 to 1, and the seconds that are left, if they are known."""
        assert self.plan is not None
        now = {each.run.name: each for each in at_work} | self._ended
        runs = [now.get(run.name, RunStatus(run, "waiting")) for run in self.plan.runs]
        done, total, _ = self.light_jobs()
        forecast = self.plan.forecast
        training = 3600 * forecast.device_hours if forecast else 60.0 * len(runs)
        cores = min(forecast.devices.count, 2) if forecast else 1
        made = training * share_done(runs) + LIGHT_SECONDS * done
        share = made / (training + LIGHT_SECONDS * total)
        trained = share_done(runs)
        left = time_left(runs)
        if left is None and trained:
            left = (time.monotonic() - self._began) * (1 - trained) / trained
        elif left is None and forecast:
            left = forecast.seconds
        return share, None if left is None else left + LIGHT_SECONDS * (total - done) / cores

    # Words

    def _run_line(self, job: StartedJob, status: RunStatus) -> str:
        assert self.plan is not None
        top1 = "" if status.top1 is None else f"test top-1 {status.top1:.2f} %, "
        took = clock(time.monotonic() - job.since if status.seconds is None else status.seconds)
        if status.state == "diverged":
            top1 = f"{status.reason}, "
        return (
            f"done     {job.title}: {top1}{took} ({len(self._ended)} of {len(self.plan.runs)} runs)"
        )

    def _what_goes_on(self, number: int, job: StartedJob) -> str:
        retries = self.plan.retries if self.plan else 0
        if self._attempts[number] <= retries:
            again = "resumes at its last checkpoint" if job.run else "starts anew"
            return (
                f"It is started again ({self._attempts[number]} of {retries} retries) and {again}."
            )
        if self.plan is None or len(self.plan.jobs) == 1:
            return "Nothing else was to be done."
        if self.plan.keeps_going:
            return "The other jobs go on; what reads its files is not made."
        return "Jobs at work are finished, no others are started (`--keep-going` starts those that do not need it)."

    def _used(self, plan: Plan, seconds: float) -> str:
        text = f"Done in {duration(seconds)}"
        if plan.forecast and plan.runs:
            used = sum(each.device_hours or 0.0 for each in self._ended.values())
            device, expected = plan.forecast.devices.kind, plan.forecast.device_hours
            text += f" (forecast for the runs: {duration(plan.forecast.seconds)}), "
            text += f"{device_hours(used, device)} (forecast: {device_hours(expected, device)})"
        return f"{text}."

    def _results(self, plan: Plan) -> None:
        self._say(result_lines(read_results(plan.study.root, plan.names)))
        self._say(file_lines(plan))

    def _say(self, lines: Sequence[str], style: str = "") -> None:
        for line in lines:
            self._screen.line(line, style)


def _all_current(plan: Plan) -> str:
    runs = sum(f"runs/{run.name}" in plan.names for run in plan.study.runs)
    return f"all that was asked for is current, {runs} of {len(plan.study.runs)} runs among it."


WHOSE = {"talk": "Claims of the original talk", "paper": "Claims of papers"}


def result_lines(results: StudySummary) -> list[str]:
    """Return what the tables say, a line for each of the best variants, each arm, and the claims."""
    lines = []
    if results.leaders:
        lines.append(
            f"{NAMES[results.metric].capitalize()} on the test split in %, with 95 % intervals"
        )
        width = max(len(each.variant) for each in results.leaders[:MOST_LEADERS])
        for place, each in enumerate(results.leaders[:MOST_LEADERS], 1):
            interval = f"  [{each.low:.2f}, {each.high:.2f}]" if each.low is not None else ""
            lines.append(
                f"  {place}  {each.variant:<{width}}  {each.score:6.2f}{interval}{'  leads' if each.leads else ''}"
            )
        if more := len(results.leaders) - MOST_LEADERS:
            lines += [f"     and {more} more"] if more > 0 else []
        lines.append(f"  {results.statement}")
    if results.ablations:
        lines.append(f"Ablations, points of {NAMES[results.metric]} against the baseline")
        for arm in results.ablations:
            interval = f" [{arm.low:+.2f}, {arm.high:+.2f}]" if arm.low is not None else ""
            lines.append(f"  {arm.ablation}: {arm.arm} {arm.delta:+.2f}{interval}: {arm.words}")
    for origin, verdicts in results.claims.items():
        counts = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
        lines.append(f"{WHOSE.get(origin, origin)}: {counts}")
    return [line for line in lines if line.strip()]


def file_lines(plan: Plan) -> list[str]:
    """Return the files that a person opens, of those that the invocation was about."""
    root = plan.study.root
    files = {
        "page": f"{root}/report/index.html",
        "report": f"{root}/report/report.md",
        "slides/en": f"{root}/slides/deck.en.pptx",
        "slides/zh": f"{root}/slides/deck.zh.pptx",
        "comparison": f"{root}/comparison/models.md",
    }
    wanted = [f"  {file}" for name, file in files.items() if name in plan.names]
    return ["Open", *wanted[:3]] if wanted else []
