"""From images on disk to batches that a network can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from bakeoff.errors import UserError, did_you_mean
from bakeoff.training.augment import erasing
from bakeoff.training.augment.mixing import mix
from bakeoff.training.augment.packed import PackedImages, packed_bytes
from bakeoff.training.random import uniform
from bakeoff.training.recipe import AugmentConfig, PolicyArgs

if TYPE_CHECKING:
    from bakeoff.training.augment.autoaugment import Pairs
    from bakeoff.training.augment.policy import Policy

# How much of the data set a policy may be applied to ahead of its use, so that its some hundred operations are launched
# for thousands of images at once and not for each micro-batch: 5,461 images of 32 x 32 pixels.
AHEAD_BYTES = 2**24

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


@dataclass(frozen=True)
class _Ahead:
    """Images to which the policy has been applied already."""

    epoch: int
    pixels: Tensor
    """uint8 (M, 3, H, W)."""
    rows: Tensor
    """int64 (N,): where each image of the data set is in `pixels`; -1, which selects nothing, for the others."""


class InputPipeline:
    """Batches of a data set: cropped, flipped, augmented, normalised, resized.

    What happens to an image depends on (seed, epoch, its index) and on nothing else: not on the
    batch that it is in, the process that asks, or what was asked before.
    """

    def __init__(
        self,
        images: Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        config: AugmentConfig,
        input_size: int,
        *,
        device: torch.device | str,
        seed: int,
        interpolation: str = "bicubic",
        memory_format: torch.memory_format = torch.contiguous_format,
        memory_fraction: float = 0.5,
    ) -> None:
        """Copy the data set to where batches are cut from.

        Args:
            images: uint8 (N, 3, H, W) on the CPU, memory-mapped or not.
            mean, std: for each channel, of values on the scale 0 to 1.
            config: augmentation of `train_batch`.
            input_size: S, height and width of the batches.
            device: where batches are wanted.
            seed: of the run.
            interpolation: how images of another size are resized: nearest, bilinear or bicubic.
            memory_format: of the batches, contiguous or channels_last.
            memory_fraction: share of the device's free memory that the data set may take; a larger
                one stays on the host and batches are copied over.

        Raises:
            UserError: images, mean, std or interpolation are not as described.
        """
        _check(images, mean, std, interpolation)
        self.config = config
        self.device = torch.device(device)
        self.input_size = input_size
        self.seed = seed
        self.interpolation = interpolation
        self.memory_format = memory_format
        height, width = images.shape[-2:]
        needed = packed_bytes(images.shape, config.crop_padding, config.flip)
        store = storage_device(self.device, needed, memory_fraction)
        self._images = PackedImages(images, config.crop_padding, config.flip, store)
        self._policy = _policy(config, height, width, self.device)
        # (x / 255 - mean) / std = x * scale + shift, for each channel.
        self._scale = [1 / (255 * deviation) for deviation in std]
        self._shift = [
            torch.tensor(-average / deviation, device=self.device)
            for average, deviation in zip(mean, std, strict=True)
        ]
        # What black and white become. Bicubic interpolation overshoots, and pictures must not.
        limits = torch.tensor([[0.0], [255.0]]) * torch.tensor(self._scale)
        limits = limits.to(self.device) + torch.stack(self._shift)
        self._black, self._white = limits.view(2, 1, 3, 1, 1)
        self._epoch_starts: tuple[int, Tensor] | None = None
        self._ahead: _Ahead | None = None
        ahead = self._policy is not None and self.device.type == "cuda"
        self.at_once = AHEAD_BYTES // (3 * height * width) if ahead else 0
        """How many images `look_ahead` should get; 0 where it saves nothing: without a policy, or on a CPU."""

    def look_ahead(self, indices: Tensor, epoch: int) -> None:
        """Crop the images `indices`, int64 (M,), and apply the policy to all of them at once.

        Until the next call `train_batch` may be asked only for these images in this epoch, and gives what it would have
        given anyway. With no `indices` it may be asked for all again.
        """
        self._ahead = None
        if len(indices):
            pixels = self._augmented(indices, epoch).contiguous()
            rows = torch.full((self._images.count,), -1, device=self.device)
            rows[indices.to(self.device)] = torch.arange(len(indices), device=self.device)
            self._ahead = _Ahead(epoch, pixels, rows)

    def train_batch(self, indices: Tensor, epoch: int) -> Tensor:
        """Return the augmented images `indices`, int64 (B,), as float32 (B, 3, S, S)."""
        if self._ahead is not None and self._ahead.epoch == epoch:
            rows = self._ahead.rows.index_select(0, indices.to(self.device))
            pixels = self._ahead.pixels.index_select(0, rows)
        else:
            pixels = self._augmented(indices, epoch)
        images = self._erase(self._normalise(pixels), indices.to(self.device), epoch)
        return self._resize(images)

    def _augmented(self, indices: Tensor, epoch: int) -> Tensor:
        """Return the images, cropped and as the policy leaves them, as uint8 (B, 3, H, W)."""
        starts = self._crops(epoch).index_select(0, indices.to(self._images.device))
        pixels = self._images.windows(starts, self.device)
        if self._policy is None:
            return pixels
        draws = uniform(self.seed, epoch, indices.to(self.device), "policy", self._policy.draws)
        return self._policy.apply(pixels.contiguous(), draws)

    def eval_batch(self, indices: Tensor) -> Tensor:
        """Return the images `indices`, int64 (B,), as they are, as float32 (B, 3, S, S)."""
        starts = self._images.starts(indices.to(self._images.device))
        return self._resize(self._normalise(self._images.windows(starts, self.device)))

    def mix(self, images: Tensor, labels: Tensor, classes: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return mixed images and soft targets (B, classes), or both unchanged where mixing is off.

        See `bakeoff.training.augment.mixing.mix`; `seed` identifies the micro-batch.
        """
        if self.config.mixup == 0 and self.config.cutmix == 0:
            return images, labels
        alphas = {"mixup": self.config.mixup, "cutmix": self.config.cutmix}
        return mix(images, labels, classes, seed, **alphas)

    def _crops(self, epoch: int) -> Tensor:
        """Return where the crop of every image of the data set starts in this epoch, int64 (N,).

        Drawing for all images at once takes milliseconds; drawing for each batch would take as long
        as the rest of the pipeline.
        """
        if self._epoch_starts is None or self._epoch_starts[0] != epoch:
            index = torch.arange(self._images.count, device=self._images.device)
            draws = uniform(self.seed, epoch, index, "crop", 3)
            padding = self.config.crop_padding
            shift = (draws[:, :2] * (2 * padding + 1)).long() - padding
            flip = (draws[:, 2] < 0.5).long() * self.config.flip
            starts = self._images.starts(index, shift[:, 0], shift[:, 1], flip)
            self._epoch_starts = (epoch, starts)
        return self._epoch_starts[1]

    def _normalise(self, pixels: Tensor) -> Tensor:
        """Return uint8 (B, 3, H, W), however strided, as contiguous, normalised float32."""
        images = torch.empty(pixels.shape, dtype=torch.float32, device=pixels.device).copy_(pixels)
        # One pass over each channel; addcmul on all at once is seven times slower on a CPU.
        for channel, scale, shift in zip(
            images.unbind(dim=1), self._scale, self._shift, strict=True
        ):
            torch.add(shift, channel, alpha=scale, out=channel)
        return images

    def _erase(self, images: Tensor, indices: Tensor, epoch: int) -> Tensor:
        height, width = images.shape[-2:]
        if self.config.cutout:
            draws = uniform(self.seed, epoch, indices, "cutout", erasing.DRAWS_FOR_CUTOUT)
            squares = erasing.cutout_rectangles(draws, self.config.cutout, height, width)
            images = erasing.erase(images, squares)
        if self.config.erasing:
            draws = uniform(self.seed, epoch, indices, "erasing", erasing.DRAWS_FOR_ERASING)
            rectangles = erasing.erasing_rectangles(draws, self.config.erasing, height, width)
            images = erasing.erase(images, rectangles)
        return images

    def _resize(self, images: Tensor) -> Tensor:
        """Return the images as (B, 3, S, S) in the memory format that was asked for."""
        size = (self.input_size, self.input_size)
        if images.shape[-2:] != size:
            if self.interpolation == "nearest":
                images = F.interpolate(images, size, mode="nearest-exact")
            else:
                # Only with antialias are the filters Pillow's, which pretrained weights expect.
                images = F.interpolate(images, size, mode=self.interpolation, antialias=True)
                images = images.clamp_(self._black, self._white)
        return images.contiguous(memory_format=self.memory_format)


