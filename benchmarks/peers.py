"""One epoch, side by side: this engine, a plain torchvision loop of the usual kind, and timm's loader.

    python benchmarks/peers.py --variant resnet_20 --images 2560

Same network, same drawn images, same batch, same machine, in turns in one process. Augmentation is crop with
padding 4, flip and normalisation (timm's loader: its own crop and flip). The plain loop and timm's loader augment
image by image in worker processes and read the loss at each step, as the usual scripts do.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from bakeoff.data import load_meta, load_split
from bakeoff.models import create_model
from common import drawn_data, make_trainer, show, uniform_recipe


class Pictures(Dataset[tuple[Tensor, int]]):
    """The prepared images one by one as PIL images, as torchvision's CIFAR100 gives them."""

    def __init__(self, data: Path) -> None:
        images, fine, _ = load_split(data, "train")
        self._images = images[100:].transpose(0, 2, 3, 1).copy()
        self._labels = fine[100:].tolist()
        self.transform: object = None

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self._images[index])
        return self.transform(picture), self._labels[index]  # type: ignore[operator]


def torchvision_loader(data: Path, batch: int, workers: int) -> Iterable[tuple[Tensor, Tensor]]:
    meta, pictures = load_meta(data), Pictures(data)
    pictures.transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(meta.mean, meta.std),
        ]
    )
    return DataLoader(
        pictures, batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )


def timm_loader(data: Path, batch: int, workers: int) -> Iterable[tuple[Tensor, Tensor]]:
    from timm.data import create_loader  # noqa: PLC0415

    meta = load_meta(data)
    return create_loader(
        Pictures(data),
        input_size=(3, 32, 32),
        batch_size=batch,
        is_training=True,
        no_aug=False,
        hflip=0.5,
        mean=meta.mean,
        std=meta.std,
        num_workers=workers,
        use_prefetcher=False,
        persistent_workers=workers > 0,
    )


def plain_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: Iterable[tuple[Tensor, Tensor]]
) -> int:
    """Train one epoch as tutorials do, reading loss and hits at each step; return the images seen."""
    seen = hits = 0
    total = 0.0
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
        hits += (logits.argmax(1) == labels).sum().item()
        seen += len(labels)
    return seen


def plain_images_per_s(variant: str, loader: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Return images/s of the second epoch; the first starts the workers."""
    model = create_model(variant)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    plain_epoch(model, optimizer, loader)
    started = time.perf_counter()
    seen = plain_epoch(model, optimizer, loader)
    return seen / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", default="resnet_20")
    parser.add_argument("--images", type=int, default=2560)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2, help="threads of the training process")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = drawn_data(options.images)
    speeds: dict[str, list[float]] = {"bakeoff": [], "torchvision": [], "timm": []}
    for _ in range(options.rounds):
        trainer = make_trainer(options.variant, data, uniform_recipe(options.batch, 2))
        speeds["bakeoff"].append(trainer.fit().history[1].images_per_s)
        for name, make in (("torchvision", torchvision_loader), ("timm", timm_loader)):
            loader = make(data, options.batch, options.workers)
            speeds[name].append(plain_images_per_s(options.variant, loader))
    ours = speeds["bakeoff"]
    show(
        f"One epoch of {options.variant}, {options.images:,} images, batch {options.batch}",
        {
            "variant": options.variant,
            "images": options.images,
            "batch": options.batch,
            "workers": options.workers,
            "threads": options.threads,
            **{
                f"{name}_images_per_s": statistics.median(values) for name, values in speeds.items()
            },
            "over_torchvision": statistics.median(
                a / b for a, b in zip(ours, speeds["torchvision"], strict=True)
            ),
            "over_timm": statistics.median(
                a / b for a, b in zip(ours, speeds["timm"], strict=True)
            ),
        },
    )


if __name__ == "__main__":
    main()
