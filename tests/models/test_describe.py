"""The description of networks, their fingerprints and their cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bakeoff.errors import UserError
from bakeoff.models.cards import write_cards
from bakeoff.models.describe import Description, describe_one
from tests.support.networks import VARIANTS


@pytest.fixture(scope="module")
def described() -> dict[str, Description]:
    return {name: describe_one(entry, 100, 32) for name, entry in VARIANTS.items()}


# Description


def test_every_variant_is_described(described: dict[str, Description]) -> None:
    assert {name: d.error for name, d in described.items() if d.error} == {}
    assert described["resnet_20"].params == 275_572
    # Convolutions and the classifier of He et al.'s network, counted by hand.
    stem, first, head = 27 * 16 * 1024, 6 * 144 * 16 * 1024, 64 * 100
    second = (144 * 32 + 5 * 288 * 32) * 256
    third = (288 * 64 + 5 * 576 * 64) * 64
    assert described["resnet_20"].macs == stem + first + second + third + head


def test_equal_fingerprints_are_equal_networks(described: dict[str, Description]) -> None:
    by_fingerprint: dict[str, set[str]] = {}
    for name, description in described.items():
        by_fingerprint.setdefault(str(description.fingerprint), set()).add(name)
    same = [names for names in by_fingerprint.values() if len(names) > 1]
    assert same == [{"eca_resnet_20", "eca_resnet_20_k3", "eca_resnet_20_after_conv2"}]


def fingerprint(builder: str, classes: int = 100, size: int = 32, **args: Any) -> str:
    model = {"builder": builder, "args": args}
    description = describe_one(model, classes, size)
    assert description.error is None, description.error
    return str(description.fingerprint)


@pytest.mark.parametrize(
    ("builder", "args", "change"),
    [
        ("cifar_resnet", {"depth": 20}, {"drop_path_rate": 0.1}),
        ("cifar_resnet", {"depth": 20}, {"drop_rate": 0.1}),
        ("cifar_resnet", {"depth": 20}, {"shortcut": "B"}),
        ("cifar_resnet", {"depth": 20}, {"classes": 10}),
        ("cifar_resnet", {"depth": 20}, {"size": 64}),
        ("ghost_resnet", {"depth": 20}, {"ratio": 3}),
        # The same tensors and computation, from other initial values.
        ("timm", {"name": "resnet18", "unstride": []}, {"zero_init_last": False}),
        ("timm", {"name": "convnext_tiny"}, {"ls_init_value": 0.1}),
    ],
)
def test_fingerprint_sees_a_change(
    builder: str, args: dict[str, Any], change: dict[str, Any]
) -> None:
    before = fingerprint(builder, **args)
    assert before == fingerprint(builder, **args)
    assert before != fingerprint(builder, **{**args, **change})


def test_fingerprint_ignores_another_spelling() -> None:
    default = fingerprint("eca_resnet", depth=20)
    assert default == fingerprint(
        "eca_resnet", depth=20, kernel_size=3, position="after_conv2", shortcut="A"
    )


def test_cards_hold_what_was_measured(tmp_path: Path) -> None:
    chosen = {name: VARIANTS[name] for name in ("resnet_20", "ghostnet_100")}
    write_cards(chosen, tmp_path)
    rows = [row for row in (tmp_path / "models.md").read_text().splitlines() if "](models/" in row]
    assert [row.split("`")[1] for row in rows] == ["ghostnet_100", "resnet_20"]
    assert "32 → 16 → 8 → 4 (960 channels) | 5,182,508 |" in rows[0]
    assert "| 275,572 | 40.6 M | 32 px | 32 → 16 → 8 (64 channels) |" in rows[1]
    assert "0.27 M at 10 classes (table 6); here 269,722" in rows[1]
    card = (tmp_path / "models" / "ghostnet_100.md").read_text()
    assert "timm/ghostnet_100.in1k" in card
    with pytest.raises(UserError, match="variant broken"):
        write_cards({"broken": {"builder": "none", "family": "F"}}, tmp_path)
