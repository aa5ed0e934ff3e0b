"""Pretrained weights: what images they expect, and filling them into a network, strictly.

Where their files come from is `bakeoff.models.fetch`, which is a step of its own: nothing here goes
to the network.
"""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bakeoff.errors import UserError
from bakeoff.models.timm_config import pretrained_config
from bakeoff.models.weights_files import FETCHED_AGAIN, check_digest, read_lock

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class WeightsInput:
    """How the images were made that weights were trained on."""

    interpolation: str
    mean: Triple
    std: Triple


@dataclass(frozen=True)
class LoadReport:
    """What `load_weights` did."""

    loaded: int
    """Tensors of the network that were filled."""
    fresh: tuple[str, ...]
    """Tensors of the network that kept their initial values."""
    left_out: tuple[str, ...]
    """Tensors of the file that were not used."""


def weights_input(model_spec: Mapping[str, Any]) -> WeightsInput:
    """Return what the weights of a pretrained model expect of an image.

    The `weights` of the model may say so themselves (`interpolation`, `mean`, `std`);
    what they leave open is timm's description of the weights, for a network of timm. Raises
    UserError if neither says it, or if the weights are those of another network.
    """
    weights = model_spec.get("weights") or {}
    stated = {key: weights[key] for key in WeightsInput.__annotations__ if key in weights}
    if model_spec["builder"] == "timm":
        stated = {**_timm_input(model_spec["args"]["name"], weights), **stated}
    missing = [key for key in WeightsInput.__annotations__ if key not in stated]
    if missing:
        raise UserError(
            f"The weights of builder {model_spec['builder']!r} do not say what images they were "
            f"trained on; add {', '.join(missing)} to the variant's weights."
        )
    return WeightsInput(
        str(stated["interpolation"]),
        cast(Triple, tuple(map(float, stated["mean"]))),
        cast(Triple, tuple(map(float, stated["std"]))),
    )


def _timm_input(name: str, weights: Mapping[str, Any]) -> dict[str, Any]:
    tagged = str(weights.get("hub") or name).rpartition("/")[2]
    if tagged.partition(".")[0] != name.partition(".")[0]:
        raise UserError(
            f"The weights {weights['hub']!r} are not those of timm's {name!r}; set args.name to "
            f"{tagged.partition('.')[0]!r}, or give the hub repository of {name!r}."
        )
    config = pretrained_config(tagged)
    return {
        "interpolation": config.interpolation,
        "mean": config.mean,
        "std": config.std,
    }


def load_weights(
    model: nn.Module,
    path: str | Path,
    rename: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None,
) -> LoadReport:
    """Fill `model` with the weights of a safetensors file or a PyTorch checkpoint, strictly.

    Only the classifier, and modules that the network's builder lists in `model.untransferable`
    (such as a stem of another shape), may be missing from the file or differ in shape: they keep
    their initial values. `rename` translates the names of a file that does not fit as it is.

    Raises:
        UserError: the file is absent, damaged, not the one of its lock, not finite, or fits otherwise than
            described.
    """
    path = Path(path)
    state = read_state_dict(path)
    problems, report = _match(model, state)
    if problems and rename is not None:
        state = dict(rename(state))
        problems, report = _match(model, state)
    if problems:
        shown = "; ".join(problems[:3])
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise UserError(
            f"The weights {path} do not fit the network: {shown}{more}. Use the weights of this "
            "very architecture; under input_policy native32 some networks cannot take any."
        )
    used = {name: tensor for name, tensor in state.items() if name not in report.left_out}
    _check_finite(path, used)
    model.load_state_dict(used, strict=False)
    log.info(
        "%s: loaded %d tensors; fresh: %s; left out: %s",
        path,
        report.loaded,
        ", ".join(report.fresh) or "none",
        ", ".join(report.left_out) or "none",
    )
    return report


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file or of a PyTorch checkpoint, checked by its lock.

    A checkpoint is read without executing anything in it; one that wraps its tensors
    (`state_dict`, `model`) is unwrapped, and the `module.` of a parallel wrapper goes.
    """
    import torch  # noqa: PLC0415 (reading locks and policies stays cheap)
    from safetensors.torch import load_file  # noqa: PLC0415

    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no weights file {path}; fetch it first (rule fetch_weights).")
    lock = read_lock(path)
    check_digest(path, lock.sha256 if lock else None)
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    # Each reader has several error types of its own for the many ways to be damaged.
    except Exception as error:
        raise UserError(
            f"The file {path} cannot be read as weights: {_unread(path, error)}."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not (
        isinstance(content, Mapping)
        and content
        and all(isinstance(tensor, torch.Tensor) for tensor in content.values())
    ):
        raise UserError(f"The file {path} holds no named tensors; it is not a file of weights.")
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


def _unread(path: Path, error: Exception) -> str:
    """Say why a file was not read, and what to do about it."""
    foreign = re.search(r"GLOBAL (\S+) was not an allowed global", str(error))
    if foreign is None:
        return f"it is damaged or of another kind ({type(error).__name__}); put the whole file there{FETCHED_AGAIN}"
    tensors = path.with_name(f"{path.stem}-tensors{path.suffix}")
    code = (
        f"import torch; saved = torch.load({str(path)!r}, map_location='cpu', weights_only=False); "
        f"torch.save(saved.get('state_dict', saved.get('model', saved)), {str(tensors)!r})"
    )
    return (
        f"beside tensors it holds an object of {foreign.group(1)}, which is not made, because making objects can "
        f"execute code; if you trust the file, keep its tensors alone with `python -c {shlex.quote(code)}` and name "
        f"{tensors.name} in its place"
    )


def _check_finite(path: Path, state: Mapping[str, Tensor]) -> None:
    """Refuse weights that no training could start from."""
    bad = [
        name
        for name, tensor in state.items()
        if tensor.is_floating_point() and not tensor.float().isfinite().all()
    ]
    if bad:
        raise UserError(
            f"The weights {path} hold values that are not finite in {len(bad)} tensor(s), such as {bad[0]}; "
            f"put a file of finite weights there{FETCHED_AGAIN}."
        )


def _match(model: nn.Module, state: Mapping[str, Tensor]) -> tuple[list[str], LoadReport]:
    """Return what forbids loading `state` into `model`, and what loading it would do."""
    wanted = model.state_dict()
    forgiven = (*_classifier_names(model), *getattr(model, "untransferable", ()))
    problems, fresh, left_out = [], [], []
    for name in dict.fromkeys([*wanted, *state]):
        if name in wanted and name in state and wanted[name].shape == state[name].shape:
            continue
        if name not in state:
            problem = f"the file lacks {name}"
        elif name not in wanted:
            problem = f"the network has no {name}"
        else:
            shapes = tuple(state[name].shape), tuple(wanted[name].shape)
            problem = f"{name} is {shapes[0]} in the file and {shapes[1]} in the network"
        if not any(name.startswith(f"{module}.") for module in forgiven):
            problems.append(problem)
        if name in wanted:
            fresh.append(name)
        if name in state:
            left_out.append(name)
    report = LoadReport(len(wanted) - len(fresh), tuple(fresh), tuple(left_out))
    return problems, report


def _classifier_names(model: nn.Module) -> list[str]:
    """Return the path of the classifier: what timm's interface calls so, else the last Linear."""
    from torch import nn  # noqa: PLC0415

    get_classifier: Any = getattr(model, "get_classifier", None)
    if get_classifier is not None:
        classifier = get_classifier()
        return [name for name, module in model.named_modules() if module is classifier]
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return linear[-1:]
