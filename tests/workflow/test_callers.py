"""What a caller brings along decides nothing: odd paths, environments and files, disks that cannot be written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.built import build
from tests.support.project import Project, make_project, project_environment
from tests.support.study import ONE_RUN, small_study

SHELL = Path(sys.executable).parent / "snakemake"

ODD_NAMES = [
    "-leading a blank b[rack]et(s) dollar$HOME $(touch x) quo'te\"s `touch x`;touch x& 数据 %s#~!*?.tar.gz",
]

HOSTILE = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "PYTHONIOENCODING": "ascii:strict",
    "PYTHONHASHSEED": "7",
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "TZ": "Asia/Kathmandu",
    "COLUMNS": "20",
    "FORCE_COLOR": "1",
    "OMP_THREAD_LIMIT": "1",
    "ATEN_CPU_CAPABILITY": "default",
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4",
    "ACCELERATE_USE_FSDP": "true",
    "RANK": "1",
    "WORLD_SIZE": "2",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "1",
    "PMI_SIZE": "2",
    "TIMM_FUSED_ATTN": "0",
    "GIT_DIR": "/nowhere",
    "HTTPS_PROXY": "http://127.0.0.1:9",
}
SHADOWS = ("random", "token", "json", "logging", "torch", "numpy", "yaml", "bakeoff")


@pytest.fixture(scope="module")
def finished(small_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with its data, one run and one figure."""
    folder = tmp_path_factory.mktemp("callers") / "project"
    project = make_project(folder, small_study(ONE_RUN), results=small_results)
    return build(project, "results/figures/accuracy_bars.png")


