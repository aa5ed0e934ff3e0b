"""ResNet for small images (He et al. 2016, "Deep Residual Learning", section 4.2).

The network is a 3 x 3 convolution and three stages of n residual blocks with 16, 32 and 64
channels: 6n + 2 layers with weights. Its relatives differ in two places only, and hand in what they
put there: `conv_layer` makes the block's two 3 x 3 convolutions (Ghost), `attention` rescales the
channels at one of three places of the block (ECA).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bakeoff.errors import UserError, did_you_mean
from bakeoff.models.registry import register_model

AttentionPosition = Literal["after_conv1", "after_conv2", "after_addition"]
POSITIONS: tuple[AttentionPosition, ...] = get_args(AttentionPosition)
STAGE_WIDTHS = (16, 32, 64)

ConvLayer = Callable[[int, int, int, bool], nn.Module]
"""Makes a 3 x 3 convolution with normalisation from (in_chs, out_chs, stride, activation)."""


def conv_bn(in_chs: int, out_chs: int, stride: int, activation: bool) -> nn.Sequential:
    """Return a 3 x 3 convolution with batch norm and, if `activation`, a ReLU."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(in_chs, out_chs, 3, stride, padding=1, bias=False),
        bn=nn.BatchNorm2d(out_chs),
    )
    if activation:
        layers["act"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


class PadShortcut(nn.Module):
    """Option A: subsample and fill the new channels with zeros; it has no parameters.

    Half of the zeros go before the old channels and half behind them, as in the widely used CIFAR
    checkpoints (the paper leaves the place open).
    """

    def __init__(self, in_chs: int, out_chs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        before = (out_chs - in_chs) // 2
        self.padding = (before, out_chs - in_chs - before)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_chs, H, W) to (N, out_chs, ceil(H / stride), ceil(W / stride))."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *self.padding))

    def extra_repr(self) -> str:
        """Return what the module's printed form shows."""
        return f"stride={self.stride}, padding={self.padding}"


def _projection(in_chs: int, out_chs: int, stride: int) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(in_chs, out_chs, 1, stride, bias=False), bn=nn.BatchNorm2d(out_chs)
        )
    )


# The paper's option C (a projection in every block) was dropped by its authors for CIFAR.
SHORTCUTS: dict[str, Callable[[int, int, int], nn.Module]] = {"A": PadShortcut, "B": _projection}


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): drop the residual branch of whole images.

    timm has the same module, but importing timm takes longer than a small ResNet's first epoch on
    the demonstration data.
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape; the expected value is kept."""
        if not self.training or self.drop_prob == 0:
            return x
        keep = F.dropout(x.new_ones(x.shape[0], 1, 1, 1), self.drop_prob)
        return x * keep

    def extra_repr(self) -> str:
        """Return what the module's printed form shows."""
        return f"drop_prob={self.drop_prob:g}"


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut, with one optional attention module.

    `attention(channels)` makes the module; `position` is where its output replaces its input:

    - `after_conv1`: behind the first convolution's batch norm and ReLU, on what conv2 reads;
    - `after_conv2`: behind the second batch norm, before the addition; the place that SE and ECA
      use, and the only one that leaves the shortcut alone and the sum unscaled;
    - `after_addition`: on the block's output, behind the last ReLU.
    """

    def __init__(
        self,
        in_chs: int,
        out_chs: int,
        stride: int,
        *,
        shortcut: Callable[[int, int, int], nn.Module],
        conv_layer: ConvLayer,
        attention: Callable[[int], nn.Module] | None,
        position: AttentionPosition,
        drop_path: float,
    ) -> None:
        super().__init__()
        slots: dict[AttentionPosition, nn.Module] = {place: nn.Identity() for place in POSITIONS}
        if attention is not None:
            slots[position] = attention(out_chs)

        self.conv1 = conv_layer(in_chs, out_chs, stride, True)
        self.after_conv1 = slots["after_conv1"]
        self.conv2 = conv_layer(out_chs, out_chs, 1, False)
        self.after_conv2 = slots["after_conv2"]
        self.drop_path = DropPath(drop_path)
        same_shape = stride == 1 and in_chs == out_chs
        self.shortcut = nn.Identity() if same_shape else shortcut(in_chs, out_chs, stride)
        self.act = nn.ReLU()
        self.after_addition = slots["after_addition"]

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_chs, H, W) to (N, out_chs, H / stride, W / stride)."""
        residual = self.after_conv1(self.conv1(x))
        residual = self.after_conv2(self.conv2(residual))
        out: Tensor = self.after_addition(self.act(self.drop_path(residual) + self.shortcut(x)))
        return out


