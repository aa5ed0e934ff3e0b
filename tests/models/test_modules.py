"""What the papers say of the modules of LSKNet, MSCAN and HorNet."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bakeoff.models import hornet, lsknet, mscan

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
