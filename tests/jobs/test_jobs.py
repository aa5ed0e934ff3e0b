"""The frame of a job, its record, and the code that it counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakeoff.jobs.code import code_digests, script_of
from bakeoff.jobs.frame import JobSpec, frame
from bakeoff.jobs.records import file_state, load_record
from bakeoff.models.registry import builder_code
from bakeoff.study.networks import _read


@pytest.fixture
def about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobSpec:
    """A job that reads `in.txt` and writes `out.txt`, in an environment that it may settle."""
    monkeypatch.setattr("os.environ", {})
    (tmp_path / "spec.json").write_text("{}")
    (tmp_path / "in.txt").write_text("as it was read")
    names = {key: str(tmp_path / f"{key}.txt") for key in ("in", "out")}
    return JobSpec(
        "claims",
        tmp_path,
        tmp_path / "spec.json",
        record=str(tmp_path / "records" / "claims.json"),
        reads=(names["in"], ".snakemake/bakeoff/stale-1"),
        writes=(names["out"],),
    )


def test_an_input_that_changes_meanwhile_was_not_read(about: JobSpec) -> None:
    source = about.root / "in.txt"
    before = file_state(source)
    with frame(about, None):
        (about.root / "out.txt").write_text("made")
        source.write_text("exchanged while the job was at work")
    record = load_record(about.root, "claims")
    assert record
    assert record.reads == {"in.txt": before}
    assert record.writes == {"out.txt": file_state(about.root / "out.txt")}
    assert record.started <= record.ended


def test_a_job_that_fails_leaves_the_record_that_was_there(about: JobSpec) -> None:
    with frame(about, None):
        (about.root / "out.txt").write_text("made")
    before = load_record(about.root, "claims")
    with pytest.raises(SystemExit), frame(about, None):
        raise OSError
    assert load_record(about.root, "claims") == before


def test_a_users_file_is_that_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkout may have a file of the same name; only scripts are looked for there."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "tests" / "conftest.py"
    file.parent.mkdir()
    file.write_text("x = 1\n")
    first = code_digests("tests/conftest.py", script_of("claims"))
    file.write_text("x = 2\n")
    second = code_digests("tests/conftest.py", script_of("claims"))
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"tests/conftest.py"}
    assert "missing" not in first.values()


@pytest.mark.parametrize("builder", ["resnett", "nets.txt:make", "nets.py:make"])
def test_a_builder_that_is_none_has_no_code(
    builder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever builds the network says what is wrong; digests come before that."""
    monkeypatch.chdir(tmp_path)
    assert set(code_digests(*builder_code(builder)).values()) <= {"missing"}


def test_damaged_entries_of_the_cache_are_made_anew(tmp_path: Path) -> None:
    whole = {"fingerprint": "f", "params": 1, "macs": 2}
    cache = tmp_path / "networks.json"
    cache.write_text(json.dumps({"a": whole, "b": {"params": 1}, "c": 3}))
    assert _read(cache) == {"a": whole}
    cache.write_text("[1]")
    assert _read(cache) == {}


def test_a_folder_is_what_a_reader_of_images_sees(tmp_path: Path) -> None:
    folder, linked = tmp_path / "images", tmp_path / "elsewhere"
    for path, text in ((folder / "cat/1.png", "one"), (linked / "2.png", "two")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (folder / "dog").symlink_to(linked)
    (folder / "cat" / "loop").symlink_to(folder)
    before = file_state(folder).digest
    (folder / "cat" / ".hidden").write_text("nothing that is an image")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "3.png").write_text("three")
    assert file_state(folder).digest == before
    (linked / "4.png").write_text("an image more, behind a link")
    assert file_state(folder).digest != before
