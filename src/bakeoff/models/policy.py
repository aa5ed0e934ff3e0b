"""Input policies: what size and scale of image reaches a network.

Most networks of the study were made for 224 x 224 images and divide the resolution by 32: a 32 x 32
image would end as a single pixel. There are two ways out, and a variant names one of them:

`native32`
    The image keeps its size and the network gets a stem for small images: stride 1 where the
    paper's stem divides by 4, so that 32 x 32 ends as 4 x 4. The later stages are the paper's.
`resizeN`, such as `resize224`
    The network is the paper's own and the image is enlarged, on the device, to N x N.

Pretrained weights also decide normalisation and interpolation: they go with the pixels they saw.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bakeoff.errors import UserError
from bakeoff.models.weights import Triple, weights_input

NATIVE = "native32"
PAPER_SIZE = 224
_RESIZE = re.compile("resize([1-9][0-9]*)")


@dataclass(frozen=True)
class InputPolicy:
    """What is done to an image before it reaches the network."""

    name: str
    input_size: int
    """Height and width that the network sees, in pixels."""
    interpolation: str
    """How an image of another size is resized: `bilinear` or `bicubic`."""
    mean: Triple | None
    """Per channel, on the 0..1 scale; None: the mean of the study's own training images."""
    std: Triple | None


def input_policy(model_spec: Mapping[str, Any], image_size: int) -> InputPolicy:
    """Return the policy of a run spec's `model` for square images of `image_size` pixels.

    Free of torch unless the model is pretrained: then timm is asked what its weights expect.

    Raises:
        UserError: there is no such policy, or the weights do not say how they were normalised.
    """
    name = str(model_spec.get("input_policy", NATIVE))
    size = image_size if name == NATIVE else _resized(name)
    if model_spec.get("pretrained"):
        expected = weights_input(model_spec)
        return InputPolicy(name, size, expected.interpolation, expected.mean, expected.std)
    return InputPolicy(name, size, "bicubic", mean=None, std=None)


def check_patches(network: str, patch_size: int, image_size: int) -> None:
    """Raise UserError where patches of `patch_size` pixels leave rows and columns of an image out."""
    if image_size % patch_size:
        below = image_size // patch_size * patch_size
        sizes = f"{below} and {below + patch_size}" if below else str(patch_size)
        raise UserError(
            f"{network} cuts the image into patches of {patch_size} pixels, which leave out the last "
            f"{image_size % patch_size} rows and columns of an image_size of {image_size}; multiples "
            f"of {patch_size} work, such as {sizes}."
        )


def _resized(name: str) -> int:
    """Return N of the policy `resizeN`."""
    match = _RESIZE.fullmatch(name)
    if match is None:
        raise UserError(
            f"input_policy is {name!r}; it must be {NATIVE}, or resize and a number of pixels, "
            f"such as resize{PAPER_SIZE}."
        )
    return int(match.group(1))
