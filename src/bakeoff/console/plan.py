"""What an invocation will do and why, in a few lines, however many jobs there are."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from bakeoff.console.study import ShownRun, ShownStudy
from bakeoff.jobs.state import MADE_AGAIN
from bakeoff.planning.follow import Forecast, duration
from bakeoff.planning.machine import counted

WIDTH = 100
NOT_MADE = "not made yet"
FOLLOWS = "what it reads is made again"
# More reasons than these are counted, not told.
MOST_REASONS = 6
# What rules make, as people call it: one, several.
KINDS = {
    "download": ("download", "downloads"),
    "fetch_weights": ("weights file", "weights files"),
    "prepare": ("data set", "data sets"),
    "train": ("run", "runs"),
    "profile_model": ("cost profile", "cost profiles"),
    "compare": ("comparison", "comparisons"),
    "ablate": ("ablation", "ablations"),
    "claims": ("table of claims", "tables of claims"),
    "plot": ("figure", "figures"),
    "report": ("report", "reports"),
    "page": ("page", "pages"),
    "deck": ("deck", "decks"),
    "settle": ("look at what is open", "looks at what is open"),
    "data_card": ("data card", "data cards"),
    "provenance": ("crate of provenance", "crates of provenance"),
    "model_cards": ("set of model cards", "sets of model cards"),
}


@dataclass(frozen=True)
class PlannedJob:
    """A job that has to run."""

    rule: str
    name: str
    """As its record is called: `runs/resnet_20/seed0`; else its rule."""
    run: ShownRun | None = None
    is_new: bool = False
    reasons: tuple[str, ...] = ()
    """Of a job that was made before: why it is stale."""

    @property
    def causes(self) -> tuple[str, ...]:
        """Those of the reasons that do not follow from another job's."""
        if self.is_new:
            return ()
        return tuple(each for each in self.reasons if not each.endswith(MADE_AGAIN))


@dataclass(frozen=True)
class Plan:
    """What an invocation will do. The Snakefile makes it when the graph of jobs is complete."""

    study: ShownStudy
    jobs: tuple[PlannedJob, ...]
    names: frozenset[str]
    """Names of all jobs of the graph, those that have to run and those that need not."""
    forecast: Forecast | None
    is_dry: bool
    keeps_going: bool
    retries: int

    @property
    def runs(self) -> tuple[ShownRun, ...]:
        """The runs that have to be trained."""
        return tuple(job.run for job in self.jobs if job.run)


def kind(rule: str, number: int) -> str:
    """Return what a rule makes, in words: "7 figures"."""
    one, several = KINDS.get(rule, (rule, rule))
    return f"{number} {one if number == 1 else several}"


def plan_lines(plan: Plan, width: int = WIDTH) -> list[str]:
    """Return a plan in lines of at most `width` columns."""
    study, wanted = plan.study, plan.runs
    about = study.about
    epochs = counted(int(about["epochs"]), "epoch")
    lines = [
        f"Study {about['name']}: {about['dataset']}, protocol {about['protocol']}, {epochs}",
    ]
    planned = {run.name for run in wanted}
    stale = sum(1 for job in plan.jobs if job.run and not job.is_new)
    done = sum(f"runs/{run.name}" in plan.names for run in study.runs) - len(planned)
    numbers = {
        "done": done,
        "stale": stale,
        "not made yet": len(planned) - stale,
        "not asked for": len(study.runs) - len(planned) - done,
    }
    states = [f"{number} {state}" for state, number in numbers.items() if number]
    lines.append(f"  {_size(study.runs)}: {', '.join(states)}")
    for rule in _order(plan.jobs):
        lines += _kind_lines(rule, [job for job in plan.jobs if job.rule == rule])
    if plan.forecast:
        lines.append(f"  Forecast: {_forecast(plan.forecast)}")
    lines.append(f"  Results: {study.root}")
    return [part for line in lines for part in fitted(line, width)]


