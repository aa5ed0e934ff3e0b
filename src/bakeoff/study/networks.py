"""What the networks of a study are, found by building them once: fingerprint, parameters, MACs.

Building needs torch, which is too slow to import at every parse. So a subprocess does it, and a cache keeps the
answers, keyed by everything that they depend on: the model's arguments, the source files of its builder,
and the versions of torch and timm.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError
from bakeoff.files import canonical_json, read_json, sha256_text, write_json
from bakeoff.jobs.code import source_digest
from bakeoff.models.registry import builder_code

DESCRIBE = "bakeoff.models.describe"


@dataclass(frozen=True)
class Network:
    """A network as built: two variants with equal fingerprints are the same network."""

    fingerprint: str
    params: int
    macs: int


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
        # It only saves time, and a dry run may look at a folder that is read-only.
        with suppress(OSError):
            write_json(cache, known)
    return {name: Network(**known[key]) for name, key in keys.items()}


def _key(model: Mapping[str, Any], classes: int, image_size: int) -> str:
    parts = [
        model,
        classes,
        image_size,
        source_digest(DESCRIBE, *builder_code(model["builder"])),
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
