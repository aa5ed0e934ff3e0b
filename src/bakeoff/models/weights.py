"""Pretrained weights: what input they expect, fetching them once, and filling them into a network.

Weights are trusted on first use. The first fetch writes, beside the file, a lock (`NAME.lock.json`)
with the commit of the repository and the SHA-256 of the file; every later fetch asks for that
commit, and every fetch and load refuses a file whose SHA-256 is another. Keep the lock under
version control, and a study on another machine gets the same weights or an error.

Training never downloads: `fetch` is a step of its own. Whoever starts a training process sets
HF_HUB_OFFLINE=1 before timm or huggingface_hub is imported (they read it only then), which turns an
accidental download into an immediate error.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bakeoff.errors import UserError
from bakeoff.files import atomic_path, file_digest, read_json, write_json
from bakeoff.models.timm_config import pretrained_config

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class WeightsInput:
    """The images that weights were trained on."""

    input_size: int
    interpolation: str
    mean: Triple
    std: Triple


@dataclass(frozen=True)
class Lock:
    """What a weights file was when it was first used."""

    hub: str | None
    file: str
    revision: str | None
    """Commit of the repository; None for a file that was not fetched from one."""
    sha256: str


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

    The `weights` of the model may say so themselves (`input_size`, `interpolation`, `mean`, `std`);
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
        int(stated["input_size"]),
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
        "input_size": config.input_size[-1],
        "interpolation": config.interpolation,
        "mean": config.mean,
        "std": config.std,
    }


def fetch(weights: Mapping[str, Any], destination: str | Path, endpoint: str | None = None) -> Lock:
    """Bring the file of a variant's `weights` to `destination`, whole and checked, and lock it.

    A file that is there already is only checked. Otherwise `hub` and `file` name it on the Hugging
    Face hub (an interrupted download goes on where it stopped), or `file` alone names a local one.

    Args:
        weights: `hub`, `file`, and optionally `revision` (branch, tag or commit) and `sha256`.
        destination: the file to write, such as `resources/weights/NAME.safetensors`.
        endpoint: address of a mirror of the hub; None leaves it to the environment's HF_ENDPOINT.

    Returns:
        The lock, which is also beside the file.

    Raises:
        UserError: no network, nothing there, or a file of another SHA-256 than expected.
    """
    destination = Path(destination)
    lock = read_lock(destination)
    hub, file = weights.get("hub"), weights.get("file") or "model.safetensors"
    if lock is not None and (lock.hub, lock.file) != (hub, file):
        raise UserError(
            f"{lock_path(destination)} is the lock of {lock.file!r} from {lock.hub or 'disk'}, but "
            f"the variant wants {file!r} from {hub or 'disk'}; remove the lock to trust that one."
        )
    expected = weights.get("sha256") or (lock.sha256 if lock else None)
    revision = lock.revision if lock else None
    if not destination.is_file():
        if hub is None:
            _copy(Path(file), destination)
        else:
            wanted = revision or weights.get("revision") or "main"
            revision = _download(
                {"hub": hub, "file": file},
                wanted,
                destination,
                endpoint=endpoint,
                expected=expected,
            )
    found = _check_digest(destination, expected)
    lock = Lock(hub=hub, file=file, revision=revision, sha256=found)
    write_json(lock_path(destination), asdict(lock))
    return lock


def lock_path(path: str | Path) -> Path:
    """Return the lock's path for a weights file: `NAME.safetensors` has `NAME.lock.json`."""
    return Path(path).with_suffix(".lock.json")


def read_lock(path: str | Path) -> Lock | None:
    """Return the lock of the weights file `path`, or None if it has none."""
    lock = lock_path(path)
    if not lock.is_file():
        return None
    try:
        return Lock(**read_json(lock))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{lock} is not a lock of weights; restore it, or remove it to trust the file anew."
        ) from error


def load_weights(
    model: nn.Module,
    path: str | Path,
    rename: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None,
) -> LoadReport:
    """Fill `model` with the weights of a safetensors file or a PyTorch checkpoint, strictly.

    Only the classifier, and modules that the network's builder lists in `model.untransferable`
    (such as a stem of another shape), may be missing from the file or differ in shape: they keep
    their initial values. `rename` translates the names of a file that does not fit as it is.

    Raises UserError if the file is absent, damaged, not the one of its lock, or fits otherwise
    than described.
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
    unused = set(report.left_out)
    model.load_state_dict({k: v for k, v in state.items() if k not in unused}, strict=False)
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
    _check_digest(path, lock.sha256 if lock else None)
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    # Each reader has several error types of its own for the many ways to be damaged.
    except Exception as error:
        raise UserError(
            f"The file {path} cannot be read as weights ({type(error).__name__}): it is damaged or "
            "of another kind. Remove it and fetch it again."
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


def _check_digest(path: Path, expected: str | None) -> str:
    found = file_digest(path)
    if expected is not None and found != expected:
        raise UserError(
            f"The file {path} has the SHA-256 {found}, but {expected} is expected; remove the file "
            "and fetch it again. Only if the weights were replaced on purpose, remove "
            f"{lock_path(path)} too."
        )
    return found


def _copy(source: Path, destination: Path) -> None:
    if not source.is_file():
        raise UserError(
            f"The weights name the file {source}, which does not exist; give a file on this "
            "machine, or a hub repository as hub."
        )
    with atomic_path(destination) as temporary:
        shutil.copyfile(source, temporary)


def _download(
    source: Mapping[str, Any],
    revision: str,
    destination: Path,
    *,
    endpoint: str | None,
    expected: str | None,
) -> str:
    """Download to `destination` and return the commit that `revision` stands for."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415 (slow, only here)
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils import build_hf_headers  # noqa: PLC0415

    hub, file = source["hub"], source["file"]
    destination.parent.mkdir(parents=True, exist_ok=True)
    headers = build_hf_headers()
    try:
        url = hf_hub_url(hub, file, revision=revision, endpoint=endpoint)
        metadata = get_hf_file_metadata(url, headers=headers)
        commit = metadata.commit_hash or revision
        # hf_hub_download would begin anew: its own part of a file ends with the process. The part's
        # name holds the commit, so that parts of two versions never become one file.
        part = destination.with_name(f".{destination.name}.{commit[:12]}.part")
        start = part.stat().st_size if part.is_file() else 0
        with part.open("ab") as stream:
            http_get(
                hf_hub_url(hub, file, revision=commit, endpoint=endpoint),
                stream,
                resume_size=start,
                headers=headers,
                expected_size=metadata.size,
            )
    # The hub's client raises errors of its own, of its HTTP library, and of the system.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"The weights {file} of {hub} at {revision!r} could not be fetched ({reason}). Fetch "
            f"again to go on where it stopped; without a network, put the file at {destination} "
            "(the folder is weights.dir of the configuration)."
        ) from error
    if expected is not None and file_digest(part) != expected:
        part.unlink()
        raise UserError(
            f"{file} of {hub} at {commit} does not have the SHA-256 {expected} that was expected. "
            "Fetch again; only if it was replaced on purpose, change weights.sha256 or remove "
            f"{lock_path(destination)}."
        )
    part.replace(destination)
    return commit
