"""Networks: their parameters, multiplications and the sizes of their features."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from bakeoff.models import create_model
from bakeoff.models.describe import describe_one
from tests.support.networks import TIMM, VARIANTS, by_builder, count_macs, on_meta, parameters

# Sizes


@pytest.mark.parametrize(
    ("name", "overrides", "classes", "expected"),
    [
        ("resnet_20", {}, 10, 269_722),  # 0.27 M in table 6 of He et al.
        ("resnet_32", {}, 10, 464_154),
        ("resnet_56", {}, 10, 853_018),
        ("resnet_20", {}, 100, 275_572),
        ("resnet_20", {"shortcut": "B"}, 100, 278_324),
        ("resnet_56", {"shortcut": "B"}, 100, 861_620),
        ("eca_resnet_20", {}, 100, 275_572 + 9 * 3),
        ("eca_resnet_32", {}, 100, 470_004 + 15 * 3),
        ("eca_resnet_20_k9", {}, 100, 275_572 + 9 * 9),
        ("ghost_resnet_20", {}, 100, 144_964),
        ("ghost_resnet_20_r3", {}, 100, 104_884),
        ("ghost_resnet_20_r4", {}, 100, 79_660),
        ("ghost_resnet_32", {}, 100, 244_644),
    ],
)
def test_small_networks_have_the_expected_parameters(
    name: str, overrides: dict[str, Any], classes: int, expected: int
) -> None:
    assert parameters(create_model(name, classes, variants=VARIANTS, **overrides)) == expected


@pytest.mark.parametrize(
    ("name", "at_1000", "at_100", "macs_g"),
    [
        ("convnext_tiny_timm", 28_589_128, 27_897_028, 4.456),
        ("coatnet_0", 25_036_820, 24_344_720, 4.547),
        ("cspresnet50", 21_616_168, 20_693_668, 3.459),
        ("ghostnet_100", 5_182_508, 4_029_608, 0.141),
        ("resnest50d", 27_483_240, 25_639_140, 5.371),
        ("mlp_mixer_b16", 59_880_472, 59_188_372, 12.602),
    ],
)
def test_resize224_is_the_papers_network(
    name: str, at_1000: int, at_100: int, macs_g: float
) -> None:
    entry = {**VARIANTS[name], "input_policy": "resize224"}
    large = describe_one(entry, num_classes=1000, image_size=32)
    assert large.error is None
    assert large.params == at_1000
    assert (large.macs or 0) / 1e9 == pytest.approx(macs_g, abs=0.0006)
    assert parameters(on_meta(name, policy="resize224")) == at_100


def test_published_parameters_are_met_within_their_rounding() -> None:
    for name, entry in VARIANTS.items():
        published = entry.get("published")
        if published is None:
            continue
        policy = "resize224" if published["image_size"] == 224 else "native32"
        millions = parameters(on_meta(name, policy=policy, classes=published["classes"])) / 1e6
        # The papers round to two figures or cut; CSPNet counts the weights of convolutions alone.
        assert millions == pytest.approx(published["params_m"], rel=0.03), name


def test_native32_ends_at_four_pixels_or_more() -> None:
    for name, entry in VARIANTS.items():
        features = on_meta(name).forward_features(torch.zeros(1, 3, 32, 32, device="meta"))
        places = features.shape[1] if features.ndim == 3 else math.prod(features.shape[2:])
        assert places >= 16, (name, features.shape)
        assert entry["input_policy"] == "native32"


@pytest.mark.parametrize("name", TIMM)
def test_native32_changes_no_tensor_but_those_it_says(name: str) -> None:
    paper, small = on_meta(name, policy="resize224"), on_meta(name)
    before = {key: tensor.shape for key, tensor in paper.state_dict().items()}
    changed = {key for key, t in small.state_dict().items() if before.get(key) != t.shape}
    if name == "coatnet_0":
        assert all("rel_pos" in key or "relative_position" in key for key in changed)
    else:
        assert all(key.rpartition(".")[0] in small.untransferable for key in changed)
    assert before.keys() == small.state_dict().keys()


# Parameters counted on, and MACs measured with, the authors' code; for MSCAN, LSKNet and HorNet.
PAPER = [
    ("mscan", {}, 4_160_584, 3_929_284, 0.888),
    ("lsknet", {}, 4_247_190, 4_015_890, 0.892),
    ("hornet", {}, 22_409_512, 21_947_812, 3.968),
    ("hornet", {"global_filter": True}, 22_991_848, 22_530_148, 3.889),
]


@pytest.mark.parametrize(("builder", "args", "params_1000", "params_100", "gmacs"), PAPER)
def test_paper_configuration_has_the_published_size(
    builder: str, args: dict[str, Any], params_1000: int, params_100: int, gmacs: float
) -> None:
    with torch.device("meta"):
        models = [by_builder(builder, classes, 224, "resize224", **args) for classes in (1000, 100)]
    counts = [sum(p.numel() for p in model.parameters()) for model in models]
    assert counts == [params_1000, params_100]
    assert round(count_macs(models[0].eval(), 224) / 1e9, 3) == gmacs


@pytest.mark.parametrize(
    ("builder", "params", "mmacs"),
    [
        ("convnext_cifar", 4_869_124, 252),
        ("mscan", 3_929_284, 288),
        ("lsknet", 4_015_890, 291),
        ("hornet", 21_946_468, 1294),
        ("mlp_mixer", 2_501_796, 170),
    ],
)
def test_small_image_configuration(builder: str, params: int, mmacs: int) -> None:
    with torch.device("meta"):
        model = by_builder(builder, 100, 32, "native32").eval()
        features = model.forward_features(torch.empty(1, 3, 32, 32))
    assert sum(p.numel() for p in model.parameters()) == params
    assert round(count_macs(model, 32) / 1e6) == mmacs
    positions = features.shape[1:2] if features.ndim == 3 else features.shape[2:]
    assert positions.numel() >= 4 * 4
