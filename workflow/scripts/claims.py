"""Test the published claims."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.analysis.claims import judge_claims

    comparison = Path(snakemake.input.models).parent
    out = Path(snakemake.output.tables[0]).parent
    judge_claims(spec, comparison, snakemake.input.ablations, out)
