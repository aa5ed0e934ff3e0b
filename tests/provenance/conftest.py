"""A study built for real, its graph, its archive, and the archive unpacked elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bakeoff.provenance.graph import Graph, load_graph
from tests.support.project import Project, make_project
from tests.support.provenance import COMPARED, is_testable
from tests.support.study import small_study


@pytest.fixture(scope="package")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with a complete study: two variants, two seeds, one ablation of two arms."""
    study = small_study() | {"variants": list(COMPARED), "ablations": ["ghost"]}
    project = make_project(tmp_path_factory.mktemp("built"), study)
    arms = [
        {"arm": "none", "variant": "resnet_20"},
        {"arm": "ratio 2", "variant": "ghost_resnet_20"},
    ]
    project.edit("config/ablations.yaml", lambda content: content["ghost"].update(arms=arms))
    project.edit(
        "config/claims.yaml", lambda claims: [c for c in claims if is_testable(c["measure"])]
    )
    done = project.snakemake("all")
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="package")
def root(built: Project) -> Path:
    return built.folder / "results"


@pytest.fixture(scope="package")
def graph(root: Path) -> Graph:
    return load_graph(root)


@pytest.fixture(scope="package")
def archive(built: Project) -> Path:
    done = built.snakemake("archive")
    assert done.returncode == 0, done.stderr
    return built.folder / "results" / "archive" / "small.tar.gz"


@pytest.fixture
def elsewhere(built: Project, archive: Path, tmp_path: Path) -> Project:
    """Return a fresh project, with its own configuration, into which the archive was unpacked."""
    project = make_project(tmp_path / "elsewhere")
    # Only saves time: what the networks are, keyed by all that it depends on.
    networks = Path("resources/networks.json")
    (project.folder / networks).parent.mkdir(exist_ok=True)
    shutil.copy(built.folder / networks, project.folder / networks)
    subprocess.run(["tar", "-xzf", str(archive)], cwd=project.folder, check=True)
    return project
