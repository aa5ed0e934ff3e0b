"""The archive of a study, and its verification."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from bakeoff.errors import UserError
from bakeoff.files import file_digest
from bakeoff.provenance.archive import pack
from bakeoff.provenance.crate import CRATE
from bakeoff.provenance.graph import Graph
from bakeoff.provenance.verify import verify_archive, verify_results
from tests.support.project import Project
from tests.support.provenance import DECK, KEPT, RUNS, bakeoff

# --- the archive ----------------------------------------------------------------------------------


def members(archive: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(archive) as tar:
        return tar.getmembers()


def test_the_archive_holds_results_without_images_and_weights(archive: Path, root: Path) -> None:
    names = {member.name for member in members(archive)}
    for path in (
        "comparison/models.csv", "comparison/models.md", "comparison/models.tex", "ablation/ghost.csv",
        "claims/claims.csv", "figures/accuracy_bars.svg", DECK, "slides/assets/numbers.zh.json",
        "report/report.md", "data/meta.json", CRATE, "records/comparison.json", "records/provenance.json",
        "specs/comparison.json", "profiles/resnet_20.json",
        *(f"{run}/{file}" for run in RUNS for file in KEPT),
    ):  # fmt: skip
        assert f"results/{path}" in names, path
    assert {
        "config/config.yaml",
        "config/models.yaml",
        "config/slides.yaml",
        "requirements.lock",
    } <= names
    assert not [name for name in names if name.endswith((".npy", ".safetensors"))]
    manifest = read_json_member(archive, "results/MANIFEST.json")
    assert set(manifest["files"]) == names - {"results/MANIFEST.json"}
    left_out = {f"results/{run}/model.safetensors" for run in RUNS}
    left_out |= {str(path.relative_to(root.parent)) for path in (root / "data").glob("*.npy")}
    assert set(manifest["left_out"]) == left_out


def read_json_member(archive: Path, name: str) -> Any:
    with tarfile.open(archive) as tar:
        stream = tar.extractfile(name)
        assert stream is not None
        return json.load(stream)


def test_equal_studies_give_equal_archives(
    archive: Path, elsewhere: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On another machine, of another user, at another time, and from an archive.
    monkeypatch.chdir(elsewhere.folder)
    pack(Path("results"), Path("again.tar.gz"), weights=False)
    assert Path("again.tar.gz").read_bytes() == archive.read_bytes()
    assert all(
        (member.uid, member.uname, member.mtime) == (0, "", 10**9) for member in members(archive)
    )
    with pytest.raises(UserError, match=r"model\.safetensors is missing"):
        pack(Path("results"), Path("again.tar.gz"), weights=True)


def test_weights_on_request(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built.folder)
    pack(Path("results"), tmp_path / "with.tar.gz", weights=True)
    names = {member.name for member in members(tmp_path / "with.tar.gz")}
    assert {f"results/{run}/model.safetensors" for run in RUNS} <= names
    verify_archive(tmp_path / "with.tar.gz")


def test_nothing_altered_is_packed(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(built.folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    table = Path("results/comparison/models.csv")
    table.write_text(table.read_text().replace("GhostNet", "GhostNot"))
    with pytest.raises(UserError, match=r"models\.csv was altered"):
        pack(Path("results"), Path("a.tar.gz"), weights=False)
    assert not Path("a.tar.gz").exists()


def test_verify_finds_everything_right(archive: Path, graph: Graph, root: Path) -> None:
    manifest, verified = verify_archive(archive)
    assert manifest.name == "small"
    assert verified.runs == len(RUNS)
    # The page shows images, and is no part of an archive.
    assert verified.jobs == len(graph.records.keys() - {"page"})
    assert verified.numbers > 100
    assert set(verified.tables) == {"comparison", "ablations/ghost", "claims"}
    assert verified.other_code == []
    assert verify_results(root) == verified


def test_verify_in_words(archive: Path, tmp_path: Path) -> None:
    done = bakeoff(tmp_path, "verify", str(archive))
    assert done.returncode == 0, done.stderr
    assert f"SHA-256 {file_digest(archive)}" in done.stdout
    assert f"tar -xzf {archive}" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_of_the_same_size_is_found(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    path = copy / RUNS[0] / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"ghost_resnet_20/seed0/model\.safetensors is not the file that"
    ):
        verify_results(copy)
