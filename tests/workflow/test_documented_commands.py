"""Every command in the documentation: planned by Snakemake, or understood by the command line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.photos import write_photos
from tests.support.project import REPOSITORY, Project, make_project, project_environment

PAGES = (
    *("README.md", "README.zh-CN.md", "config/README.md", "config/quick.yaml", "config/demo.yaml"),
    *(str(page.relative_to(REPOSITORY)) for page in sorted((REPOSITORY / "docs").glob("*.md"))),
    *(f"profiles/{name}/config.yaml" for name in ("cpu", "gpu8", "slurm")),
)
# Shown as part of a sentence, without the value that it needs.
UNFINISHED = {"snakemake adopt", "snakemake why"}


def commands() -> list[str]:
    """Return the commands of all pages: indented lines, and `code` that begins like one."""
    found: dict[str, None] = {}
    for page in PAGES:
        text = (REPOSITORY / page).read_text(encoding="utf-8")
        lines = re.findall(
            r"^(?:#? {4,5})((?:[A-Z_]+=\w+ )*(?:snakemake|python -m bakeoff) .*)$", text, re.M
        )
        inline = re.findall(r"`((?:snakemake|python -m bakeoff) [^`]+)`", text)
        for line in (*lines, *inline):
            command = re.split(r"\s+# ", line)[0].strip()
            if "<" not in command and command not in UNFINISHED:
                found[command] = None
    return list(found)


COMMANDS = commands()


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with all that the commands name."""
    project = make_project(tmp_path_factory.mktemp("documented") / "project")
    archive = project.folder / "cifar-100-binary.tar.gz"
    archive.write_bytes(b"not looked into by a plan")
    write_photos(project.folder / "photos")
    return project


def test_the_pages_have_commands() -> None:
    assert len(COMMANDS) > 20
    assert "snakemake -n" in COMMANDS


# What follows is Snakemake's, and so it is planned as such.
SETTLE = "python -m bakeoff settle"


@pytest.mark.parametrize(
    "command",
    [
        command.replace(SETTLE, "snakemake settle")
        for command in COMMANDS
        if "snakemake" in command.split("python")[0] or command.startswith(SETTLE)
    ],
)
def test_snakemake_plans_it(documented: Project, command: str) -> None:
    words = shlex.split(command.replace("/data/cifar", f"{documented.folder}/cifar"))
    settings = dict(word.split("=", 1) for word in words[: words.index("snakemake")])
    arguments = words[words.index("snakemake") + 1 :]
    done = documented.snakemake("-n", *arguments, **settings)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if c.startswith("python") and not c.startswith(SETTLE)]
)
def test_the_command_line_understands_it(command: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, *shlex.split(command)[1:]],
        cwd=tmp_path,
        env=project_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    # Nothing is there to be traced or verified, and that is what it has to say.
    assert done.returncode == 2
    assert "results" in done.stderr
    assert "Traceback" not in done.stderr
    assert "unrecognized" not in done.stderr
