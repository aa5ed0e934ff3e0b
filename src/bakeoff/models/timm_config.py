"""What timm knows about a network's weights, without building the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bakeoff.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from timm.models import PretrainedCfg


def pretrained_config(name: str) -> PretrainedCfg:
    """Return timm's description of `network` or `network.tag`: input, normalisation, classifier.

    Imports timm.

    Raises:
        UserError: timm has no such network, or no such weights for it.
    """
    import timm  # noqa: PLC0415 (most variants do without)

    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        raise UserError(
            f"timm {timm.__version__} has no model {name!r}"
            f"{did_you_mean(architecture, timm.list_models())}."
        )
    try:
        return timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError as error:
        known = timm.list_pretrained(f"{architecture}.*")
        raise UserError(
            f"timm {timm.__version__} has no weights {name!r}{did_you_mean(name, known)}; "
            f"it knows {', '.join(known) or 'none'} for this network."
        ) from error
