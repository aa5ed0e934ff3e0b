"""The jobs of the small study, as `Checkout.plan` names them."""

from __future__ import annotations

ECA = {
    "eca_resnet_20",
    "eca_resnet_20_k5",
    "eca_resnet_20_k7",
    "eca_resnet_20_k9",
    "eca_resnet_20_after_conv1",
    "eca_resnet_20_after_addition",
}
GHOST = {"ghost_resnet_20", "ghost_resnet_20_r3", "ghost_resnet_20_r4"}
COMPARED = {"resnet_20", "eca_resnet_20", "ghost_resnet_20"}

DECKS = {"deck en", "deck zh"}
COMPARISON_FIGURES = {
    "plot accuracy_bars",
    "plot accuracy_vs_parameters",
    "plot accuracy_vs_time",
    "plot learning_curves",
    "plot superclass_confusion",
}
END = {"claims", "report", "page", "provenance", *DECKS}
AFTER_COMPARISON = {"compare", *COMPARISON_FIGURES, *END}
ABLATIONS = {"ablate eca", "ablate ghost", "ablate attention_position"}
AFTER_RUNS = {*AFTER_COMPARISON, *ABLATIONS, "plot ablation_deltas"}


def runs(variants: set[str]) -> set[str]:
    """Return the jobs of all runs: those that are compared have two seeds."""
    second = {f"train {variant}/seed1" for variant in variants & COMPARED}
    return {f"train {variant}/seed0" for variant in variants} | second


def profiles(variants: set[str]) -> set[str]:
    return {f"profile_model {variant}" for variant in variants & COMPARED}


EVERY_RUN = runs({"resnet_20"} | ECA | GHOST)
EVERYTHING = {"prepare", *EVERY_RUN, *profiles(COMPARED), *AFTER_RUNS}
