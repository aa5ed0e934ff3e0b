"""Processes in which tests/support/emulated_cuda.py works."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.project import REPOSITORY

STUB = Path(__file__).with_name("cuda_stub.c")


def missing() -> str | None:
    """Return why the emulated device cannot be had here, or None."""
    if sys.platform != "linux":
        return "the emulated device preloads a library as Linux does"
    if shutil.which("cc") is None:
        return "the emulated device needs a C compiler (cc)"
    requirements = importlib.metadata.requires("torch") or []
    built_with_cuda = any(each.startswith("nvidia-cudnn") for each in requirements)
    if not built_with_cuda:
        return "the emulated device needs PyTorch's wheel with CUDA (BAKEOFF_TORCH=cu128)"
    return None


def compile_stub(folder: Path) -> Path:
    """Compile what stands for the CUDA driver, and return its path."""
    library = folder / "libcuda.so.1"
    command = ["cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", library, STUB]
    subprocess.run(command, check=True)
    return library


def emulated(library: Path, case: str, recipe: str, folder: Path, *more: str) -> dict[str, Any]:
    """Run a case of tests/support/emulated_run.py in a process of its own and return what it prints."""
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "PYTHONPATH": f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY}",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "tests.support.emulated_run", case, recipe, str(folder), *more]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome
