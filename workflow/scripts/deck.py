"""Make the slide deck in one language."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.slides.deck import build_deck

    root = Path(snakemake.config["results_root"])
    out = Path(snakemake.output.deck).parent
    build_deck(spec, root, snakemake.wildcards.language, out, snakemake.params.steps)
