"""Networks: their size and arithmetic, their interface, their description, and their weights."""

from __future__ import annotations

import fcntl
import hashlib
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from bakeoff.errors import UserError
from bakeoff.models import build, create_model, input_policy, load_variants
from bakeoff.models.cards import write_cards
from bakeoff.models.cifar_resnet import CifarResNet, DropPath, PadShortcut
from bakeoff.models.describe import Description, describe_one
from bakeoff.models.eca import EcaLayer, adaptive_kernel_size
from bakeoff.models.fetch import fetch
from bakeoff.models.ghost import GhostModule
from bakeoff.models.registry import MODEL_REGISTRY, find_builder, register_model
from bakeoff.models.weights import load_weights
from bakeoff.models.weights_files import Source, lock_path, read_lock
from hub import Hub

ROOT = Path(__file__).parents[1]
VARIANTS = load_variants(ROOT / "config" / "models.yaml")
SMALL = [
    name
    for name, entry in VARIANTS.items()
    if entry["builder"] in ("cifar_resnet", "eca_resnet", "ghost_resnet")
]
TIMM = [name for name, entry in VARIANTS.items() if entry["builder"] == "timm"]
# One variant for each arrangement of modules; depth only repeats blocks.
KINDS = ["resnet_20", "eca_resnet_20_after_conv1", "eca_resnet_20", "ghost_resnet_20_r3"]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def described() -> dict[str, Description]:
    return {name: describe_one(entry, 100, 32) for name, entry in VARIANTS.items()}


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def on_meta(name: str, size: int = 32, policy: str = "native32", classes: int = 100) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, classes, size, input_policy=policy, variants=VARIANTS).eval()


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


# ECA


@pytest.mark.parametrize(
    ("channels", "k"), [(1, 1), (16, 3), (32, 3), (64, 3), (128, 5), (256, 5), (512, 5), (2048, 7)]
)
def test_adaptive_kernel_size(channels: int, k: int) -> None:
    assert adaptive_kernel_size(channels) == k
    assert EcaLayer(channels).conv.kernel_size == (k,)


def test_eca_gates_each_channel_by_its_neighbours() -> None:
    layer = EcaLayer(5, kernel_size=3)
    weights = [0.5, -1.0, 2.0]
    with torch.no_grad():
        layer.conv.weight.copy_(torch.tensor(weights).view(1, 1, 3))
    x = torch.randn(2, 5, 3, 4)
    means = [[0.0, *row, 0.0] for row in x.mean((2, 3)).tolist()]
    for n in range(2):
        for c in range(5):
            z = sum(w * m for w, m in zip(weights, means[n][c : c + 3], strict=True))
            expected = x[n, c] / (1 + math.exp(-z))
            torch.testing.assert_close(layer(x)[n, c], expected)


@pytest.mark.parametrize("bad", [2, 0, -3, 3.0, "adaptiv"])
def test_bad_kernel_size_is_refused(bad: Any) -> None:
    with pytest.raises(UserError, match="kernel_size"):
        create_model("eca_resnet_20", variants=VARIANTS, kernel_size=bad)


