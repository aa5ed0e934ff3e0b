"""ECA-Net: efficient channel attention (Wang et al. 2020) in the ResNet for small images."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn

from bakeoff.errors import UserError
from bakeoff.models.cifar_resnet import AttentionPosition, CifarResNet
from bakeoff.models.registry import register_model

KernelSize = int | Literal["adaptive"]


def adaptive_kernel_size(channels: int, gamma: float = 2, b: float = 1) -> int:
    """Return the kernel size that the paper's rule gives for `channels` (section 3.2.3, eq. 12).

    The fraction is cut to an integer and an even one is raised to the next odd, as in the authors'
    code. For the 16, 32 and 64 channels of a CIFAR ResNet the rule gives 3 each time: there,
    "adaptive" is the same network as a fixed kernel of 3.
    """
    t = int(abs(math.log2(channels) / gamma + b / gamma))
    return t if t % 2 else t + 1


class EcaLayer(nn.Module):
    """Scale each channel by a gate that reads the means of its `kernel_size` nearest channels.

    Args:
        channels: number of channels C.
        kernel_size: odd width of the 1-D convolution over channels, or "adaptive" to have it
            follow from C by `adaptive_kernel_size`.
    """

    def __init__(self, channels: int, kernel_size: KernelSize = "adaptive") -> None:
        super().__init__()
        k = adaptive_kernel_size(channels) if kernel_size == "adaptive" else kernel_size
        if not isinstance(k, int) or k < 1 or k % 2 == 0:
            raise UserError(
                f"The ECA kernel_size is {kernel_size!r}; it must be an odd positive whole number "
                "or 'adaptive'."
            )
        self.conv = nn.Conv1d(1, 1, k, padding=k // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        pooled = x.mean((2, 3)).unsqueeze(1)  # (N, 1, C): channels are the convolution's axis
        gate = self.conv(pooled).sigmoid()[:, 0, :, None, None]  # (N, C, 1, 1)
        scaled: Tensor = x * gate
        return scaled


@register_model("eca_resnet")
def eca_resnet(
    num_classes: int,
    image_size: int,
    input_policy: str = "native32",
    *,
    depth: int,
    kernel_size: KernelSize = "adaptive",
    position: AttentionPosition = "after_conv2",
    shortcut: str = "A",
    drop_path_rate: float = 0.0,
    drop_rate: float = 0.0,
) -> CifarResNet:
    """Build a CIFAR ResNet with an ECA layer in each block, at `position` (see `BasicBlock`)."""
    return CifarResNet(
        depth,
        num_classes,
        shortcut=shortcut,
        attention=lambda channels: EcaLayer(channels, kernel_size),
        position=position,
        drop_path_rate=drop_path_rate,
        drop_rate=drop_rate,
    )
