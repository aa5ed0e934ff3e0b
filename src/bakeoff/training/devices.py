"""Processes and devices of a run, and whether they are fit for it."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs
from torch import Tensor, nn

from bakeoff.errors import UserError

Precision = Literal["no", "fp16", "bf16"]
# cuDNN 9.11 dropped the kernels for compute capability 7.0 (pytorch issue 172352).
VOLTA, CUDNN_WITHOUT_VOLTA = (7, 0), 91100
# Processes wait for the one that writes a checkpoint, on a slow disk for long.
LONGEST_WAIT = timedelta(hours=1)
FREE_DISK = 2 * 2**30
FREE_GPU_MEMORY = 0.5  # as a share of all


def make_accelerator(gpus: int, precision: str) -> Accelerator:
    """Return the Accelerator of this process, for `gpus` GPUs in all (0: CPU).

    Raises:
        UserError: the GPUs that are visible are not the ones that were asked for, or PyTorch cannot use them.
    """
    check_gpus(gpus)
    if gpus:
        # Only its own: to ask a GPU for its memory takes some of that.
        check_gpu_memory(int(os.environ.get("LOCAL_RANK", "0")))
    accelerator = Accelerator(
        cpu=gpus == 0,
        mixed_precision=mixed_precision(gpus, precision),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=LONGEST_WAIT)],
    )
    expected = int(os.environ.get("WORLD_SIZE", "1"))
    if accelerator.num_processes != expected:
        raise UserError(
            f"{expected} processes were started, but accelerate sees {accelerator.num_processes}. Start the run by "
            "its rule or with workflow/scripts/train.py, which set the environment that both need."
        )
    return accelerator


def mixed_precision(gpus: int, precision: str) -> Precision:
    """Return accelerate's name for the arithmetic; a CPU computes in float32 whatever the recipe says."""
    if gpus == 0 or precision == "fp32":
        return "no"
    if precision == "auto":
        # Compute capability 8.0 (Ampere) is the first with bfloat16 units; a V100 only emulates them.
        return "bf16" if torch.cuda.get_device_capability()[0] >= 8 else "fp16"
    return "bf16" if precision == "bf16" else "fp16"


def check_gpus(gpus: int) -> None:
    """Check that exactly `gpus` GPUs are visible and that this PyTorch has kernels for them.

    Raises:
        UserError: otherwise, with what to change.
    """
    if gpus == 0:
        return
    visible = torch.cuda.device_count()
    if visible < gpus:
        raise UserError(
            f"The run was given {gpus} GPU(s), but {visible} are visible (CUDA_VISIBLE_DEVICES="
            f"{os.environ.get('CUDA_VISIBLE_DEVICES', 'unset')}). Use `--profile profiles/cpu` to train "
            "without GPUs, or correct the number in the profile."
        )
    built = torch.cuda.get_arch_list()
    version: Any = torch.backends.cudnn.version  # has no types
    cudnn: int | None = version()
    for index in range(gpus):
        major, minor = torch.cuda.get_device_capability(index)
        if not supports(built, major, minor):
            raise UserError(
                f"{torch.cuda.get_device_name(index)} has compute capability {major}.{minor}, and PyTorch "
                f"{torch.__version__} has kernels for {', '.join(built)} only. Install a PyTorch built for "
                f"sm_{major}{minor}; for a V100 that is torch==2.10.*."
            )
        if (major, minor) == VOLTA and cudnn is not None and cudnn >= CUDNN_WITHOUT_VOLTA:
            raise UserError(
                f"{torch.cuda.get_device_name(index)} has compute capability 7.0, which cuDNN dropped in 9.11, and "
                f"cuDNN {cudnn // 10000}.{cudnn % 10000 // 100} is installed. Install the one that torch 2.10 comes "
                'with: pip install "nvidia-cudnn-cu12<9.11".'
            )


def check_gpu_memory(device: int) -> None:
    """Check that at least half of a GPU's memory is free: less means that somebody else is using it.

    Raises:
        UserError: otherwise.
    """
    free, total = torch.cuda.mem_get_info(device)
    if free < FREE_GPU_MEMORY * total:
        raise UserError(
            f"GPU {device} ({torch.cuda.get_device_name(device)}) has {free / 2**30:.1f} of {total / 2**30:.1f} GiB "
            "free, so another process is using it; `nvidia-smi` shows which. End that process, or leave the GPU "
            "out of CUDA_VISIBLE_DEVICES."
        )


def supports(built: list[str], major: int, minor: int) -> bool:
    """Return whether a PyTorch built for the architectures `built` runs on capability major.minor.

    Code for sm_XY runs on the same major version with an equal or higher minor one; code for compute_XY is compiled
    on the spot for anything newer.
    """
    for name in built:
        kind, _, number = name.partition("_")
        digits = number.rstrip("af")
        theirs = (int(digits[:-1]), int(digits[-1]))
        if kind == "sm" and theirs[0] == major and theirs[1] <= minor:
            return True
        if kind == "compute" and theirs <= (major, minor):
            return True
    return False


def check_disk(folder: Path, needed: int = FREE_DISK) -> None:
    """Check that the disk of `folder` has `needed` bytes free.

    Raises:
        UserError: otherwise.
    """
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise UserError(
            f"The disk of {existing.resolve()} has {free / 2**30:.1f} GiB free; a run needs "
            f"{needed / 2**30:.1f} GiB for its checkpoints and results. Free some space or move results_root."
        )


def on_device(model: nn.Module, device: torch.device) -> nn.Module:
    """Move `model` to `device`, its convolutions in the memory format that the input pipeline uses."""
    # torch's type stubs do not know the memory_format argument of Module.to.
    move: Any = model.to
    moved: nn.Module = move(device, memory_format=torch.channels_last)
    return moved


def mean_over_processes(accelerator: Accelerator, values: Tensor) -> Tensor:
    """Return the mean of `values` over all processes."""
    if accelerator.num_processes == 1:
        return values
    reduced: Tensor = accelerator.reduce(values.clone(), reduction="mean")
    return reduced


def any_process(accelerator: Accelerator, mine: bool) -> bool:
    """Return whether `mine` is true on any process."""
    if accelerator.num_processes == 1:
        return mine
    flag = torch.tensor(float(mine), device=accelerator.device)
    return bool(accelerator.reduce(flag, reduction="sum").item() > 0)


def set_up_arithmetic(gpus: int, deterministic: bool) -> None:
    """Choose between fast and repeatable kernels on a GPU; a CPU repeats exactly either way."""
    if gpus:
        torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        # cuBLAS reads this when it starts; without it the flag below is an error for matrix products.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
