"""Archives that announce, unpack to, or name what no CIFAR-100 archive has."""

from __future__ import annotations

import gzip
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.data.archive import MAX_MEMBERS, MAX_SPLIT_BYTES, open_archive
from bakeoff.data.cifar import read_cifar
from bakeoff.data.kinds.cifar100 import Data
from bakeoff.data.published import PublishedConfig
from bakeoff.errors import UserError
from bakeoff.files import file_digest

NAMES = [f"class {i}" for i in range(100)]


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return a tar file whose headers may announce more than follows them."""
    blocks = [
        info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
        for info, content in members
    ]
    return b"".join(blocks) + bytes(1024)


def member(name: str, content: bytes = b"", size: int | None = None) -> tuple[Any, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content) if size is None else size
    return info, content


def header(kind: bytes, size: int, content: bytes = b"") -> tuple[Any, bytes]:
    info, content = member("././@LongLink", content, size)
    info.type = kind
    return info, content


def trusting(path: Path | None) -> PublishedConfig:
    return Data.model_validate({"kind": "cifar100", "md5": path and file_digest(path, "md5")})


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(gzip.compress(content, 1))
    with pytest.raises(UserError) as refused:
        open_archive(path, trusting(path))
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("name", ["train.bin", "test", "meta", "fine_label_names.txt", "other"])
@pytest.mark.parametrize("size", [3 << 30, 1 << 50])
def test_a_file_larger_than_its_layout_allows_is_never_read(
    tmp_path: Path, name: str, size: int
) -> None:
    told = refusal(tmp_path / "a.tar.gz", tar(member(f"cifar/{name}", size=size)))
    what = "what is packed" if name == "other" else name
    assert f"refused: {what} in it is {size:,} bytes long" in told


@pytest.mark.parametrize(
    "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]
)
def test_a_header_larger_than_any_name_is_never_read(tmp_path: Path, kind: bytes) -> None:
    told = refusal(tmp_path / "a.tar.gz", tar(member("x"), header(kind, 1 << 50)))
    assert "refused: a header in it is 1,125,899,906,842,624 bytes long" in told


def test_many_members_and_endless_headers_are_refused(tmp_path: Path) -> None:
    many = [member(f"junk/{i}") for i in range(MAX_MEMBERS + 1)]
    assert "holds more than 100 files" in refusal(tmp_path / "a.tar.gz", tar(*many))
    endless = [header(tarfile.GNUTYPE_LONGNAME, 2, b"x\0")] * 3000
    assert "cannot be read" in refusal(tmp_path / "b.tar.gz", tar(*endless, member("x")))


def test_what_is_passed_over_is_bounded_too(tmp_path: Path) -> None:
    junk = member("junk", size=3 * MAX_SPLIT_BYTES + 1)
    assert "what is packed" in refusal(tmp_path / "a.tar.gz", tar(junk))


def test_a_large_file_of_a_folder_is_never_read(tmp_path: Path) -> None:
    for name in ("train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt"):
        (tmp_path / name).touch()
    with (tmp_path / "train.bin").open("wb") as stream:
        stream.truncate(1 << 40)  # a sparse file: it takes no room
    with pytest.raises(UserError, match=r"train\.bin in it is 1,099,511,627,776 bytes"):
        open_archive(tmp_path, trusting(None))


def python_archive(path: Path, **changes: Any) -> str:
    """Write an archive of the python layout and return its checksum."""
    split = {
        "data": np.zeros((100, 3072), np.uint8),
        "fine_labels": list(range(100)),
        "coarse_labels": [0] * 100,
    }
    meta = {"fine_label_names": NAMES, "coarse_label_names": ["all"]}
    contents = {"meta": meta | changes, "train": split, "test": split}
    if "fine_labels" in changes:
        contents["test"] = split | changes
    files = [member(f"cifar/{n}", pickle.dumps(c, 2)) for n, c in contents.items()]
    path.write_bytes(gzip.compress(tar(*files), 1))
    return file_digest(path, "md5")


BAD_NAMES = [
    (7, "expected a list of names, found a int"),
    (None, "expected a list of names, found a NoneType"),
    ("apple", "expected a list of names, found a str"),
    ([], "has 0 names; expected 1 to 256"),
    ([f"{i}" for i in range(257)], "has 257 names; expected 1 to 256"),
    (["same"] * 100, "has the name 'same' twice"),
    ([*NAMES[:99], " class 3 "], "has the name 'class 3' twice"),
    ([*NAMES[:50], "", *NAMES[51:]], "has '' as name 50"),
    ([b"caf\xe9", *NAMES[1:]], "as name 0; expected a printable line of UTF-8"),
    (["two\nlines", *NAMES[1:]], "as name 0; expected a printable line"),
    ([3, *NAMES[1:]], "has 3 as name 0"),
]


@pytest.mark.parametrize(("names", "told"), BAD_NAMES)
@pytest.mark.parametrize("key", ["fine_label_names", "coarse_label_names"])
def test_names_that_tables_cannot_tell_apart_are_refused(
    tmp_path: Path, key: str, names: object, told: str
) -> None:
    path = tmp_path / "a.tar.gz"
    python_archive(path, **{key: names})
    with pytest.raises(UserError, match=f"'{key}' of meta in .*{told}"):
        read_cifar(path, trusting(path))


def test_names_with_the_characters_of_markup_are_taken_as_they_are(tmp_path: Path) -> None:
    odd = ["$x_1^2$", "a_b", "50 %", r"\alpha", "R&D #1", "树"]
    path = tmp_path / "a.tar.gz"
    python_archive(path, fine_label_names=[*odd, *NAMES[6:]])
    assert list(read_cifar(path, trusting(path)).classes[:6]) == odd


def test_labels_of_unequal_shapes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    python_archive(path, fine_labels=[[0], [1, 2]])
    with pytest.raises(UserError, match=r"test in .* is altered"):
        read_cifar(path, trusting(path))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"apple\n\nboy\n\n", "has b'' as name 1"),
        (b"apple\nboy\napple\n", "has the name 'apple' twice"),
        (b"caf\xe9\nboy\n", "as name 0; expected a printable line of UTF-8"),
        (b"\n", "has 0 names"),
    ],
)
def test_names_of_the_binary_layout_are_held_to_the_same(
    tmp_path: Path, text: bytes, told: str
) -> None:
    record = bytes(3074)
    files = {"train.bin": record, "test.bin": record, "coarse_label_names.txt": b"all\n"}
    for name, content in (files | {"fine_label_names.txt": text}).items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"fine_label_names\.txt in .*{told}"):
        read_cifar(tmp_path, trusting(None))
