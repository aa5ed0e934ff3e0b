"""Input policies: what size and scale of image reaches a network.

Most networks of the study were made for 224 x 224 images and divide the resolution by 32: a 32 x 32
image would end as a single pixel. There are two ways out, and a variant names one of them:

`native32`
    The image keeps its size and the network gets a stem for small images: stride 1 where the
    paper's stem divides by 4, so that 32 x 32 ends as 4 x 4. The later stages are the paper's.
`resize224`
    The network is the paper's own and the image is enlarged, on the device, to 224 x 224 (or to the
    size its pretrained weights were trained at).

Pretrained weights also decide normalisation and interpolation: they go with the pixels they saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bakeoff.errors import UserError, did_you_mean
from bakeoff.models.weights import Triple, weights_input

POLICIES = ("native32", "resize224")
PAPER_SIZE = 224


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
    Raises UserError for an unknown policy, or for weights that do not say how they were normalised.
    """
    name = policy_name(model_spec)
    if model_spec.get("pretrained"):
        expected = weights_input(model_spec)
        size = image_size if name == "native32" else expected.input_size
        return InputPolicy(name, size, expected.interpolation, expected.mean, expected.std)
    size = image_size if name == "native32" else PAPER_SIZE
    return InputPolicy(name, size, "bicubic", mean=None, std=None)


def policy_name(model_spec: Mapping[str, Any]) -> str:
    """Return the checked `input_policy` of a model spec; `native32` where it gives none."""
    name = model_spec.get("input_policy", "native32")
    if name not in POLICIES:
        raise UserError(
            f"input_policy is {name!r}{did_you_mean(str(name), POLICIES)}; "
            f"it must be one of {', '.join(POLICIES)}."
        )
    return str(name)
