"""Builders by name, those of users, and those of timm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from bakeoff.errors import UserError
from bakeoff.models import build, create_model
from bakeoff.models.describe import describe_one
from bakeoff.models.registry import MODEL_REGISTRY, find_builder, register_model
from tests.support.networks import VARIANTS
from tests.support.project import REPOSITORY

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
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


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
