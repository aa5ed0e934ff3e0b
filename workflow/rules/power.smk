"""What the study leaves open, and what would settle it."""


rule power:
    """Say how many more seeds each open question needs, and what they cost. Trains nothing more; always runs."""
    input:
        COMPARISON,
        ABLATIONS,
        "<root>/claims/claims.csv",
    log:
        "<root>/logs/power.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        spec="plan",
    script:
        "../scripts/power.py"


rule settle:
    """Judge what is open and record which seeds are added next, within the budget. Trains what is recorded; always runs."""
    input:
        COMPARISON,
        ABLATIONS,
        "<root>/claims/claims.csv",
    log:
        "<root>/logs/settle.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        spec="settle",
    script:
        "../scripts/settle.py"
