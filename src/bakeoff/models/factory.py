"""From a variant's name, or a run spec's `model`, to the network."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bakeoff.errors import UserError, did_you_mean, in_one_line
from bakeoff.models.policy import input_policy
from bakeoff.models.registry import MODEL_REGISTRY, Builder, find_builder
from bakeoff.models.weights import load_weights

if TYPE_CHECKING:
    from torch import nn

VARIANTS_FILE = Path("config") / "models.yaml"
# What `build` gives to every builder itself.
_OURS = ("num_classes", "image_size", "input_policy")


def build(
    model_spec: Mapping[str, Any],
    num_classes: int,
    image_size: int,
    weights: str | Path | None = None,
) -> nn.Module:
    """Return the network of a run spec's `model`, for square images of `image_size` pixels.

    Args:
        model_spec: `builder`, and optionally `args`, `input_policy`, `pretrained` and `weights`.
        num_classes: width of the classifier.
        image_size: of the data set; the network sees it after the input policy, which gives
            (N, 3, S, S) with S from `bakeoff.models.policy.input_policy`.
        weights: file of pretrained weights; needed if and only if the model is pretrained.

    Returns:
        A network on torch's default device, in training mode, that maps (N, 3, S, S) to
        (N, num_classes) logits.

    Raises:
        UserError: an unknown builder or argument, a value that the builder refuses, or weights that
            are missing or do not fit.
    """
    pretrained = bool(model_spec.get("pretrained"))
    if pretrained and weights is None:
        raise UserError(
            f"The model of builder {model_spec['builder']!r} is pretrained, but no file of weights "
            "was given; fetch them first (rule fetch_weights), or set pretrained to false."
        )
    model = build_architecture(model_spec, num_classes, image_size)
    if pretrained and weights is not None:
        builder = find_builder(model_spec["builder"])
        load_weights(model, weights, getattr(inspect.getmodule(builder), "from_official", None))
    return model


def build_architecture(
    model_spec: Mapping[str, Any], num_classes: int, image_size: int
) -> nn.Module:
    """Return the network of `build` with fresh weights, even where the model is pretrained."""
    policy = input_policy(model_spec, image_size)
    return _call(
        find_builder(model_spec["builder"]),
        model_spec["builder"],
        model_spec.get("args") or {},
        {
            "num_classes": num_classes,
            "image_size": policy.input_size,
            "input_policy": policy.name,
        },
    )


def create_model(
    name: str,
    /,
    num_classes: int = 100,
    image_size: int = 32,
    pretrained: bool = False,
    *,
    weights: str | Path | None = None,
    input_policy: str | None = None,
    variants: Mapping[str, Mapping[str, Any]] | str | Path | None = None,
    **overrides: Any,
) -> nn.Module:
    """Return the network of a variant, as `create_model("eca_resnet_20", kernel_size=5)`.

    Args:
        name: a variant of `config/models.yaml`, or a builder (which then needs its arguments).
        num_classes: width of the classifier.
        image_size: of the data set; see `build`.
        pretrained: whether to fill in the weights of the file `weights`.
        weights: that file.
        input_policy: in place of the variant's own.
        variants: the variants, or the file they are in; by default `config/models.yaml` of the
            working directory, of a folder above it, or of the checkout this package lies in.
        **overrides: arguments of the builder, over the variant's own.

    Returns:
        As `build`.

    Raises:
        UserError: as `build`, or no variant or builder has this name.
    """
    known = variants if isinstance(variants, Mapping) else load_variants(variants)
    if name in known:
        spec = dict(known[name])
    elif name in MODEL_REGISTRY or ".py:" in name:
        spec = {"builder": name}
    else:
        near = did_you_mean(name, [*known, *MODEL_REGISTRY])
        raise UserError(
            f"There is no variant or builder {name!r}{near}. Variants: {', '.join(known)}."
        )
    spec["args"] = {**(spec.get("args") or {}), **overrides}
    spec["pretrained"] = pretrained
    if input_policy is not None:
        spec["input_policy"] = input_policy
    return build(spec, num_classes, image_size, weights)


def load_variants(path: str | Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the variants of a models file, {name: entry}; without `path`, of the one found.

    This reads only; `bakeoff.study` is what checks a configuration.
    """
    import yaml  # noqa: PLC0415 (importing bakeoff.models stays cheap)

    path = _find_variants_file() if path is None else Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The file {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise UserError(f"The file {path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"The file {path} must map the name of each variant to its entry.")
    return content


def _find_variants_file() -> Path:
    here = Path.cwd()
    checkout = Path(__file__).resolve().parents[3]
    for folder in (here, *here.parents, checkout):
        if (folder / VARIANTS_FILE).is_file():
            return folder / VARIANTS_FILE
    raise UserError(
        f"There is no {VARIANTS_FILE} in {here} or above; go to the project's folder, or give "
        "the file as variants=."
    )


def _call(
    builder: Builder, name: str, args: Mapping[str, Any], ours: Mapping[str, Any]
) -> nn.Module:
    from torch import nn  # noqa: PLC0415 (importing bakeoff.models stays cheap)

    _check_arguments(builder, name, args)
    try:
        network = builder(**ours, **args)
    except UserError:
        raise
    # Builders are timm's or the user's own as well: what they raise on a bad value is anything.
    except (Exception, SystemExit) as error:
        raise UserError(
            f"Builder {name!r} cannot build a network from args {dict(args)} for images of "
            f"{ours['image_size']} pixels: {type(error).__name__}: {in_one_line(error)} "
            f"({raised_in(error, name)})."
        ) from error
    if not isinstance(network, nn.Module):
        raise UserError(
            f"Builder {name!r} returns {type(network).__name__}, expected a torch.nn.Module."
        )
    return network


def raised_in(error: BaseException, builder: str) -> str:
    """Return "file, line N": the innermost line of the builder's own file, or else the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = Path(builder.rpartition(":")[0]).name
    frame = next((each for each in reversed(frames) if Path(each.filename).name == own), frames[-1])
    return f"{Path(frame.filename).name}, line {frame.lineno}"


def _check_arguments(builder: Builder, name: str, args: Mapping[str, Any]) -> None:
    parameters = inspect.signature(builder).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    free = [
        key for key, p in parameters.items() if p.kind is not p.VAR_KEYWORD and key not in _OURS
    ]
    for key in args:
        if key in _OURS:
            raise UserError(f"{key} is not among the args of a variant: the study decides it.")
        if key not in free and not takes_any:
            raise UserError(
                f"Builder {name!r} has no argument {key!r}{did_you_mean(key, free)}; "
                f"it takes {', '.join(free) or 'none'}."
            )
    missing = [
        key
        for key in free
        if parameters[key].default is inspect.Parameter.empty and key not in args
    ]
    if missing:
        raise UserError(f"Builder {name!r} needs {', '.join(missing)} under args.")
