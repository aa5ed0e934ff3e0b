"""What is refused of an archive."""

from __future__ import annotations

import io
import os
import pickle
import re
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.data import (
    load_meta,
    prepare,
)
from bakeoff.data.kinds import cifar100
from bakeoff.errors import UserError
from tests.support.archives import (
    FINE,
    assert_prepared_as_archived,
    binary_files,
    config,
    md5,
    python_files,
    write_archive,
    write_folder,
)

# --- What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [lambda b: b[:-100], lambda b: b[:50] + b"?" + b[51:]])
def test_truncated_or_altered_archive_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Any
) -> None:
    path = tmp_path / "a.tar.gz"
    cfg = write_archive(path, binary_files())
    path.write_bytes(damage(path.read_bytes()))
    monkeypatch.setattr(tarfile, "open", lambda *_a, **_k: pytest.fail("opened unchecked"))
    with pytest.raises(UserError, match=r"a\.tar\.gz' is truncated or altered.*md5"):
        prepare(cfg, path, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_unknown_checksum_is_accepted_only_when_configured(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    cfg = write_archive(path, binary_files())
    with pytest.raises(UserError, match=re.escape(f"set data.md5 to {cfg.md5}")):
        prepare(config(archive=str(path)), path, tmp_path / "data")
    prepare(cfg, path, tmp_path / "data")


@pytest.mark.parametrize("name", ["../train.bin", "/etc/train.bin", "a/../../x", "C:\\x"])
def test_members_that_would_escape_are_refused(tmp_path: Path, name: str) -> None:
    cfg = write_archive(tmp_path / "a.tar.gz", {name: b"x"} | binary_files(), folder="")
    with pytest.raises(UserError, match="is refused: its member"):
        prepare(cfg, None, tmp_path / "data")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("cifar/train.bin")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    (tmp_path / "a.tar").write_bytes(stream.getvalue())
    cfg = config(archive=str(tmp_path / "a.tar"), md5=md5(stream.getvalue()))
    with pytest.raises(UserError, match=r"refused.*cifar/train\.bin"):
        prepare(cfg, None, tmp_path / "data")


def test_archive_that_lacks_or_repeats_a_file_is_named(tmp_path: Path) -> None:
    files = binary_files()
    twice = write_archive(tmp_path / "twice.tar.gz", files | {"old/test.bin": b""})
    with pytest.raises(UserError, match=r"two files named test\.bin"):
        prepare(twice, None, tmp_path / "data")
    del files["test.bin"]
    with pytest.raises(UserError, match=r"lacks files: expected train\.bin"):
        prepare(write_archive(tmp_path / "a.tar.gz", files), None, tmp_path / "data")


def test_a_file_that_is_no_tar_is_named_even_with_the_right_checksum(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"hello")
    with pytest.raises(UserError, match=r"cannot be read as a \.tar\.gz"):
        prepare(
            config(archive=str(tmp_path / "a.tar.gz"), md5=md5(b"hello")), None, tmp_path / "data"
        )


class Harmful:
    """A pickle that runs a command when it is opened without care."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (self.command,))


def test_harmful_pickle_does_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "was-here"
    files = python_files() | {"train": pickle.dumps({"data": Harmful(f"touch {mark}")}, 2)}
    cfg = write_archive(tmp_path / "a.tar.gz", files)
    with pytest.raises(UserError, match=r"train in .* is refused: it asks for \w+\.system"):
        prepare(cfg, None, tmp_path / "data")
    assert not mark.exists()


def test_pickles_of_a_folder_are_opened_only_if_they_are_the_official_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = python_files()
    cfg = write_folder(tmp_path / "cifar", files)
    with pytest.raises(UserError, match=r"cifar/train' is truncated or altered"):
        prepare(cfg, None, tmp_path / "data")
    known = {name: md5(content) for name, content in files.items()}
    monkeypatch.setattr(
        cifar100.Data, "PUBLISHED", replace(cifar100.Data.PUBLISHED, pickle_md5=known)
    )
    prepare(cfg, None, tmp_path / "data")
    assert_prepared_as_archived(tmp_path / "data")
    assert load_meta(tmp_path / "data").name == "cifar-100"


RECORD = 3074


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train.bin": lambda b: b[:-1]}, r"train\.bin.*truncated or altered.*multiple of 3074"),
        ({"test.bin": lambda b: b[:-RECORD]}, r"test\.bin.*3 to 4 images"),
        ({"test.bin": lambda _: b""}, r"test\.bin.*0 bytes"),
        ({"train.bin": lambda b: b[:1] + b"\xff" + b[2:]}, r"class label of train\.bin.*255"),
        ({"train.bin": lambda b: b"\x02" + b[1:]}, r"superclass label of train\.bin.*0 to 1"),
        ({"fine_label_names.txt": lambda _: b"apple\nboy\n"}, r"expected 0 to 1, as there are 2"),
    ],
)
def test_altered_folder_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    files = binary_files()
    for name, alter in change.items():
        files[name] = alter(files[name])
    with pytest.raises(UserError, match=message):
        prepare(write_folder(tmp_path / "cifar", files), None, tmp_path / "data")


def test_a_class_in_two_superclasses_is_named(tmp_path: Path) -> None:
    files = binary_files()
    content = bytearray(files["test.bin"])
    content[0] = 1 - content[0]
    files["test.bin"] = bytes(content)
    name = FINE[content[1]]
    with pytest.raises(UserError, match=f"class '{name}' more than one superclass"):
        prepare(write_folder(tmp_path / "cifar", files), None, tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train", {"data": np.zeros((2, 5), np.uint8)}, "lacks the entry 'fine_labels'"),
        (
            "train",
            {"data": np.zeros((2, 5), np.uint8), "fine_labels": [0, 1], "coarse_labels": [0, 1]},
            "expected data of bytes, N x 3072",
        ),
        ("meta", [1, 2], "expected a dictionary"),
    ],
)
def test_altered_pickle_is_named(tmp_path: Path, name: str, content: Any, message: str) -> None:
    cfg = write_archive(tmp_path / "a.tar.gz", python_files() | {name: pickle.dumps(content, 2)})
    with pytest.raises(UserError, match=message):
        prepare(cfg, None, tmp_path / "data")
