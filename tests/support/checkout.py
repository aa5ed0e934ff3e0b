"""A checkout of its own whose files a test may edit and put back."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from bakeoff.study.layers import merge
from tests.support.forks import call_snakemake
from tests.support.project import (
    REPOSITORY,
    give_networks,
    keep_networks,
    project_environment,
    use_snakemakes_logger,
)
from tests.support.study import small_study

COPIED = ("src", "workflow", "config", "profiles")


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository with a study in it."""

    folder: Path

    def snakemake(
        self, *arguments: str, pythonpath: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run snakemake with the code of this checkout, or with other paths of modules."""
        profile = () if "--profile" in arguments else ("--profile", "profiles/cpu")
        done = call_snakemake(
            [*profile, *arguments],
            self.folder,
            {**project_environment(), "PYTHONPATH": pythonpath or str(self.folder / "src")},
        )
        keep_networks(self.folder)
        return done

    def plan(self, *arguments: str) -> set[str]:
        """Return the jobs that a dry run of `all` plans, as `train resnet_20/seed0`."""
        done = self.snakemake("-n", "all", *arguments)
        assert done.returncode == 0, done.stderr
        return jobs_of(done.stdout)

    def reasons(self, *arguments: str) -> str:
        """Return what a dry run of `all` says about stale jobs."""
        return self.snakemake("-n", "all", *arguments).stderr

    @contextmanager
    def changed(self, file: str, before: str, after: str) -> Iterator[None]:
        """Replace a piece of text in a file that has it exactly once; put it back afterwards."""
        path = self.folder / file
        original = path.read_text(encoding="utf-8")
        assert original.count(before) == 1, f"{file} has {before!r} {original.count(before)} times"
        path.write_text(original.replace(before, after), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(original, encoding="utf-8")

    @contextmanager
    def configured(self, file: str, change: dict[str, object]) -> Iterator[None]:
        """Lay `change` over a YAML file; put it back afterwards."""
        path = self.folder / file
        original = path.read_text(encoding="utf-8")
        path.write_text(yaml.safe_dump(merge(yaml.safe_load(original), change), sort_keys=False))
        try:
            yield
        finally:
            path.write_text(original, encoding="utf-8")


def jobs_of(text: str) -> set[str]:
    """Return the jobs in a dry run's output, without targets."""
    jobs = set()
    for block in re.split(r"\n(?=(?:local)?rule \w+:)", text):
        head = re.match(r"(?:local)?rule (\w+):", block)
        if head is None or head.group(1) in ("all", "stale"):
            continue
        found = re.search(r"wildcards: (.*)", block)
        pairs = dict(pair.split("=") for pair in found.group(1).split(", ")) if found else {}
        pairs.pop("root", None)
        name = "/seed".join(pairs.values()) if "seed" in pairs else " ".join(pairs.values())
        jobs.add(f"{head.group(1)} {name}".strip())
    return jobs


def copy_repository(folder: Path) -> Checkout:
    """Copy what a study needs of the repository, with the small study laid over its configuration."""
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    shutil.copy(REPOSITORY / "requirements.lock", folder)
    use_snakemakes_logger(folder)
    give_networks(folder)
    path = folder / "config" / "config.yaml"
    config = merge(yaml.safe_load(path.read_text(encoding="utf-8")), small_study())
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return Checkout(folder)
