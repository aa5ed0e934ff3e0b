"""What the networks of a study are, found by building them once: fingerprint, parameters, MACs.

Building needs torch, which is too slow to import at every parse. So a subprocess does it, and a cache keeps the
answers, keyed by everything that they depend on: the model's arguments, the source files of its builder,
and the versions of torch and timm. Networks that Bakeoff does not ship also rehearse a run there
(`bakeoff.support.rehearsal`), so that what would fail at a run's end is told before its start.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import IO, Any

from bakeoff.errors import UserError
from bakeoff.files import canonical_json, read_json, sha256_text, write_json
from bakeoff.jobs.code import SOURCE, entry_file, file_digest, source_digest
from bakeoff.models.registry import builder_code, builder_modules

DESCRIBE = "bakeoff.models.describe"
RUN = "bakeoff.evaluation.run"
REHEARSAL = SOURCE / "support" / "rehearsal.py"
ARGUMENT = "drop_path_rate"
EXAMINE = "bakeoff.evaluation.examine"
WORTH_TWO_PROCESSES = 4
# What timm calls the networks that config/models.yaml takes from it. A test rehearses each of them, and each builder of
# our own, so that no study has to.
REHEARSED_TIMM = frozenset(
    {
        "coatnet_0_224",
        "convnext_tiny",
        "cspresnet50",
        "ghostnet_100",
        "resnest50d",
    }
)
REHEARSED_TIMM_ARGS = frozenset({"name", "drop_rate", "drop_path_rate", "zero_init_last"})


@dataclass(frozen=True)
class Network:
    """A network as built: two variants with equal fingerprints are the same network."""

    fingerprint: str
    params: int
    macs: int


def takes_drop_path(builder: str, args: Mapping[str, Any]) -> bool:
    """Return whether a variant's builder has a `drop_path_rate`, found in its source: imports take long.

    Args:
        builder: as in models.yaml.
        args: its arguments there; what they name, the builder has.
    """
    if ARGUMENT in args:
        return True
    if builder == "timm":
        return any(ARGUMENT in text for text in _timm_sources(str(args.get("name"))))
    path, function = Path(builder.rpartition(":")[0]), builder.rpartition(":")[2]
    if builder in builder_modules():
        path = entry_file(*builder_code(builder)) or path
    with suppress(OSError, SyntaxError, ValueError):
        return any(
            ARGUMENT in (each.arg for each in (*node.args.args, *node.args.kwonlyargs))
            for node in ast.parse(path.read_bytes()).body
            if isinstance(node, ast.FunctionDef) and function in (node.name, *_registered(node))
        )
    return False


def _registered(function: ast.FunctionDef) -> list[object]:
    """Return the names under which a function is registered as a builder."""
    calls = (each for each in function.decorator_list if isinstance(each, ast.Call))
    return [word.value for call in calls for word in call.args if isinstance(word, ast.Constant)]


def _timm_sources(name: str) -> Iterator[str]:
    """Yield the source of timm's module with the network `name`, and of the families that it derives from."""
    package = find_spec("timm")
    folders = [
        Path(place) / "models" for place in (package and package.submodule_search_locations) or ()
    ]
    for folder in folders:
        for file in folder.glob("*.py"):
            text = file.read_text(encoding="utf-8")
            if f"\ndef {name.partition('.')[0]}(" in text:
                yield text
                for family in re.findall(r"^from \.([a-z]\w*) import", text, re.MULTILINE):
                    yield (folder / f"{family}.py").read_text(encoding="utf-8")


def library_versions(policy: str = "compatible") -> dict[str, str]:
    """Return the versions of torch and timm as far as they count.

    Args:
        policy: `strict` for whole versions, `compatible` for major and minor, `ignore` for nothing.
    """
    if policy == "ignore":
        return {}
    found = {package: _installed(package) for package in ("torch", "timm")}
    if policy == "strict":
        return found
    return {package: ".".join(whole.split(".")[:2]) for package, whole in found.items()}