@pytest.fixture
def mine(finished: Project, tmp_path: Path) -> Project:
    """Return a copy of the finished project that a test may spoil."""
    shutil.copytree(finished.folder, tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_path_reaches_its_job_as_it_is(finished: Project, tmp_path: Path, name: str) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(
        finished.folder, project.folder, ignore=shutil.ignore_patterns("results", ".snakemake")
    )
    (project.folder / name).write_bytes(b"not an archive")
    data = {"kind": "cifar100", "archive": name, "validation": {"images": 100, "seed": 0}}
    project.edit("config/config.yaml", lambda config: config.update(data=data))
    done = project.snakemake("results/data/meta.json")
    log = (project.folder / "results/logs/prepare.log").read_text(encoding="utf-8")
    # The job looked into this very file.
    assert done.returncode == 1
    assert f"'{name}'" in log and "md5" in log, log
    assert "Traceback" not in done.stderr
    assert not (project.folder / "x").exists()


def test_braces_in_a_path_are_refused(project: Project) -> None:
    project.edit("config/config.yaml", lambda c: c["data"].update(archive="br{root}ace.tar.gz"))
    done = project.snakemake("-n", "results/data/meta.json")
    assert done.returncode == 2
    assert "'br{root}ace.tar.gz': the path of an input has no braces" in done.stderr


def test_the_environment_decides_nothing(mine: Project) -> None:
    results = mine.folder / "results"
    figure, run = results / "figures/accuracy_bars.svg", results / "runs/resnet_20/seed0"
    before = figure.read_bytes(), (run / "predictions.npz").read_bytes()
    for name in SHADOWS:
        (mine.folder / f"{name}.py").write_text("raise SystemError('of the working directory')\n")
    (mine.folder / "matplotlibrc").write_text("axes.facecolor: red\nsavefig.dpi: 20\n")
    # As people start it: the command, not a module, which would look into the working directory by itself.
    words = mine.command("results/figures/accuracy_bars.png", "--forcerun", "train", "plot")
    done = subprocess.run(
        [str(SHELL), *words[3:]],
        cwd=mine.folder,
        env={**project_environment(), **HOSTILE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (figure.read_bytes(), (run / "predictions.npz").read_bytes()) == before


def test_a_record_of_another_shape_proves_nothing(mine: Project) -> None:
    spoilt = {
        "figures/accuracy_bars": {"reads": []},
        "comparison": {"spec": None},
        "profiles/resnet_20": {"writes": {"x": 1}},
        "runs/resnet_20/seed0": {"code": {"x": 1}},
    }
    for job, change in spoilt.items():
        path = mine.folder / f"results/records/{job}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    done = mine.snakemake("-n", "results/figures/accuracy_bars.png")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nothing tells how it was made") == len(spoilt)


@pytest.mark.parametrize(
    ("job", "targets"),
    [
        ("data", ["results/data/meta.json"]),
        ("runs/resnet_20/seed0", ["results/runs/resnet_20/seed0/metrics.json"]),
        ("profiles/resnet_20", ["results/profiles/resnet_20.json"]),
        ("comparison", ["comparison"]),
        ("figures/accuracy_bars", ["results/figures/accuracy_bars.png"]),
    ],
)
def test_a_job_that_fails_leaves_what_was_there(
    mine: Project, job: str, targets: list[str]
) -> None:
    before = files_of(mine)
    record = mine.folder / f"results/records/{job}.json"
    content = record.read_bytes()
    record.unlink()
    # The job makes all of its files, and fails at the very last.
    record.mkdir()
    done = mine.snakemake(*targets)
    assert done.returncode == 1, done.stderr
    assert "a folder stands where a file is expected" in done.stderr
    assert "Traceback" not in done.stderr
    assert files_of(mine) == before
    record.rmdir()
    record.write_bytes(content)
    done = mine.snakemake("-n", *targets)
    assert "Nothing to be done" in done.stdout + done.stderr


def files_of(project: Project) -> dict[str, bytes]:
    results = project.folder / "results"
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in results.rglob("*")
        if path.is_file()
        and path.relative_to(results).parts[0] not in {"demo", "logs", "specs", "records"}
    }


def states_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


def test_a_dry_run_touches_no_result(mine: Project) -> None:
    mine.edit("config/config.yaml", lambda config: config["recipe_overrides"].update(epochs=2))
    before = states_of(mine.folder / "results")
    done = mine.snakemake("-n", "results/figures/accuracy_bars.png")
    assert "recipe.epochs: 1 -> 2" in done.stderr
    assert states_of(mine.folder / "results") == before


@pytest.fixture
def mounts() -> Iterator[list[Path]]:
    """Return a list of folders that are unmounted afterwards."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount")
    mounted: list[Path] = []
    yield mounted
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def mount(folder: Path, mounted: list[Path], *arguments: str) -> None:
    done = subprocess.run(["mount", *arguments, str(folder)], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("mounting is not allowed here")
    mounted.append(folder)


def test_a_study_that_cannot_be_written(mine: Project, mounts: list[Path]) -> None:
    for name in ("results", "resources"):
        folder = mine.folder / name
        mount(folder, mounts, "--bind", str(folder))
        mount(folder, mounts, "-o", "remount,ro,bind")
    # Looking is possible: nothing to do, or what would have to be done.
    assert "Nothing to be done" in mine.snakemake("-n", "comparison").stdout
    mine.edit("config/config.yaml", lambda config: config["recipe_overrides"].update(epochs=2))
    done = mine.snakemake("-n", "comparison")
    assert "recipe.epochs: 1 -> 2" in done.stderr, done.stderr
    refused(mine, "mounted read-only")


def test_a_full_disk(mine: Project, mounts: list[Path]) -> None:
    shutil.rmtree(mine.folder / "results")
    (mine.folder / "results").mkdir()
    mount(mine.folder / "results", mounts, "-t", "tmpfs", "-o", "size=8k", "none")
    refused(mine, "the disk is full")


@pytest.mark.parametrize("path", ["results/specs", "results/specs/runs"])
def test_a_file_where_a_folder_belongs(mine: Project, path: str) -> None:
    shutil.rmtree(mine.folder / path)
    (mine.folder / path).write_text("a file\n")
    refused(mine, "a file stands where a folder is expected")
    assert (mine.folder / path).read_text() == "a file\n"


def refused(project: Project, words: str) -> None:
    done = project.snakemake("comparison", "--forcerun", "compare")
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if words in line]
    assert len(lines) == 1 and lines[0].startswith("results"), done.stderr
    assert "Traceback" not in done.stderr and "OSError" not in done.stderr
