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

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bakeoff.errors import UserError, in_one_line
from bakeoff.files import canonical_json, sha256_text
from bakeoff.models.factory import build_architecture, raised_in
from bakeoff.models.macs import mac_counter, macs
from bakeoff.models.policy import input_policy
from bakeoff.models.registry import MODEL_REGISTRY

# More than one, because in training mode batch norm refuses a single value per channel.
BATCH = 2
# They fill a tensor and change nothing else of it, so that on the meta device there is nothing to compute; PyTorch
# would still spend a millisecond on each.
FILLING = frozenset(
    f"aten.{name}_.{overload}"
    for name in ("normal", "uniform", "fill", "zero", "clamp", "erfinv", "mul", "add")
    for overload in ("default", "Scalar", "Tensor")
)


@dataclass(frozen=True)
class Description:
    """What a network is; where it cannot be built, `error` says why and the rest is empty."""

    fingerprint: str | None = None
    params: int | None = None
    """Number of parameters."""
    macs: int | None = None
    """Multiply-accumulates of convolutions and matrix products, for one image."""
    error: str | None = None


def describe_one(
    model_spec: Mapping[str, Any], num_classes: int, image_size: int, *, single: bool = False
) -> Description:
    """Return the description of one model; errors are reported in it, not raised.

    Args:
        model_spec: `model` of a run spec.
        num_classes: of the data set.
        image_size: height and width of its images, in pixels.
        single: whether the network also has to train on a micro-batch of one image.
    """
    try:
        size = input_policy(model_spec, image_size).input_size
        try:
            return _describe_on("meta", model_spec, num_classes, image_size, size, single)
        except (RuntimeError, UserError):
            # A network may need values (`.item()`), and a real mistake shows here as well.
            return _describe_on("cpu", model_spec, num_classes, image_size, size, single)
    except UserError as error:
        return Description(error=str(error))
    # The network is anyone's code; one that fails, or ends the process, must not hide what the others are.
    except (Exception, SystemExit) as error:
        return Description(
            error=f"The network of builder {model_spec['builder']!r} fails on images of {image_size} pixels under "
            f"input_policy {model_spec.get('input_policy', 'native32')}: {type(error).__name__}: "
            f"{in_one_line(error)} ({raised_in(error, model_spec['builder'])})."
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
        on_meta = bool(args) and isinstance(args[0], Tensor) and args[0].is_meta
        if on_meta and str(func) in FILLING:
            result = args[0]
        elif on_meta and func is torch.ops.aten.native_batch_norm.default:
            result = _normalized(args[0], training=args[5])
        else:
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


def _normalized(images: Tensor, *, training: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return what batch norm gives on the meta device: (N, C, ...), and the statistics of C channels in training.

    There are hundreds of them, and PyTorch's own way takes milliseconds for each.
    """
    statistics = images.new_empty(images.shape[1] if training else 0)
    return torch.empty_like(images), statistics, torch.empty_like(statistics)


def _describe_on(
    device: str,
    model_spec: Mapping[str, Any],
    num_classes: int,
    image_size: int,
    size: int,
    single: bool,
) -> Description:
    # On the CPU the random state decides what a network sees; the caller's stays as it is.
    with torch.random.fork_rng(devices=[]), torch.device(device), torch.no_grad():
        torch.manual_seed(0)
        # The first build imports what it needs, and imports run operations of their own.
        with _Recorder({}):
            build_architecture(model_spec, num_classes, image_size)
        construction = _Recorder({})
        with construction:
            model = build_architecture(model_spec, num_classes, image_size)
        _check_parameters(model)
        images = torch.zeros(BATCH, 3, size, size)
        training = _forward(model.train(), images, num_classes)
        if single:
            _check_single(model, images[:1], num_classes)
        with mac_counter() as counter:
            evaluation = _forward(model.eval(), images[:1], num_classes)
    tensors = [
        f"{name}: {list(tensor.shape)} {tensor.dtype} {tensor.requires_grad}"
        if isinstance(tensor, Tensor)
        else f"{name}: {type(tensor).__name__}"
        for name, tensor in model.state_dict(keep_vars=True).items()
    ]
    # Of a builder of ours it is known that its operations tell all.
    own = model_spec["builder"] in MODEL_REGISTRY
    source = "" if own else canonical_json([model_spec["builder"], model_spec.get("args")])
    text = "\n".join([source, *construction.lines, *tensors, *training, *evaluation])
    return Description(
        fingerprint=sha256_text(text),
        params=sum(parameter.numel() for parameter in model.parameters()),
        macs=macs(counter),
    )


def _check_parameters(model: nn.Module) -> None:
    """Refuse a network that an optimizer could not be made for."""
    lazy = [name for name, value in model.named_parameters() if is_lazy(value)]
    if lazy:
        raise UserError(
            f"The parameter {lazy[0]} of the network gets its size in the first forward pass only; give lazy modules "
            "their sizes."
        )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError("The network has no parameter that could be trained.")


def _check_single(model: nn.Module, image: Tensor, num_classes: int) -> None:
    try:
        _forward(model, image, num_classes)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            "An epoch has a micro-batch of a single image, which this network cannot be trained on "
            f"({in_one_line(error)}); set recipe_overrides.micro_batch to a larger number."
        ) from None


def _forward(model: nn.Module, images: Tensor, num_classes: int) -> list[str]:
    """Return the operations of a forward pass of `images` (N, 3, S, S), which has to give (N, `num_classes`)."""
    named = {"images": images, **dict(model.named_parameters()), **dict(model.named_buffers())}
    recorder = _Recorder(named)
    with recorder:
        logits = model(images)
    mode = "training" if model.training else "evaluation"
    if not (isinstance(logits, Tensor) and logits.is_floating_point() and logits.ndim == 2):
        found = (
            f"{logits.dtype} of shape {tuple(logits.shape)}"
            if isinstance(logits, Tensor)
            else type(logits).__name__
        )
        raise UserError(
            f"In {mode} mode the network returns {found} for {len(images)} image(s); floating-point logits of shape "
            "(images, classes) are expected."
        )
    if logits.shape != (len(images), num_classes):
        raise UserError(
            f"In {mode} mode the network returns logits of shape {tuple(logits.shape)} for {len(images)} image(s), but "
            f"the data have {num_classes} classes; a builder is told their number as num_classes."
        )
    return recorder.lines
