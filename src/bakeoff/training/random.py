"""Counter-based random numbers: functions of names and counters, without a state.

A generator with a state gives an image other numbers when the batch, the rank or the point of
resumption changes. Here a draw is a hash of (seed, epoch, stream) and of the image's index, so it
is the same wherever and whenever it is made. The arithmetic is on 64-bit integers only: a CPU and a
GPU agree to the bit.

Method: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), with the mixing
function of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014, section 5).
"""

from __future__ import annotations

import hashlib
import random

import numpy as np
import torch
from torch import Tensor

# Of 64 random bits, float32 can hold 24 without rounding up to 1.
_FRACTION_BITS = 24


def _signed(value: int) -> int:
    """Return the int64 that has the same 64 bits as the unsigned `value`."""
    return value - 2**64 if value >= 2**63 else value


_GOLDEN_GAMMA = _signed(0x9E3779B97F4A7C15)
_MIX_1 = _signed(0xBF58476D1CE4E5B9)
_MIX_2 = _signed(0x94D049BB133111EB)


def derive_seed(*parts: int | str) -> int:
    """Return a seed in [0, 2**63) that depends on every part and on their order.

    Different parts give unrelated seeds, so `derive_seed(seed, step, micro_batch)` may seed any
    generator.
    """
    # Length prefixes and types keep ("ab", "c"), ("a", "bc"), 1 and "1" apart.
    named = "".join(f"{type(part).__name__}{len(str(part))}:{part}" for part in parts)
    digest = hashlib.blake2b(named.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def seed_everything(seed: int) -> None:
    """Seed all generators that a network may draw from without naming one: torch's, NumPy's and Python's."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def uniform(seed: int, epoch: int, index: Tensor, stream: int | str, count: int) -> Tensor:
    """Return `count` independent draws for each of `index`, uniform in [0, 1).

    Args:
        seed: of the run.
        epoch: counted from 0.
        index: int64 (B,): which image; any value, repeats allowed.
        stream: what the draws are for; streams are independent of each other.
        count: number of draws for each index; draw j does not depend on `count`.

    Returns:
        float32 (B, count) on the device of `index`, multiples of 2**-24.
    """
    counters = torch.arange(1, count + 1, dtype=torch.int64, device=index.device)
    rows = _hash(derive_seed(seed, epoch, stream), index)
    bits = _mix(rows[:, None] + counters * _GOLDEN_GAMMA)
    return _shift_right(bits, 64 - _FRACTION_BITS).to(torch.float32).mul_(2.0**-_FRACTION_BITS)


def permutation(seed: int, epoch: int, n: int) -> Tensor:
    """Return a random order of 0..n-1, int64 (n,) on the CPU, another for each seed and epoch."""
    keys = _hash(derive_seed(seed, epoch, "permutation"), torch.arange(n, dtype=torch.int64))
    return keys.argsort(stable=True)


def _hash(key: int, index: Tensor) -> Tensor:
    """Return 64 random bits for each of `index` (int64): that element of SplitMix64's sequence."""
    return _mix(index * _GOLDEN_GAMMA + _signed(key))


def _mix(bits: Tensor) -> Tensor:
    """Return SplitMix64's bijective mix of int64 `bits`, in place; products wrap modulo 2**64."""
    bits = bits.bitwise_xor_(_shift_right(bits, 30)).mul_(_MIX_1)
    bits = bits.bitwise_xor_(_shift_right(bits, 27)).mul_(_MIX_2)
    return bits.bitwise_xor_(_shift_right(bits, 31))


def _shift_right(bits: Tensor, places: int) -> Tensor:
    """Return `bits` shifted right, filled with zeros; torch's own shift repeats the sign bit."""
    return (bits >> places).bitwise_and_((1 << (64 - places)) - 1)
