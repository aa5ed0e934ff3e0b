"""Plan the runs that are not yet done."""

from pathlib import Path

from bakeoff.jobs.frame import job

with job(snakemake) as spec:
    import torch

    from bakeoff.planning.machine import Fleet
    from bakeoff.planning.plan import make_plan
    from bakeoff.planning.summary import in_words

    # As a run on the CPU has it: one core.
    torch.set_num_threads(1)
    root, params = Path(snakemake.config["results_root"]), snakemake.params
    print(in_words(make_plan(spec, root, Fleet(params.kind, params.devices), params.pending)))
    print(f"{root / 'plan'}: schedule.md, gantt.png, summary.json")
