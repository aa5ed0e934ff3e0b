"""A folder of images is what is in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bakeoff.jobs import folders
from bakeoff.jobs.folders import LISTINGS, folder_digest, names_digest
from bakeoff.jobs.records import FileState, file_state, is_same


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, content in (("a/1", b"one"), ("a/2", b"two"), ("b/1", b"three"), (".hidden/x", b"x")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Path("photos")


def read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the files whose content is read when the folder is looked at."""
    read: list[str] = []
    real = folders._content
    with monkeypatch.context() as patch:
        patch.setattr(folders, "_content", lambda path: (read.append(path), real(path))[1])
        folder_digest(folder)
    return read


def test_a_file_of_another_content_is_noticed_even_of_the_same_size_and_time(folder: Path) -> None:
    before = file_state(folder)
    status = (folder / "a/2").stat()
    (folder / "a/2").write_bytes(b"TWO")
    os.utime(folder / "a/2", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not is_same(folder, before)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: (f / "a/3").write_bytes(b"new"),
        lambda f: (f / "a/1").unlink(),
        lambda f: (f / "a/1").rename(f / "a/0"),
        lambda f: (f / "a/1").rename(f / "b/2"),
    ],
)
def test_what_is_added_removed_or_renamed_is_noticed(folder: Path, change: object) -> None:
    before = file_state(folder)
    change(folder)  # type: ignore[operator]
    assert not is_same(folder, before)


def test_a_copy_a_move_and_hidden_files_change_nothing(folder: Path) -> None:
    before = file_state(folder)
    shutil.copytree(folder, "copy")
    assert is_same(Path("copy"), before)
    folder.rename("moved")
    (Path("moved") / ".DS_Store").write_bytes(b"x")
    (Path("moved") / "a" / "gone").symlink_to("nowhere")
    assert is_same(Path("moved"), before)


def test_a_file_is_read_once_and_again_where_it_may_have_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(read_again(folder, monkeypatch)) == 3
    assert read_again(folder, monkeypatch) == []
    (folder / "b/1").write_bytes(b"THREE")
    assert read_again(folder, monkeypatch) == ["photos/b/1"]
    for damage in (b"{", b"[]", b'{"a/1": 3}'):
        (listing,) = LISTINGS.glob("*.json")
        listing.write_bytes(damage)
        assert len(read_again(folder, monkeypatch)) == 3


def test_where_nothing_can_be_kept_the_answer_is_the_same(folder: Path) -> None:
    expected = folder_digest(folder)
    shutil.rmtree("resources")
    Path("resources").write_text("in the way")
    assert folder_digest(folder) == expected


def test_a_record_of_an_earlier_version_is_believed(folder: Path) -> None:
    assert is_same(folder, FileState(names_digest(folder), 0, 0))
