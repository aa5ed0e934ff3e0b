"""A real Slurm on this machine: Debian's slurmctld, slurmd and munge, with one node that says it has 8 V100s.

The GPUs are device files that swallow everything, the processors and the memory are claimed and not had
(`config_overrides`), and processes are tracked by parentage, because a container may have no cgroups to give. All the
rest (queue, allocations, time limits, preemption, signals) is Slurm's own.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

DAEMONS = ("munged", "slurmctld", "slurmd")
# The plugin removes SLURM_CONF from the environment of its jobs, so only the usual place will do.
ETC = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf", "cgroup.conf")
FOLDER = "bakeoff-slurm"
GPUS = 8
PATIENCE = 400

SLURM_CONF = """\
ClusterName=bakeoff
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldDebug=info
SlurmdDebug=info
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
MinJobAge=7200
KillWait=60
MessageTimeout=60
InactiveLimit=0
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=40 Boards=1 SocketsPerBoard=2 CoresPerSocket=20 ThreadsPerCore=1 \
RealMemory=512000 Gres=gpu:v100:{gpus} State=UNKNOWN
PartitionName=gpu Nodes=ALL Default=YES MaxTime=2-00:00:00 PriorityTier=1 State=UP
PartitionName=urgent Nodes=ALL MaxTime=1:00:00 PriorityTier=10 PreemptMode=OFF State=UP
"""


def why_not() -> str | None:
    """Return why a Slurm cannot be started here, or None."""
    missing = [name for name in (*DAEMONS, "sbatch") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed; `make test-slurm` installs Debian's slurm-wlm and munge"
    if getpass.getuser() != "root":
        return "slurmd starts jobs for others, which takes root"
    taken = [
        str(ETC / name) for name in FILES if (ETC / name).exists() and not _left_behind(ETC / name)
    ]
    if taken:
        return f"{', '.join(taken)} exist: this machine belongs to a cluster, or another test is running"
    return None


def _ours(file: Path) -> bool:
    """Return whether a file is a link that a test has set."""
    return file.is_symlink() and file.readlink().parent.name == FOLDER


def _left_behind(file: Path) -> bool:
    """Return whether a file is a link of a test that has ended without removing it."""
    if not _ours(file):
        return False
    try:
        controller = int((file.readlink().parent / "slurmctld.pid").read_text())
    except (OSError, ValueError):
        return True
    return not psutil.pid_exists(controller)


@dataclass
class Cluster:
    """The daemons."""

    folder: Path
    """For all their files; named FOLDER, by which a later test knows whose links in /etc/slurm are."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> None:
        """Write the configuration and start all daemons; return when the node takes jobs."""
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        host = socket.gethostname().partition(".")[0]
        for number in range(GPUS):
            # Character device 1, 3 is /dev/null.
            os.mknod(self.folder / f"gpu{number}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        contents = {
            "slurm.conf": SLURM_CONF.format(
                host=host,
                folder=self.folder,
                gpus=GPUS,
                controller_port=_free_port(),
                node_port=_free_port(),
            ),
            "gres.conf": f"Name=gpu Type=v100 File={self.folder}/gpu[0-{GPUS - 1}]\n",
            "cgroup.conf": f"CgroupPlugin={_cgroup_plugin()}\n",
        }
        ETC.mkdir(exist_ok=True)
        for name, content in contents.items():
            (self.folder / name).write_text(content)
            (ETC / name).unlink(missing_ok=True)
            (ETC / name).symlink_to(self.folder / name)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._daemon(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munge.pid",
            f"--log-file={self.folder}/munge.log",
            f"--seed-file={self.folder}/munge.seed",
        )
        wait_for((self.folder / "munge.socket").exists)
        self.start_controller()
        self._daemon("slurmd", "-D", "-N", host)
        wait_for(lambda: "idle" in run("sinfo", "--noheader", "--format=%T", check=False))

    def start_controller(self) -> None:
        """Start slurmctld; jobs that were running before go on."""
        self._daemon("slurmctld", "-D")

    def stop_controller(self) -> None:
        """Stop slurmctld, as a restart or a failure would."""
        self._end("slurmctld")

    def stop(self) -> None:
        """End all jobs and daemons, and remove the configuration."""
        run("scancel", "--state=RUNNING", "--state=PENDING", check=False)
        time.sleep(1)
        for name in list(self.processes):
            self._end(name)
        for name in FILES:
            if _ours(ETC / name):
                (ETC / name).unlink()

    def _daemon(self, name: str, *arguments: str) -> None:
        self.processes[name] = subprocess.Popen(
            [shutil.which(name) or name, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / f"{name}.out").open("ab"),
            stderr=subprocess.STDOUT,
        )

    def _end(self, name: str) -> None:
        process = self.processes.pop(name)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Job:
    """What Slurm knows of a job."""

    number: int
    state: str
    rule: str
    """With its wildcards, as the plugin puts it into the job's comment; empty for jobs of others."""
    fields: dict[str, str]


def jobs() -> list[Job]:
    """Return all jobs that Slurm remembers, oldest first."""
    found = []
    for line in run("scontrol", "show", "job", "--oneliner", "--details", check=False).splitlines():
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "JobId" not in fields:
            continue
        found.append(
            Job(
                number=int(fields["JobId"]),
                state=fields["JobState"],
                rule=fields.get("Comment", "").removeprefix("rule_"),
                fields=fields,
            )
        )
    return sorted(found, key=lambda job: job.number)


def run(*command: str, check: bool = True) -> str:
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=check).stdout


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until `condition` returns something true; on a busy machine that may take minutes."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.5)


def _cgroup_plugin() -> str:
    """Return the plugin that needs no cgroups; before 23.02 that is version 1, which does nothing unasked."""
    version = run("slurmd", "-V").split()[1]
    return "disabled" if tuple(map(int, version.split(".")[:2])) >= (23, 2) else "cgroup/v1"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
