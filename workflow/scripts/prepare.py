"""Turn an archive, or nothing, into prepared arrays."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.data.config import DataConfig
    from bakeoff.data.preparation import prepare

    archive = Path(snakemake.input.archive[0]) if snakemake.input.archive else None
    prepare(DataConfig.model_validate(spec["data"]), archive, Path(snakemake.output.meta).parent)