def _policy(
    config: AugmentConfig, height: int, width: int, device: torch.device
) -> Policy | Pairs | None:
    """Return the policy that `config` names, on `device`, or None where it names none."""
    if config.policy is None:
        return None
    # They need torchvision, whose import takes as long as torch's; most recipes have no policy.
    from bakeoff.training.augment import autoaugment, policy  # noqa: PLC0415

    if config.policy == "autoaugment":
        return autoaugment.autoaugment(height, width).to(device)
    if config.policy == "trivialaugment":
        return policy.trivialaugment().to(device)
    chosen = config.policy_args or PolicyArgs()
    return policy.randaugment(chosen.layers, chosen.magnitude, height, width).to(device)


def storage_device(device: torch.device, needed: int, memory_fraction: float) -> torch.device:
    """Return where to keep `needed` bytes: on `device` if its free memory allows, else the host."""
    if device.type != "cuda":
        return device
    free, _ = torch.cuda.mem_get_info(device)
    return device if needed <= memory_fraction * free else torch.device("cpu")


def _check(images: Tensor, mean: Sequence[float], std: Sequence[float], interpolation: str) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise UserError(
            f"The images are {images.dtype} of shape {tuple(images.shape)}; expected uint8 of "
            "shape (N, 3, H, W). Prepare the data set again."
        )
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise UserError(
            f"The images are to be normalised with mean {list(mean)} and std {list(std)}; expected "
            "three numbers each, and every std above 0. Correct them where the data set or the "
            "weights give them."
        )
    if interpolation not in INTERPOLATIONS:
        raise UserError(
            f"interpolation is {interpolation!r}{did_you_mean(interpolation, INTERPOLATIONS)}; "
            f"it must be one of {', '.join(INTERPOLATIONS)}."
        )
