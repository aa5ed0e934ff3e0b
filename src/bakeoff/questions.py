"""The targets `why`, `adopt` and `clean_orphans`: from Snakemake's configuration to an answer in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bakeoff.errors import UserError
from bakeoff.files import write_text
from bakeoff.staleness.commands import adopt, job_of, orphans, remove_orphan, why
from bakeoff.staleness.state import State
from bakeoff.study.config import Asked
from bakeoff.workflow import Layout

Question = Callable[[Mapping[str, Layout], Asked], Sequence[str]]


def answer(question: Question, layouts: Mapping[str, Layout], asked: Asked, log: str) -> None:
    """Print the answer to a question and keep it in the file `log`.

    Raises:
        UserError: the question cannot be answered; that, too, is in `log`.
    """
    try:
        text = "\n".join(question(layouts, asked))
    except UserError as error:
        write_text(log, f"{error}\n")
        raise
    print(text)
    write_text(log, f"{text}\n")


def say_why(layouts: Mapping[str, Layout], asked: Asked) -> Sequence[str]:
    """Return why the file `asked.target` is stale.

    Raises:
        UserError: there is no target, or no study makes it.
    """
    target = asked.target
    if not target:
        raise UserError("Name a file: snakemake why --config target=results/comparison/models.csv")
    layout = layout_of(target, layouts)
    return [why(target, Path(layout.study.root), layout.state)]


def adopt_results(layouts: Mapping[str, Layout], asked: Asked) -> Sequence[str]:
    """Accept the file `asked.target`, or without one all results of the main study, as current.

    Raises:
        UserError: no reason is given, or a file is missing or was altered.
    """
    reason, target = asked.reason.strip(), asked.target
    # What a program writes where it has none.
    if reason.lower() in ("", "none"):
        raise UserError(
            "Say why the change is harmless: snakemake adopt --config reason='renamed a variable'. "
            "The reason is kept in the provenance of what is adopted."
        )
    layout = layout_of(target, layouts)
    root = Path(layout.study.root)
    jobs = [job_of(target, root, layout.state)] if target else all_jobs(layout)
    lines = adopt(root, jobs, _states(layout), reason)
    return lines or ["nothing to adopt: all results that exist are current"]


def clean_orphans(layouts: Mapping[str, Layout], asked: Asked) -> Sequence[str]:
    """List what is in the main study's root but no longer in the study; remove it with `asked.remove`."""
    layout = next(iter(layouts.values()))
    root = Path(layout.study.root)
    found = orphans(root, layout.seeds, list(layout.study.ablations))
    if not found:
        return [f"no orphans in {root}"]
    for path in found if asked.remove else []:
        remove_orphan(root, path)
    done = [f"{'removed' if asked.remove else 'orphan'}: {path}" for path in found]
    return done if asked.remove else [*done, "remove them with --config remove=true"]


def layout_of(target: str, layouts: Mapping[str, Layout]) -> Layout:
    """Return the layout whose root a file is in; the innermost where roots are nested, the first without a root."""
    inside = [root for root in layouts if Path(target).is_relative_to(root)]
    return layouts[max(inside, key=len) if inside else next(iter(layouts))]


def all_jobs(layout: Layout) -> list[str]:
    """Return the names of all jobs of a study whose results can be tracked."""
    runs = [
        f"runs/{variant}/seed{seed}" for variant, seeds in layout.seeds.items() for seed in seeds
    ]
    kinds = ("data", "comparison", "claims", "report", "profiles/", "ablations/", "figures/")
    others = [name for name in layout.specs if name.startswith(kinds)]
    return [*runs, *others, "slides/en", "slides/zh"]


def _states(layout: Layout) -> Iterator[State]:
    while True:
        yield layout.look()
