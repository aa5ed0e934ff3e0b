"""Downloading the archive: mirrors in turn, resumed where it broke off, checked before use."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from bakeoff.data.published import PublishedConfig
from bakeoff.errors import UserError
from bakeoff.files import file_digest

ATTEMPTS = 4  # at one mirror, as long as it answers
PAUSE_S = 0.5
TIMEOUT_S = (10.0, 60.0)  # to connect, between two packets
CHUNK = 1 << 18


class _MirrorError(Exception):
    """This mirror is of no use: the next one may be."""


class _InterruptedError(Exception):
    """The transfer broke off: the same mirror can go on."""


def download(config: PublishedConfig, destination: Path) -> None:
    """Fetch the archive from the first of `config.addresses` that has it whole, to `destination`.

    What has arrived is kept as `destination` + ".part" and a later call goes on from there. The
    file gets its name only when its md5 is an accepted one; one that is altered is deleted. A good
    file that is already there is kept.

    Raises:
        UserError: no mirror could serve; the message has the reason of each.
    """
    accepted = config.accepted_md5
    if _is_good(destination, accepted):
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    part = destination.with_name(destination.name + ".part")
    failures = []
    with requests.Session() as session:
        for url in config.addresses:
            try:
                _complete(session, url, part, accepted)
            except _MirrorError as error:
                failures.append(f"{url}: {error}")
            except OSError as error:
                raise UserError(
                    f"'{part}' cannot be written ({error.strerror or error}); free the disk or "
                    "mend the permissions, and what has arrived is kept."
                ) from error
            else:
                part.replace(destination)
                return
    raise UserError(_advice(failures, part, config))


def _advice(failures: list[str], part: Path, config: PublishedConfig) -> str:
    kept = _size(part)
    so_far = f" {kept} bytes are kept in '{part}' and the next try goes on there." if kept else ""
    return (
        f"The archive could not be downloaded ({'; '.join(failures)}).{so_far} Try again; without "
        f"a network, copy {' or '.join(config.PUBLISHED.md5.values())} to this machine and "
        "set data.archive to its path, or use the built-in data with data.kind: shapes."
    )


def _complete(session: requests.Session, url: str, part: Path, accepted: Collection[str]) -> None:
    """Bring `part` to a whole and good file from `url`, or raise _MirrorError."""
    if _is_good(part, accepted):
        return
    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_S)
        resumed = _size(part) > 0
        try:
            _transfer(session, url, part)
        except _InterruptedError as error:
            problem = str(error)
            continue
        if _is_good(part, accepted):
            return
        problem = (
            f"the file is altered or another one (its md5 is {file_digest(part, 'md5')}, expected "
            f"{' or '.join(sorted(accepted))})"
        )
        part.unlink()
        # Two mirrors may hold different archives, and the beginning came from another one.
        if not resumed:
            break
    raise _MirrorError(problem)


def _transfer(session: requests.Session, url: str, part: Path) -> None:
    """Append to `part` what it lacks, or write it anew where the server cannot resume."""
    start = _size(part)
    # The archive itself is wanted, not what a server that calls gzip an encoding unpacks to.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S)
    except requests.RequestException as error:
        raise _MirrorError(f"no answer ({_reason(error)})") from error
    with response:
        if start and response.status_code == requests.codes.requested_range_not_satisfiable:
            part.unlink()
            raise _InterruptedError("the part on disk is longer than the file")
        if not response.ok:
            raise _MirrorError(f"HTTP {response.status_code} {response.reason}")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise _MirrorError("answers with a web page instead of the file")
        if not _continues(response, start):
            start = 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        _receive(response, part, start, total)
    if total is not None and _size(part) < total:
        raise _InterruptedError(f"truncated at {_size(part)} of {total} bytes")


def _receive(response: requests.Response, part: Path, start: int, total: int | None) -> None:
    bar = tqdm(desc="download", total=total, initial=start, unit="B", unit_scale=True, disable=None)
    with bar, part.open("ab" if start else "wb") as stream:
        try:
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                stream.write(chunk)
                bar.update(len(chunk))
        except urllib3.exceptions.HTTPError as error:
            raise _InterruptedError(
                f"truncated at {stream.tell()} of {total or 'unknown'} bytes ({_reason(error)})"
            ) from error
        stream.flush()
        os.fsync(stream.fileno())


def _continues(response: requests.Response, start: int) -> bool:
    """Whether the answer begins at byte `start`, as asked, and not at the file's beginning."""
    if response.status_code != requests.codes.partial_content:
        return start == 0
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != start:
        raise _MirrorError("answers with another part of the file than was asked for")
    return True


def _is_good(path: Path, accepted: Collection[str]) -> bool:
    return path.is_file() and file_digest(path, "md5") in accepted


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: Exception) -> str:
    return type(error).__name__
