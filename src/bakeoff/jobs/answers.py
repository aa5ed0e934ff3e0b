"""The targets `why`, `adopt` and `clean_orphans`: from Snakemake's configuration to an answer in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bakeoff.errors import UserError
from bakeoff.files import write_text
from bakeoff.jobs.commands import adopt, job_of, orphans, remove_orphan, why
from bakeoff.jobs.state import Staleness
from bakeoff.study.config import Asked
from bakeoff.workflow import ResolvedStudy

Look = Callable[[], Staleness]
"""Returns the state of the study's jobs, looked at anew."""


def answer(question: Callable[[], Sequence[str]], log: str) -> None:
    """Print the answer to a question and keep it in the file `log`.

    Raises:
        UserError: the question cannot be answered; that, too, is in `log`.
    """
    try:
        text = "\n".join(question())
    except UserError as error:
        write_text(log, f"{error}\n")
        raise
    print(text)
    write_text(log, f"{text}\n")


def say_why(layout: ResolvedStudy, look: Look, asked: Asked) -> Sequence[str]:
    """Return why the file `asked.target` is stale.

    Raises:
        UserError: there is no target, or the study does not make it.
    """
    target = asked.target
    if not target:
        raise UserError("Name a file: snakemake why --config target=results/comparison/models.csv")
    state = look()
    job = job_of(target, Path(layout.study.root), state.jobs, study_jobs(layout))
    return [why(target, job, state)]


def adopt_results(layout: ResolvedStudy, look: Look, asked: Asked) -> Sequence[str]:
    """Accept the file `asked.target`, or without one all results of the study, as current.

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
    root, names = Path(layout.study.root), study_jobs(layout)
    jobs = [job_of(target, root, look().jobs, names)] if target else names
    lines = adopt(root, jobs, _states(look), reason)
    return lines or ["nothing to adopt: all results that exist are current"]


def clean_orphans(layout: ResolvedStudy, look: Look, asked: Asked) -> Sequence[str]:
    """List what is in the study's root but no longer in the study; remove it with `asked.remove`.

    Raises:
        UserError: it would be removed while ablations are left out, whose runs are the study's own.
    """
    root = Path(layout.study.root)
    found = orphans(root, layout.seeds, list(layout.study.ablations))
    if not found:
        return [f"no orphans in {root}"]
    remove = asked.remove
    if remove and (line := layout.study.left_out):
        raise UserError(
            f"{line} Nothing was removed: with the ablations their runs are left out, and belong to the study all the "
            "same. Ask again when the hub answers, or take the ablations out of the configuration."
        )
    for path in found if remove else []:
        remove_orphan(root, path)
    done = [f"{'removed' if remove else 'orphan'}: {path}" for path in found]
    return done if remove else [*done, "remove them with --config remove=true"]


def study_jobs(layout: ResolvedStudy) -> list[str]:
    """Return the names of the jobs of a study whose results can be adopted."""
    return list(layout.specs["provenance"]["jobs"])


def _states(look: Look) -> Iterator[Staleness]:
    while True:
        yield look()
