"""Fetch, check and lock a file of pretrained weights."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake, online=True) as spec:
    from bakeoff.models.fetch import fetch_weights

    fetch_weights(spec, Path(snakemake.params.file))
