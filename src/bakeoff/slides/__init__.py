"""The deck: a ten-slide talk with backup slides, in English and Chinese, from the tables on disk.

`templates` holds what `config/slides.yaml` may contain, `results` reads the study, `findings` chooses
the sentences, `pictures` draws the figures, `talk` and `backup` draw one slide per function, and `deck`
puts them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bakeoff.slides.templates import check_slides

if TYPE_CHECKING:
    from bakeoff.slides.deck import build_deck

__all__ = ["build_deck", "check_slides"]


def __getattr__(name: str) -> Any:
    # python-pptx is loaded on first use only: `check_slides` runs each time the workflow is parsed.
    if name == "build_deck":
        from bakeoff.slides.deck import build_deck  # noqa: PLC0415

        return build_deck
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
