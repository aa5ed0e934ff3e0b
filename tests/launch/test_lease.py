"""The lease: no GPU is ever used by two jobs, nobody waits for ever, and nothing outlives a killed job."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.errors import UserError
from bakeoff.launch.lease import POLL_SECONDS, join, lock_folder, take, visible_gpus

GPUS = [str(number) for number in range(8)]
FORK = multiprocessing.get_context("fork")


def start(function: Callable[..., None], *arguments: Any) -> BaseProcess:
    process = FORK.Process(target=function, args=arguments)
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    process.kill()
    process.join()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


# --- the property: whatever is asked for, and whoever is killed


@dataclass(frozen=True)
class Job:
    """What one process asks for, and what becomes of it."""

    count: int
    pool: Sequence[str]
    works: float
    """Seconds that it keeps the GPUs."""
    killed_after: float | None
    """Seconds from its start to SIGKILL."""


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    pool = draw(st.sampled_from([GPUS, GPUS, GPUS[:4], GPUS[4:], GPUS[2:6]]))
    count = draw(st.sampled_from([size for size in (1, 2, 4, 8) if size <= len(pool)]))
    return Job(count, pool, draw(st.floats(0, 0.2)), draw(st.none() | st.floats(0, 0.3)))


def use(job: Job, locks: Path, record: Path) -> None:
    """Lease, put a claim on each GPU, work, and end; a claim of another living process is an overlap."""
    lease = take(job.count, job.pool, locks)
    assert len(set(lease.gpus)) == job.count
    assert set(lease.gpus) <= set(job.pool)
    claims = [record / f"claim-{gpu}" for gpu in lease.gpus]
    for claim in claims:
        if claim.exists() and lives(claim.read_text()):
            (record / f"overlap-{claim.name}").touch()
        claim.write_text(str(os.getpid()))
    time.sleep(job.works)
    for claim in claims:
        claim.unlink()
    (record / f"done-{os.getpid()}").touch()


def lives(pid: str) -> bool:
    """Return whether a process runs; one that is being killed has lost its memory before its locks."""
    try:
        return bool(Path(f"/proc/{pid or 'none'}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


@settings(max_examples=25, deadline=None)
@given(st.lists(jobs(), min_size=2, max_size=12))
def test_jobs_share_gpus_without_overlap_and_all_get_their_turn(asked: list[Job]) -> None:
    with TemporaryDirectory() as folder:
        record, locks = Path(folder), Path(folder, "locks")
        begun = time.monotonic()
        running = [(job, start(use, job, locks, record)) for job in asked]
        killings = [(job.killed_after, process) for job, process in running if job.killed_after]
        for after, process in sorted(killings, key=lambda killing: killing[0]):
            time.sleep(max(0.0, begun + after - time.monotonic()))
            kill(process)
        spared = [process for job, process in running if not job.killed_after]
        for process in spared:
            process.join(120)
        done = [(record / f"done-{process.pid}").exists() for process in spared]
        for _, process in running:
            kill(process)
        assert all(done)
        assert list(record.glob("overlap-*")) == []
        # Nothing is left behind: all can be had at once.
        take(len(GPUS), GPUS, locks).release()


# --- who comes first, and who does not have to wait


@dataclass(frozen=True)
class Holder:
    """A process that leases GPUs and keeps them until it is killed."""

    process: BaseProcess
    told: Path

    @property
    def gpus(self) -> list[str]:
        """The GPUs that it has; none while it waits."""
        return self.told.read_text().split(",") if self.told.exists() else []


Hold = Callable[..., Holder]


def queues(process: BaseProcess, locks: Path) -> bool:
    """Return whether a process has drawn its ticket and not yet given it back: it has the file open."""
    # Not by the tickets' names or number: another's may go, and its name be given again, between two looks.
    tickets = f"{locks}/queue/"
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        # It may close one between the listing and the look.
        with suppress(FileNotFoundError):
            if str(descriptor.readlink()).startswith(tickets):
                return True
    return False


def keep(count: int, pool: Sequence[str], locks: Path, told: Path) -> None:
    lease = take(count, pool, locks)
    told.with_suffix(".part").write_text(",".join(lease.gpus))
    told.with_suffix(".part").rename(told)
    signal.pause()


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    return tmp_path / "locks"


@pytest.fixture
def hold(tmp_path: Path, locks: Path) -> Iterator[Hold]:
    """Return a function that starts a holder, and returns it once it has its GPUs or queues for them."""
    started: list[Holder] = []

    def holder(count: int, pool: Sequence[str] = GPUS) -> Holder:
        told = tmp_path / f"holder-{len(started)}"
        process = start(keep, count, pool, locks, told)
        started.append(Holder(process, told))
        wait_for(lambda: told.exists() or queues(process, locks))
        return started[-1]

    yield holder
    for entry in started:
        kill(entry.process)


def test_a_large_job_is_not_overtaken_by_small_ones(hold: Hold) -> None:
    first = hold(4)
    wait_for(lambda: first.gpus)
    large = hold(8)
    small = hold(1)
    time.sleep(1)
    # Four GPUs are idle; they are kept for the large job, which came first.
    assert (large.gpus, small.gpus) == ([], [])
    kill(first.process)
    wait_for(lambda: large.gpus)
    assert large.gpus == GPUS
    assert small.gpus == []
    kill(large.process)
    wait_for(lambda: small.gpus)


def test_two_large_jobs_do_not_take_half_of_the_gpus_each(hold: Hold) -> None:
    small = [hold(1) for _ in GPUS]
    large = [hold(8), hold(8)]
    for holder in small:
        # One GPU at a time comes free, and each of the two looks several times before the next does.
        time.sleep(3 * POLL_SECONDS)
        kill(holder.process)
    wait_for(lambda: large[0].gpus)
    kill(large[0].process)
    wait_for(lambda: large[1].gpus)


def test_a_killed_job_frees_its_gpus_and_its_place_in_the_queue(hold: Hold) -> None:
    first, large, small = hold(4), hold(8), hold(1)
    wait_for(lambda: first.gpus)
    kill(large.process)
    wait_for(lambda: small.gpus)
    # Which of the four that the first job left: the large one may still have had some, since a process that is
    # killed loses its place in the queue before its GPUs.
    assert set(small.gpus) < set(GPUS[4:])
    kill(first.process)
    second = hold(7)
    wait_for(lambda: second.gpus)
    assert second.gpus == [gpu for gpu in GPUS if gpu not in small.gpus]


def test_jobs_that_share_no_gpu_do_not_wait_for_one_another(hold: Hold) -> None:
    hold(4, GPUS[:4])
    waiting = hold(2, GPUS[:4])
    other = hold(2, GPUS[4:])
    wait_for(lambda: other.gpus)
    assert (waiting.gpus, other.gpus) == ([], ["4", "5"])


# --- how long a lease lasts

# Leases two GPUs, starts a process that joins the lease, and turns into another program.
LEADER = """
import os, subprocess, sys
from pathlib import Path
from bakeoff.launch.lease import take

