"""How fast the input pipeline is, beside what people usually use and beside the memory's own limit.

Five things are measured in one run, in turns so that a busy machine slows all of them alike:

- `torchvision`: a DataLoader with two workers that crops, flips and normalises PIL images one by one;
- `bakeoff`: `InputPipeline`, the same augmentation;
- `conversion`: nothing but uint8 to float32, of the same images in their order, in batches of the
  same size, whose memory is used again and stays in the cache;
- `conversion_shuffled`: the same, of the images that training asks for, which lie anywhere in memory;
- `conversion_at_once`: uint8 to float32 for the whole data set in one call, at the pace of main memory.

    python benchmarks/input_pipeline.py --images 50000 --batch 128 --threads 1 --seconds 10
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator
from operator import truediv

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from bakeoff.training.augment import AugmentConfig, InputPipeline
from bakeoff.training.random import permutation

MEAN, STD = (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)
WORKERS = 2
ROUNDS = 7


class PilImages(Dataset[tuple[Tensor, int]]):
    """Images as torchvision's data sets hold them: arrays that become PIL images one by one."""

    def __init__(self, images: Tensor) -> None:
        self._images = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._images[index])), 0


def torchvision_batches(images: Tensor, batch: int) -> Iterator[Tensor]:
    """Yield batches for ever; the workers live as long as the iterator."""
    loader = DataLoader(
        PilImages(images), batch, shuffle=True, num_workers=WORKERS, persistent_workers=True
    )
    while True:
        for pictures, _ in loader:
            yield pictures


def shuffled(images: int, batch: int) -> Iterator[tuple[int, Tensor]]:
    """Yield epochs and the indices of their batches for ever, in the order of training."""
    for epoch in itertools.count():
        for indices in permutation(0, epoch, images).split(batch):
            yield epoch, indices


def bakeoff_batches(images: Tensor, batch: int) -> Iterator[Tensor]:
    """Yield batches for ever; the draws of each epoch are part of the time."""
    config = AugmentConfig(crop_padding=4, flip=True)
    pipeline = InputPipeline(images, MEAN, STD, config, 32, device="cpu", seed=0)
    for epoch, indices in shuffled(len(images), batch):
        yield pipeline.train_batch(indices, epoch)


def converted_batches(images: Tensor, batch: int) -> Iterator[Tensor]:
    """Yield batches for ever, in the order of the data set."""
    while True:
        for piece in images.split(batch):
            yield piece.to(torch.float32)


def converted_shuffled(images: Tensor, batch: int) -> Iterator[Tensor]:
    """Yield batches for ever, of the images that training asks for: anywhere in memory."""
    for _, indices in shuffled(len(images), batch):
        yield images.index_select(0, indices).to(torch.float32)


def converted_at_once(images: Tensor, batch: int) -> Iterator[Tensor]:
    """Yield the whole data set for ever."""
    while True:
        yield images.to(torch.float32)


def images_per_second(batches: Iterator[Tensor], seconds: float) -> float:
    """Return the rate at which `batches` gives images, over about `seconds`."""
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        count += len(next(batches))
    return count / elapsed


def measure(images: Tensor, batch: int, seconds: float) -> dict[str, list[float]]:
    """Return each contestant's images/s, turn by turn; a contestant has `seconds` in all."""
    sources: dict[str, Callable[[Tensor, int], Iterator[Tensor]]] = {
        "torchvision": torchvision_batches,
        "bakeoff": bakeoff_batches,
        "conversion": converted_batches,
        "conversion_shuffled": converted_shuffled,
        "conversion_at_once": converted_at_once,
    }
    rates: dict[str, list[float]] = {name: [] for name in sources}
    quick = {
        name: source(images, batch) for name, source in sources.items() if name != "torchvision"
    }
    for batches in quick.values():
        images_per_second(batches, seconds / ROUNDS)
    for _ in range(ROUNDS):
        for name, batches in quick.items():
            rates[name].append(images_per_second(batches, seconds / ROUNDS))
    # Alone: its workers fill their queue whether or not anyone asks.
    slow = sources["torchvision"](images, batch)
    for _ in range(2 * WORKERS):
        next(slow)
    rates["torchvision"].append(images_per_second(slow, seconds))
    return rates


def share(rates: dict[str, list[float]], of: str) -> float:
    """Return our rate as a share of another's: the median over turns, as a turn has one load."""
    return round(statistics.median(map(truediv, rates["bakeoff"], rates[of])), 3)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000, help="images in the data set")
    parser.add_argument("--batch", type=int, default=128, help="images in a batch")
    # Operations on a batch of small images take microseconds. A second thread saves little of that, and
    # where the cores are shared the threads wait for each other for milliseconds.
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each contestant")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    generator = torch.Generator().manual_seed(0)
    shape = (arguments.images, 3, 32, 32)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    rates = measure(images, arguments.batch, arguments.seconds)
    middle = {name: statistics.median(values) for name, values in rates.items()}
    result = {
        "images": arguments.images,
        "batch": arguments.batch,
        "threads": arguments.threads,
        "workers": WORKERS,
        **{f"{name}_images_per_s": round(value) for name, value in middle.items()},
        "times_torchvision": round(middle["bakeoff"] / middle["torchvision"], 1),
        "share_of_conversion": share(rates, "conversion"),
        "share_of_conversion_shuffled": share(rates, "conversion_shuffled"),
        "share_of_conversion_at_once": share(rates, "conversion_at_once"),
    }
    for name, value in middle.items():
        print(f"{name:20} {value:12,.0f} images/s")
    print(f"{result['times_torchvision']} x torchvision with {WORKERS} workers")
    print(
        f"{result['share_of_conversion']:.0%} of the rate of bare conversion in batches, in order"
    )
    print(
        f"{result['share_of_conversion_shuffled']:.0%} of the rate of bare conversion of shuffled batches"
    )
    print(f"{result['share_of_conversion_at_once']:.0%} of the rate of bare conversion at once")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