@cache
def _installed(package: str) -> str:
    """Return the version of a package; it is asked for once for each network, and its metadata is long."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def is_shipped(model: Mapping[str, Any]) -> bool:
    """Return whether a model is one whose rehearsal the tests have seen."""
    args = model.get("args") or {}
    if model["builder"] == "timm":
        return args.get("name") in REHEARSED_TIMM and args.keys() <= REHEARSED_TIMM_ARGS
    return model["builder"] in builder_modules()


def describe_networks(
    models: Mapping[str, Mapping[str, Any]],
    classes: int,
    image_size: int,
    cache: Path,
    single: Set[str] = frozenset(),
) -> dict[str, Network]:
    """Return {variant: Network} for {variant: model}, building only what `cache` does not know.

    Args:
        models: `model` of each variant.
        classes: of the data set.
        image_size: height and width of its images, in pixels.
        cache: a JSON file; it only saves time.
        single: variants that have to be trained on a micro-batch of one image.

    Raises:
        UserError: a network cannot be built, or fails in its rehearsal; one sentence for each.
    """
    keys = {
        name: _key(model, classes, image_size, name in single) for name, model in models.items()
    }
    known = _read(cache)
    # Two variants may be one model; one of them is asked about.
    asked = {keys[name]: name for name in models if keys[name] not in known}
    if asked:
        questions = {
            name: {
                "model": models[name],
                "single": name in single,
                "rehearse": not is_shipped(models[name]),
            }
            for name in asked.values()
        }
        answers = _examine(questions, classes, image_size)
        for key, name in asked.items():
            if not answers[name]["error"]:
                known[key] = {field: answers[name][field] for field in Network.__annotations__}
        # A folder that cannot be written costs time, no result.
        with suppress(OSError):
            write_json(cache, known)
        failures = [
            f"variant {name}: {answers[asked[key]]['error']}"
            for name, key in keys.items()
            if key not in known
        ]
        if failures:
            raise UserError("\n".join(failures))
    return {name: Network(**known[key]) for name, key in keys.items()}


def _key(model: Mapping[str, Any], classes: int, image_size: int, single: bool) -> str:
    parts = [
        model,
        classes,
        image_size,
        single,
        source_digest(DESCRIBE, *builder_code(model["builder"])),
        [] if is_shipped(model) else [source_digest(RUN), file_digest(REHEARSAL)],
        library_versions(),
    ]
    return sha256_text(canonical_json(parts))


def _read(cache: Path) -> dict[str, Any]:
    try:
        content = read_json(cache)
    except (OSError, ValueError):
        # A cache that is absent or damaged is made anew.
        return {}
    fields = Network.__annotations__.keys()
    entries = content.items() if isinstance(content, dict) else ()
    return {key: each for key, each in entries if isinstance(each, dict) and each.keys() == fields}


def _examine(
    questions: Mapping[str, Mapping[str, Any]], classes: int, image_size: int
) -> dict[str, dict[str, Any]]:
    """Return {variant: fields of a `Description`}, from two processes at a time, and as many as it takes.

    A network that ends the process that looks at it is told, and the others are looked at in another one.
    """
    names = list(questions)
    progress = _Progress(len(names))
    # Importing torch costs each process what a few networks cost.
    parts = [names[::2], names[1::2]] if len(names) >= WORTH_TWO_PROCESSES else [names]

    def look(part: Sequence[str]) -> dict[str, dict[str, Any]]:
        answers: dict[str, dict[str, Any]] = {}
        while len(answers) < len(part):
            rest = {name: questions[name] for name in part if name not in answers}
            of_study = {"num_classes": classes, "image_size": image_size}
            answers |= _answers(rest, of_study, progress)
        return answers

    with progress, ThreadPoolExecutor(len(parts)) as threads:
        return {name: each for found in threads.map(look, parts) for name, each in found.items()}


class _Progress:
    """Says on a terminal how many networks were looked at; elsewhere only that it is done."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._lock = Lock()
        self._live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def __enter__(self) -> None:
        self._show()

    def __exit__(self, *_: object) -> None:
        if self._live:
            print(file=sys.stderr)

    def step(self) -> None:
        """Count one network."""
        with self._lock:
            self._done += 1
            if self._live:
                self._show()

    def say(self, text: str) -> None:
        """Say something in a line of its own."""
        with self._lock:
            print(f"\n{text}" if self._live else text, file=sys.stderr, flush=True)

    def _show(self) -> None:
        text = f"Looking at {self._total} network(s) that are new or changed, once"
        if self._live:
            print(f"\r{text}: {self._done} done", end="", file=sys.stderr, flush=True)
        else:
            print(f"{text}.", file=sys.stderr, flush=True)


def _answers(
    questions: Mapping[str, Mapping[str, Any]], of_study: Mapping[str, int], progress: _Progress
) -> dict[str, dict[str, Any]]:
    """Return the answers of one process; its last one may be that the process was ended."""
    answers: dict[str, dict[str, Any]] = {}
    # Which network the process is looking at, and how much was printed before.
    at: str | None = None
    before = 0
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as printed,
        subprocess.Popen(
            [sys.executable, "-u", "-m", EXAMINE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            text=True,
        ) as process,
    ):
        try:
            for line in _lines(process, json.dumps({"models": questions, **of_study})):
                told: dict[str, Any] = json.loads(line)
                if "looking_at" in told:
                    at, before = told["looking_at"], told["printed"]
                if "rehearsing" in told:
                    progress.say(
                        f"variant {at}: rehearsal of a run, because the network is not Bakeoff's own"
                    )
                if "name" in told:
                    answers[told.pop("name")], at = told, None
                    progress.step()
        except BaseException:
            process.kill()
            raise
        code = process.wait()
        last = _last_line(printed, before)
    if len(answers) < len(questions):
        if at is None:
            raise UserError(f"The networks of the study could not be examined: {last}.")
        builder = questions[at]["model"]["builder"]
        answers[at] = {
            "error": f"Builder {builder!r} ended the process that looked at its network ({_ending(code)}): {last}."
        }
    return answers


def _lines(process: subprocess.Popen[str], question: str) -> Iterator[str]:
    assert process.stdin is not None  # both are pipes
    assert process.stdout is not None
    # A process that could not start does not read; what it printed says why.
    with suppress(BrokenPipeError):
        process.stdin.write(question)
        process.stdin.close()
    yield from process.stdout


def _last_line(printed: IO[str], start: int) -> str:
    printed.seek(start)
    lines = printed.read().strip().splitlines()
    return lines[-1].strip().rstrip(".") if lines else "it printed nothing"


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
