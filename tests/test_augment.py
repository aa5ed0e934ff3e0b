"""The input pipeline: its random numbers, its operations, and that batches do not matter."""

from __future__ import annotations

from collections.abc import Callable

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
from bakeoff.training.augment.erasing import (
    DRAWS_FOR_ERASING,
    cutout_rectangles,
    erase,
    erasing_rectangles,
)
from bakeoff.training.augment.mixing import mix
from bakeoff.training.augment.packed import PackedImages, packed_bytes
from bakeoff.training.augment.pipeline import storage_device
from bakeoff.training.augment.policy import (
    OPERATIONS,
    apply_operations,
    randaugment,
    trivialaugment,
)
from bakeoff.training.random import derive_seed, permutation, uniform

MEAN, STD = (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)
EVERYTHING = {
    "crop_padding": 4,
    "flip": True,
    "policy": "randaugment",
    "cutout": 8,
    "erasing": 0.5,
}
# Our names of operations and torchvision's.
TORCHVISION = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "translate_x": "TranslateX",
    "translate_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
}
cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def noise(count: int, height: int = 32, width: int = 32) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    shape = (count, 3, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def pictures(count: int, size: int = 32) -> Tensor:
    """Smooth images, of low and of high contrast, whose histograms are neither full nor flat."""
    coarse = noise(count, 5, 5).float()
    smooth = F.interpolate(coarse, (size, size), mode="bilinear", align_corners=True)
    span = torch.linspace(0.2, 1, count).view(-1, 1, 1, 1)
    return (smooth * span + 30 * (1 - span)).to(torch.uint8)


def pipeline(
    images: Tensor, config: dict[str, object] | None = None, size: int = 32, seed: int = 3
) -> InputPipeline:
    augment = AugmentConfig.model_validate(config or {})
    return InputPipeline(images, MEAN, STD, augment, size, device="cpu", seed=seed)


def normalised(images: Tensor) -> Tensor:
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    return (images.float() / 255 - mean) / std


# Random numbers


def splitmix64(state: int) -> int:
    """SplitMix64's output function on Python integers."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB % 2**64
    return state ^ (state >> 31)


def test_uniform_is_the_hash_that_it_is_said_to_be():
    gamma, key = 0x9E3779B97F4A7C15, derive_seed(11, 5, "crop")
    index = [0, 1, 49_999, 2**40]
    expected = [
        [
            (splitmix64((splitmix64((i * gamma + key) % 2**64) + j * gamma) % 2**64) >> 40) / 2**24
            for j in (1, 2, 3)
        ]
        for i in index
    ]
    drawn = uniform(11, 5, torch.tensor(index), "crop", 3)
    assert drawn.dtype == torch.float32
    assert drawn.tolist() == expected


def test_uniform_is_uniform():
    draws = uniform(0, 0, torch.arange(50_000), "crop", 4)
    assert draws.min() >= 0 and draws.max() < 1
    for column in draws.T:
        assert stats.kstest(column.numpy(), "uniform").pvalue > 1e-3
    # Low bits too: they decide nothing in a crop, but would show a weak mix.
    low = (draws * 2**24).long() % 64
    for column in low.T:
        assert stats.chisquare(column.bincount(minlength=64).numpy()).pvalue > 1e-3


@pytest.mark.parametrize(
    "other",
    [
        lambda: uniform(0, 0, torch.arange(1, 50_001), "crop", 2)[:, 0],
        lambda: uniform(0, 0, torch.arange(50_000) + 2**32, "crop", 2)[:, 0],
        lambda: uniform(0, 1, torch.arange(50_000), "crop", 2)[:, 0],
        lambda: uniform(1, 0, torch.arange(50_000), "crop", 2)[:, 0],
        lambda: uniform(0, 0, torch.arange(50_000), "erasing", 2)[:, 0],
        lambda: uniform(0, 0, torch.arange(50_000), 1, 2)[:, 0],
        lambda: uniform(0, 0, torch.arange(50_000), "crop", 2)[:, 1],
    ],
    ids=["next image", "far image", "epoch", "seed", "stream", "numbered stream", "draw"],
)
def test_draws_are_independent(other: Callable[[], Tensor]):
    one = uniform(0, 0, torch.arange(50_000), "crop", 2)[:, 0]
    cells = (one * 16).long() * 16 + (other() * 16).long()
    assert stats.chisquare(cells.bincount(minlength=256).numpy()).pvalue > 1e-4


def test_a_bit_of_the_index_changes_half_of_the_bits():
    index = torch.arange(2_000)
    for bit in range(0, 63, 7):
        before = (uniform(0, 0, index, "crop", 1) * 2**24).long()
        after = (uniform(0, 0, index ^ (1 << bit), "crop", 1) * 2**24).long()
        changed = [(difference).bit_count() for difference in (before ^ after).flatten().tolist()]
        assert np.mean(changed) == pytest.approx(12, abs=0.3)


def test_a_draw_depends_on_its_own_counter_alone():
    index = torch.tensor([5, 9, 5])
    draws = uniform(0, 0, index, "crop", 6)
    assert torch.equal(draws[0], draws[2])
    assert torch.equal(uniform(0, 0, index[1:2], "crop", 2), draws[1:2, :2])


def test_permutation():
    orders = [permutation(4, epoch, 1_000) for epoch in range(3)] + [permutation(5, 0, 1_000)]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(1_000))
    for number, order in enumerate(orders):
        for other in orders[:number]:
            assert (order == other).sum() < 10
    assert torch.equal(orders[0], permutation(4, 0, 1_000))


def test_permutation_puts_every_image_everywhere():
    places = torch.stack([permutation(0, epoch, 8) for epoch in range(4_000)])
    for image in range(8):
        counts = (places == image).sum(dim=0)
        assert stats.chisquare(counts.numpy()).pvalue > 1e-4


def test_derive_seed_keeps_parts_apart():
    parts = [(), (1,), ("1",), (1, 2), (2, 1), (12,), ("a", "bc"), ("ab", "c"), ("abc",), (-1, 2)]
    seeds = [derive_seed(*part) for part in parts]
    assert len(set(seeds)) == len(parts)
    assert derive_seed(1, 2) == seeds[3]
    for seed in seeds:
        assert 0 <= seed < 2**63
        torch.Generator().manual_seed(seed)


@cuda
def test_a_gpu_draws_the_same():
    index = torch.arange(10_000)
    assert torch.equal(
        uniform(1, 2, index, "crop", 5), uniform(1, 2, index.cuda(), "crop", 5).cpu()
    )


# An image and its batch


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


# Erasing


def test_cutout():
    images = torch.ones(4_000, 3, 10, 8)
    draws = uniform(0, 0, torch.arange(4_000), "cutout", 2)
    erased = erase(images.clone(), cutout_rectangles(draws, 4, 10, 8))[:, 0] == 0
    rows, columns = erased.any(dim=2), erased.any(dim=1)
    assert torch.equal(erased, rows[:, :, None] & columns[:, None, :]), "a rectangle"
    heights, widths = rows.sum(dim=1), columns.sum(dim=1)
    # Around a pixel at row y, rows y - 2 to y + 1 are erased, as far as there are any.
    assert heights.min() == 2 and heights.max() == 4 and widths.min() == 2 and widths.max() == 4
    expected = torch.zeros(10)
    for y in range(10):
        expected[max(y - 2, 0) : y + 2] += 1 / 10
    torch.testing.assert_close(rows.float().mean(dim=0), expected, atol=0.03, rtol=0)


def test_erasing_is_distributed_like_torchvision():
    count, size = 3_000, 32
    draws = uniform(0, 0, torch.arange(count), "erasing", DRAWS_FOR_ERASING)
    top, bottom, left, right = erasing_rectangles(draws, 1.0, size, size).T
    assert (
        (top >= 0).all() and (left >= 0).all() and (bottom <= size).all() and (right <= size).all()
    )
    reference = v2.RandomErasing(p=1.0, scale=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3))
    image = torch.zeros(3, size, size)
    torch.manual_seed(0)
    expected = np.array(
        [
            [box[key] for key in "ijhw"]
            for box in (reference.make_params([image]) for _ in range(count))
        ],
        dtype=float,
    )
    ours = torch.stack([top, left, bottom - top, right - left], dim=1).numpy()
    for column in range(4):
        assert stats.ks_2samp(ours[:, column], expected[:, column]).pvalue > 1e-3
    areas = ours[:, 2] * ours[:, 3]
    assert stats.ks_2samp(areas, expected[:, 2] * expected[:, 3]).pvalue > 1e-3


def test_erasing_with_probability():
    draws = uniform(0, 0, torch.arange(4_000), "erasing", DRAWS_FOR_ERASING)
    images = torch.ones(4_000, 3, 16, 16)
    erased = erase(images, erasing_rectangles(draws, 0.25, 16, 16)) == 0
    assert torch.equal(erased[:, 0], erased[:, 2])
    assert erased.flatten(1).any(dim=1).float().mean() == pytest.approx(0.25, abs=0.03)


# RandAugment and TrivialAugment


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_is_torchvisions(name: str):
    images = torch.cat([pictures(6), noise(2)])
    table = trivialaugment().magnitudes[OPERATIONS.index(name)].unique()
    reference = v2.TrivialAugmentWide()
    for magnitude in table.tolist():
        expected = torch.stack(
            [
                reference._apply_image_or_video_transform(
                    image,
                    TORCHVISION[name],
                    magnitude,
                    v2.InterpolationMode.NEAREST,
                    {type(image): None},
                )
                for image in images
            ]
        )
        kinds = torch.full((len(images),), OPERATIONS.index(name))
        ours = apply_operations(images.clone(), kinds, torch.full((len(images),), magnitude))
        difference = (ours.int() - expected.int()).abs()
        if name in ("shear_x", "shear_y", "rotate"):
            # Where a pixel comes from exactly between two, rounding decides which of them it is.
            assert (difference > 0).float().mean() < 0.02
        elif name in ("brightness", "color", "contrast", "sharpness"):
            assert difference.max() <= 1
            assert (difference > 0).float().mean() < 0.03, magnitude
        else:
            assert difference.max() == 0


@pytest.mark.parametrize("policy", ["randaugment", "trivialaugment"])
def test_magnitudes_are_torchvisions(policy: str):
    reference = {"randaugment": v2.RandAugment, "trivialaugment": v2.TrivialAugmentWide}[policy]
    assert set(TORCHVISION.values()) == set(reference._AUGMENTATION_SPACE)
    for bin_number in range(0, 31, 3):
        if policy == "randaugment":
            table = randaugment(2, bin_number, 24, 40).magnitudes
        else:
            table = trivialaugment().magnitudes[:, [bin_number, 31 + bin_number]]
        for name, magnitudes in zip(OPERATIONS, table, strict=True):
            values, signed = reference._AUGMENTATION_SPACE[TORCHVISION[name]]
            expected = values(31, 24, 40)
            value = 0.0 if expected is None else float(expected[bin_number])
            if name.startswith("translate"):
                value = int(value)
            both = [value, -value if signed else value]
            assert magnitudes.tolist() == pytest.approx(both, abs=1e-5), name


def test_a_mixed_batch_is_what_each_image_would_be_alone():
    images = pictures(56)
    kinds = torch.arange(56) % len(OPERATIONS)
    table = trivialaugment().magnitudes
    magnitudes = table[kinds, torch.arange(56) % table.shape[1]]
    together = apply_operations(images.clone(), kinds, magnitudes)
    for i in range(56):
        alone = apply_operations(images[i : i + 1].clone(), kinds[i : i + 1], magnitudes[i : i + 1])
        assert torch.equal(together[i], alone[0])


def test_policies_draw_every_operation_and_magnitude_equally(monkeypatch):
    seen: list[tuple[Tensor, Tensor]] = []

    def note(images: Tensor, operation: Tensor, magnitude: Tensor) -> Tensor:
        seen.append((operation, magnitude))
        return images

    monkeypatch.setattr("bakeoff.training.augment.policy.apply_operations", note)
    count = 20_000
    for policy in (randaugment(3, 9, 32, 32), trivialaugment()):
        seen.clear()
        draws = uniform(0, 0, torch.arange(count), "policy", policy.draws)
        policy.apply(torch.zeros(count, 3, 1, 1, dtype=torch.uint8), draws)
        assert len(seen) == policy.layers
        for operation, magnitude in seen:
            counts = operation.bincount(minlength=len(OPERATIONS))
            assert stats.chisquare(counts.numpy()).pvalue > 1e-3
            rotated = magnitude[operation == OPERATIONS.index("rotate")]
            values, times = rotated.unique(return_counts=True)
            assert len(values) == policy.magnitudes[OPERATIONS.index("rotate")].unique().numel()
            # No rotation is there twice, with either sign.
            weights = np.where(values == 0, 2, 1)
            expected = weights / weights.sum() * len(rotated)
            assert stats.chisquare(times.numpy(), expected).pvalue > 1e-3


# Mixup and CutMix


def batch_to_mix() -> tuple[Tensor, Tensor]:
    images = normalised(noise(10, 16, 12))
    return images, torch.tensor([0, 1, 2, 3, 4, 0, 1, 2, 3, 3])


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.8, 0.0), (0.0, 1.0), (0.2, 1.0)])
def test_mixing_is_timms(monkeypatch, mixup: float, cutmix: float):
    from timm.data.mixup import Mixup  # noqa: PLC0415

    images, labels = batch_to_mix()
    for seed in range(12):
        ours, targets = mix(images, labels, 5, seed, mixup=mixup, cutmix=cutmix)
        generator = np.random.Generator(np.random.Philox(seed))
        # timm asks whether to mix at all, then draws as we do, both from NumPy's global state.
        chances = iter([lambda: 0.0, generator.random])
        monkeypatch.setattr(np.random, "rand", lambda chances=chances: next(chances)())
        monkeypatch.setattr(np.random, "beta", generator.beta)
        monkeypatch.setattr(
            np.random, "randint", lambda low, high, size, g=generator: g.integers(low, high)
        )
        reference = Mixup(mixup, cutmix, label_smoothing=0.0, num_classes=5)
        expected, expected_targets = reference(images.clone(), labels)
        torch.testing.assert_close(ours, expected)
        torch.testing.assert_close(targets, expected_targets)
        assert targets.dtype == torch.float32


def test_mixing_depends_on_its_seed_alone():
    images, labels = batch_to_mix()
    kept = images.clone()
    batches = pipeline(noise(1), {"mixup": 0.8, "cutmix": 1.0})
    first, targets = batches.mix(images, labels, 5, seed=derive_seed(0, 1, 2))
    np.random.seed(1)
    torch.manual_seed(1)
    again, targets_again = batches.mix(images, labels, 5, seed=derive_seed(0, 1, 2))
    assert torch.equal(first, again) and torch.equal(targets, targets_again)
    assert torch.equal(images, kept), "what was given is unchanged"
    assert not torch.equal(first, batches.mix(images, labels, 5, seed=derive_seed(0, 1, 3))[0])


def test_cutmix_targets_follow_pixels():
    images = torch.stack([torch.full((3, 16, 12), float(i)) for i in range(4)])
    labels = torch.arange(4)
    shares = []
    for seed in range(200):
        mixed, targets = mix(images, labels, 4, seed, mixup=0.0, cutmix=1.0)
        for i in range(4):
            own = (mixed[i] == i).float().mean()
            assert targets[i, i] == pytest.approx(float(own), abs=1e-6)
            assert targets[i, 3 - i] == pytest.approx(1 - float(own), abs=1e-6)
        shares.append(float(targets[0, 0]))
    assert 0.4 < np.mean(shares) < 0.75 and np.std(shares) > 0.15


def test_no_mixing_leaves_labels_alone():
    images, labels = batch_to_mix()
    same, same_labels = pipeline(noise(1)).mix(images, labels, 5, seed=0)
    assert same is images and same_labels is labels


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
