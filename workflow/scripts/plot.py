"""Draw one figure."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.figures.files import plot
    from bakeoff.figures.sheet import Sheet

    root, files = Path(snakemake.config["results_root"]), tuple(map(Path, snakemake.output[:3]))
    plot(snakemake.wildcards.figure, root, spec["ablations"], Sheet(files))
