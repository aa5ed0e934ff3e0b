"""Archives that somebody changed."""

from __future__ import annotations

import gzip
import io
import re
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bakeoff.errors import UserError
from bakeoff.files import file_digest, read_json, write_json
from bakeoff.provenance.crate import CRATE
from bakeoff.provenance.verify import verify_archive
from tests.support.provenance import RUNS

# --- archives that somebody changed ---------------------------------------------------------------


def write_archive(folder: Path, out: Path, extra: dict[str, bytes] | None = None) -> None:
    """Pack a folder as it is, the manifest first."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    paths.sort(key=lambda path: path.name != "MANIFEST.json")
    with gzip.open(out, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for path in paths:
            tar.add(path, str(path.relative_to(folder)))
        for name, content in (extra or {}).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def sign(folder: Path) -> None:
    """Make the manifest agree with the files."""
    manifest = read_json(folder / "results" / "MANIFEST.json")
    for path in manifest["files"]:
        file = folder / path
        manifest["files"][path] = {"sha256": file_digest(file), "size": file.stat().st_size}
    write_json(folder / "results" / "MANIFEST.json", manifest)


def forge(
    folder: Path, path: str, *, wrote: bool = True, read: bool = True, crate: bool = True
) -> None:
    """Make the records of those who wrote and read a file agree with it, and what follows from them."""
    root = folder / "results"
    records = sorted(
        (root / "records").rglob("*.json"), key=lambda file: file.name == "provenance.json"
    )
    for file in records:
        record = read_json(file)
        for states in [record["writes"]] * wrote + [record["reads"]] * read:
            if path in states:
                states[path]["digest"] = file_digest(root / path)
        if file.name == "provenance.json":
            for read_path, state in record["reads"].items():
                state["digest"] = file_digest(root / read_path)
            if crate:
                content = read_json(root / CRATE)
                for entity in content["@graph"]:
                    if entity["@id"] == f"../{path}":
                        entity["sha256"] = file_digest(root / path)
                write_json(root / CRATE, content)
                record["writes"][CRATE]["digest"] = file_digest(root / CRATE)
        write_json(file, record)
    sign(folder)


def replace(folder: Path, path: str, pattern: str, new: str) -> None:
    file = folder / "results" / path
    text, count = re.subn(pattern, new, file.read_text(encoding="utf-8"), count=1)
    assert count == 1, (path, pattern)
    file.write_text(text, encoding="utf-8")


MODELS = "comparison/models.csv"
METRICS = f"{RUNS[0]}/metrics.json"


def edited(folder: Path) -> None:
    replace(folder, MODELS, "GhostNet", "GhostNot")


def edited_and_signed(folder: Path) -> None:
    edited(folder)
    sign(folder)


def edited_with_its_record(folder: Path) -> None:
    edited(folder)
    forge(folder, MODELS, read=False)


def edited_with_all_records(folder: Path) -> None:
    edited(folder)
    forge(folder, MODELS, crate=False)


def number_edited_with_everything(folder: Path) -> None:
    replace(folder, MODELS, r"0\.\d{4,}", "0.1234567")
    forge(folder, MODELS)


def run_improved(folder: Path) -> None:
    replace(folder, METRICS, r'"top1": [\d.]+', '"top1": 71.3')
    forge(folder, METRICS)


def run_of_other_data(folder: Path) -> None:
    path = f"{RUNS[0]}/provenance.json"
    replace(folder, path, r'"data_checksum": "\w+"', f'"data_checksum": "{"0" * 64}"')
    forge(folder, path)


def number_on_a_slide(folder: Path) -> None:
    path = "slides/assets/numbers.en.json"
    content = read_json(folder / "results" / path)
    entry = next(e for e in content["numbers"] if e["file"] == MODELS and e["column"] == "params_m")
    entry["value"] *= 2
    write_json(folder / "results" / path, content)
    forge(folder, path)


def other_configuration(folder: Path) -> None:
    replace(folder, "specs/runs/resnet_20.json", r'"epochs": 1', '"epochs": 200')
    sign(folder)


def file_dropped(folder: Path) -> None:
    (folder / "results" / f"{RUNS[0]}/history.csv").unlink()


def record_dropped(folder: Path) -> None:
    name = "results/records/claims.json"
    (folder / name).unlink()
    manifest = read_json(folder / "results" / "MANIFEST.json")
    del manifest["files"][name]
    write_json(folder / "results" / "MANIFEST.json", manifest)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edited, r"results/comparison/models\.csv is not what its manifest says"),
        (edited_and_signed, r"comparison/models\.csv is not the file that comparison wrote"),
        (edited_with_its_record, r"figures/accuracy_bars was made from another comparison/models\.csv"),
        (edited_with_all_records, r"does not know comparison/models\.csv as it is"),
        (number_edited_with_everything, r"comparison/models\.csv does not follow from the runs"),
        (run_improved, r"says test top-1 = 71\.30 % but the predictions beside it give"),
        (run_of_other_data, r"was trained on data with another checksum"),
        (number_on_a_slide, r"is not what stands at comparison/models\.csv"),
        (other_configuration, r"runs/resnet_20/seed0 was made with another configuration .*recipe\.epochs"),
        (file_dropped, r"results/runs/ghost_resnet_20/seed0/history\.csv is missing"),
        (record_dropped, r"has no record of claims"),
    ],
)  # fmt: skip
def test_a_changed_archive_is_refused(
    archive: Path, tmp_path: Path, change: Callable[[Path], None], expected: str
) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xzf", str(archive)], cwd=folder, check=True)
    write_archive(folder, tmp_path / "same.tar.gz")
    verify_archive(tmp_path / "same.tar.gz")
    change(folder)
    write_archive(folder, tmp_path / "changed.tar.gz")
    with pytest.raises(UserError, match=expected) as caught:
        verify_archive(tmp_path / "changed.tar.gz")
    assert "bakeoff-verify-" not in str(caught.value)


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "results/MANIFEST.json"])
def test_what_no_archive_should_hold_is_refused(archive: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xzf", str(archive)], cwd=folder, check=True)
    write_archive(folder, tmp_path / "bad.tar.gz", {name: b"surprise"})
    with pytest.raises(UserError, match=r"no plain file below|twice"):
        verify_archive(tmp_path / "bad.tar.gz")


def test_a_file_that_is_not_listed_is_refused(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xzf", str(archive)], cwd=folder, check=True)
    write_archive(folder, tmp_path / "more.tar.gz", {"results/runs/more.txt": b"surprise"})
    with pytest.raises(UserError, match=r"results/runs/more\.txt is not in its manifest"):
        verify_archive(tmp_path / "more.tar.gz")


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.999])
def test_an_archive_that_was_cut_short_is_refused(
    archive: Path, tmp_path: Path, kept: float
) -> None:
    content = archive.read_bytes()
    size = int(kept * len(content)) if kept < 1 else int(kept)
    (tmp_path / "cut.tar.gz").write_bytes(content[:size])
    with pytest.raises(UserError, match=r"damaged|missing"):
        verify_archive(tmp_path / "cut.tar.gz")


def test_a_missing_archive_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        verify_archive(tmp_path / "none.tar.gz")