def fitted(line: str, width: int) -> list[str]:
    """Return a line in parts that fit; those after the first are indented. A path that is longer stays whole."""
    if len(line) <= width:
        return [line]
    indent = " " * min(30, len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


def _size(runs: Sequence[ShownRun]) -> str:
    variants = {run.variant for run in runs}
    compared = {run.variant for run in runs if run.compared}
    arms = {arm for run in runs for arm in run.arms}
    ablations = {arm.partition("/")[0] for arm in arms}
    text = f"{counted(len(runs), 'run')} of {counted(len(variants), 'network')} "
    text += f"({counted(len(compared), 'variant')} compared"
    if arms:
        text += f", {counted(len(arms), 'arm')} of {counted(len(ablations), 'ablation')}"
    return f"{text})"


def _order(jobs: Iterable[PlannedJob]) -> list[str]:
    """Return the rules of jobs, in the order in which they run."""
    found = {job.rule for job in jobs}
    return [*(rule for rule in KINDS if rule in found), *sorted(found - KINDS.keys())]


def _kind_lines(rule: str, jobs: Sequence[PlannedJob]) -> list[str]:
    groups: dict[str, list[PlannedJob]] = {}
    for job in jobs:
        groups.setdefault(_reason(job), []).append(job)
    number, _, what = kind(rule, len(jobs)).partition(" ")
    head = f"  {number:>5} {what:<21}"
    if len(groups) == 1:
        (reason,) = groups
        whom = f"of {_whom(jobs)}: " if reason != NOT_MADE and jobs[0].run else ""
        return [f"{head}{whom}{reason}"]
    largest = sorted(groups.items(), key=lambda each: -len(each[1]))
    lines = [head.rstrip()]
    for reason, members in largest[:MOST_REASONS]:
        whom = f"of {_whom(members)}" if members[0].run else f"({_names(members)})"
        lines.append(f"  {len(members):>7} {whom}: {reason}")
    if rest := largest[MOST_REASONS:]:
        number = f"{sum(len(members) for _, members in rest):>7}"
        lines.append(f"  {number} for {counted(len(rest), 'other reason')}; `-n -p` shows all jobs")
    return lines


def _whom(jobs: Sequence[PlannedJob]) -> str:
    """Return the variants of runs: one by its name, several by their number, and by their family if it is one."""
    variants = {job.run.variant for job in jobs if job.run}
    families = {job.run.family for job in jobs if job.run}
    if len(variants) == 1:
        return variants.pop()
    family = f"{families.pop()} " if len(families) == 1 else ""
    return f"{len(variants)} {family}variants"


def _names(jobs: Sequence[PlannedJob]) -> str:
    names = [job.name.rpartition("/")[2] for job in jobs]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _reason(job: PlannedJob) -> str:
    if job.is_new:
        return NOT_MADE
    if job.causes:
        # Files of its own, the same for all of a kind.
        return "; ".join(_short(each).replace(f"{job.name}/", "") for each in job.causes)
    return FOLLOWS if job.reasons else "asked for by hand"


def _short(cause: str) -> str:
    """Return a reason as people say it: "eca.py changed"."""
    head, colon, names = cause.partition("code changed: ")
    if not colon or head:
        return cause
    files = [
        PurePath(name).name if name.endswith(".py") else f"{name.rpartition('.')[2]}.py"
        for name in names.split(", ")
    ]
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return f"{', '.join(files[:3])}{more} changed"


def _forecast(forecast: Forecast) -> str:
    price = ""
    if forecast.price is not None:
        digits = 0 if forecast.price >= 10 else 2
        price = f", {forecast.price:,.{digits}f} {forecast.currency}"
    return (
        f"about {duration(forecast.seconds)} on {forecast.devices}, "
        f"{device_hours(forecast.device_hours, forecast.devices.kind)}{price} (predicted from {forecast.basis})"
    )


def device_hours(hours: float, device: str) -> str:
    """Return hours of GPUs or cores in words: "58 GPU-hours"."""
    what = "GPU" if device == "gpu" else "core"
    if hours < 0.1:
        return f"{60 * hours:.2g} {what}-minutes"
    number = f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
    return f"{number} {what}-hours"


def clock(seconds: float | None) -> str:
    """Return a time as h:mm:ss or m:ss; nothing where it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
