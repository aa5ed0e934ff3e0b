"""The plan: what the runs that are not yet done will take, and which GPUs each gets."""


def get_pending(wildcards):
    """Return {variant: seeds} of the runs that are still to be trained."""
    return {
        variant: pending
        for variant, seeds in LAYOUT.seeds.items()
        if (
            pending := [
                seed for seed in seeds if state().reasons(f"runs/{variant}/seed{seed}")
            ]
        )
    }


rule plan:
    """Plan the runs that are not yet done. Trains nothing; always runs, because what is done changes."""
    log:
        "<root>/logs/plan.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        spec="plan",
        kind=DEVICES.kind,
        devices=DEVICES.count,
        pending=get_pending,
    script:
        "../scripts/plan.py"
