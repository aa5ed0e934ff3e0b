"""GPUs of one machine, lent to one job at a time.

Snakemake counts GPUs but hands out none: two jobs that it starts together would both use the first. Here a job takes
as many as it needs, from those that it may see, and keeps them for as long as one of its processes lives. Nothing has
to be given back or cleaned up: a lease is a file lock, and the kernel drops it with the last process that holds it,
however that ends.

- Who comes first is served first, by a queue of tickets, so that a job for eight GPUs is not overtaken for ever by
  jobs for one. Only jobs that may see a common GPU wait for one another.
- A job collects GPUs only when no such job is ahead of it. Everyone waits for an earlier ticket or for a running job,
  never for a later one: there is no circle, hence no deadlock.
- A lock is taken as a whole and then kept as a shared one, so that every process of a job can hold it too: GPUs
  come free when the last process has left them, not when the one that asked for them has.

Locks of `flock(2)` and not of the library filelock: they must outlive `exec`, by which a job turns into the launcher
of its processes, and be shared among those.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bakeoff.errors import UserError

# The same for all users of a machine, whatever their TMPDIR, and on a disk of its own.
LOCKS = "/tmp/bakeoff-gpus"
POLL_SECONDS = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lease:
    """GPUs that this process holds, by the names that CUDA_VISIBLE_DEVICES knows them by."""

    gpus: tuple[str, ...]
    locks: tuple[int, ...]
    """Open file descriptors; the lease lasts until the last copy of them is closed."""

    def release(self) -> None:
        """Give the GPUs back before the process ends."""
        for lock in self.locks:
            os.close(lock)


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """Return the GPUs that a process may use: those of CUDA_VISIBLE_DEVICES, else all of the machine.

    As CUDA does, this stops at the first name that is none (an empty one or a negative number).
    """
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]
    gpus: list[str] = []
    for name in map(str.strip, named.split(",")):
        if not name or name.startswith("-"):
            break
        gpus.append(name)
    return list(dict.fromkeys(gpus))


def lock_folder(environment: Mapping[str, str]) -> Path:
    """Return where the locks are: one folder for each machine, and for each allocation of a batch system.

    Inside an allocation GPUs may be counted from 0 again, so their names say nothing outside of it.
    """
    folder = Path(environment.get("BAKEOFF_LOCKS", LOCKS))
    job = environment.get("SLURM_JOB_ID")
    return folder.with_name(f"{folder.name}-slurm-{job}") if job else folder


def take(count: int, pool: Sequence[str], folder: Path) -> Lease:
    """Wait for `count` GPUs of `pool`, and return them, in the order of `pool`.

    Raises:
        UserError: `pool` has fewer than `count`, or `folder` cannot be used.
    """
    if count > len(pool):
        raise UserError(
            f"The run was given {count} GPU(s), but it may use only {len(pool)}: {', '.join(pool) or 'none'}. "
            "Lower the number (`--resources gpu=...`, or the plan's), or make more visible "
            "(CUDA_VISIBLE_DEVICES)."
        )
    with _ticket(pool, folder) as ticket:
        _wait_for_turn(ticket, pool)
        return _collect(count, pool, folder)


def join(gpus: Sequence[str], folder: Path, owner: int) -> Lease:
    """Hold `gpus`, which the parent process `owner` has leased, as well.

    Raises:
        UserError: the parent has ended, and its lease with it; another job may have the GPUs.
    """
    locks = []
    for gpu in gpus:
        locks.append(_open(folder / _lock_name(gpu)))
        if not _try_lock(locks[-1], fcntl.LOCK_SH):
            break
    # Asked last: a parent that lives at this point held the locks when this process joined.
    if os.getppid() != owner:
        raise UserError(
            "The launcher of this process has ended, and the lease of its GPUs with it. Start the run again."
        )
    return Lease(tuple(gpus), tuple(locks))


@contextmanager
def _ticket(pool: Sequence[str], folder: Path) -> Iterator[Path]:
    """Queue up: yield a file that says where this process stands and is locked for as long as it waits."""
    queue = folder / "queue"
    _make_folders(folder, queue)
    gate = _open(folder / "gate.lock")
    fcntl.flock(gate, fcntl.LOCK_EX)
    number = 1 + max((int(path.name) for path in queue.iterdir()), default=0)
    ticket = queue / f"{number:09d}"
    lock = os.open(ticket, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(lock, "\n".join(pool).encode())
    os.close(gate)
    try:
        yield ticket
    finally:
        ticket.unlink(missing_ok=True)
        os.close(lock)


def _wait_for_turn(ticket: Path, pool: Sequence[str]) -> None:
    """Return once no earlier ticket is held whose pool has a GPU in common with `pool`."""
    while rival := _last_rival(ticket, set(pool)):
        with suppress(FileNotFoundError):
            lock = _open_existing(rival)
            # Blocks until its holder has its GPUs, or is gone.
            fcntl.flock(lock, fcntl.LOCK_SH)
            os.close(lock)
            # Left behind by a killed process, unless it is gone already; another user's stays and does no harm.
            with suppress(FileNotFoundError, PermissionError):
                rival.unlink()


def _last_rival(ticket: Path, pool: set[str]) -> Path | None:
    """Return the newest ticket before `ticket` that a living process holds and that wants GPUs of `pool`."""
    for path in sorted(ticket.parent.iterdir(), reverse=True):
        with suppress(FileNotFoundError):
            if path.name < ticket.name and _held(path) and pool & set(path.read_text().split("\n")):
                return path
    return None


def _held(ticket: Path) -> bool:
    lock = _open_existing(ticket)
    try:
        return not _try_lock(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


def _collect(count: int, pool: Sequence[str], folder: Path) -> Lease:
    """Take GPUs as they come free; the caller has made sure that nobody else takes any of `pool`."""
    held: dict[str, int] = {}
    told = False
    while True:
        for gpu in pool:
            if gpu not in held and len(held) < count:
                lock = _open(folder / _lock_name(gpu))
                if _try_lock(lock, fcntl.LOCK_EX):
                    held[gpu] = lock
                else:
                    os.close(lock)
        if len(held) == count:
            break
        if not told:
            log.info("waiting for %d GPU(s) of %s", count, ", ".join(pool))
            told = True
        time.sleep(POLL_SECONDS)
    for lock in held.values():
        # From "nobody else has it" to "this job has it". Not atomic, but nobody else tries now.
        fcntl.flock(lock, fcntl.LOCK_SH)
        os.set_inheritable(lock, True)
    gpus = tuple(gpu for gpu in pool if gpu in held)
    return Lease(gpus, tuple(held[gpu] for gpu in gpus))


def _lock_name(gpu: str) -> str:
    return f"gpu-{gpu.replace('/', '_')}.lock"


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    """Open a lock file, made on first use. Reading is enough for a lock, so another user's file will do."""
    try:
        return _open_existing(path)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)


def _open_existing(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)


def _make_folders(*folders: Path) -> None:
    """Make folders in which every user of the machine can lock and queue up."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if folder.stat().st_uid == os.getuid():
                # As /tmp: all may add files, none may remove another's. The umask is against it, so afterwards.
                folder.chmod(0o1777)
            usable = os.access(folder, os.W_OK)
        except OSError:
            usable = False
        if not usable:
            raise UserError(
                f"The GPU locks in {folder} cannot be used. Set BAKEOFF_LOCKS to a folder on a disk of this "
                "machine that all who run Bakeoff on it can write to."
            )
