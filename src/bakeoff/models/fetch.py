"""Fetching pretrained weights, once: resumable, checked, tried out, and locked.

This is the one step of the workflow that goes to the network for weights. Training never does:
whoever starts a training process sets HF_HUB_OFFLINE=1 before timm or huggingface_hub is imported
(they read it only then), which turns an accidental download into an immediate error.
"""

from __future__ import annotations

import fcntl
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError
from bakeoff.files import file_digest, write_json
from bakeoff.models.factory import build
from bakeoff.models.weights_files import (
    Lock,
    WeightsSource,
    check_digest,
    check_lock,
    check_whole,
    expected_digest,
    lock_path,
    read_lock,
)

log = logging.getLogger(__name__)


def fetch_weights(spec: Mapping[str, Any], path: Path) -> Lock:
    """Fetch the weights of a spec `weights/{name}.json` to `path`, and see that its networks take them.

    Raises:
        UserError: as `fetch`; or a network does not fit the weights, which then get no lock.
    """

    def try_out(file: Path) -> None:
        for variant, model in spec["models"].items():
            log.info("%s: trying %s", variant, file)
            build(model, spec["num_classes"], spec["image_size"], file)

    return fetch(WeightsSource.from_mapping(spec["weights"]), path, try_out=try_out)


def fetch(
    source: WeightsSource,
    path: Path,
    endpoint: str | None = None,
    try_out: Callable[[Path], None] | None = None,
) -> Lock:
    """Bring the file that `source` names to `path`, whole and checked, and lock it.

    A file that is there already is only checked, without a network. An interrupted download goes
    on where it stopped.

    Args:
        source: what to fetch.
        path: the file to write, such as `resources/weights/NAME.safetensors`.
        endpoint: address of a mirror of the hub; None leaves it to the environment's HF_ENDPOINT.
        try_out: called with the whole file before it is locked; what it raises prevents the lock.

    Returns:
        The lock, which is also beside the file.

    Raises:
        UserError: no network, nothing there, or a file of another SHA-256 than expected.
    """
    lock = read_lock(path)
    check_lock(source, path, lock)
    expected = expected_digest(source, lock)
    revision = lock.revision if lock else None
    if not path.is_file():
        if source.hub is None:
            raise UserError(f"There is no weights file {path}; put it there.")
        revision = _download(source, source.hub, revision, path, endpoint, expected)
    check_whole(path)
    found = check_digest(path, expected)
    if try_out is not None:
        try_out(path)
    new = Lock(source.hub, source.file, revision, found, path.stat().st_size)
    if new != lock:
        write_json(lock_path(path), asdict(new))
    log.info("%s: %s, commit %s, SHA-256 %s", path, source, revision or "unknown", found)
    return new


def _download(
    source: WeightsSource,
    hub: str,
    revision: str | None,
    path: Path,
    endpoint: str | None,
    expected: str | None,
) -> str:
    """Download to `path` and return the commit that it is from."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415 (slow, only here)
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils import build_hf_headers  # noqa: PLC0415

    wanted = revision or source.revision or "main"
    path.parent.mkdir(parents=True, exist_ok=True)
    headers = build_hf_headers()
    try:
        url = hf_hub_url(hub, source.file, revision=wanted, endpoint=endpoint)
        metadata = get_hf_file_metadata(url, headers=headers)
        commit = metadata.commit_hash or wanted
        # hf_hub_download would begin anew: its own part of a file ends with the process. The part's
        # name holds the commit, so that parts of two versions never become one file.
        part = path.with_name(f".{path.name}.{commit[:12]}.part")
        with part.open("ab") as stream:
            # Two that append to one part would spoil it; the kernel drops this lock with its process.
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            http_get(
                hf_hub_url(hub, source.file, revision=commit, endpoint=endpoint),
                stream,
                resume_size=part.stat().st_size,
                headers=headers,
                expected_size=metadata.size,
            )
    except BlockingIOError:
        raise UserError(
            f"The weights {path} are being fetched by another process; wait for it, then try again."
        ) from None
    # The hub's client raises errors of its own, of its HTTP library, and of the system.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"The weights {source} at {wanted!r} could not be fetched ({reason}). Fetch again to "
            f"go on where it stopped; without a network, put the file at {path} (the folder is "
            "weights.dir of the configuration)."
        ) from error
    # For large files the hub names the SHA-256 itself.
    stated = metadata.etag if re.fullmatch("[0-9a-f]{64}", metadata.etag or "") else None
    required, found = expected or stated, file_digest(part)
    if required not in (None, found):
        part.unlink()
        raise UserError(
            f"{source} at {commit} has the SHA-256 {found}, but {required} is expected. "
            "Fetch again; only if it was replaced on purpose, change weights.sha256 or remove "
            f"{lock_path(path)}."
        )
    part.replace(path)
    return commit
