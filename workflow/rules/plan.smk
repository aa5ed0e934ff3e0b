"""The plan: what the runs that are not yet done will take, and which GPUs each gets."""


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
