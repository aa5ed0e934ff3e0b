"""Make the comparison tables."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.analysis.comparison import compare

    root = Path(snakemake.config["results_root"])
    folders = root / "runs", root / "profiles", root / "comparison"
    compare(spec, *folders, meta=snakemake.input.meta, reading=snakemake.input.reading)
