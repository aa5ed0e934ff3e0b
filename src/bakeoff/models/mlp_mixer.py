"""MLP-Mixer of any size, from timm's MlpMixer class.

Tolstikhin et al., "MLP-Mixer: An all-MLP Architecture for Vision", NeurIPS 2021. The paper's
smallest network is S/32 (8 blocks of width 512); no "tiny" is published. The default here keeps the
8 blocks and the MLP ratios and takes width 192, the tiny width of DeiT (Touvron et al. 2021).

timm's class computes what the authors' code does but for three things, which are set right here:
the authors approximate GELU by tanh, draw weights by LeCun's rule (Flax's default), and let the
drop path rate grow with depth.
"""

from __future__ import annotations

from functools import partial

from timm.layers import DropPath, calculate_drop_path_rates, lecun_normal_
from timm.models.mlp_mixer import MlpMixer
from torch import nn

from bakeoff.errors import UserError
from bakeoff.models.registry import register_model


@register_model("mlp_mixer")
def mlp_mixer(
    num_classes: int,
    image_size: int,
    input_policy: str = "native32",
    *,
    dim: int = 192,
    depth: int = 8,
    patch_size: int | None = None,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
) -> nn.Module:
    """Build an MLP-Mixer of `depth` blocks of width `dim`; B/16 has 12 of width 768.

    The drop path rate grows linearly from 0 in the first block to `drop_path_rate` in the last.
    `patch_size` is 4 with `native32` (64 tokens at 32x32) and 16 with `resize224` (196 tokens, as
    the paper's /16 networks) unless given. The token-mixing MLP is learned for one number of
    tokens: the network takes images of `image_size` only.

    Raises:
        UserError: the patches do not divide it.
    """
    if patch_size is None:
        patch_size = 4 if input_policy == "native32" else 16
    if patch_size < 1 or image_size < 1 or image_size % patch_size:
        raise UserError(
            f"Builder 'mlp_mixer' cuts the image into patches of patch_size {patch_size}, which "
            f"does not divide image_size {image_size}: set the argument patch_size to a divisor."
        )
    model = MlpMixer(
        num_classes=num_classes,
        img_size=image_size,
        patch_size=patch_size,
        num_blocks=depth,
        embed_dim=dim,
        drop_rate=drop_rate,
        act_layer=partial(nn.GELU, approximate="tanh"),
    )
    rates = calculate_drop_path_rates(drop_path_rate, depth)
    for block, rate in zip(model.blocks, rates, strict=True):
        block.drop_path = DropPath(rate)
    # The classifier stays at zero, as timm and the authors have it.
    for module in (*model.stem.modules(), *model.blocks.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d):
            lecun_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    network: nn.Module = model
    return network
