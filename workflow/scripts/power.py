"""Say what is open, and what would settle it."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.analysis.power import write_power
    from bakeoff.files import read_json
    from bakeoff.planning.measured import hours_of_a_run

    root = Path(snakemake.config["results_root"])
    seeds = {name: entry["seeds"] for name, entry in spec["variants"].items()}
    hours, unit = hours_of_a_run(root, seeds)
    print(write_power(spec, read_json(root / "specs/claims.json"), root, hours, unit))
    print(f"{root / 'power'}: power.md, power.csv, power.tex")
