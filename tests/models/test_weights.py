"""Input policies and pretrained weights: what is loaded, renamed and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bakeoff.errors import UserError
from bakeoff.models import build, create_model, hornet, input_policy, lsknet, mscan
from bakeoff.models.weights import load_weights
from tests.support.networks import VARIANTS, by_builder

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
    model = by_builder(builder, 1000, 224, "resize224")
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
    expected = by_builder(builder, 1000, 224, "resize224").state_dict()
    assert list(renamed) == [key for key in expected if not key.startswith("head")]
