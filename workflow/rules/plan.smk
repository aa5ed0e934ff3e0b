"""The plan: what the runs that are not yet done will take, and which GPUs each gets."""


rule plan:
    """Plan the runs that are not yet done. Trains nothing; always runs, because what is done changes."""
    input:
        spec=f"{MAIN.study.root}/specs/plan.json",
    log:
        f"{MAIN.study.root}/logs/plan.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    shell:
        f"python -m bakeoff plan --spec {{input.spec}} --root {MAIN.study.root}"
        f" --kind {DEVICES.kind} --devices {DEVICES.count} --log-file {{log}}"
