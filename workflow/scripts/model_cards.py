"""Write the model cards and the table of all models."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.models.cards import write_cards

    out = Path(snakemake.output.table).parent
    write_cards(spec["models"], out, spec["num_classes"], spec["image_size"])
