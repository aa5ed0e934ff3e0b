"""What trace, archive and verify say, as text."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from bakeoff.files import canonical_json, file_digest
from bakeoff.provenance.graph import RunFacts
from bakeoff.provenance.manifest import Content, Manifest
from bakeoff.provenance.trace import DIGITS, Trace, TraceStep
from bakeoff.provenance.verify import Verified

# Of a file or a pipe: wide enough that no line is broken.
PLAIN_WIDTH = 400
RIGHT_ALIGNED = ("seed", "top-1 (%)")


def print_trace(trace: Trace) -> None:
    """Print a trace as a tree, and the runs it leads to as a table."""
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
    console.print(_tree(trace.step))
    if trace.runs:
        console.print(_table(trace.runs))
    for text in trace.breaks:
        console.print(Text(f"broken: {text}", style="red"))


def print_verified(verified: Verified) -> None:
    """Print what was checked."""
    print(f"- {verified.jobs} jobs: each wrote what is there and read what the others wrote")
    print(f"- {verified.runs} runs: metrics, history, predictions and data belong together")
    print(f"- {verified.numbers} numbers on the slides are what the tables and runs say")
    if verified.tables:
        tables = ", ".join(verified.tables)
        print(f"- computed again from the predictions, and the same: {tables}")
    if verified.other_code:
        count = Counter(job.partition("/")[0] for job in verified.other_code)
        kinds = ", ".join(f"{kind} ({number})" for kind, number in count.items())
        print(
            f"- made by other code than this checkout has, so that Snakemake calls it stale: {kinds}"
        )


def print_manifest(archive: Path, manifest: Manifest) -> None:
    """Print what an archive holds, and how to draw from it."""
    commits = ", ".join(manifest.commits) or "not known: they were not trained in a checkout"
    changes = ", with changes that were not committed" if manifest.dirty else ""
    print(f"{archive}: {_amount(manifest.files.values())} of the study {manifest.name}")
    print(f"- SHA-256 {file_digest(archive)}: compare it with what the sender has")
    print(f"- commit of the runs: {commits}{changes}")
    print(f"- left out: {_left_out(manifest)}")
    print("To draw from it, unpack it in a fresh checkout of that code:")
    print(f"  tar -xzf {archive}")
    print(f"  snakemake figures{''.join(_arguments(manifest))}")


def _arguments(manifest: Manifest) -> Iterator[str]:
    """Yield the arguments by which Snakemake takes the study's configuration, `config/config.yaml` aside."""
    if layers := manifest.layers[1:]:
        yield f" --configfile {shlex.join(layers)}"
    if values := manifest.command_line.items():
        words = [f"{key}={canonical_json(value)}" for key, value in values]
        yield f" --config {shlex.join(words)}"


def _amount(contents: Iterable[Content]) -> str:
    sizes = [content.size for content in contents]
    return f"{len(sizes)} files, {sum(sizes) / 2**20:.1f} MiB"


def _left_out(manifest: Manifest) -> str:
    groups: dict[str, list[Content]] = {}
    for path, content in manifest.left_out.items():
        kind = "weights" if PurePosixPath(path).suffix == ".safetensors" else "images"
        groups.setdefault(kind, []).append(content)
    texts = [f"{kind} ({_amount(contents)})" for kind, contents in groups.items()]
    return ", ".join(texts) or "nothing"


def _tree(step: TraceStep) -> Tree:
    tree = Tree(Text(step.text))
    for cause in step.causes:
        tree.add(_tree(cause))
    return tree


def _table(runs: tuple[RunFacts, ...]) -> Table:
    table = Table(box=None, pad_edge=False, title="\nRuns", title_justify="left")
    for name in ("variant", "seed", "top-1 (%)", "commit", "configuration", "data", "made"):
        table.add_column(name, justify="right" if name in RIGHT_ALIGNED else "left")
    for run in runs:
        adopted = f", {run.adopted} change(s) declared harmless" if run.adopted else ""
        table.add_row(
            run.variant,
            str(run.seed),
            "diverged" if run.top1 is None else f"{run.top1:.2f}",
            f"{_commit(run)}{adopted}",
            run.spec[:DIGITS],
            run.data[:DIGITS],
            run.end[:10],
        )
    return table


def _commit(run: RunFacts) -> str:
    if run.commit is None:
        return "not in git"
    return f"{run.commit[:DIGITS]}{' + changes' if run.dirty else ''}"
