"""What a user may ask about staleness: why a file is stale, to accept it as it is, and what belongs to nobody."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bakeoff.errors import UserError, did_you_mean
from bakeoff.files import read_json, write_json
from bakeoff.jobs.records import file_state, load_record, now, record_path, save_record
from bakeoff.jobs.state import Jobs, Staleness


def job_of(target: str, root: Path, jobs: Jobs, names: Sequence[str]) -> str:
    """Return the job that makes the file `target`, a path with or without the root, or a job's own name.

    Args:
        target: what the user named: below the root or the working directory, or absolute.
        root: of the study.
        jobs: that the rules can make.
        names: of all jobs of the study.

    Raises:
        UserError: no job of the study makes it.
    """
    path = Path(target)
    above = next((each for each in (root, root.absolute()) if path.is_relative_to(each)), None)
    relative = str(path.relative_to(above)) if above else target
    if jobs.describes(relative):
        return relative
    producer = jobs.producer(relative)
    if producer and jobs.describes(producer):
        return producer
    known = [f"{root}/{path}" for name in names for path in jobs.job(name).writes]
    raise UserError(
        f"target is '{target}', which no job of the study in {root} makes"
        f"{did_you_mean(str(root / relative), known)}. Give a file below "
        f"{root}, such as {root}/comparison/models.csv."
    )


def why(target: str, job: str, state: Staleness) -> str:
    """Return why a file that `job` makes is stale, with the reasons of what it comes from, or that it is current."""
    if not state.reasons(job):
        return f"{target} is current: it was made from what is there now."
    lines: list[str] = []
    _explain(job, state, lines, 0, set())
    return "\n".join(lines)


def _explain(job: str, state: Staleness, lines: list[str], depth: int, seen: set[str]) -> None:
    lines.append(f"{'  ' * depth}{state.job(job).title}")
    seen.add(job)
    lines.extend(f"{'  ' * depth}- {reason}" for reason in state.reasons(job))
    for producer in state.producers(job):
        if producer not in seen and state.reasons(producer):
            _explain(producer, state, lines, depth + 1, seen)


def adopt(root: Path, jobs: Sequence[str], states: Iterator[Staleness], note: str) -> list[str]:
    """Accept what jobs have made as current, and write into their records that this was done, when and over what.

    Args:
        root: of the study.
        jobs: names of jobs; those that are current, or were never made, are passed over.
        states: fresh looks at the study: adopting one job settles what others read.
        note: the user's reason.

    Returns:
        One line for each job that was adopted.

    Raises:
        UserError: a file is missing or was altered; that is not a change of configuration or code, and nothing vouches
            for the file.
    """
    adopted = []
    for name in upstream_first(jobs, next(states)):
        state = next(states)
        reasons = state.reasons(name)
        if not reasons or not state.made_before(name):
            continue
        record, job = load_record(root, name), state.job(name)
        absent = [f"{path} is missing" for path in job.reads if not (root / path).exists()]
        damage = [*state.damage(name), *absent]
        if record is None or damage:
            raise UserError(
                f"{root}/{job.writes[0]} cannot be adopted: {'; '.join(damage or reasons)}. "
                "Only a change of configuration or code can be declared harmless; let the job run again."
            )
        entry = {
            "time": now(),
            "note": note,
            "changes": list(reasons),
        }
        if name.startswith("runs/"):
            _tell_provenance(root / f"{name}/provenance.json", entry)
        save_record(
            root,
            name,
            replace(
                record,
                spec=job.spec,
                code=state.code(job),
                reads={path: file_state(root / path) for path in job.reads},
                outside={
                    path: file_state(Path(path)) for path in job.outside if Path(path).exists()
                },
                writes={
                    # What an archive left out is still what it was.
                    path: file_state(root / path) if (root / path).exists() else record.writes[path]
                    for path in job.writes
                },
                adopted=(*record.adopted, entry),
            ),
        )
        adopted.append(f"adopted {job.title}: {'; '.join(reasons)}")
    return adopted


def upstream_first(jobs: Sequence[str], state: Staleness) -> list[str]:
    """Return jobs in such an order that what a job reads is made by those before it."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in ordered:
            for producer in state.producers(name):
                visit(producer)
            ordered[name] = None

    for name in jobs:
        visit(name)
    return [name for name in ordered if name in set(jobs)]


def _tell_provenance(path: Path, entry: Mapping[str, object]) -> None:
    content = read_json(path)
    write_json(path, {**content, "adopted": [*content.get("adopted", []), entry]})


def orphans(root: Path, seeds: Mapping[str, Sequence[int]], names: Sequence[str]) -> list[Path]:
    """Return the folders and files of runs, profiles and ablations that the study no longer has.

    Args:
        root: of the study.
        seeds: {variant that is trained: its seeds}.
        names: of the ablations.
    """
    kept = {f"{variant}/seed{seed}" for variant, numbers in seeds.items() for seed in numbers}
    runs = [
        folder
        for folder in sorted((root / "runs").glob("*/seed*"))
        if str(folder.relative_to(root / "runs")) not in kept
    ]
    profiles = [
        file for file in sorted((root / "profiles").glob("*.json")) if file.stem not in seeds
    ]
    tables = [file for file in sorted((root / "ablation").glob("*.*")) if file.stem not in names]
    return [*runs, *profiles, *tables]


def remove_orphan(root: Path, path: Path) -> None:
    """Remove an orphan with its record, its log and its checkpoints."""
    relative = path.relative_to(root)
    if path.is_dir():
        variant_and_seed = relative.relative_to("runs")
        shutil.rmtree(path)
        shutil.rmtree(root / "checkpoints" / variant_and_seed, ignore_errors=True)
        (root / "logs" / "train" / variant_and_seed).with_suffix(".log").unlink(missing_ok=True)
        record_path(root, str(relative)).unlink(missing_ok=True)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    else:
        path.unlink()
        folder = {"ablation": "ablations"}.get(relative.parts[0], relative.parts[0])
        record_path(root, f"{folder}/{path.stem}").unlink(missing_ok=True)
