"""Weights from the hub: locked, resumed, checked."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save_file

from bakeoff.errors import UserError
from bakeoff.models import create_model
from bakeoff.models.fetch import fetch
from bakeoff.models.weights import load_weights
from bakeoff.models.weights_files import WeightsSource, lock_path, read_lock
from tests.support.hub import Hub
from tests.support.networks import VARIANTS

# Fetching


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    from huggingface_hub import constants  # noqa: PLC0415

    net = create_model("resnet_20", 10, variants=VARIANTS)
    save_file(net.state_dict(), tmp_path / "on_hub")
    hub = Hub("timm/net.tag", (tmp_path / "on_hub").read_bytes())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    # Small files in many chunks, and no waiting between the client's own tries.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    for proxy in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    yield hub
    hub.close()


SOURCE = WeightsSource("timm/net.tag", "model.safetensors")


def test_fetch_locks_commit_and_checksum(hub: Hub, tmp_path: Path) -> None:
    destination = tmp_path / "weights" / "net.safetensors"
    lock = fetch(SOURCE, destination, hub.url)
    assert destination.read_bytes() == hub.content
    assert lock == read_lock(destination)
    assert lock.revision == hub.commit
    assert lock.sha256 == hashlib.sha256(hub.content).hexdigest()
    assert sorted(p.name for p in destination.parent.iterdir()) == [
        "net.lock.json",
        "net.safetensors",
    ]
    load_weights(create_model("resnet_20", 10, variants=VARIANTS), destination)
    transfers = len(hub.ranges)
    fetch(SOURCE, destination, hub.url)
    assert len(hub.ranges) == transfers  # what is there is not fetched again


def test_fetch_goes_on_where_it_broke_off(hub: Hub, tmp_path: Path) -> None:
    destination = tmp_path / "net.safetensors"
    hub.budget = 400_000
    with pytest.raises(UserError, match="Fetch again"):
        fetch(SOURCE, destination, hub.url)
    assert not destination.exists()
    hub.budget, hub.ranges = None, []
    fetch(SOURCE, destination, hub.url)
    assert destination.read_bytes() == hub.content
    assert hub.ranges == [f"bytes={400_000 // (1 << 16) * (1 << 16)}-"]
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".net")) == []


def test_other_content_under_the_lock_is_refused(hub: Hub, tmp_path: Path) -> None:
    destination = tmp_path / "net.safetensors"
    fetch(SOURCE, destination, hub.url)
    destination.unlink()
    hub.content = hub.content[:-4] + b"abcd"
    with pytest.raises(UserError, match="SHA-256"):
        fetch(SOURCE, destination, hub.url)
    assert not destination.exists()
    with pytest.raises(UserError, match=r"lock\.json"):
        fetch(replace(SOURCE, hub="timm/net.other"), destination, hub.url)


def test_a_changed_file_is_neither_accepted_nor_loaded(hub: Hub, tmp_path: Path) -> None:
    destination = tmp_path / "net.safetensors"
    fetch(SOURCE, destination, hub.url)
    destination.write_bytes(hub.content[:-4] + b"abcd")
    with pytest.raises(UserError, match="SHA-256"):
        fetch(SOURCE, destination, hub.url)
    with pytest.raises(UserError, match="SHA-256"):
        load_weights(create_model("resnet_20", 10, variants=VARIANTS), destination)
    lock_path(destination).write_text("{}")
    with pytest.raises(UserError, match="not a lock"):
        fetch(SOURCE, destination, hub.url)


def test_a_stated_checksum_is_required(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="SHA-256"):
        fetch(replace(SOURCE, sha256="0" * 64), tmp_path / "net.safetensors", hub.url)


def test_without_a_network_the_way_out_is_told(hub: Hub, tmp_path: Path) -> None:
    hub.close()
    with pytest.raises(UserError, match=r"weights\.dir"):
        fetch(SOURCE, tmp_path / "net.safetensors", hub.url)


def test_a_file_that_was_put_there_is_trusted_and_locked(tmp_path: Path) -> None:
    destination = tmp_path / "net.pth"
    destination.write_bytes(b"weights from elsewhere")
    lock = fetch(WeightsSource("timm/net.tag", "net.pth"), destination)
    assert (lock.revision, lock.sha256) == (
        None,
        hashlib.sha256(b"weights from elsewhere").hexdigest(),
    )


def test_two_do_not_fetch_one_file_at_once(hub: Hub, tmp_path: Path) -> None:
    destination = tmp_path / "net.safetensors"
    hub.budget = 0
    with pytest.raises(UserError, match="Fetch again"):
        fetch(SOURCE, destination, hub.url)
    hub.budget = None
    (part,) = tmp_path.glob(".net.safetensors.*.part")
    with part.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process"):
            fetch(SOURCE, destination, hub.url)
    fetch(SOURCE, destination, hub.url)
    assert destination.read_bytes() == hub.content
