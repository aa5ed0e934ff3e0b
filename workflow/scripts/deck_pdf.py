"""Turn a deck into PDF, where LibreOffice is."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake):
    from bakeoff.slides.pdf import write_pdf

    write_pdf(Path(snakemake.input.deck), Path(snakemake.output.pdf))
