"""The processes of a run: one for each GPU, on GPUs that no other run uses."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

from bakeoff.errors import UserError
from bakeoff.launch.environment import LAUNCHER, LIBRARY_THREADS
from bakeoff.launch.lease import join, lock_folder, take, visible_gpus
from bakeoff.support.interrupts import die_with_parent

# Tells the processes of a run who leased their GPUs, and where the locks are.
LEASE = "BAKEOFF_LEASE"

log = logging.getLogger(__name__)


def start(script: str, words: Sequence[str], gpus: int, processes: int | None, threads: int) -> int:
    """Make this process one that may run a script, and return how many GPUs the script is to use.

    For several processes this one turns into their launcher and does not return; each of them comes here again.

    Args:
        script: its file.
        words: what was given to it on the command line.
        gpus: how many GPUs the run was given; 0 is the CPU.
        processes: how many processes compute; None is one for each GPU.
        threads: CPU threads of each process.

    Raises:
        UserError: fewer GPUs are visible than the run was given, or BAKEOFF_DEVICE is not a device.
    """
    die_with_parent()
    if sys.flags.hash_randomization:
        # Python reads it when it starts. Without it a builder that goes through a set of names draws its layers'
        # weights in another order in each process.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-P", script, *words])
    os.environ.update(dict.fromkeys(LIBRARY_THREADS, str(threads)))
    on_cpu = gpus == 0 or _cpu_stands_in(os.environ)
    if "RANK" in os.environ:
        _keep_gpus(os.environ)
    else:
        _get_gpus(gpus, os.environ)
        count = processes or gpus or 1
        if count > 1:
            if on_cpu:
                os.environ["ACCELERATE_USE_CPU"] = "true"
            _become_launcher(script, words, count)
    return 0 if on_cpu else gpus


def _cpu_stands_in(environment: Mapping[str, str]) -> bool:
    """Return whether the CPU does what GPUs would: BAKEOFF_DEVICE=cpu, for dry runs of a cluster's set-up.

    All else goes as with GPUs: allocations, leases, one process for each.
    """
    device = environment.get("BAKEOFF_DEVICE", "")
    if device not in ("", "cpu"):
        raise UserError(
            f"BAKEOFF_DEVICE is '{device}', expected 'cpu' or nothing. Unset it to compute on GPUs."
        )
    return device == "cpu"


def _get_gpus(count: int, environment: MutableMapping[str, str]) -> None:
    """Lease `count` GPUs, for this process and what it turns into, and hide all others."""
    pool = visible_gpus(environment)
    if count == 0 or (not pool and _cpu_stands_in(environment)):
        return
    # An allocation that has no GPU to spare was made for this run alone.
    if "SLURM_JOB_ID" not in environment or len(pool) > count:
        folder = lock_folder(environment)
        lease = take(count, pool, folder)
        environment[LEASE] = f"{os.getpid()}:{folder}"
        if "CUDA_VISIBLE_DEVICES" not in environment:
            # Count GPUs as /dev and nvidia-smi do; CUDA by itself calls the fastest one 0.
            environment.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(lease.gpus)
    log.info("CUDA_VISIBLE_DEVICES=%s", environment.get("CUDA_VISIBLE_DEVICES", ""))


def _keep_gpus(environment: Mapping[str, str]) -> None:
    """Hold what the launcher leased, so that the lease lasts until the last process is gone."""
    if LEASE in environment:
        owner, _, folder = environment[LEASE].partition(":")
        join(visible_gpus(environment), Path(folder), int(owner))


def _become_launcher(script: str, words: Sequence[str], count: int) -> None:
    """Turn this process into torchrun, which starts `count` processes of the script."""
    # Slurm's warning may reach every process of a job. The launcher has no use for it, and has to survive it.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    # torchrun, not `accelerate launch`: the latter starts one process only without a GPU, and says nothing.
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    # Else processes look for each other by the node's name, and wait for long where that does not lead to it.
    launcher += ["--local-addr=127.0.0.1"]
    os.environ[LAUNCHER] = str(os.getpid())
    os.execv(sys.executable, [sys.executable, *launcher, script, *words])
