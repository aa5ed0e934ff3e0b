"""The cost profile of a variant: `{root}/profiles/{variant}.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bakeoff.evaluation.cost import count_params, images_per_second, latency_ms
from bakeoff.files import write_json
from bakeoff.jobs.records import now
from bakeoff.models.factory import build_architecture
from bakeoff.models.macs import count_macs
from bakeoff.models.policy import input_policy
from bakeoff.support.origin import hardware
from bakeoff.training.devices import check_gpus, on_device

BATCH = 128


def profile(spec: Mapping[str, Any], out: Path, gpus: int) -> None:
    """Measure the network of `spec` on one GPU, or on the CPU with `gpus` 0, and write its profile."""
    check_gpus(gpus)
    device = torch.device("cuda" if gpus else "cpu")
    image_size = spec["image_size"]
    size = input_policy(spec["model"], image_size).input_size
    model = build_architecture(spec["model"], spec["num_classes"], image_size).eval()
    model = on_device(model, device)
    images = torch.rand(BATCH, 3, size, size, device=device).contiguous(
        memory_format=torch.channels_last
    )
    machine = hardware()
    write_json(
        out,
        {
            "variant": spec["variant"],
            "params": count_params(model),
            "macs": count_macs(model, size),
            "input_size": size,
            "latency_ms": latency_ms(model, images[:1]),
            "inference_images_per_s": images_per_second(model, images),
            "batch": BATCH,
            "device": machine["gpus"][0] if gpus else machine["processor"],
            "threads": torch.get_num_threads(),
            "measured": now(),
        },
    )
