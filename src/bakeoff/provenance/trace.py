"""From a file, a slide or a number to the runs behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from bakeoff.errors import UserError, did_you_mean
from bakeoff.provenance.cells import Cell, cells_of_table
from bakeoff.provenance.graph import (
    Graph,
    RunFacts,
    is_run,
    load_graph,
    run_facts,
    run_order,
    spec_digest,
)
from bakeoff.provenance.rows import runs_of_cell
from bakeoff.provenance.slides import Slide, drawn_as, is_deck, load_slides

DIGITS = 12  # of a digest, as people read it
PROFILES = "profiles/"


@dataclass(frozen=True)
class TraceStep:
    """A thing, in words, and what it was made from."""

    text: str
    causes: tuple[TraceStep, ...] = ()


@dataclass(frozen=True)
class Trace:
    """Where something comes from."""

    step: TraceStep
    runs: tuple[RunFacts, ...]
    breaks: tuple[str, ...]
    """Where the chain from the runs is broken, a sentence each."""


def trace(path: Path, number: str | None = None, slide: int | None = None) -> Trace:
    """Return where a file of a study comes from, or one number or slide of it.

    Args:
        path: of a file that a job of the study wrote.
        number: as it is shown in a deck, or rounded from a table, `path`.
        slide: of the deck `path`, counted from 1.

    Raises:
        UserError: no job wrote the file, it shows no such number, or it has no such slide.
    """
    root = root_of(path)
    graph, file = load_graph(root), str(path.resolve().relative_to(root.resolve()))
    if file not in graph.writers:
        raise UserError(
            f"{path} is no result of the study in {root}{did_you_mean(file, graph.writers)}. "
            "Name a table, a figure, a deck or a file of a run."
        )
    if slide is not None and not is_deck(file):
        raise UserError(f"{path} has no slides. Name a deck, such as {root}/slides/deck.en.pptx.")
    if is_deck(file) and (number is not None or slide is not None):
        return _trace_deck(graph, file, number, slide)
    if number is not None:
        cells = [cell for cell in cells_of_table(root, file) if _rounds_to(cell.value, number)]
        return _trace_cells(graph, file, number, [(cell.place, cell) for cell in cells])
    job = graph.writers[file]
    return _traced(graph, _explain_file(graph, file, set()), graph.runs(job), [job])


def root_of(path: Path) -> Path:
    """Return the root of the study that a file belongs to: the nearest folder above it that holds records.

    Raises:
        UserError: there is none.
    """
    for folder in path.parents:
        if (folder / "records").is_dir():
            return folder
    raise UserError(
        f"{path} is not below the root of a study: no folder above it holds `records`. Name a file such as "
        "results/figures/accuracy_bars.png."
    )


def _trace_deck(graph: Graph, deck: str, number: str | None, slide: int | None) -> Trace:
    slides = load_slides(graph, deck)
    if slide is not None and not 1 <= slide <= len(slides):
        raise UserError(f"{graph.root / deck} has slides 1 to {len(slides)}, but no slide {slide}.")
    wanted = [item for item in slides if slide in (None, item.number)]
    if number is None:
        return _trace_slide(graph, deck, wanted[0])
    found = [
        (f"slide {item.number}, {shown.where}: {shown.text} is {shown.cell.place}", shown.cell)
        for item in wanted
        for shown in item.numbers
        if _plain(shown.text) == _plain(number) or _equal(shown.text, number)
    ]
    if not found:
        texts = [shown.text for item in wanted for shown in item.numbers]
        where = graph.root / deck if slide is None else f"Slide {slide} of {graph.root / deck}"
        raise UserError(f"{where} shows no number {number}{did_you_mean(number, texts)}.")
    return _trace_cells(graph, deck, number, found)


def _trace_cells(graph: Graph, file: str, number: str, found: Sequence[tuple[str, Cell]]) -> Trace:
    if not found:
        raise UserError(f"{graph.root / file} has no number that rounds to {number}.")
    steps: list[TraceStep] = []
    runs: list[str] = []
    for text, cell in dict(found).items():
        behind = runs_of_cell(graph, cell)
        job = graph.writers.get(cell.file)
        causes = [TraceStep(_job_text(graph, job))] if job else []
        causes.append(
            _runs_step(behind) if behind else TraceStep("no run: it stands in the configuration")
        )
        steps.append(TraceStep(text, tuple(causes)))
        runs += behind
    jobs = [job for _, cell in found if (job := graph.writers.get(cell.file))]
    return _traced(graph, TraceStep(f"{graph.root / file}: {number}", tuple(steps)), runs, jobs)


def _trace_slide(graph: Graph, deck: str, slide: Slide) -> Trace:
    seen: set[str] = set()
    steps = [_explain_file(graph, picture, seen) for picture in slide.pictures]
    runs = [run for picture in slide.pictures for run in graph.runs(drawn_as(graph, picture))]
    for file, shown in groupby(
        sorted(slide.numbers, key=lambda number: number.cell.file),
        key=lambda number: number.cell.file,
    ):
        numbers = list(shown)
        texts = ", ".join(dict.fromkeys(number.text for number in numbers))
        behind = _sorted(run for number in numbers for run in runs_of_cell(graph, number.cell))
        job = graph.writers.get(file)
        causes = [TraceStep(_job_text(graph, job))] if job else []
        causes += [_runs_step(behind)] if behind else []
        steps.append(TraceStep(f"{file}: {texts}", tuple(causes)))
        runs += behind
    jobs = [graph.writers[file] for file in slide.files if file in graph.writers]
    step = TraceStep(f"{graph.root / deck}, slide {slide.number}: {slide.title}", tuple(steps))
    return _traced(graph, step, runs, jobs)


def _explain_file(graph: Graph, file: str, seen: set[str]) -> TraceStep:
    """Return the step of a file with all that it comes from; what `seen` holds is not explained again."""
    made_by = _job_text(graph, graph.writers[file])
    state = "" if graph.is_whole(file) else " (altered or missing: not what was made)"
    job = drawn_as(graph, file) if file.endswith(".png") else graph.writers[file]
    return TraceStep(f"{file}{state}, made by {made_by}", _causes(graph, job, seen))


def _causes(graph: Graph, job: str, seen: set[str]) -> tuple[TraceStep, ...]:
    seen.add(job)
    sources = graph.sources(job)
    steps = []
    for source in sources:
        if is_run(source) or source.startswith(PROFILES):
            continue
        files = [path for path in graph.records[job].reads if graph.writers.get(path) == source]
        text = f"{_files_text(files)}, made by {_job_text(graph, source)}"
        again = source in seen and graph.sources(source)
        steps.append(
            TraceStep(f"{text}: see above")
            if again
            else TraceStep(text, _causes(graph, source, seen))
        )
    runs = _sorted(filter(is_run, sources))
    profiles = [source.removeprefix(PROFILES) for source in sources if source.startswith(PROFILES)]
    if runs:
        steps.insert(0, _runs_step(runs))
    if profiles:
        steps.append(TraceStep(f"cost profiles of {', '.join(profiles)}"))
    return tuple(steps)


def _job_text(graph: Graph, job: str) -> str:
    record = graph.records[job]
    adopted = f", {len(record.adopted)} change(s) declared harmless" if record.adopted else ""
    return f"{job} (configuration {spec_digest(record)[:DIGITS]}{adopted})"


def _files_text(files: Sequence[str]) -> str:
    folder = str(Path(files[0]).parent)
    names = [Path(file).name for file in files]
    return f"{folder}/{names[0]}" if len(files) == 1 else f"{folder}/{{{','.join(names)}}}"


def _runs_step(runs: Sequence[str]) -> TraceStep:
    by_variant = groupby(map(run_order, runs), key=lambda order: order[0])
    texts = [
        f"{name} (seed {', '.join(str(seed) for _, seed in group)})" for name, group in by_variant
    ]
    return TraceStep(f"{len(runs)} run{'s' if len(runs) > 1 else ''}: {'; '.join(texts)}")


def _traced(graph: Graph, step: TraceStep, runs: Iterable[str], jobs: Iterable[str]) -> Trace:
    breaks = [text for job in graph.upstream(*dict.fromkeys(jobs)) for text in graph.breaks(job)]
    facts = tuple(run_facts(graph, run) for run in _sorted(runs))
    return Trace(step, facts, tuple(breaks))


def _sorted(runs: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(runs), key=run_order))


def _plain(text: str) -> str:
    """Return a number as it is typed: with the minus sign of keyboards, without plus, separators and unit."""
    typed = text.replace("−", "-").replace(",", "").strip()
    found = re.fullmatch(r"\+?(-?\d*\.?\d+)( ?[^\d\s]+)?", typed)
    return found.group(1) if found else typed


def _equal(shown: str, number: str) -> bool:
    try:
        return float(_plain(shown)) == float(_plain(number))
    except ValueError:
        return False


def _rounds_to(content: float | str, number: str) -> bool:
    decimals = len(_plain(number).partition(".")[2])
    try:
        return round(float(content), decimals) == float(_plain(number))
    except ValueError:
        return content == number
