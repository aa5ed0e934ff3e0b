"""Fetch the official archive."""

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.data.config import DataConfig
    from bakeoff.data.fetch import download

    download(DataConfig.model_validate(spec), snakemake.output.archive)
