"""The input pipeline: an image and its batch, crops, flips, sizes, and its configuration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import v2

from bakeoff.errors import UserError
from bakeoff.training.augment import AugmentConfig, InputPipeline
from bakeoff.training.augment.packed import PackedImages, packed_bytes
from bakeoff.training.augment.pipeline import storage_device
from bakeoff.training.random import permutation
from tests.support.augmentation import (
    EVERYTHING,
    MEAN,
    STD,
    cuda,
    noise,
    normalised,
    pictures,
    pipeline,
)

# An image and its batch


@pytest.mark.parametrize("policy", ["trivialaugment", "randaugment", "autoaugment"])
def test_augmented_ahead_or_when_asked_for(policy: str) -> None:
    config = {"crop_padding": 4, "flip": True, "policy": policy, "erasing": 0.5}
    batches, ahead = (pipeline(pictures(97), config, 32) for _ in range(2))
    order = permutation(0, 0, 97)
    for some in (order[:40], order[40:], order[:40]):
        ahead.look_ahead(some, 2)
        for piece in some.split(7):
            assert torch.equal(ahead.train_batch(piece, 2), batches.train_batch(piece, 2))
    with pytest.raises((IndexError, RuntimeError)):
        ahead.train_batch(order[40:41], 2)
    assert torch.equal(ahead.train_batch(order[90:], 3), batches.train_batch(order[90:], 3))
    ahead.look_ahead(order[:0], 2)
    assert torch.equal(ahead.train_batch(order[90:], 2), batches.train_batch(order[90:], 2))


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({"crop_padding": 4, "flip": True}, 32),
        (EVERYTHING, 32),
        (EVERYTHING, 48),
        ({"policy": "trivialaugment", "erasing": 1.0}, 32),
    ],
    ids=["crop and flip", "everything", "resized", "trivialaugment"],
)
@pytest.mark.parametrize("threads", [1, 3])
def test_augmentation_does_not_depend_on_the_batch(
    config: dict[str, object], size: int, threads: int
):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        batches = pipeline(pictures(97), config, size)
        whole = batches.train_batch(torch.arange(97), epoch=2)
        order = permutation(0, 0, 97)
        assert torch.equal(batches.train_batch(order, 2), whole[order]), "other order"
        for pieces in (order.split(16), [order[rank::3] for rank in range(3)], order[:5].split(1)):
            for piece in pieces:
                assert torch.equal(batches.train_batch(piece, 2), whole[piece]), "other batches"
        assert torch.equal(batches.train_batch(torch.tensor([8, 8]), 2)[1], whole[8]), "twice"
    finally:
        torch.set_num_threads(before)


def test_augmentation_does_not_depend_on_what_was_asked_before():
    images, indices = pictures(40), torch.arange(40)
    used = pipeline(images, EVERYTHING)
    for epoch in (0, 1, 5):
        used.train_batch(indices[:7], epoch)
        used.eval_batch(indices)
        torch.rand(3)
    resumed = pipeline(images, EVERYTHING)
    assert torch.equal(used.train_batch(indices, 4), resumed.train_batch(indices, 4))
    assert torch.equal(used.train_batch(indices, 0), resumed.train_batch(indices, 0))


@pytest.mark.parametrize(
    "config",
    [
        {"crop_padding": 4},
        {"flip": True},
        {"policy": "trivialaugment"},
        {"cutout": 8},
        {"erasing": 1.0},
    ],
    ids=lambda config: next(iter(config)),
)
def test_epochs_and_seeds_augment_differently(config: dict[str, object]):
    images, indices = pictures(64), torch.arange(64)
    first = pipeline(images, config, seed=0)
    batch = first.train_batch(indices, 0)
    for other in (
        first.train_batch(indices, 1),
        pipeline(images, config, seed=1).train_batch(indices, 0),
    ):
        changed = (other != batch).flatten(1).any(dim=1)
        assert changed.float().mean() > 0.3


@cuda
@pytest.mark.parametrize("fraction", [0.5, 0.0], ids=["on the device", "on the host"])
def test_a_gpu_makes_the_same_batches(fraction: float):
    images, indices = pictures(200), torch.arange(200)
    config = AugmentConfig.model_validate(EVERYTHING)
    onboard = InputPipeline(
        images, MEAN, STD, config, 48, device="cuda", seed=3, memory_fraction=fraction
    )
    batch = onboard.train_batch(indices, 1)
    assert batch.device.type == "cuda"
    expected = pipeline(images, EVERYTHING, 48).train_batch(indices, 1)
    torch.testing.assert_close(batch.cpu(), expected, atol=1e-4, rtol=0)


# Crops, flips, normalisation, size


def crops_by_hand(images: Tensor, padding: int) -> tuple[Tensor, list[tuple[int, int, bool]]]:
    """Return every crop of every image, (crops, N, 3, H, W), and which crop each is."""
    height, width = images.shape[-2:]
    crops, names = [], []
    for flip in (False, True):
        padded = F.pad(images.flip(-1) if flip else images, [padding] * 4)
        for top in range(2 * padding + 1):
            for left in range(2 * padding + 1):
                crops.append(padded[:, :, top : top + height, left : left + width])
                names.append((top, left, flip))
    return torch.stack(crops), names


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 5)])
def test_crops_and_flips_are_right_and_uniform(height: int, width: int):
    images, padding = noise(3_000, height, width), 2
    batches = pipeline(images, {"crop_padding": padding, "flip": True}, size=8)
    crops, names = crops_by_hand(images, padding)
    if height != width:
        with_sizes = PackedImages(images, padding, True, torch.device("cpu"))
        index = torch.arange(len(images))
        for crop, (top, left, flip) in zip(crops, names, strict=True):
            starts = with_sizes.starts(index, top - padding, left - padding, int(flip))
            assert torch.equal(with_sizes.windows(starts, torch.device("cpu")), crop)
        return
    batch = batches.train_batch(torch.arange(len(images)), epoch=0)
    same = (
        torch.stack([(normalised(crop) - batch).abs().amax(dim=(1, 2, 3)) for crop in crops]) < 1e-4
    )
    assert (same.sum(dim=0) == 1).all(), (
        "every image is exactly one of the possible crops of itself"
    )
    counts = same.sum(dim=1)
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    flipped = sum(int(count) for count, name in zip(counts, names, strict=True) if name[2])
    assert flipped == pytest.approx(1_500, abs=110)


@pytest.mark.parametrize("config", [{"crop_padding": 2}, {"flip": True}, {}], ids=str)
def test_only_what_is_configured_is_done(config: dict[str, object]):
    images = noise(400, 8, 8)
    batch = pipeline(images, config, size=8).train_batch(torch.arange(400), 0)
    crops, names = crops_by_hand(images, int(str(config.get("crop_padding", 0))))
    seen = set()
    for crop, name in zip(crops, names, strict=True):
        same = (normalised(crop) - batch).abs().amax(dim=(1, 2, 3)) < 1e-4
        if same.any():
            seen.add(name)
    assert all(flip for *_, flip in seen) is False
    assert {flip for *_, flip in seen} == ({False, True} if config.get("flip") else {False})
    assert len({(top, left) for top, left, _ in seen}) == (25 if "crop_padding" in config else 1)


@pytest.mark.parametrize("config", [{}, EVERYTHING], ids=["plain", "augmented"])
def test_evaluation_only_normalises(config: dict[str, object]):
    images, indices = noise(50), torch.tensor([3, 49, 0, 3])
    batch = pipeline(images, config).eval_batch(indices)
    assert batch.dtype == torch.float32 and batch.is_contiguous()
    torch.testing.assert_close(batch, normalised(images[indices]), atol=2e-6, rtol=0)


def test_resized_like_pillow():
    images = pictures(6)
    batch = pipeline(images, size=80).eval_batch(torch.arange(6))
    for image, resized in zip(images, batch, strict=True):
        pil = Image.fromarray(image.permute(1, 2, 0).numpy()).resize(
            (80, 80), Image.Resampling.BICUBIC
        )
        expected = normalised(torch.from_numpy(np.array(pil)).permute(2, 0, 1))
        # Pillow rounds to whole grey levels after each of its two passes.
        torch.testing.assert_close(resized, expected, atol=1.1 / 255 / min(STD), rtol=0)


def test_resizing_stays_between_black_and_white():
    checkers = (torch.arange(32) // 4 % 2).bool()
    image = ((checkers[:, None] ^ checkers) * 255).to(torch.uint8).expand(1, 3, 32, 32)
    batch = pipeline(image, size=96).eval_batch(torch.tensor([0]))
    limits = normalised(torch.tensor([0, 255]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
    assert torch.allclose(batch.amin(dim=(0, 2, 3)), limits[0].flatten(), atol=1e-5)
    assert torch.allclose(batch.amax(dim=(0, 2, 3)), limits[1].flatten(), atol=1e-5)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_other_interpolations(interpolation: str):
    images = pictures(3)
    batches = InputPipeline(
        images, MEAN, STD, AugmentConfig(), 64, device="cpu", seed=0, interpolation=interpolation
    )
    mode = v2.InterpolationMode(interpolation).value
    expected = v2.functional.resize(
        normalised(images),
        [64, 64],
        interpolation=v2.InterpolationMode.NEAREST_EXACT
        if mode == "nearest"
        else v2.InterpolationMode(mode),
    )
    torch.testing.assert_close(batches.eval_batch(torch.arange(3)), expected, atol=1e-5, rtol=0)


def test_channels_last():
    images, config = pictures(5), AugmentConfig.model_validate(EVERYTHING)
    batches = InputPipeline(
        images, MEAN, STD, config, 32, device="cpu", seed=3, memory_format=torch.channels_last
    )
    batch = batches.train_batch(torch.arange(5), 1)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch, pipeline(images, EVERYTHING).train_batch(torch.arange(5), 1))


def test_memory_mapped_images(tmp_path):
    images = noise(30)
    np.save(tmp_path / "images.npy", images.numpy())
    mapped = torch.from_numpy(np.load(tmp_path / "images.npy", mmap_mode="r+"))
    config: dict[str, object] = {"crop_padding": 4, "flip": True}
    indices = torch.arange(30)
    assert torch.equal(
        pipeline(mapped, config).train_batch(indices, 0),
        pipeline(images, config).train_batch(indices, 0),
    )


def test_storage_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1_000, 2_000))
    gpu, cpu = torch.device("cuda", 1), torch.device("cpu")
    assert storage_device(gpu, 500, 0.5) == gpu
    assert storage_device(gpu, 501, 0.5) == cpu
    assert storage_device(cpu, 10**15, 0.5) == cpu


def test_packed_bytes():
    images = noise(11, 9, 6)
    for padding, mirrored in ((0, False), (3, False), (3, True)):
        packed = PackedImages(images, padding, mirrored, torch.device("cpu"))
        size = packed_bytes(images.shape, padding, mirrored)
        last = packed.starts(torch.tensor([10]), padding, padding, int(mirrored))
        assert packed.windows(last, torch.device("cpu")).shape == (1, 3, 9, 6)
        assert size >= images.numel() * (2 if mirrored else 1)
    assert packed_bytes((50_000, 3, 32, 32), 4, True) < 2.6 * 50_000 * 3 * 32 * 32


# Configuration


def test_config_of_a_recipe():
    config = AugmentConfig.model_validate(
        {
            "crop_padding": 4,
            "flip": True,
            "erasing": 0.25,
            "cutout": 0,
            "policy": "randaugment",
            "policy_args": {"magnitude": 7},
            "mixup": 0.2,
            "cutmix": 1,
        }
    )
    assert (config.crop_padding, config.flip, config.erasing, config.cutmix) == (4, True, 0.25, 1)
    assert (config.policy_args.magnitude, config.policy_args.layers) == (7, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": torch.zeros(2, 3, 8, 8)}, ["float32", "uint8"]),
        ({"images": torch.zeros(2, 8, 8, 3, dtype=torch.uint8)}, ["(2, 8, 8, 3)"]),
        ({"std": (0.2, 0.0, 0.2)}, ["std", "above 0"]),
        ({"mean": (0.5,)}, ["mean", "three numbers"]),
        ({"interpolation": "cubic"}, ["cubic", "bicubic"]),
    ],
)
def test_mistakes_in_the_input(change: dict[str, object], words: list[str]):
    arguments = {"images": noise(2), "mean": MEAN, "std": STD, "interpolation": "bicubic"} | change
    with pytest.raises(UserError) as raised:
        InputPipeline(config=AugmentConfig(), input_size=32, device="cpu", seed=0, **arguments)
    for word in words:
        assert word in str(raised.value)
