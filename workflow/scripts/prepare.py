"""Turn what the data are read from, or nothing, into prepared arrays."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.data.config import DataConfig
    from bakeoff.data.preparation import prepare

    config, sources = DataConfig.model_validate(spec["data"]), snakemake.input.sources
    prepare(config, Path(sources[0]) if sources else None, Path(snakemake.output.meta).parent)
