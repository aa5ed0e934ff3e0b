"""Judge what is open, and record which seeds are added next."""

import os
from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    from bakeoff.analysis.settle import settle
    from bakeoff.files import read_json, write_text
    from bakeoff.planning.measured import hours_of_a_run
    from bakeoff.settle import ANSWER

    root = Path(snakemake.config["results_root"])
    hours, unit = hours_of_a_run(root, spec["runs"])
    more, why = settle(spec, read_json(root / "specs/claims.json"), root, hours, unit)
    print(why)
    print(f"{root / 'settle'}: rounds.json, rounds.md, rounds.csv, rounds.tex")
    if answer := os.environ.get(ANSWER):
        write_text(Path(answer), "more" if more else "done")
    elif more:
        print(
            "The same command again trains them and looks again; `python -m bakeoff settle` repeats it."
        )
