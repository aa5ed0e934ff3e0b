"""Fetch the official archive."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.data.config import DataConfig

    DataConfig.model_validate(spec["data"]).download(Path(snakemake.output.archive))
