"""Checkpoints that survive a crash: atomic, checksummed, and never the only copy.

A file is a magic word, the SHA-256 of what follows, and a `torch.save` of tensors and plain values. The previous
checkpoint is kept until the next one is whole; a damaged one is set aside and the one before it is used.
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from bakeoff.errors import UserError
from bakeoff.files import write_bytes

MAGIC = b"bakeoff checkpoint 1\n"
KEEP = 2

log = logging.getLogger(__name__)


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write `state` as the checkpoint after optimizer step `step`, and drop all but the newest two.

    Raises:
        UserError: the disk is full; the checkpoints that were there are untouched.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    path = folder / f"step-{step:09d}.pt"
    try:
        write_bytes(path, MAGIC + hashlib.sha256(content).digest() + content)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"No space is left for the checkpoint {path} ({len(content) / 2**20:.0f} MiB). Free some space and start "
            "again; training resumes from the last whole checkpoint."
        ) from None
    for old in checkpoints(folder)[:-KEEP]:
        old.unlink(missing_ok=True)
    return path


def load_checkpoint(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the newest whole checkpoint in `folder` that belongs to the run `key`, or None.

    A damaged file is renamed to `*.damaged` with a warning. A checkpoint of another run (its configuration, data or
    code changed since) is removed, because resuming it would mix two experiments. Of several processes, all of which
    read, one may find that another has renamed or removed a file already.
    """
    for path in reversed(checkpoints(folder)):
        with suppress(FileNotFoundError):
            state = _read(path)
            if state is None:
                path.rename(path.with_suffix(".damaged"))
                log.warning(
                    "checkpoint %s is damaged; it is set aside and the one before it is used",
                    path.name,
                )
            elif state["key"] != key:
                path.unlink()
                log.warning(
                    "checkpoint %s belongs to another configuration of this run; removed", path.name
                )
            else:
                return state
    return None


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoint files of `folder`, oldest first."""
    return sorted(folder.glob("step-*.pt"))


def _read(path: Path) -> dict[str, Any] | None:
    content = path.read_bytes()
    head = len(MAGIC) + hashlib.sha256().digest_size
    payload = content[head:]
    if content[:head] != MAGIC + hashlib.sha256(payload).digest():
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return state
