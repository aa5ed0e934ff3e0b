"""Whether the Hugging Face hub can be asked, without its client, which takes long to import."""

from __future__ import annotations

import os

PATIENCE = 5.0
"""Seconds that the hub has to answer."""


def endpoint() -> str:
    """Return the address of the hub, or of the mirror that the environment names."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def hub_answers(patience: float = PATIENCE) -> bool:
    """Return whether the hub answers; proxies of the environment are used."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    # Its imports take long, too, and few studies ask.
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    try:
        request = urllib.request.Request(endpoint(), method="HEAD")
        urllib.request.urlopen(request, timeout=patience).close()
    except urllib.error.HTTPError as error:
        # An answer, if it is not that of a proxy that cannot reach the hub.
        return error.code not in (502, 503, 504)
    except (OSError, ValueError):
        return False
    return True