member, locks = sys.argv[1:]
take(2, ["0", "1"], Path(locks))
joined = subprocess.Popen([sys.executable, "-c", member, locks, str(os.getpid())], stdout=subprocess.PIPE)
print(joined.pid, joined.stdout.readline().decode(), flush=True)
os.execv(sys.executable, [sys.executable, "-c", "import signal; signal.pause()"])
"""
MEMBER = """
import signal, sys
from pathlib import Path
from bakeoff.launch.lease import join

join(["0", "1"], Path(sys.argv[1]), int(sys.argv[2]))
print("joined", flush=True)
signal.pause()
"""


def test_a_lease_outlives_exec_and_lasts_until_the_last_process_has_ended(
    hold: Hold, locks: Path
) -> None:
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER, MEMBER, str(locks)], stdout=subprocess.PIPE, text=True
    )
    assert leader.stdout is not None
    member, said = leader.stdout.readline().split()
    assert said == "joined"
    program = b"import signal; signal.pause()"
    wait_for(lambda: program in Path(f"/proc/{leader.pid}/cmdline").read_bytes().split(b"\0"))
    waiting = hold(1, ["0", "1"])
    time.sleep(0.5)
    assert waiting.gpus == []
    leader.kill()
    leader.wait()
    # The other process of the job is still there, perhaps writing its checkpoint.
    time.sleep(0.5)
    assert waiting.gpus == []
    os.kill(int(member), signal.SIGKILL)
    wait_for(lambda: waiting.gpus)


def test_a_process_whose_launcher_has_ended_does_not_join(locks: Path) -> None:
    take(1, ["0"], locks)
    join(["0"], locks, os.getppid())
    with pytest.raises(UserError, match="The launcher of this process has ended"):
        join(["0"], locks, os.getpid())


# --- which GPUs there are


@pytest.mark.parametrize(
    ("named", "gpus"),
    [
        ("0,1,2", ["0", "1", "2"]),
        ("5, 3", ["5", "3"]),
        ("GPU-8932f937,GPU-1f22", ["GPU-8932f937", "GPU-1f22"]),
        ("0,1,-1,2", ["0", "1"]),
        ("", []),
        ("-1", []),
        ("1,1", ["1"]),
    ],
)
def test_the_pool_is_what_cuda_would_see(named: str, gpus: list[str]) -> None:
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": named}) == gpus


def test_more_than_can_ever_be_had_is_refused_at_once(locks: Path) -> None:
    with pytest.raises(UserError, match=r"given 3 GPU\(s\), but it may use only 2: 0, 1"):
        take(3, ["0", "1"], locks)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="BAKEOFF_LOCKS"):
        take(1, GPUS, tmp_path / "file" / "locks")


def test_names_of_gpus_count_only_inside_an_allocation() -> None:
    folders = {
        lock_folder({}),
        lock_folder({"SLURM_JOB_ID": "7"}),
        lock_folder({"SLURM_JOB_ID": "8"}),
        lock_folder({"BAKEOFF_LOCKS": "/somewhere"}),
    }
    assert len(folders) == 4
