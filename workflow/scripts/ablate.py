"""Make the table of one ablation."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.analysis.ablation import ablate

    ablate(spec, Path(snakemake.config["results_root"], "runs"), Path(snakemake.output.tables[0]))
