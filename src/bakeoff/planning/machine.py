"""What a device can do: the constants of the predictions, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gpu", "cpu"]


@dataclass(frozen=True)
class Machine:
    """One device, a GPU or a core, that runs are planned on; a machine has several of one kind."""

    kind: Kind
    device: str | None
    """Its name, as `metrics.json` has it; None where it is not at hand."""
    macs_per_s: float
    """Multiply-accumulates a second in training, where arithmetic is what limits it."""
    seconds_per_operation: float
    """Time that an operation of the forward pass costs in launching it, its backward pass and its update."""
    exchange_bytes_per_s: float
    """Gradients that devices exchange, all together, in an all-reduce."""
    start_up_seconds: float
    """From the start of the process to the first step."""
    watts: float
    widest: int
    """The most devices that one run can use."""


# What is assumed before anything was measured.
V100 = Machine(
    kind="gpu",
    device=None,
    # 125 TFLOP/s in fp16 with tensor cores (NVIDIA, Tesla V100 data sheet, SXM2); a multiply-accumulate is two
    # operations, and a third of the peak is what real training reaches at best on such small images.
    macs_per_s=125e12 / 2 / 3,
    # As CUDA graphs, micro-batches of the networks that arithmetic does not limit take 23 to 34 microseconds for each
    # operation of the forward pass on an H200 (docs/training.md). A V100, each of whose kernels takes 5 microseconds
    # and more, is assumed to be there, too.
    seconds_per_operation=30e-6,
    # Between PCIe 3.0 x16 (about 10 GB/s in NCCL's all-reduce) and NVLink (above 100): cautious where there is NVLink.
    exchange_bytes_per_s=20e9,
    # Imports and torchrun take 10 s from a warm disk; the rest is for CUDA and cuDNN's search for kernels.
    start_up_seconds=20.0,
    # Thermal design power (same data sheet): an upper limit of the board, without its host.
    watts=300.0,
    # GPUs of one server: a run does not span several.
    widest=8,
)
CORE = Machine(
    kind="cpu",
    device=None,
    # The networks of the study train at 8 to 69 GMAC/s on one EPYC core (fp32, 39 in the middle). Somewhat less,
    # because cores that are all busy share their memory.
    macs_per_s=30e9,
    # Forward, backward and update of ResNet-20, ECA-ResNet-20 and GhostNet on images so small that arithmetic does
    # not count took 72 to 89 microseconds for each operation of the forward pass (EPYC core, PyTorch 2.10, eager).
    seconds_per_operation=75e-6,
    exchange_bytes_per_s=10e9,
    start_up_seconds=10.0,
    # A 65 W desktop processor of 6 to 8 cores.
    watts=10.0,
    # A run on the CPU is one process on one core: with as many runs as cores, more would gain nothing.
    widest=1,
)
DEFAULTS = {"gpu": V100, "cpu": CORE}

# GPUs of a cluster that does not say how many it has: the talk's server. `--resources gpu=...` says it.
UNKNOWN_GPUS = 8

# Operations of a forward pass where they were not counted: about the median of the study's networks (116 to 839).
TYPICAL_OPERATIONS = 260


@dataclass(frozen=True)
class Fleet:
    """The devices of one kind that the runs share."""

    kind: Kind
    count: int

    def __str__(self) -> str:
        """Return "8 GPUs" or "1 core"."""
        return devices_in_words(self.kind, self.count)


def fleet(gpus: int | None, cores: int | None) -> Fleet:
    """Return the devices that runs are trained on: the GPUs, or the cores where there are none.

    `gpus` is None where their number is not known, as on a cluster.
    """
    if gpus is None:
        return Fleet("gpu", UNKNOWN_GPUS)
    return Fleet("gpu", gpus) if gpus else Fleet("cpu", max(1, cores or 1))


def counted(number: int, word: str) -> str:
    """Return "1 run" or "2 runs"."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def devices_in_words(kind: str, count: int) -> str:
    """Return a number of devices in words: "8 GPUs", "1 core"."""
    word = "GPU" if kind == "gpu" else "core"
    return counted(count, word)