class CifarResNet(nn.Module):
    """The residual network of He et al. 2016, section 4.2, with the interface of timm's models.

    Args:
        depth: 6n + 2 layers: 20, 32, 44, 56, 110, ...
        num_classes: width of the classifier; 0 leaves it out.
        in_chans: channels of the image.
        shortcut: where a block changes shape: "A" pads with zeros, "B" projects by 1 x 1.
        conv_layer: makes the two convolutions of each block.
        attention: makes an attention module from its number of channels, or None.
        position: where in the block the attention acts, see `BasicBlock`.
        drop_path_rate: of the last block; it grows linearly from 0 at the first.
        drop_rate: dropout before the classifier.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 100,
        in_chans: int = 3,
        *,
        shortcut: str = "A",
        conv_layer: ConvLayer = conv_bn,
        attention: Callable[[int], nn.Module] | None = None,
        position: AttentionPosition = "after_conv2",
        drop_path_rate: float = 0.0,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        _check_arguments(depth, shortcut, position, drop_path_rate, drop_rate)
        self.num_classes = num_classes
        self.num_features = STAGE_WIDTHS[-1]
        self.drop_rate = drop_rate
        blocks_per_stage = (depth - 2) // 6
        last_block = len(STAGE_WIDTHS) * blocks_per_stage - 1

        in_chs = STAGE_WIDTHS[0]
        # The stem stays a plain convolution in every relative.
        self.stem = conv_bn(in_chans, in_chs, 1, True)
        stages = []
        for stage, out_chs in enumerate(STAGE_WIDTHS):
            blocks = []
            for i in range(blocks_per_stage):
                position_in_net = stage * blocks_per_stage + i
                blocks.append(
                    BasicBlock(
                        in_chs,
                        out_chs,
                        stride=2 if stage > 0 and i == 0 else 1,
                        shortcut=SHORTCUTS[shortcut],
                        conv_layer=conv_layer,
                        attention=attention,
                        position=position,
                        drop_path=drop_path_rate * position_in_net / max(last_block, 1),
                    )
                )
                in_chs = out_chs
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.fc = _classifier(self.num_features, num_classes)
        self.apply(_init_weights)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images (N, in_chans, H, W) to features (N, 64, H / 4, W / 4)."""
        features: Tensor = self.stages(self.stem(x))
        return features

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Map features to logits (N, num_classes), or to pooled features (N, 64)."""
        x = x.mean((2, 3))
        x = F.dropout(x, self.drop_rate, self.training)
        return x if pre_logits else self.fc(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, in_chans, H, W) to logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """Return the last layer."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the last layer by a new one."""
        self.num_classes = num_classes
        device = next(self.parameters()).device
        self.fc = _classifier(self.num_features, num_classes).to(device)
        self.fc.apply(_init_weights)


def _classifier(features: int, num_classes: int) -> nn.Module:
    return nn.Linear(features, num_classes) if num_classes > 0 else nn.Identity()


@torch.no_grad()
def _init_weights(module: nn.Module) -> None:
    """He et al. 2015, eq. 10 (fan-in), which section 4.2 of the ResNet paper names."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _check_arguments(
    depth: int, shortcut: str, position: str, drop_path_rate: float, drop_rate: float
) -> None:
    if not isinstance(depth, int) or depth < 8 or (depth - 2) % 6:
        raise UserError(f"depth is {depth!r}; it must be 6n + 2, such as 20, 32, 44, 56 or 110.")
    if shortcut not in SHORTCUTS:
        raise UserError(f"shortcut is {shortcut!r}; it must be one of {', '.join(SHORTCUTS)}.")
    if position not in POSITIONS:
        raise UserError(
            f"position is {position!r}{did_you_mean(str(position), POSITIONS)}; "
            f"it must be one of {', '.join(POSITIONS)}."
        )
    for name, rate in (("drop_path_rate", drop_path_rate), ("drop_rate", drop_rate)):
        if not (isinstance(rate, int | float) and 0 <= rate < 1):
            raise UserError(f"{name} is {rate!r}; it must be a number from 0 to below 1.")


@register_model("cifar_resnet")
def cifar_resnet(
    num_classes: int,
    image_size: int,
    input_policy: str = "native32",
    *,
    depth: int,
    shortcut: str = "A",
    drop_path_rate: float = 0.0,
    drop_rate: float = 0.0,
) -> CifarResNet:
    """Build a ResNet of `depth` layers; it was made for small images and takes any size."""
    return CifarResNet(
        depth,
        num_classes,
        shortcut=shortcut,
        drop_path_rate=drop_path_rate,
        drop_rate=drop_rate,
    )
