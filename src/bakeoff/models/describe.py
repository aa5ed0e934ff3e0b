"""What a network is: a fingerprint, its parameters and its MACs, found without training it.

Two configurations can name one network (ECA's adaptive kernel is 3 at the widths of a CIFAR
ResNet); a study trains it once. The fingerprint is a SHA-256 over what the network does rather than
over how it is written down, as PyTorch's dispatcher sees it:

- the operations of its construction, which are its initialisation (`normal_(0, 0.05)`, `fill_(1)`);
- its parameters and buffers: name, shape, data type, whether trained;
- the operations of a forward pass in training mode and of one in evaluation mode, with their
  constants (strides, drop probabilities, momenta), and which tensor each one reads: an image, a
  parameter by its name, or the result of an earlier operation by its number.

So the same modules in another order, another kernel size or another drop-path rate are another
network, and another spelling of the same one is not. Values that a builder writes out in a literal
tensor are not seen, so the arguments count too for a builder from a user's file. What weights a
network starts from and how images are normalised is not part of it. Fingerprints are comparable
under one version of torch and timm.

Everything runs on torch's meta device, where tensors have shapes and no values, so that the largest
network takes a fraction of a second; a network that asks for values is built in memory instead.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from bakeoff.errors import UserError
from bakeoff.files import canonical_json, sha256_text
from bakeoff.models.factory import build_architecture
from bakeoff.models.policy import input_policy
from bakeoff.models.registry import MODEL_REGISTRY

# More than one, because in training mode batch norm refuses a single value per channel.
BATCH = 2


@dataclass(frozen=True)
class Description:
    """What a network is; where it cannot be built, `error` says why and the rest is empty."""

    fingerprint: str | None = None
    params: int | None = None
    """Number of parameters."""
    macs: int | None = None
    """Multiply-accumulates of convolutions and matrix products, for one image."""
    error: str | None = None


def describe(
    models: Mapping[str, Mapping[str, Any]], num_classes: int, image_size: int
) -> dict[str, dict[str, Any]]:
    """Return {name: fields of `Description`} for {name: `model` of a run spec}."""
    return {
        name: asdict(describe_one(spec, num_classes, image_size)) for name, spec in models.items()
    }


def describe_one(model_spec: Mapping[str, Any], num_classes: int, image_size: int) -> Description:
    """Return the description of one model; errors are reported in it, not raised."""
    try:
        size = input_policy(model_spec, image_size).input_size
        try:
            return _describe_on("meta", model_spec, num_classes, image_size, size)
        except (RuntimeError, UserError):
            # A network may need values (`.item()`), and a real mistake shows here as well.
            return _describe_on("cpu", model_spec, num_classes, image_size, size)
    except UserError as error:
        return Description(error=str(error))
    # The network is anyone's code; one that fails must not hide what the others are.
    except Exception as error:
        return Description(
            error=f"The network fails on images of {image_size} pixels under input_policy "
            f"{model_spec.get('input_policy', 'native32')}: {type(error).__name__}: "
            f"{str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
        )


class _Recorder(TorchDispatchMode):
    """Notes each operation, its constants, and where the tensors it reads come from."""

    def __init__(self, named: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._names = {id(tensor): name for name, tensor in named.items()}
        # An id is unique only among living objects, so every named one is kept alive.
        self._alive: list[Tensor] = list(named.values())

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        read = ", ".join(map(self._shown, args))
        options = ", ".join(
            f"{key}={self._shown(value)}"
            for key, value in sorted(kwargs.items())
            if key not in ("device", "generator", "pin_memory")
        )
        result = func(*args, **kwargs)
        made = [
            f"{self._name(tensor)}{list(tensor.shape)}"
            for tensor in tree_leaves(result)
            if isinstance(tensor, Tensor)
        ]
        self.lines.append(f"{' '.join(made)} = {func}({read}; {options})")
        return result

    def _name(self, tensor: Tensor) -> str:
        if id(tensor) not in self._names:
            self._names[id(tensor)] = f"%{len(self._alive)}"
            self._alive.append(tensor)
        return self._names[id(tensor)]

    def _shown(self, value: Any) -> str:
        if isinstance(value, Tensor):
            return self._name(value)
        if isinstance(value, list | tuple):
            return f"[{', '.join(map(self._shown, value))}]"
        if isinstance(value, torch.device):
            return "device"
        return repr(value)


def _describe_on(
    device: str, model_spec: Mapping[str, Any], num_classes: int, image_size: int, size: int
) -> Description:
    # On the CPU the random state decides what a network sees; the caller's stays as it is.
    with torch.random.fork_rng(devices=[]), torch.device(device), torch.no_grad():
        torch.manual_seed(0)
        # The first build imports what it needs, and imports run operations of their own.
        build_architecture(model_spec, num_classes, image_size)
        construction = _Recorder({})
        with construction:
            model = build_architecture(model_spec, num_classes, image_size)
        images = torch.zeros(BATCH, 3, size, size)
        training = _forward(model.train(), images)
        with FlopCounterMode(display=False) as flops:
            evaluation = _forward(model.eval(), images)
    tensors = [
        f"{name}: {list(tensor.shape)} {tensor.dtype} {tensor.requires_grad}"
        for name, tensor in model.state_dict(keep_vars=True).items()
    ]
    # Of a builder of ours it is known that its operations tell all.
    own = model_spec["builder"] in MODEL_REGISTRY
    source = "" if own else canonical_json([model_spec["builder"], model_spec.get("args")])
    text = "\n".join([source, *construction.lines, *tensors, *training, *evaluation])
    return Description(
        fingerprint=sha256_text(text),
        params=sum(parameter.numel() for parameter in model.parameters()),
        macs=flops.get_total_flops() // 2 // BATCH,
    )


def _forward(model: nn.Module, images: Tensor) -> list[str]:
    named = {"images": images, **dict(model.named_parameters()), **dict(model.named_buffers())}
    recorder = _Recorder(named)
    with recorder:
        logits = model(images)
    if not (isinstance(logits, Tensor) and logits.ndim == 2 and len(logits) == len(images)):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise UserError(
            f"The network returns {shape} for {len(images)} images; logits of shape "
            "(images, classes) are expected."
        )
    return recorder.lines


def main() -> None:
    """Answer {"models", "num_classes", "image_size"} on standard input, both as JSON."""
    question = json.load(sys.stdin)
    json.dump(
        describe(question["models"], question["num_classes"], question["image_size"]), sys.stdout
    )


if __name__ == "__main__":
    main()
