"""The families written or sized here: ConvNeXt, MSCAN, LSKNet, HorNet, MLP-Mixer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bakeoff.errors import UserError
from tests.support.networks import by_builder, every_family, images, small


@every_family
def test_drop_path_is_random_in_training_and_absent_in_evaluation(name: str) -> None:
    model = small(name, drop_path_rate=0.9).train()
    x = images(3)
    assert not torch.equal(model(x), model(x))
    model.eval()
    plain = small(name, drop_path_rate=0.0).eval()
    plain.load_state_dict(model.state_dict())
    assert torch.equal(model(x), plain(x))


@pytest.mark.parametrize("name", ["convnext", "mscan", "lsknet", "hornet"])
def test_drop_path_rises_linearly_with_depth(name: str) -> None:
    model = small(name, drop_path_rate=0.4)
    rates = [module.drop_prob for module in model.modules() if hasattr(module, "drop_prob")]
    # Five blocks; timm leaves out the module where the rate is zero.
    assert rates[-4:] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert rates[:-4] in ([], [0.0])


@every_family
def test_other_image_sizes_and_class_counts(name: str) -> None:
    model = small(name, image_size=64, num_classes=7).eval()
    with torch.no_grad():
        features = model.forward_features(images(2, size=64))
        assert model.forward_head(features).shape == (2, 7)
    assert features.shape[2:] == (8, 8) or features.shape[1] == 16 * 16


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
def test_learns_one_batch_by_heart(name: str) -> None:
    model = small(name, drop_path_rate=0.0)
    assert 0 < steps_to_learn_by_heart(model, learning_rate=5e-3, limit=40) < 40


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["convnext_cifar", "mscan", "lsknet", "hornet", "mlp_mixer"])
def test_learns_one_batch_by_heart_at_full_size(builder: str) -> None:
    model = by_builder(builder, drop_path_rate=0.0)
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
        by_builder(builder, image_size=image_size, **args)
