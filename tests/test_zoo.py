"""The networks written or sized here: ConvNeXt, MSCAN, LSKNet, HorNet, MLP-Mixer."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from bakeoff.errors import UserError
from bakeoff.models import hornet, lsknet, mscan
from bakeoff.models.registry import MODEL_REGISTRY

# Each family made small: the same modules, fast enough to run often.
STAGED = {"dims": (8, 16, 24, 32), "depths": (1, 1, 2, 1)}
SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "convnext": ("convnext_cifar", STAGED),
    "mscan": ("mscan", STAGED),
    "lsknet": ("lsknet", STAGED),
    "hornet": ("hornet", {"base_dim": 8, "depths": (1, 1, 2, 1)}),
    "hornet_gf": ("hornet", {"base_dim": 8, "depths": (1, 1, 2, 1), "global_filter": True}),
    "mlp_mixer": ("mlp_mixer", {"dim": 32, "depth": 3}),
}
LAYER_SCALES = {"gamma", "gamma1", "gamma2", "layer_scale_1", "layer_scale_2"}
every_family = pytest.mark.parametrize("family", SMALL)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def build(
    builder: str,
    num_classes: int = 10,
    image_size: int = 32,
    input_policy: str = "native32",
    **args: Any,
) -> nn.Module:
    return MODEL_REGISTRY[builder](num_classes, image_size, input_policy, **args)


def small(family: str, **args: Any) -> nn.Module:
    """Return the small network of a family with its branches and classifier at full strength.

    Layer scale starts at 1e-6 in some families and the classifier of MLP-Mixer at zero: the output
    would hide what the network does.
    """
    builder, size = SMALL[family]
    model = build(builder, **{**size, **args})
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[2] in LAYER_SCALES:
            nn.init.ones_(parameter)
    nn.init.normal_(model.get_classifier().weight, std=0.1)
    return model


def images(batch: int, size: int = 32) -> Tensor:
    return torch.randn(batch, 3, size, size)


def count_macs(model: nn.Module, size: int) -> int:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(torch.empty(1, 3, size, size, device="meta"))
    return counter.get_total_flops() // 2


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
        models = [build(builder, classes, 224, "resize224", **args) for classes in (1000, 100)]
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
        model = build(builder, 100, 32, "native32").eval()
        features = model.forward_features(torch.empty(1, 3, 32, 32))
    assert sum(p.numel() for p in model.parameters()) == params
    assert round(count_macs(model, 32) / 1e6) == mmacs
    positions = features.shape[1:2] if features.ndim == 3 else features.shape[2:]
    assert positions.numel() >= 4 * 4


@every_family
@pytest.mark.parametrize("batch", [1, 3])
def test_training_step_at_odd_batches_reaches_every_parameter(family: str, batch: int) -> None:
    model = small(family, drop_path_rate=0.0).train()
    F.cross_entropy(model(images(batch)), torch.arange(batch)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # Biases in front of a batch norm have no effect, so their gradient may be zero.
        assert parameter.ndim == 1 or parameter.grad.abs().max() > 0, name


@every_family
def test_drop_path_is_random_in_training_and_absent_in_evaluation(family: str) -> None:
    model = small(family, drop_path_rate=0.9).train()
    x = images(3)
    assert not torch.equal(model(x), model(x))
    model.eval()
    plain = small(family, drop_path_rate=0.0).eval()
    plain.load_state_dict(model.state_dict())
    assert torch.equal(model(x), plain(x))


@pytest.mark.parametrize("family", ["convnext", "mscan", "lsknet", "hornet"])
def test_drop_path_rises_linearly_with_depth(family: str) -> None:
    model = small(family, drop_path_rate=0.4)
    rates = [module.drop_prob for module in model.modules() if hasattr(module, "drop_prob")]
    # Five blocks; timm leaves out the module where the rate is zero.
    assert rates[-4:] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert rates[:-4] in ([], [0.0])


@every_family
def test_evaluation_is_deterministic_and_independent_of_the_batch(family: str) -> None:
    model = small(family).eval()
    x = images(3)
    with torch.no_grad():
        together = model(x)
        assert torch.equal(together, model(x))
        torch.testing.assert_close(together[1:2], model(x[1:2]), rtol=1e-4, atol=1e-5)


@every_family
def test_state_dict_round_trip(family: str) -> None:
    model = small(family).train()
    model(images(4))  # moves the running statistics of batch norms off their initial values
    other = small(family)
    other.load_state_dict(copy.deepcopy(model.state_dict()), strict=True)
    x = images(2)
    with torch.no_grad():
        assert torch.equal(model.eval()(x), other.eval()(x))


@every_family
def test_channels_last_gives_the_same_logits(family: str) -> None:
    model = small(family).eval()
    x = images(2)
    with torch.no_grad():
        expected = model(x)
        model.to(memory_format=torch.channels_last)
        actual = model(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


@every_family
def test_bfloat16_autocast_trains_and_stays_near_float32(family: str) -> None:
    model = small(family, drop_path_rate=0.0).train()
    x = images(4)
    expected = model(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(x)
        loss = F.cross_entropy(logits, torch.arange(4))
    loss.backward()
    assert (logits.float() - expected).norm() < 0.1 * expected.norm()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@every_family
def test_compiles_as_one_graph(family: str) -> None:
    model = small(family).eval()
    x = images(2)
    with torch.no_grad():
        compiled = torch.compile(model, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), model(x))
    torch._dynamo.reset()


@every_family
def test_other_image_sizes_and_class_counts(family: str) -> None:
    model = small(family, image_size=64, num_classes=7).eval()
    with torch.no_grad():
        features = model.forward_features(images(2, size=64))
        assert model.forward_head(features).shape == (2, 7)
    assert features.shape[2:] == (8, 8) or features.shape[1] == 16 * 16


@every_family
def test_timm_interface(family: str) -> None:
    model = small(family).eval()
    x = images(2)
    with torch.no_grad():
        pooled = model.forward_head(model.forward_features(x), pre_logits=True)
        assert pooled.shape == (2, model.num_features)
        torch.testing.assert_close(model.get_classifier()(pooled), model(x))
        model.reset_classifier(4)
        assert model.num_classes == 4
        assert model(x).shape == (2, 4)
        model.reset_classifier(0)
        torch.testing.assert_close(model(x), pooled)


def steps_to_learn_by_heart(model: nn.Module, learning_rate: float, limit: int) -> int:
    """Train on one batch of 32 noise images until more than 95 % are right and the loss is small.

    One step of Adam can get all of them right by a hair, hence the loss. Returns the steps taken,
    or `limit` if they were not enough.
    """
    x, labels = images(32), torch.arange(32) % 10
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.0)
    model.train()
    for step in range(limit):
        logits = model(x)
        loss = F.cross_entropy(logits, labels)
        if (logits.argmax(1) == labels).float().mean() > 0.95 and loss < 0.1:
            return step
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return limit


@every_family
def test_learns_one_batch_by_heart(family: str) -> None:
    model = small(family, drop_path_rate=0.0)
    assert 0 < steps_to_learn_by_heart(model, learning_rate=5e-3, limit=40) < 40


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["convnext_cifar", "mscan", "lsknet", "hornet", "mlp_mixer"])
def test_learns_one_batch_by_heart_at_full_size(builder: str) -> None:
    model = build(builder, drop_path_rate=0.0)
    assert 0 < steps_to_learn_by_heart(model, learning_rate=1e-3, limit=60) < 60


@pytest.mark.parametrize(
    ("builder", "image_size", "args", "named"),
    [
        ("hornet", 7, {}, "image_size 7"),
        ("hornet", 32, {"base_dim": 6}, "base_dim"),
        ("hornet", 32, {"depths": (2, 2)}, "depths"),
        ("convnext_cifar", 4, {}, "image_size 4"),
        ("convnext_cifar", 32, {"depths": (2, 2)}, "depths"),
        ("mlp_mixer", 30, {}, "patch_size 4"),
        ("mscan", 32, {"dims": (8, 16), "depths": (1, 1)}, "mlp_ratios"),
        ("lsknet", 32, {"dims": (8, 16, 24, 31)}, "dims"),
    ],
)
def test_what_the_architecture_cannot_do_is_a_user_error(
    builder: str, image_size: int, args: dict[str, Any], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        build(builder, image_size=image_size, **args)


# --- What the papers say of their modules ---------------------------------------------------------


def make_positive(module: nn.Module) -> nn.Module:
    """Make all weights positive, so that contributions cannot cancel."""
    for parameter in module.parameters():
        nn.init.uniform_(parameter, 0.1, 1.0)
    return module


def seen_positions(module: nn.Module, channels: int, size: int) -> Tensor:
    """Return the bool map of input positions that the output at the centre depends on."""
    x = torch.rand(1, channels, size, size, requires_grad=True)
    centre = module(x)[0, :, size // 2, size // 2]
    # Random weights: behind a layer norm the plain sum over channels is constant.
    (centre * torch.rand(channels)).sum().backward()
    assert x.grad is not None
    influence = x.grad[0].abs().sum(0)
    return influence > 1e-6 * influence.max()  # more than the rounding of a Fourier transform


@pytest.mark.parametrize(("bias", "extent"), [((50.0, -200.0), 5), ((-200.0, 50.0), 23)])
def test_lsknet_selects_between_a_5x5_and_a_23x23_kernel(
    bias: tuple[float, float], extent: int
) -> None:
    gate = make_positive(lsknet.LargeSelectiveKernelGate(4))
    nn.init.zeros_(gate.select.weight)
    gate.select.bias.data = torch.tensor(bias)
    seen = seen_positions(gate, channels=4, size=31)
    assert seen.any(0).sum() == seen.any(1).sum() == extent
    assert seen.sum() == extent**2


def test_lsknet_selects_at_each_position_by_what_is_there() -> None:
    gate = make_positive(lsknet.LargeSelectiveKernelGate(4))
    x = torch.rand(1, 4, 40, 40)
    x[..., 20:] *= 100.0
    with torch.no_grad():
        # Select both kernels where the maximum over channels exceeds 2000: in the bright half.
        gate.select.weight.zero_()
        gate.select.weight[:, 1, 3, 3] = 1.0
        gate.select.bias.fill_(-2000.0)
        y = gate(x)
        nothing_selected = x * gate.expand.bias.view(-1, 1, 1)
    # 12 positions on either side of the edge the large kernel sees both halves.
    torch.testing.assert_close(y[..., :8], nothing_selected[..., :8])
    assert (y[..., 32:] > 2 * nothing_selected[..., 32:]).all()


@pytest.mark.parametrize(("strips", "extent"), [((), 5), ((7,), 11), ((7, 11, 21), 25)])
def test_strips_of_mscan_stand_for_square_kernels_on_a_5x5(
    strips: tuple[int, ...], extent: int
) -> None:
    gate = make_positive(mscan.MultiScaleGate(4, strip_lengths=strips))
    assert seen_positions(gate, channels=4, size=31).sum() == extent**2


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_gnconv_of_order_n_multiplies_n_plus_1_factors_of_its_input(order: int) -> None:
    """Without biases g^n Conv is a homogeneous polynomial of degree n + 1 (HorNet, sec. 3.1)."""
    module = hornet.HorNet(base_dim=16, depths=(1, 1, 1, 1), orders=(order,) * 4).double()
    gnconv = module.stages[0][0].gnconv
    for name, parameter in gnconv.named_parameters():
        nn.init.zeros_(parameter) if name.endswith("bias") else nn.init.normal_(parameter)
    x = torch.randn(2, 16, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(gnconv(3.0 * x), 3.0 ** (order + 1) * gnconv(x))


def test_gnconv_follows_the_recursion_of_the_paper() -> None:
    """Order 2, written out: p1 = p0 * dw(q0), p2 = g(p1) * dw(q1), with the factor 1/3."""
    gnconv = hornet.HorNet(base_dim=8).double().stages[0][0].gnconv
    for parameter in gnconv.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(1, 8, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        z = F.conv2d(x, gnconv.proj_in.weight, gnconv.proj_in.bias)
        p0, q = z[:, :4], z[:, 4:]
        depthwise = gnconv.dwconv
        q = F.conv2d(q, depthwise.weight, depthwise.bias, padding=3, groups=12) / 3
        p1 = p0 * q[:, :4]
        p2 = F.conv2d(p1, gnconv.pws[0].weight, gnconv.pws[0].bias) * q[:, 4:]
        expected = F.conv2d(p2, gnconv.proj_out.weight, gnconv.proj_out.bias)
        torch.testing.assert_close(gnconv(x), expected)


@pytest.mark.parametrize("size", [7, 8, 11])
def test_global_filter_sees_the_whole_map_at_any_size(size: int) -> None:
    seen = seen_positions(hornet.GlobalLocalFilter(8, map_size=7), channels=8, size=size)
    assert seen.all()


@pytest.mark.parametrize("size", [7, 12])
def test_global_filter_of_ones_passes_its_half_unchanged(size: int) -> None:
    module = hornet.GlobalLocalFilter(8, map_size=7)
    module.pre_norm = module.post_norm = nn.Identity()
    with torch.no_grad():
        module.complex_weight.copy_(torch.tensor([1.0, 0.0]))  # real part 1, imaginary part 0
        nn.init.zeros_(module.dw.weight)
        x = torch.randn(2, 8, size, size)
        y = module(x)
    torch.testing.assert_close(y[:, 1::2], x[:, 4:])
    assert (y[:, 0::2] == 0).all()


# --- Weights of the authors' releases -------------------------------------------------------------


def batch_norm(name: str) -> list[str]:
    return [
        f"{name}.{tensor}"
        for tensor in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    ]


def affine(*names: str) -> list[str]:
    return [f"{name}.{tensor}" for name in names for tensor in ("weight", "bias")]


def released_van_keys(depths: tuple[int, ...], stem: list[str], block: list[str]) -> Iterator[str]:
    """Yield the names in a released MSCAN or LSKNet file, in its order."""
    for stage, depth in enumerate(depths, start=1):
        patch = f"patch_embed{stage}"
        downsample = affine(f"{patch}.proj") + batch_norm(f"{patch}.norm")
        yield from stem if stage == 1 else downsample
        for j in range(depth):
            yield from (f"block{stage}.{j}.{name}" for name in block)
        yield from affine(f"norm{stage}")
    yield from affine("head")


def released_mscan_keys() -> list[str]:
    gate = ["conv0", "conv0_1", "conv0_2", "conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3"]
    stem = [
        *affine("patch_embed1.proj.0"),
        *batch_norm("patch_embed1.proj.1"),
        *affine("patch_embed1.proj.3"),
        *batch_norm("patch_embed1.proj.4"),
    ]
    block = [
        "layer_scale_1",
        "layer_scale_2",
        *batch_norm("norm1"),
        *affine("attn.proj_1"),
        *affine(*(f"attn.spatial_gating_unit.{conv}" for conv in gate)),
        *affine("attn.proj_2"),
        *batch_norm("norm2"),
        *affine("mlp.fc1", "mlp.dwconv.dwconv", "mlp.fc2"),
    ]
    return list(released_van_keys((3, 3, 5, 2), stem, block))


def released_lsknet_keys() -> list[str]:
    gate = ["conv0", "conv_spatial", "conv1", "conv2", "conv_squeeze", "conv"]
    stem = [*affine("patch_embed1.proj"), *batch_norm("patch_embed1.norm")]
    block = [
        "layer_scale_1",
        "layer_scale_2",
        *batch_norm("norm1"),
        *batch_norm("norm2"),
        *affine("attn.proj_1"),
        *affine(*(f"attn.spatial_gating_unit.{conv}" for conv in gate)),
        *affine("attn.proj_2", "mlp.fc1", "mlp.dwconv.dwconv", "mlp.fc2"),
    ]
    return list(released_van_keys((3, 3, 5, 2), stem, block))


def released_hornet_keys() -> list[str]:
    keys = affine("downsample_layers.0.0", "downsample_layers.0.1")
    for i in (1, 2, 3):
        keys += affine(f"downsample_layers.{i}.0", f"downsample_layers.{i}.1")
    for stage, (depth, order) in enumerate(zip((2, 3, 18, 2), (2, 3, 4, 5), strict=True)):
        for j in range(depth):
            block = f"stages.{stage}.{j}"
            keys += [f"{block}.gamma1", f"{block}.gamma2"]
            keys += affine(f"{block}.norm1", *(f"{block}.gnconv.{n}" for n in GNCONV_PROJECTIONS))
            keys += affine(*(f"{block}.gnconv.pws.{k}" for k in range(order - 1)))
            keys += affine(f"{block}.norm2", f"{block}.pwconv1", f"{block}.pwconv2")
    return keys + affine("norm", "head")


GNCONV_PROJECTIONS = ("proj_in", "dwconv", "proj_out")
RELEASES = {
    "mscan": (mscan.from_official, released_mscan_keys),
    "lsknet": (lsknet.from_official, released_lsknet_keys),
    "hornet": (hornet.from_official, released_hornet_keys),
}


@pytest.mark.parametrize("builder", RELEASES)
def test_released_names_load_after_renaming_and_in_order(builder: str) -> None:
    from_official, released_keys = RELEASES[builder]
    model = build(builder, 1000, 224, "resize224")
    state = model.state_dict()
    released = dict(zip(released_keys(), state.values(), strict=True))
    assert list(from_official(released)) == list(state)
    renamed = from_official({f"module.{key}": value for key, value in released.items()})
    assert all(renamed[key] is state[key] for key in state)
    assert list(from_official(state)) == list(state)  # our own files pass through


@pytest.mark.parametrize("builder", ["mscan", "lsknet"])
def test_backbone_of_a_released_detector_or_segmentation_network(builder: str) -> None:
    from_official, released_keys = RELEASES[builder]
    keys = [key for key in released_keys() if not key.startswith("head")]
    released = {f"backbone.{key}": torch.zeros(1) for key in keys}
    renamed = from_official({**released, "decode_head.conv_seg.weight": torch.zeros(1)})
    expected = build(builder, 1000, 224, "resize224").state_dict()
    assert list(renamed) == [key for key in expected if not key.startswith("head")]
