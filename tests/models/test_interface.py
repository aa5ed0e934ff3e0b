"""The interface of every network: shapes, modes, states, formats, and that it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

from bakeoff.models import create_model
from tests.support.networks import (
    FAMILIES,
    KINDS,
    TIMM,
    VARIANTS,
    every_network,
    images,
    network,
    on_meta,
)


@every_network
@pytest.mark.parametrize("batch", [1, 3])
def test_training_step_at_odd_batches_reaches_every_parameter(name: str, batch: int) -> None:
    net = network(name, 7).train()
    logits = net(images(batch))
    assert logits.shape == (batch, 7)
    F.cross_entropy(logits, torch.arange(batch)).backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        # Biases in front of a batch norm have no effect, so their gradient may be zero.
        assert parameter.ndim == 1 or parameter.grad.abs().max() > 0, key


@every_network
def test_evaluation_is_deterministic_and_independent_of_the_batch(name: str) -> None:
    net = network(name).eval()
    x = images(5)
    with torch.no_grad():
        whole = net(x)
        assert torch.equal(whole, net(x))
        torch.testing.assert_close(whole[2:3], net(x[2:3]), rtol=1e-4, atol=1e-5)


@every_network
def test_state_dict_round_trip(name: str, tmp_path: Path) -> None:
    first, second = network(name).train(), network(name).eval()
    first(images(4))  # moves the running statistics of batch norms off their initial values
    first.eval()
    x = images(2)
    with torch.no_grad():
        assert not torch.equal(first(x), second(x))
        save_file(first.state_dict(), tmp_path / "m.safetensors")
        second.load_state_dict(load_file(tmp_path / "m.safetensors"), strict=True)
        assert torch.equal(first(x), second(x))


@every_network
def test_channels_last_gives_the_same_logits(name: str) -> None:
    net = network(name).eval()
    x = images(2)
    with torch.no_grad():
        plain = net(x)
        last = net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, last, rtol=1e-4, atol=1e-5)


@every_network
def test_bfloat16_autocast_trains_and_stays_near_float32(name: str) -> None:
    net = network(name).train()
    x = images(4)
    plain = net(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        low = net(x)
        loss = F.cross_entropy(low, torch.arange(4))
    loss.backward()
    assert (low.float() - plain).norm() < 0.1 * plain.norm()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("name", list(dict.fromkeys([*KINDS, *TIMM])))
def test_timm_interface_of_variants(name: str) -> None:
    net = on_meta(name)
    x = torch.zeros(2, 3, 32, 32, device="meta")
    features = net.forward_features(x)
    assert net.forward_head(features).shape == net(x).shape == (2, 100)
    assert net.forward_head(features, pre_logits=True).shape[0] == 2
    assert net.num_classes == 100
    with torch.device("meta"):
        net.reset_classifier(3)
    assert net(x).shape == (2, 3)


@every_network
def test_timm_interface(name: str) -> None:
    net = network(name).eval()
    x = images(2)
    with torch.no_grad():
        pooled = net.forward_head(net.forward_features(x), pre_logits=True)
        assert pooled.shape == (2, net.num_features)
        torch.testing.assert_close(net.get_classifier()(pooled), net(x))
        net.reset_classifier(4)
        assert net.num_classes == 4
        assert net(x).shape == (2, 4)
        net.reset_classifier(0)
        torch.testing.assert_close(net(x), pooled)


@pytest.mark.parametrize("name", [*KINDS[:1], *KINDS[3:], "ghostnet_100", *FAMILIES])
def test_whole_graph_is_compiled(name: str) -> None:
    net = network(name).eval()
    x = images(2)
    with torch.no_grad():
        compiled = torch.compile(net, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x), net(x))
    torch._dynamo.reset()


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
