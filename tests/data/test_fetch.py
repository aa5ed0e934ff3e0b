"""Downloads: resumed, checked, and told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bakeoff.data import (
    DataConfig,
    download,
    fetch,
)
from bakeoff.errors import UserError
from tests.support.archives import binary_files, config, md5, tar_bytes

# --- Downloading --------------------------------------------------------------------------------


@dataclass
class Mirror:
    """A web server with one file, that can be told to misbehave."""

    content: bytes
    breaks: list[int] = field(default_factory=list)  # bytes sent before each of the first answers
    ranges: bool = True
    status: int | None = None
    content_type: str = "application/gzip"
    encoding: str | None = None
    shift: int = 0  # the part that is sent begins so many bytes late
    asked: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append(wanted)
        if self.status is not None:
            request.send_error(self.status)
            return
        start = 0
        if wanted and self.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(self.content):
                request.send_error(416)
                return
            start += self.shift
            request.send_response(206)
            size = len(self.content)
            request.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            request.send_response(200)
        body = self.content[start:]
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Content-Type", self.content_type)
        if self.encoding:
            request.send_header("Content-Encoding", self.encoding)
        request.end_headers()
        request.wfile.write(body[: self.breaks.pop(0)] if self.breaks else body)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(fetch, "PAUSE_S", 0)
    monkeypatch.setenv("NO_PROXY", "*")
    servers = []

    def start(mirror: Mirror) -> Mirror:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        mirror.url = f"http://127.0.0.1:{server.server_port}/data.tar.gz"
        return mirror

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


CONTENT = np.random.default_rng(0).bytes(700_000)


def download_from(*mirrors: Mirror, md5_of: bytes = CONTENT) -> DataConfig:
    return config(urls=[m.url for m in mirrors], md5=md5(md5_of))


def part_of(destination: Path) -> Path:
    return destination.with_name(destination.name + ".part")


def test_a_download_arrives_whole_and_is_not_repeated(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT)), tmp_path / "new" / "data.tar.gz"
    download(download_from(mirror), target)
    download(download_from(mirror), target)
    assert target.read_bytes() == CONTENT
    assert not part_of(target).exists()
    assert mirror.asked == [None]


def test_a_broken_transfer_goes_on_where_it_broke(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT, breaks=[300_000, 100_000])), tmp_path / "data"
    download(download_from(mirror), target)
    assert target.read_bytes() == CONTENT
    assert mirror.asked == [None, "bytes=300000-", "bytes=400000-"]


def test_a_partial_file_of_an_earlier_call_is_used(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT)), tmp_path / "data"
    part_of(target).write_bytes(CONTENT[:1000])
    download(download_from(mirror), target)
    assert target.read_bytes() == CONTENT
    assert mirror.asked == ["bytes=1000-"]


def test_a_complete_partial_file_needs_no_network(tmp_path: Path) -> None:
    target = tmp_path / "data"
    part_of(target).write_bytes(CONTENT)
    download(config(urls=["http://127.0.0.1:9/"], md5=md5(CONTENT)), target)
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_again(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT, ranges=False)), tmp_path / "data"
    part_of(target).write_bytes(CONTENT[:1000])
    download(download_from(mirror), target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("stale", [b"x" * 1000, b"x" * 800_000], ids=["other", "too long"])
def test_a_bad_partial_file_is_replaced(tmp_path: Path, serve: Any, stale: bytes) -> None:
    mirror, target = serve(Mirror(CONTENT)), tmp_path / "data"
    part_of(target).write_bytes(stale)
    download(download_from(mirror), target)
    assert target.read_bytes() == CONTENT
    assert mirror.asked == [f"bytes={len(stale)}-", None]


def test_mirrors_are_tried_in_order(tmp_path: Path, serve: Any) -> None:
    bad = [
        serve(Mirror(CONTENT, status=404)),
        serve(Mirror(b"<html>log in</html>", content_type="text/html; charset=utf-8")),
        serve(Mirror(b"something else")),
    ]
    good, unused, target = serve(Mirror(CONTENT)), serve(Mirror(CONTENT)), tmp_path / "data"
    download(download_from(*bad, good, unused), target)
    assert target.read_bytes() == CONTENT
    assert [len(m.asked) for m in (*bad, good, unused)] == [1, 1, 1, 1, 0]


def test_a_web_page_does_not_replace_a_good_partial_file(tmp_path: Path, serve: Any) -> None:
    portal = serve(Mirror(b"<html>", ranges=False, content_type="text/html"))
    target = tmp_path / "data"
    part_of(target).write_bytes(CONTENT[:1000])
    with pytest.raises(UserError, match="web page"):
        download(download_from(portal), target)
    assert part_of(target).read_bytes() == CONTENT[:1000]


def test_a_server_that_sends_another_part_is_not_believed(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT, shift=10)), tmp_path / "data"
    part_of(target).write_bytes(CONTENT[:1000])
    with pytest.raises(UserError, match="another part of the file"):
        download(download_from(mirror), target)
    assert part_of(target).read_bytes() == CONTENT[:1000]


def test_a_server_that_calls_gzip_an_encoding_is_not_unpacked(tmp_path: Path, serve: Any) -> None:
    content = tar_bytes(binary_files())
    mirror, target = serve(Mirror(content, encoding="x-gzip")), tmp_path / "data"
    download(download_from(mirror, md5_of=content), target)
    assert target.read_bytes() == content


def test_an_altered_file_is_named_and_not_kept(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT[:-1] + b"?")), tmp_path / "data"
    with pytest.raises(UserError, match=r"altered or another one \(its md5 is \w{32}, expected"):
        download(download_from(mirror), target)
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_file_is_named_and_its_beginning_kept(tmp_path: Path, serve: Any) -> None:
    mirror, target = serve(Mirror(CONTENT, breaks=[1000, 0, 0, 0])), tmp_path / "data"
    with pytest.raises(UserError, match="truncated at 1000 of 700000 bytes"):
        download(download_from(mirror), target)
    assert not target.exists()
    assert part_of(target).read_bytes() == CONTENT[:1000]


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        download(config(urls=["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"]), tmp_path / "data")
    message = str(caught.value)
    for part in ("127.0.0.1:9/a", "127.0.0.1:9/b", "no answer", "set data.archive", "shapes"):
        assert part in message
    assert list(tmp_path.iterdir()) == []
