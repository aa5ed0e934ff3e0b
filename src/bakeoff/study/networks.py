"""What the networks of a study are, found by building them once: fingerprint, parameters, MACs.

Building needs torch, which is too slow to import at every parse. So a subprocess does it, and a cache keeps the
answers, keyed by everything that they depend on: the model's arguments, the source files of its builder,
and the versions of torch and timm.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError
from bakeoff.files import canonical_json, read_json, sha256_text, write_json
from bakeoff.models.registry import BUILDER_MODULES
from bakeoff.study.closure import file_digest as code_digest
from bakeoff.study.closure import module_file, source_digest

DESCRIBE = "bakeoff.models.describe"
ARGUMENT = "drop_path_rate"


@dataclass(frozen=True)
class Network:
    """A network as built: two variants with equal fingerprints are the same network."""

    fingerprint: str
    params: int
    macs: int


def builder_digest(builder: str) -> str:
    """Return the digest of the code that a builder's network is made of."""
    if builder in BUILDER_MODULES:
        return source_digest("bakeoff.models", f"bakeoff.models.{BUILDER_MODULES[builder]}")
    path = Path(builder.rpartition(":")[0])
    return code_digest(path) if path.is_file() else "missing"


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
    if builder in BUILDER_MODULES:
        path = module_file(f"bakeoff.models.{BUILDER_MODULES[builder]}") or path
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
    found = {}
    for package in ("torch", "timm"):
        try:
            whole = version(package)
        except PackageNotFoundError:
            whole = "none"
        found[package] = whole if policy == "strict" else ".".join(whole.split(".")[:2])
    return found


def describe_networks(
    models: Mapping[str, Mapping[str, Any]], classes: int, image_size: int, cache: Path
) -> dict[str, Network]:
    """Return {variant: Network} for {variant: model}, building only what `cache` does not know.

    Raises:
        UserError: a network cannot be built; one sentence for each.
    """
    keys = {name: _key(model, classes, image_size) for name, model in models.items()}
    known = _read(cache)
    missing = {name: model for name, model in models.items() if keys[name] not in known}
    if missing:
        described = _describe(missing, classes, image_size)
        failures = {name: text["error"] for name, text in described.items() if text.get("error")}
        if failures:
            lines = (f"variant {name}: {error}" for name, error in failures.items())
            raise UserError("\n".join(lines))
        for name, text in described.items():
            known[keys[name]] = asdict(Network(text["fingerprint"], text["params"], text["macs"]))
        write_json(cache, known)
    return {name: Network(**known[key]) for name, key in keys.items()}


def _key(model: Mapping[str, Any], classes: int, image_size: int) -> str:
    parts = [
        model,
        classes,
        image_size,
        builder_digest(model["builder"]),
        source_digest(DESCRIBE),
        library_versions(),
    ]
    return sha256_text(canonical_json(parts))


def _read(cache: Path) -> dict[str, Any]:
    try:
        content = read_json(cache)
    except (OSError, ValueError):
        # A cache that is absent or damaged is made anew.
        return {}
    return content if isinstance(content, dict) else {}


def _describe(
    models: Mapping[str, Mapping[str, Any]], classes: int, image_size: int
) -> dict[str, dict[str, Any]]:
    question = {"models": models, "num_classes": classes, "image_size": image_size}
    process = subprocess.run(
        [sys.executable, "-m", DESCRIBE],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        last = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"The networks of the study could not be examined: {last}")
    answer: dict[str, dict[str, Any]] = json.loads(process.stdout)
    return answer
