"""What each variant owes to its authors' code beyond its shapes: draws, rates, and sizes it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from bakeoff.errors import UserError
from bakeoff.models import create_model
from bakeoff.models.factory import build_architecture, load_variants
from bakeoff.models.registry import MODEL_REGISTRY
from tests.support.project import REPOSITORY

VARIANTS = load_variants(REPOSITORY / "config" / "models.yaml")


def variant(name: str, size: int = 32, **overrides: Any) -> nn.Module:
    return create_model(name, 10, size, variants=VARIANTS, **overrides)


class Draws(TorchDispatchMode):
    """Notes the operations that draw random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", VARIANTS)
def test_no_variant_is_random_in_training_unless_its_recipe_says_so(name: str) -> None:
    with torch.device("meta"):
        net, images = variant(name).train(), torch.zeros(2, 3, 32, 32)
    with Draws() as draws:
        net(images)
    assert draws.seen == []


def drop_path_rates(net: nn.Module) -> Iterator[float]:
    """Yield the rate of each residual branch in order; timm leaves the module out where it is 0."""
    for module in net.modules():
        if type(module).__name__ == "DropPath":
            yield module.drop_prob


# timm's GhostNet has no drop path.
@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "ghostnet_100"])
def test_drop_path_grows_linearly_in_every_variant(name: str) -> None:
    with torch.device("meta"):
        rates = list(dict.fromkeys(drop_path_rates(variant(name, drop_path_rate=0.3))))
    rates = [0.0, *(rate for rate in rates if rate)]
    steps = [after - before for before, after in pairwise(rates)]
    assert rates[-1] == pytest.approx(0.3)
    assert len(rates) > 5
    assert steps == pytest.approx([0.3 / len(steps)] * len(steps), rel=1e-4)


def test_mixer_is_drawn_as_flax_draws_it() -> None:
    net = variant("mlp_mixer_tiny")
    for name, module in net.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d) and name != "head":
            fan_in = module.weight[0].numel()
            assert module.weight.std().item() == pytest.approx(fan_in**-0.5, rel=0.05), name
            assert not module.bias.any()
    assert not net.head.weight.any()


def test_mixer_block_by_hand() -> None:
    block = variant("mlp_mixer_tiny").double().eval().blocks[0]
    x = torch.randn(2, 64, 192, dtype=torch.float64)

    def mlp(part: nn.Module, y: Tensor) -> Tensor:
        y = F.linear(y, part.fc1.weight, part.fc1.bias)
        y = 0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3)))
        return F.linear(y, part.fc2.weight, part.fc2.bias)

    def norm(y: Tensor) -> Tensor:
        return F.layer_norm(y, (192,), eps=1e-6)

    y = x + mlp(block.mlp_tokens, norm(x).mT).mT
    torch.testing.assert_close(block(x), y + mlp(block.mlp_channels, norm(y)))


@pytest.mark.parametrize("name", ["ghost_resnet_20", "ghost_resnet_20_r3"])
def test_ghost_filters_are_drawn_with_fan_out(name: str) -> None:
    for module in variant(name).stages.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight
            expected = math.sqrt(2 / (weight.shape[0] * 9))
            # The sample of a depthwise filter is small.
            spread = 4 / math.sqrt(2 * weight.numel())
            assert weight.std().item() == pytest.approx(expected, rel=spread)


@pytest.mark.parametrize("name", ["resnest50d", "cspresnet50"])
def test_residual_branches_start_at_full_strength(name: str) -> None:
    norms = [m for m in variant(name).modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) > 40
    assert all(bool((norm.weight == 1).all()) for norm in norms)


REFUSED = [
    *(("coatnet_0", "native32", size, "multiples of 8 work") for size in (4, 20, 28, 30, 36, 44)),
    ("coatnet_0", "resize48", 32, "multiples of 32 work .* such as 32 and 64"),
    *(("convnext_tiny_timm", "native32", size, "multiples of 8 work") for size in (1, 4, 7)),
    *(
        (name, "resize50", 32, "last 2 rows .* 48 and 52")
        for name in ("convnext_tiny_timm", "hornet_tiny")
    ),
    ("convnext_tiny", "resize50", 32, "last 2 rows .* 48 and 52"),
    *((name, "native32", 30, "patch_size") for name in ("mlp_mixer_b16", "mlp_mixer_tiny")),
]


@pytest.mark.parametrize(("name", "policy", "size", "told"), REFUSED)
def test_sizes_that_a_network_cannot_take_are_refused_when_it_is_built(
    name: str, policy: str, size: int, told: str
) -> None:
    with torch.device("meta"), pytest.raises(UserError, match=told) as refusal:
        variant(name, size, input_policy=policy)
    assert "\n" not in str(refusal.value)


def test_a_transformer_of_timm_sees_the_whole_image() -> None:
    net: dict[str, Any] = {"builder": "timm", "input_policy": "resize40"}
    net["args"] = {"name": "vit_tiny_patch16_224"}
    with torch.device("meta"), pytest.raises(UserError, match=r"last 8 rows .* such as 32 and 48"):
        build_architecture(net, 10, 32)
    net["args"] |= {"dynamic_img_pad": True, "dynamic_img_size": True}
    with torch.device("meta"):
        assert build_architecture(net, 10, 32)(torch.zeros(1, 3, 40, 40)).shape == (1, 10)


@pytest.mark.parametrize(
    ("name", "size"), [("coatnet_0", 24), ("convnext_tiny_timm", 9), ("resnest50d", 5)]
)
def test_odd_sizes_that_work_are_taken(name: str, size: int) -> None:
    with torch.device("meta"):
        net = MODEL_REGISTRY["timm"](10, size, "native32", **VARIANTS[name]["args"])
        assert net.training
        assert net.eval()(torch.zeros(1, 3, size, size)).shape == (1, 10)
