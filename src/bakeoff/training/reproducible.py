"""Whether a network can be trained to one answer at all: found out on a few images, before the first step.

The engine answers for weights, buffers and the usual generators of random numbers: they are the same on any number
of processes, a checkpoint brings them back, and `model.safetensors` holds what predictions need. What else a network
keeps (an attribute, a generator of its own) is out of reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bakeoff.errors import UserError
from bakeoff.training.buffers import Buffers
from bakeoff.training.random import seed_everything

IMAGES = 2
# Fresh networks often begin with a zero, behind which nothing could be seen.
NOISE = 0.02


def check_reproducible(build: Callable[[], nn.Module], size: int) -> None:
    """Check that a network's results follow from its weights, its buffers and the random seeds.

    Args:
        build: makes the network anew, on the CPU; called three times.
        size: of the images that it takes, (B, 3, size, size).

    Raises:
        UserError: they do not; it says what the network keeps, and what to do.
    """
    network, state = _built(build, 0)
    _check_layers(network)
    if not _same(state, _built(build, 0)[1]):
        raise UserError(
            "The network has other weights each time it is built with the same seed. Draw them from torch.nn.init, "
            "numpy.random or random without a generator of its own."
        )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(NOISE * torch.randn_like(parameter))
    images = torch.randn(2, IMAGES, 3, size, size)
    weights = [parameter.detach().clone() for parameter in network.parameters()]

    def passes(model: nn.Module, order: tuple[int, ...]) -> list[dict[str, Tensor]]:
        """Return the results of passes from the same buffers, and leave the buffers as the last pass made them."""
        buffers, results = Buffers(model), []
        for number in order:
            buffers.put_back()
            seed_everything(number)
            logits = model(images[number]).detach()
            changed = {name: value.detach().clone() for name, value in model.named_buffers()}
            results.append({"logits": logits.clone(), **changed})
        return results

    network.train()
    # The first pass may fill caches.
    _, first, _, again = passes(network, (0, 0, 1, 0))
    _check_parameters(network, weights)
    if not _same(first, again):
        refuse_unrepeatable("in training")
    with torch.no_grad():
        first, _, again = passes(network.eval(), (0, 1, 0))
    if not _same(first, again):
        refuse_unrepeatable("in evaluation")
    fresh, _ = _built(build, 1)
    _load(fresh, network.state_dict())
    with torch.no_grad():
        (loaded,) = passes(fresh.eval(), (0,))
        (kept,) = passes(network, (0,))
    if not _same({"": kept["logits"]}, {"": loaded["logits"]}):
        raise UserError(
            "The network predicts something else when its saved weights are loaded into a new one, so it keeps what "
            "is not in its state dict. Register that as a buffer (register_buffer) or as a parameter."
        )


def _built(build: Callable[[], nn.Module], seed: int) -> tuple[nn.Module, dict[str, Tensor]]:
    seed_everything(seed)
    network = build()
    if any(is_lazy(tensor) for tensor in (*network.parameters(), *network.buffers())):
        raise UserError(
            "The network has lazy layers, whose shapes are not known before its first image. Give their sizes in the "
            "builder, or pass one image through the network before it is returned."
        )
    state = network.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise UserError(
                f"The network's state dict has {name}, which is no tensor and cannot be saved with the weights. "
                "Register it as a buffer (register_buffer), or leave it out (get_extra_state)."
            )
    return network, {name: value.clone() for name, value in state.items()}


def _check_layers(network: nn.Module) -> None:
    for name, layer in network.named_modules():
        if isinstance(layer, nn.SyncBatchNorm):
            raise UserError(
                f"The network's layer {name} is a {type(layer).__name__}, which makes the result depend on the number "
                "of processes. Use BatchNorm2d: micro_batch says how many images it sees together."
            )


def _check_parameters(network: nn.Module, before: list[Tensor]) -> None:
    named = zip(network.named_parameters(), before, strict=True)
    changed = [name for (name, parameter), value in named if not _equal(parameter, value)]
    if changed:
        raise UserError(
            f"The network's forward pass changes its parameter {changed[0]}, which only the optimizer may change: each "
            "process would change it by its own images. Set its first value in the builder, or make it a buffer."
        )


def refuse_unrepeatable(when: str) -> NoReturn:
    """Raise UserError for a network whose results differ `when` it does the same twice."""
    raise UserError(
        f"The network does not give the same result twice for the same images, weights, buffers and random seeds "
        f"{when}. Keep what a forward pass changes in buffers (register_buffer), and draw random numbers from torch, "
        "numpy.random or random without a generator of its own."
    )


def _load(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            "The network's saved weights do not fit a new one, because its forward pass adds to its state dict or "
            f"changes a shape in it ({str(error).strip().splitlines()[-1].strip()}). Give each buffer its shape in the "
            "builder."
        ) from None


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return bool(((one == other) | (one.isnan() & other.isnan())).all())
