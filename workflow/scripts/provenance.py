"""Write where all results come from, as an RO-Crate."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.provenance.crate import write_crate

    write_crate(spec, Path(snakemake.config["results_root"]))
