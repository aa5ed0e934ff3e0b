"""The repository, and projects made from it that a test may spoil."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bakeoff.files import atomic_path
from tests.support.forks import call_snakemake

REPOSITORY = Path(__file__).resolve().parents[2]
SCHEMAS = REPOSITORY / "workflow" / "schemas"

NETWORKS = Path("resources/networks.json")
KEPT = Path(tempfile.gettempdir()) / f"bakeoff-tests-{os.getuid()}" / "networks.json"


@dataclass(frozen=True)
class Project:
    """A working directory with a copy of the configuration, in which the repository's workflow runs."""

    folder: Path

    def edit(self, file: str, change: Callable[[Any], Any]) -> None:
        """Apply `change` to the content of a YAML file; it may return the new content or mutate it."""
        path = self.folder / file
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        changed = change(content)
        content = content if changed is None else changed
        path.write_text(
            yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8"
        )

    def snakemake(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run snakemake in the project's folder on two cores and return the finished process."""
        done = call_snakemake(
            self.arguments(*arguments), self.folder, {**project_environment(), **environment}
        )
        keep_networks(self.folder)
        return done

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of snakemake with `arguments`."""
        return [sys.executable, "-m", "snakemake", *self.arguments(*arguments)]

    def arguments(self, *arguments: str) -> list[str]:
        """Return `arguments` with what each call of snakemake has."""
        return [
            "--snakefile",
            str(REPOSITORY / "workflow" / "Snakefile"),
            *arguments,
            *(() if "--profile" in arguments else ("--cores", "2", "--resources", "gpu=0")),
        ]


def project_environment() -> dict[str, str]:
    """Return an environment in which `python` is the interpreter that runs the tests."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY / "src")}


def make_project(
    folder: Path, study: Mapping[str, Any] | None = None, results: Path | None = None
) -> Project:
    """Copy configuration and profiles to `folder`, and results; `study` is laid over config.yaml."""
    if results:
        shutil.copytree(results, folder / "results")
    shutil.copytree(REPOSITORY / "config", folder / "config")
    shutil.copytree(REPOSITORY / "profiles", folder / "profiles")
    use_snakemakes_logger(folder)
    give_networks(folder)
    project = Project(folder)
    if study:
        from bakeoff.study.layers import merge  # noqa: PLC0415

        project.edit("config/config.yaml", lambda config: merge(config, study))
    return project


def use_snakemakes_logger(folder: Path) -> None:
    """Let the profiles in `folder` leave the log as Snakemake writes it, which names all jobs."""
    for profile in (folder / "profiles").glob("*/config.yaml"):
        lines = profile.read_text(encoding="utf-8").splitlines(keepends=True)
        profile.write_text("".join(line for line in lines if "logger: bakeoff" not in line))


def keep_networks(folder: Path) -> None:
    """Keep what a project knows of its networks, for the next one: it only saves time, because it is keyed by code."""
    known = folder / NETWORKS
    if known.is_file() and (not KEPT.is_file() or known.stat().st_size > KEPT.stat().st_size):
        with atomic_path(KEPT) as temporary:
            shutil.copy(known, temporary)


def give_networks(folder: Path) -> None:
    """Give a project what another one knew of the networks."""
    if KEPT.is_file():
        (folder / NETWORKS).parent.mkdir(exist_ok=True)
        shutil.copy(KEPT, folder / NETWORKS)
