"""A study built for real, its graph, its archive, and the archive unpacked elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bakeoff.provenance.graph import Graph, load_graph
from tests.support.built import build, once
from tests.support.project import Project, make_project
from tests.support.provenance import COMPARED, is_testable
from tests.support.study import small_study

ARMS = [
    {"arm": "none", "variant": "resnet_20"},
    {"arm": "ratio 2", "variant": "ghost_resnet_20"},
]
OF_OTHERS = ("runs/eca_*", "runs/ghost_resnet_20_*", "profiles/eca_*", "ablation*/[ae]*")


def two_variants(folder: Path, results: Path) -> Project:
    """Return a project with results for a study of two variants, two seeds, and one ablation of two arms."""
    study = small_study({"variants": list(COMPARED), "ablations": ["ghost"]})
    project = make_project(folder, study, results=results)
    project.edit("config/ablations.yaml", lambda content: content["ghost"].update(arms=ARMS))
    project.edit(
        "config/claims.yaml", lambda claims: [c for c in claims if is_testable(c["measure"])]
    )
    return project


def build_two_variants(folder: Path, results: Path) -> None:
    """Make the study of two variants from the runs of the small study."""
    project = two_variants(folder, results)
    for pattern in OF_OTHERS:
        for part in (".", "specs", "records", "logs"):
            for path in (folder / "results" / part).glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    build(project, "all")


@pytest.fixture(scope="package")
def built(small_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with a complete study: two variants, two seeds, one ablation of two arms."""
    made = once(
        tmp_path_factory, "two_variants", lambda folder: build_two_variants(folder, small_results)
    )
    return two_variants(tmp_path_factory.mktemp("built") / "project", made / "results")


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
