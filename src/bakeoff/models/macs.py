"""Multiply-accumulates of a network: one count, on whatever device it is."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@contextmanager
def mac_counter() -> Iterator[FlopCounterMode]:
    """Count the operations of what is computed meanwhile; `macs` reads them off.

    Fused kernels (attention, encoder layers, recurrent layers) differ between devices, and PyTorch has no formula
    for some of them. They are switched off here, so that what is counted are always the matrix products themselves.
    """
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            sdpa_kernel(SDPBackend.MATH),
            torch.backends.cudnn.flags(enabled=False),
            _without_mkldnn(),
            FlopCounterMode(display=False) as counter,
        ):
            yield counter
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)


def macs(counter: FlopCounterMode) -> int:
    """Return what was counted; PyTorch counts a multiply-accumulate as two operations."""
    return int(counter.get_total_flops()) // 2


# Not inference_mode: under it a dispatch mode sees operations before they are taken apart, and networks whose
# parameters are computed (parametrizations) fail.
@torch.no_grad()
def count_macs(model: nn.Module, size: int) -> int:
    """Return the multiply-accumulates of one image of `size` pixels: convolutions and matrix products."""
    was_training = model.training
    model.eval()
    image = torch.zeros(1, 3, size, size, device=next(model.parameters()).device)
    with mac_counter() as counter:
        model(image.contiguous(memory_format=torch.channels_last))
    model.train(was_training)
    return macs(counter)


@contextmanager
def _without_mkldnn() -> Iterator[None]:
    with warnings.catch_warnings():
        # Some builds warn when the flag is merely set back to what it was.
        warnings.filterwarnings("ignore", message="TF32 acceleration")
        with torch.backends.mkldnn.flags(enabled=False):
            yield
