"""Write the data card."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.data_card.page import write_card

    root = Path(snakemake.config["results_root"])
    write_card(spec["title"], root / "data", Path(snakemake.output.card).parent)
    print(f"{snakemake.output.card}, {snakemake.output.figure}")
