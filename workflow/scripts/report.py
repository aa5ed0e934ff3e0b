"""Put all tables and figures on one page."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.analysis.report import write_report

    write_report(spec, Path(snakemake.config["results_root"]))