@pytest.mark.parametrize("position", ["after_conv1", "after_conv2", "after_addition"])
def test_attention_acts_where_it_says(position: str) -> None:
    """A gate that passes nothing shuts off what is behind it, and nothing else."""

    class Closed(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0

    net = CifarResNet(8, attention=Closed, position=position).eval()  # type: ignore[arg-type]
    block, x = net.stages[0][0], torch.rand(2, 16, 8, 8)
    # In evaluation mode fresh batch norm has a mean of 0: no signal in, no signal out.
    expected = torch.zeros_like(x) if position == "after_addition" else x
    torch.testing.assert_close(block(x), expected)


# Ghost


def test_ghost_module_by_hand() -> None:
    module = GhostModule(2, 5, ratio=3, activation=True).eval()
    x = torch.randn(1, 2, 6, 6)
    out = module(x)
    intrinsic = module.primary.conv(x) / math.sqrt(1 + 1e-5)
    intrinsic = intrinsic.clamp(min=0)
    assert intrinsic.shape[1] == 2  # ceil(5 / 3)
    torch.testing.assert_close(out[:, :2], intrinsic)
    for ghost in range(3):  # 4 ghosts are made, 3 are needed
        source = ghost // 2  # each intrinsic channel has ratio - 1 = 2 ghosts
        kernel = module.cheap.conv.weight[ghost : ghost + 1]
        cheap = torch.conv2d(intrinsic[:, source : source + 1], kernel, padding=1)
        cheap = (cheap / math.sqrt(1 + 1e-5)).clamp(min=0)
        torch.testing.assert_close(out[:, 2 + ghost : 3 + ghost], cheap)


def test_last_ghost_module_of_a_block_has_no_relu() -> None:
    block = create_model("ghost_resnet_20", variants=VARIANTS).stages[0][0]
    x = torch.randn(4, 16, 8, 8)
    assert block.conv1(x).min() >= 0
    assert block.conv2(x).min() < 0


@pytest.mark.parametrize("bad", [1, 0, 2.5, "two"])
def test_bad_ratio_is_refused(bad: Any) -> None:
    with pytest.raises(UserError, match="ratio"):
        create_model("ghost_resnet_20", variants=VARIANTS, ratio=bad)


# ResNet


def test_pad_shortcut_subsamples_and_pads_with_zeros() -> None:
    x = torch.randn(2, 4, 6, 6)
    out = PadShortcut(4, 8, 2)(x)
    assert out.shape == (2, 8, 3, 3)
    torch.testing.assert_close(out[:, 2:6], x[:, :, ::2, ::2])
    assert out[:, :2].abs().sum() == 0
    assert out[:, 6:].abs().sum() == 0


def test_drop_path_keeps_the_mean_and_drops_whole_images() -> None:
    torch.manual_seed(0)
    out = DropPath(0.25).train()(torch.ones(4000, 2, 2, 2)).flatten(1)
    assert out.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert (out == out[:, :1]).all()
    assert out.mean().item() == pytest.approx(1, abs=0.05)
    x = torch.randn(3, 2, 2, 2)
    torch.testing.assert_close(DropPath(0.25).eval()(x), x)


def test_drop_path_rate_grows_linearly() -> None:
    net = create_model("resnet_20", variants=VARIANTS, drop_path_rate=0.2)
    rates = [m.drop_prob for m in net.modules() if isinstance(m, DropPath)]
    assert rates == pytest.approx([0.2 * i / 8 for i in range(9)])


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"depth": 21}, "6n"),
        ({"depth": "20"}, "6n"),
        ({"shortcut": "C"}, "shortcut"),
        ({"drop_path_rate": 1.5}, "drop_path_rate"),
        ({"dept": 20}, "did you mean 'depth'"),
    ],
)
def test_wrong_arguments_are_explained(overrides: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        create_model("resnet_20", variants=VARIANTS, **overrides)


# The interface, for all


@pytest.mark.parametrize("name", KINDS)
def test_forward_and_backward_at_odd_batches(name: str) -> None:
    net = create_model(name, 7, variants=VARIANTS)
    for batch in (1, 3):
        logits = net(torch.randn(batch, 3, 32, 32))
        assert logits.shape == (batch, 7)
        logits.square().mean().backward()
    missing = [key for key, p in net.named_parameters() if p.grad is None]
    assert missing == []


@pytest.mark.parametrize("name", KINDS)
def test_evaluation_is_deterministic_and_independent_of_the_batch(name: str) -> None:
    net = create_model(name, variants=VARIANTS).eval()
    x = torch.randn(5, 3, 32, 32)
    with torch.no_grad():
        whole = net(x)
        assert torch.equal(whole, net(x))
        torch.testing.assert_close(whole[2:3], net(x[2:3]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_state_dict_round_trip(name: str, tmp_path: Path) -> None:
    first, second = (create_model(name, variants=VARIANTS).eval() for _ in range(2))
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert not torch.equal(first(x), second(x))
        save_file(first.state_dict(), tmp_path / "m.safetensors")
        second.load_state_dict(load_file(tmp_path / "m.safetensors"))
        assert torch.equal(first(x), second(x))


@pytest.mark.parametrize("name", KINDS)
def test_channels_last_and_bfloat16_agree(name: str) -> None:
    net = create_model(name, variants=VARIANTS).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        plain = net(x)
        last = net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
        torch.testing.assert_close(plain, last, rtol=1e-3, atol=1e-3)
        with torch.autocast("cpu", torch.bfloat16):
            low = net(x)
    assert (low - plain).abs().max() < 0.1 * plain.abs().max()


@pytest.mark.parametrize("name", list(dict.fromkeys([*KINDS, *TIMM])))
def test_timm_interface(name: str) -> None:
    net = on_meta(name)
    x = torch.zeros(2, 3, 32, 32, device="meta")
    features = net.forward_features(x)
    assert net.forward_head(features).shape == net(x).shape == (2, 100)
    assert net.forward_head(features, pre_logits=True).shape[0] == 2
    assert net.num_classes == 100
    with torch.device("meta"):
        net.reset_classifier(3)
    assert net(x).shape == (2, 3)


@pytest.mark.parametrize("name", [*KINDS[:1], *KINDS[3:], "ghostnet_100"])
def test_whole_graph_is_compiled(name: str) -> None:
    net = create_model(name, variants=VARIANTS).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        compiled = torch.compile(net, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), net(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_network_compiles_in_training_mode(name: str) -> None:
    # Networks share forward methods, and a method may be compiled only a few times.
    torch._dynamo.reset()
    net = create_model(name, variants=VARIANTS).train()
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    compiled(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())


@pytest.mark.parametrize("name", TIMM)
@pytest.mark.parametrize("size", [32, 64])
def test_other_sizes_and_class_counts(name: str, size: int) -> None:
    net = on_meta(name, size=size, classes=10)
    assert net(torch.zeros(1, 3, size, size, device="meta")).shape == (1, 10)


def accuracy_by_heart(net: nn.Module, optimizer: torch.optim.Optimizer, size: int) -> float:
    """Return the training accuracy on one batch of noise after at most 60 steps."""
    x, y = torch.randn(32, 3, size, size), torch.arange(32) % 10
    accuracy = 0.0
    for _ in range(60):
        logits = net(x)
        accuracy = (logits.argmax(1) == y).float().mean().item()
        if accuracy > 0.95:
            break
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, y).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return accuracy


@pytest.mark.parametrize("name", ["resnet_20", "eca_resnet_20", "ghost_resnet_20"])
def test_a_batch_can_be_learnt_by_heart(name: str) -> None:
    torch.manual_seed(0)
    net = create_model(name, 10, variants=VARIANTS)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    assert accuracy_by_heart(net, optimizer, size=32) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM)
def test_large_networks_learn_a_batch_by_heart(name: str) -> None:
    torch.manual_seed(0)
    # Half the side is a quarter of the time; the largest needs 4e9 MACs for an image of 32 pixels.
    net = create_model(name, 10, 16, variants=VARIANTS)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    assert accuracy_by_heart(net, optimizer, size=16) > 0.95


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


# Names and laziness


def test_importing_and_small_networks_need_neither_torch_nor_timm() -> None:
    code = (
        "import sys, bakeoff.models as m\n"
        "m.load_variants(); m.input_policy({'builder': 'timm'}, 32)\n"
        "assert 'cifar_resnet' in m.MODEL_REGISTRY and len(m.MODEL_REGISTRY) > 8\n"
        "assert not {'torch', 'timm', 'numpy'} & set(sys.modules)\n"
        "m.create_model('eca_resnet_20'); m.create_model('ghost_resnet_20')\n"
        "assert 'torch' in sys.modules\n"
        "assert not {'timm', 'torchvision', 'safetensors', 'huggingface_hub'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_registry_is_a_mapping_of_builders() -> None:
    assert set(MODEL_REGISTRY) >= {entry["builder"] for entry in VARIANTS.values()}
    assert all(callable(MODEL_REGISTRY[name]) for name in MODEL_REGISTRY)
    with pytest.raises(KeyError):
        MODEL_REGISTRY["nothing"]
    with pytest.raises(ValueError, match="cifar_resnet"):
        register_model("cifar_resnet")(lambda **_: nn.Identity())
    assert MODEL_REGISTRY["cifar_resnet"].__name__ == "cifar_resnet"


USERS_FILE = """
from torch import nn

def tiny(num_classes, image_size, input_policy="native32", *, width=8):
    pooled = nn.Sequential(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(pooled, nn.Linear(width, num_classes))

def broken(num_classes, image_size, input_policy="native32"):
    return nn.Linear(None, 3)

def headless(num_classes, image_size, input_policy="native32"):
    return nn.Conv2d(3, 8, 3)
"""


def test_a_builder_in_the_users_own_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(USERS_FILE)
    net = create_model(f"{file}:tiny", 4, variants={}, width=5)
    assert net(torch.randn(2, 3, 32, 32)).shape == (2, 4)
    with pytest.raises(UserError, match=r"has no argument 'widht' \(did you mean 'width'"):
        create_model(f"{file}:tiny", variants={}, widht=5)
    with pytest.raises(UserError, match=r"TypeError.*"):
        create_model(f"{file}:broken", variants={})
    with pytest.raises(UserError, match="no function 'huge'"):
        create_model(f"{file}:huge", variants={})
    with pytest.raises(UserError, match="no file"):
        find_builder(f"{tmp_path}/other.py:tiny")
    assert "logits" in str(describe_one({"builder": f"{file}:headless"}, 10, 32).error)
    file.write_text("import nothing_of_this_name")
    with pytest.raises(UserError, match="nothing_of_this_name"):
        find_builder(f"{file}:tiny")


@pytest.mark.parametrize(
    ("args", "policy", "told"),
    [
        ({"name": "ghostnet_10"}, "native32", "did you mean 'ghostnet_1"),
        ({"name": "resnet18"}, "native32", "unstride"),
        (
            {"name": "resnet18", "unstride": ["conv2", "maxpool"]},
            "native32",
            "did you mean 'conv1'",
        ),
        ({"name": "resnet18", "depth": 3}, "resize224", "depth"),
        ({"name": "resnet18", "pretrained": True}, "resize224", "beside args"),
        ({}, "native32", "needs name"),
        ({"name": "resnet18"}, "native23", "must be native32, or resize"),
    ],
)
def test_timm_mistakes_are_explained(args: dict[str, Any], policy: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        build({"builder": "timm", "args": args, "input_policy": policy}, 100, 32)


def test_any_timm_network_with_its_strides_taken_out() -> None:
    spec = {"builder": "timm", "args": {"name": "resnet18", "unstride": ["conv1", "maxpool"]}}
    with torch.device("meta"):
        net = build(spec, 10, 32)
        assert net.forward_features(torch.zeros(1, 3, 32, 32)).shape[2:] == (4, 4)


def test_unknown_variant_is_explained() -> None:
    with pytest.raises(UserError, match="did you mean 'resnet_32'"):
        create_model("resnet_33", variants=VARIANTS)


# Input policies and weights


def test_input_policy_of_a_network_from_scratch() -> None:
    native = input_policy({"builder": "timm", "input_policy": "native32"}, 32)
    assert (native.input_size, native.mean, native.std) == (32, None, None)
    for size in (96, 224):
        resized = input_policy({"builder": "timm", "input_policy": f"resize{size}"}, 32)
        assert (resized.input_size, resized.mean) == (size, None)
    with pytest.raises(UserError, match="such as resize224"):
        input_policy({"builder": "timm", "input_policy": "resize"}, 32)


def pretrained(name: str, policy: str = "resize224") -> dict[str, Any]:
    return {**VARIANTS[name], "input_policy": policy, "pretrained": True}


@pytest.mark.parametrize(
    ("name", "interpolation", "mean"),
    [
        ("convnext_tiny_timm", "bicubic", 0.485),
        ("resnest50d", "bilinear", 0.485),
        ("cspresnet50", "bilinear", 0.485),
        ("mlp_mixer_b16", "bicubic", 0.5),
    ],
)
def test_pretrained_input_is_that_of_the_weights(
    name: str, interpolation: str, mean: float
) -> None:
    policy = input_policy(pretrained(name, "resize256"), 32)
    assert (policy.input_size, policy.interpolation) == (256, interpolation)
    assert policy.mean is not None
    assert policy.mean[0] == mean
    assert input_policy(pretrained(name, "native32"), 32).input_size == 32


def test_weights_of_an_own_family_must_state_their_input() -> None:
    model = {"builder": "mscan", "pretrained": True, "weights": {"file": "mscan.pth"}}
    with pytest.raises(UserError, match="interpolation, mean, std"):
        input_policy(model, 32)
    stated = {"interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.2] * 3}
    model["weights"] = {"file": "mscan.pth", **stated}
    assert input_policy(model, 32).std == (0.2, 0.2, 0.2)


def test_weights_of_another_network_are_refused() -> None:
    model = pretrained("coatnet_0")
    model["weights"] = {"hub": "timm/coatnet_0_rw_224.sw_in1k"}
    with pytest.raises(UserError, match=r"set args\.name to 'coatnet_0_rw_224'"):
        input_policy(model, 32)
    model = pretrained("ghostnet_100")
    model["weights"] = {"hub": "timm/ghostnet_100.in2k"}
    with pytest.raises(UserError, match=r"did you mean 'ghostnet_100\.in1k'"):
        input_policy(model, 32)


def test_pretrained_without_a_file_is_refused() -> None:
    with pytest.raises(UserError, match="fetch"):
        build(pretrained("ghostnet_100"), 100, 32)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_everything_but_the_classifier_is_loaded(tmp_path: Path, suffix: str) -> None:
    source = create_model("ghostnet_100", 1000, variants=VARIANTS, input_policy="resize224")
    file = tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{k}": v for k, v in source.state_dict().items()}}, file)
    else:
        save_file(source.state_dict(), file)
    # The small stem has the same tensors as the paper's.
    net = build(pretrained("ghostnet_100", "native32"), 100, 32, weights=file)
    loaded, original = net.state_dict(), source.state_dict()
    different = {k for k in loaded if not torch.equal(loaded[k], original[k])}
    assert different == {"classifier.weight", "classifier.bias"}


def test_report_names_what_was_left_out(tmp_path: Path) -> None:
    with torch.device("cpu"):
        source = create_model("resnet_20", 10, variants=VARIANTS)
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    net = create_model("resnet_20", 100, variants=VARIANTS)
    report = load_weights(net, tmp_path / "w.safetensors")
    assert report.fresh == report.left_out == ("fc.weight", "fc.bias")
    assert report.loaded == len(net.state_dict()) - 2


def test_a_new_stem_is_the_only_other_thing_left_out(tmp_path: Path) -> None:
    source = create_model("convnext_tiny_timm", 10, variants=VARIANTS, input_policy="resize224")
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    net = create_model("convnext_tiny_timm", 10, variants=VARIANTS)
    report = load_weights(net, tmp_path / "w.safetensors")
    assert report.fresh == ("stem.0.weight",)
    torch.testing.assert_close(net.stem[1].weight, source.stem[1].weight)


def test_weights_are_renamed_where_the_builder_knows_how(tmp_path: Path) -> None:
    source = create_model("resnet_20", variants=VARIANTS)
    save_file({f"net.{k}": v for k, v in source.state_dict().items()}, tmp_path / "w.safetensors")
    net = create_model("resnet_20", variants=VARIANTS)
    with pytest.raises(UserError, match="do not fit"):
        load_weights(net, tmp_path / "w.safetensors")
    load_weights(
        net,
        tmp_path / "w.safetensors",
        rename=lambda state: {k.removeprefix("net."): v for k, v in state.items()},
    )
    torch.testing.assert_close(net.stem[0].weight, source.stem[0].weight)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize("kind", ["junk", "truncated", "empty"])
def test_damaged_weights_are_refused(tmp_path: Path, name: str, kind: str) -> None:
    net = create_model("resnet_20", variants=VARIANTS)
    whole = tmp_path / "whole"
    if name.endswith(".pth"):
        torch.save(net.state_dict(), whole)
    else:
        save_file(net.state_dict(), whole)
    content = {"junk": b"junk" * 500, "truncated": whole.read_bytes()[:-5000], "empty": b""}
    (tmp_path / name).write_bytes(content[kind])
    with pytest.raises(UserError, match=name):
        load_weights(net, tmp_path / name)


def test_weights_of_another_shape_or_kind_are_refused(tmp_path: Path) -> None:
    net = create_model("resnet_20", variants=VARIANTS)
    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"lacks stem\.conv\.weight"):
        load_weights(net, tmp_path / "other.safetensors")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UserError, match="no named tensors"):
        load_weights(net, tmp_path / "list.pth")
    with pytest.raises(UserError, match="fetch"):
        load_weights(net, tmp_path / "absent.safetensors")


class _Executes:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('executed')",))


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": _Executes()}}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="cannot be read"):
        load_weights(nn.Linear(2, 2), tmp_path / "evil.pth")


# Fetching


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    from huggingface_hub import constants  # noqa: PLC0415

    net = create_model("resnet_20", 10, variants=VARIANTS)
    save_file(net.state_dict(), tmp_path / "on_hub")
    hub = Hub("timm/net.tag", (tmp_path / "on_hub").read_bytes())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    # Small files in many chunks, and no waiting between the client's own tries.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    for proxy in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    yield hub
    hub.close()


SOURCE = Source("timm/net.tag", "model.safetensors")


def test_fetch_locks_commit_and_checksum(hub: Hub, tmp_path: Path) -> None:
    destination = tmp_path / "weights" / "net.safetensors"
    lock = fetch(SOURCE, destination, hub.url)
    assert destination.read_bytes() == hub.content
    assert lock == read_lock(destination)
    assert lock.revision == hub.commit
    assert lock.sha256 == hashlib.sha256(hub.content).hexdigest()
    assert sorted(p.name for p in destination.parent.iterdir()) == [
        "net.lock.json",
        "net.safetensors",
    ]
    load_weights(create_model("resnet_20", 10, variants=VARIANTS), destination)
    transfers = len(hub.ranges)
    fetch(SOURCE, destination, hub.url)
    assert len(hub.ranges) == transfers  # what is there is not fetched again


def test_fetch_goes_on_where_it_broke_off(hub: Hub, tmp_path: Path) -> None:
    destination = tmp_path / "net.safetensors"
    hub.budget = 400_000
    with pytest.raises(UserError, match="Fetch again"):
        fetch(SOURCE, destination, hub.url)
    assert not destination.exists()
    hub.budget, hub.ranges = None, []
    fetch(SOURCE, destination, hub.url)
    assert destination.read_bytes() == hub.content
    assert hub.ranges == [f"bytes={400_000 // (1 << 16) * (1 << 16)}-"]
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".net")) == []


def test_other_content_under_the_lock_is_refused(hub: Hub, tmp_path: Path) -> None:
    destination = tmp_path / "net.safetensors"
    fetch(SOURCE, destination, hub.url)
    destination.unlink()
    hub.content = hub.content[:-4] + b"abcd"
    with pytest.raises(UserError, match="SHA-256"):
        fetch(SOURCE, destination, hub.url)
    assert not destination.exists()
    with pytest.raises(UserError, match=r"lock\.json"):
        fetch(replace(SOURCE, hub="timm/net.other"), destination, hub.url)


def test_a_changed_file_is_neither_accepted_nor_loaded(hub: Hub, tmp_path: Path) -> None:
    destination = tmp_path / "net.safetensors"
    fetch(SOURCE, destination, hub.url)
    destination.write_bytes(hub.content[:-4] + b"abcd")
    with pytest.raises(UserError, match="SHA-256"):
        fetch(SOURCE, destination, hub.url)
    with pytest.raises(UserError, match="SHA-256"):
        load_weights(create_model("resnet_20", 10, variants=VARIANTS), destination)
    lock_path(destination).write_text("{}")
    with pytest.raises(UserError, match="not a lock"):
        fetch(SOURCE, destination, hub.url)


def test_a_stated_checksum_is_required(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="SHA-256"):
        fetch(replace(SOURCE, sha256="0" * 64), tmp_path / "net.safetensors", hub.url)


def test_without_a_network_the_way_out_is_told(hub: Hub, tmp_path: Path) -> None:
    hub.close()
    with pytest.raises(UserError, match=r"weights\.dir"):
        fetch(SOURCE, tmp_path / "net.safetensors", hub.url)


def test_a_file_that_was_put_there_is_trusted_and_locked(tmp_path: Path) -> None:
    destination = tmp_path / "net.pth"
    destination.write_bytes(b"weights from elsewhere")
    lock = fetch(Source("timm/net.tag", "net.pth"), destination)
    assert (lock.revision, lock.sha256) == (
        None,
        hashlib.sha256(b"weights from elsewhere").hexdigest(),
    )


def test_two_do_not_fetch_one_file_at_once(hub: Hub, tmp_path: Path) -> None:
    destination = tmp_path / "net.safetensors"
    hub.budget = 0
    with pytest.raises(UserError, match="Fetch again"):
        fetch(SOURCE, destination, hub.url)
    hub.budget = None
    (part,) = tmp_path.glob(".net.safetensors.*.part")
    with part.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process"):
            fetch(SOURCE, destination, hub.url)
    fetch(SOURCE, destination, hub.url)
    assert destination.read_bytes() == hub.content
