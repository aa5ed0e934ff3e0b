"""MLP-Mixer sized for small images, from timm's MlpMixer class.

Tolstikhin et al., "MLP-Mixer: An all-MLP Architecture for Vision", NeurIPS 2021. The paper's
smallest network is S/32 (8 blocks of width 512); no "tiny" is published. This one keeps the 8
blocks and the MLP ratios and takes width 192, the tiny width of DeiT (Touvron et al. 2021).
"""

from __future__ import annotations

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
    """Build an MLP-Mixer of `depth` blocks of width `dim`.

    `patch_size` is 4 with `native32` (64 tokens at 32x32) and 16 with `resize224` (196 tokens, as
    the paper's /16 networks) unless given. The token-mixing MLP is learned for one number of
    tokens: the network takes images of `image_size` only. Raises UserError if the patches do not
    divide it.
    """
    if patch_size is None:
        patch_size = 4 if input_policy == "native32" else 16
    if patch_size < 1 or image_size < 1 or image_size % patch_size:
        raise UserError(
            f"Builder 'mlp_mixer' cuts the image into patches of patch_size {patch_size}, which "
            f"does not divide image_size {image_size}: set the argument patch_size to a divisor."
        )
    model: nn.Module = MlpMixer(
        num_classes=num_classes,
        img_size=image_size,
        patch_size=patch_size,
        num_blocks=depth,
        embed_dim=dim,
        drop_rate=drop_rate,
        drop_path_rate=drop_path_rate,
    )
    return model
