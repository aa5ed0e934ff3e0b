"""Make the page to explore the study with."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.page.build import write_page

    write_page(spec, Path(snakemake.config["results_root"]))
