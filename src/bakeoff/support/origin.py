"""Where a result comes from: configuration, code, versions, hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from bakeoff.jobs.code import SOURCE

PACKAGES = ("torch", "torchvision", "timm", "accelerate", "numpy", "safetensors", "bakeoff")


def provenance(
    spec: Mapping[str, Any], seed: int, data_checksum: str, code: Mapping[str, str]
) -> dict[str, Any]:
    """Return what `provenance.json` says of a run, except for its start and end.

    Args:
        spec: the resolved configuration of the run.
        seed: of the run.
        data_checksum: of the prepared data.
        code: {module or file: digest} of what the run executes.
    """
    return {
        "configuration": dict(spec),
        "seed": seed,
        "data_checksum": data_checksum,
        "sources": dict(code),
        "git": git_state(SOURCE),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "hardware": hardware(),
        "allocation": {
            "visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
        },
    }


def git_state(folder: Path) -> dict[str, Any]:
    """Return commit and dirty flag of the checkout that `folder` is in; both None outside of one."""
    commit = _git(folder, "rev-parse", "HEAD")
    status = _git(folder, "status", "--porcelain")
    return {"commit": commit, "dirty": None if status is None else bool(status)}


def hardware() -> dict[str, Any]:
    """Return the machine's name, processor, memory and GPUs."""
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "host": platform.node(),
        "processor": _processor(),
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "gpus": gpus,
        "cuda": torch.version.cuda if gpus else None,
        "system": f"{platform.system()} {platform.release()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
