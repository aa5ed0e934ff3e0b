"""Whether the GPUs at hand, and the libraries for them, can train."""

from __future__ import annotations

import pytest
import torch

from bakeoff.errors import UserError
from bakeoff.training.devices import check_gpus


@pytest.mark.parametrize(
    ("capability", "cudnn", "refused"),
    [
        ((7, 0), 91002, False),
        ((7, 0), 91100, True),
        ((7, 0), 92000, True),
        ((7, 0), None, False),
        ((9, 0), 92000, False),
    ],
)
def test_a_cudnn_without_kernels_for_a_v100_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    capability: tuple[int, int],
    cudnn: int | None,
    refused: bool,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_70", "sm_90"])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla V100")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: cudnn)
    if not refused:
        check_gpus(1)
        return
    with pytest.raises(UserError, match=r"cuDNN 9\.\d+ is installed.*nvidia-cudnn-cu12<9\.11"):
        check_gpus(1)
