"""Model cards, written from the networks themselves, so that nobody types a figure in them.

One Markdown file for each variant and one table of all. Parameters, MACs and feature maps are
measured by building each network; what the papers state comes from `published` of the variant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bakeoff.errors import UserError
from bakeoff.files import write_text_if_changed
from bakeoff.markup import markdown
from bakeoff.models.describe import Description, describe_one
from bakeoff.models.factory import build_architecture
from bakeoff.models.policy import PAPER_SIZE, input_policy
from bakeoff.models.registry import builder_modules

Entry = Mapping[str, Any]
GENERATED = "<!-- Generated from the code by `snakemake model_cards`; edits are lost. -->"
IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class FeatureMaps:
    """What becomes of the image on its way to the classifier."""

    sizes: tuple[tuple[int, int], ...]
    """Heights and widths that occur, in order, down to the last map."""
    channels: int | None
    """Of the last map; None for a network without `forward_features`."""


@dataclass(frozen=True)
class Card:
    """Everything measured about one variant."""

    name: str
    entry: Entry
    input_size: int
    trained: Description
    """As the study trains it."""
    imagenet: Description
    """With the stem of its paper, 1000 classes and images of 224 pixels, if it can be built so."""
    paper: Description | None
    """At the classes and image size of the published figures; None where there are none."""
    maps: FeatureMaps


def write_cards(
    variants: Mapping[str, Entry], out: str | Path, num_classes: int = 100, image_size: int = 32
) -> None:
    """Write `{out}/models/{variant}.md` for each variant, and the table of all to `{out}/models.md`.

    Args:
        variants: entries of `config/models.yaml`.
        out: folder of the documentation.
        num_classes: of the study's data set.
        image_size: height and width of its images, in pixels.

    Raises:
        UserError: a variant's network cannot be built.
    """
    ordered = sorted(variants.items(), key=lambda item: (item[1]["family"], item[0]))
    cards = [measure(name, entry, num_classes, image_size) for name, entry in ordered]
    for card in cards:
        write_text_if_changed(
            Path(out) / "models" / f"{card.name}.md", card_text(card, num_classes)
        )
    write_text_if_changed(Path(out) / "models.md", table_text(cards, num_classes))


def measure(name: str, entry: Entry, num_classes: int, image_size: int) -> Card:
    """Build a variant as it is trained and as its paper has it, and return what both are."""
    published = entry.get("published")
    return Card(
        name=name,
        entry=entry,
        input_size=input_policy(entry, image_size).input_size,
        trained=_described(name, entry, num_classes, image_size),
        # A network of the user's own may well be for small images only.
        imagenet=describe_one(*_as_published(entry, IMAGENET_CLASSES, PAPER_SIZE)),
        paper=(
            _described(name, *_as_published(entry, published["classes"], published["image_size"]))
            if published
            else None
        ),
        maps=feature_maps(entry, num_classes, image_size),
    )


def feature_maps(model_spec: Entry, num_classes: int, image_size: int) -> FeatureMaps:
    """Return the feature maps of a model, as far as its convolutions and `forward_features` show them."""
    size = input_policy(model_spec, image_size).input_size
    try:
        return _feature_maps_on("meta", model_spec, num_classes, image_size, size)
    except (RuntimeError, UserError):
        # A network may need values (`.item()`), which the meta device does not have.
        return _feature_maps_on("cpu", model_spec, num_classes, image_size, size)


def _feature_maps_on(
    device: str, model_spec: Entry, num_classes: int, image_size: int, size: int
) -> FeatureMaps:
    seen: list[tuple[int, int]] = []

    def note(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        seen.append((output.shape[-2], output.shape[-1]))

    with torch.device(device), torch.no_grad():
        model: Any = build_architecture(model_spec, num_classes, image_size).eval()
        # Convolutions keep (N, C, H, W) even where a network works on channels last in between.
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(note)
        images = torch.zeros(1, 3, size, size)
        if not hasattr(model, "forward_features"):
            model(images)
            # Single pixels are the pooled maps of channel attention rather than a stage.
            return FeatureMaps(tuple(pair for pair in dict.fromkeys(seen) if pair > (1, 1)), None)
        last: Tensor = model.forward_features(images)
    if last.ndim == 3:  # (N, tokens, C)
        return FeatureMaps(tuple(dict.fromkeys(seen)), last.shape[-1])
    end = (last.shape[-2], last.shape[-1])
    # Channel attention convolves pooled maps; those are no stage of the network.
    stages = [pair for pair in dict.fromkeys(seen) if pair >= end]
    return FeatureMaps(tuple(stages), last.shape[1])


def _as_published(entry: Entry, classes: int, size: int) -> tuple[Entry, int, int]:
    """Return (entry, classes, image size) of the network that a paper counts."""
    policy = "resize224" if size == PAPER_SIZE else "native32"
    return {**entry, "input_policy": policy, "pretrained": False}, classes, size


def _described(name: str, entry: Entry, classes: int, size: int) -> Description:
    description = describe_one(entry, classes, size)
    if description.error is not None:
        raise UserError(f"There is no card for variant {name}: {description.error}")
    return description


def table_text(cards: Sequence[Card], num_classes: int) -> str:
    """Return the Markdown of the table of all models."""
    header = (
        "variant",
        "family",
        f"parameters at {num_classes} classes",
        "MACs",
        "input",
        "feature maps",
        f"parameters at {IMAGENET_CLASSES} classes, paper's stem",
        "the paper's figure",
    )
    rows = [
        (
            f"[`{card.name}`](models/{card.name}.md)",
            markdown(card.entry["family"]),
            _count(card.trained.params),
            _macs(card.trained.macs),
            f"{card.input_size} px",
            _maps(card.maps),
            _count(card.imagenet.params),
            _against_paper(card),
        )
        for card in cards
    ]
    lines = [_row(header), _row(["---"] * len(header)), *map(_row, rows)]
    return "\n".join(
        [
            GENERATED,
            "# Models",
            "",
            "MACs are the multiply-accumulates of convolutions and matrix products for one image "
            "at the input size. The feature maps are given by their heights, and the last one by its "
            "channels too.",
            "",
            *lines,
            "",
        ]
    )


def card_text(card: Card, num_classes: int) -> str:
    """Return the Markdown of one card."""
    entry = card.entry
    facts = [
        ("Family", markdown(entry["family"])),
        ("Paper", entry.get("paper", "none")),
        ("Code", _code(entry)),
        ("Builder", f"`{entry['builder']}` with {_arguments(entry)}"),
        ("Input", f"{card.input_size} px (`{entry.get('input_policy', 'native32')}`)"),
        (f"Parameters at {num_classes} classes", _count(card.trained.params)),
        (
            f"Parameters at {IMAGENET_CLASSES} classes, with the paper's stem",
            _count(card.imagenet.params),
        ),
        ("MACs", f"{_macs(card.trained.macs)} at the input size"),
        ("Feature maps", _maps(card.maps)),
        ("Against the paper", _against_paper(card)),
        ("Adapted", entry.get("adapted", "not stated")),
        ("License of the reference", entry.get("license", "not stated")),
        ("Pretrained weights", _weights(entry)),
    ]
    lines = [_row(("", "")), _row(("---", "---")), *(_row((k, str(v))) for k, v in facts)]
    return "\n".join([GENERATED, f"# {markdown(entry.get('display', card.name))}", "", *lines, ""])


def _against_paper(card: Card) -> str:
    published = card.entry.get("published")
    if card.paper is None or not published:
        return "none published"
    text = (
        f"{published['params_m']} M at {published['classes']} classes ({published['source']}); "
        f"here {_count(card.paper.params)}"
    )
    if "macs_g" in published:
        text += f". {published['macs_g']} G MACs; here {(card.paper.macs or 0) / 1e9:.3g} G"
    return text if published.get("checked") else f"{text}. Quoted, not looked up again"


def _arguments(entry: Entry) -> str:
    args = entry.get("args") or {}
    return ", ".join(f"`{key}: {value}`" for key, value in sorted(args.items())) or "no arguments"


def _code(entry: Entry) -> str:
    builder = entry["builder"]
    if builder == "timm":
        return f"timm's `{entry['args']['name']}`, through `src/bakeoff/models/timm_models.py`"
    module = builder_modules().get(builder)
    return f"`src/bakeoff/models/{module}.py`" if module else f"`{builder.rpartition(':')[0]}`"


def _weights(entry: Entry) -> str:
    weights = entry.get("weights") or {}
    return str(weights.get("hub") or weights.get("file") or "none known")


def _count(number: int | None) -> str:
    return f"{number:,}" if number is not None else "none"


def _macs(number: int | None) -> str:
    return f"{number / 1e6:,.1f} M" if number is not None else "none"


def _maps(maps: FeatureMaps) -> str:
    heights = " → ".join(str(height) for height, _ in maps.sizes) or "none"
    return heights if maps.channels is None else f"{heights} ({maps.channels} channels)"


def _row(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"
