"""What the workflow takes from the plan: GPUs, time and priority of each run."""

from bakeoff.planning.follow import allocated_gpus, assigned_to, assignments, forecast
from bakeoff.planning.machine import fleet

# The limits that Snakemake works within: `resources: gpu` of a profile, and `cores`.
DEVICES = fleet(
    workflow.global_resources.get("gpu").value, workflow.resource_settings.cores
)


@cache
def get_assignments():
    return assignments(RESOLVED.specs["plan"], Path(ROOT), DEVICES)


def get_assignment(wildcards):
    return assigned_to(wildcards.variant, int(wildcards.seed), get_assignments())


def get_gpus(wildcards):
    if not workflow.is_main_process:
        # A job of a cluster: the plan may have changed since it was submitted.
        gpus = allocated_gpus(os.environ)
        if gpus is not None:
            return gpus
    return get_assignment(wildcards).gpus


def get_priority(wildcards):
    return get_assignment(wildcards).priority


def get_group(wildcards):
    """Let small runs share jobs, if the profile says how many: `group-components: [small=8]`."""
    grouping = workflow.group_settings.group_components.get("small", 1) > 1
    return "small" if grouping and get_assignment(wildcards).is_small else None


def get_runtime(wildcards, attempt):
    return attempt * get_assignment(wildcards).minutes_allowed


def get_forecast():
    """Return how long the runs of this invocation will take; None where there are none, or it cannot be said."""
    wanted = {}
    for job in workflow.dag.needrun_jobs():
        if job.rule.name == "train":
            seeds = wanted.setdefault(job.wildcards.variant, [])
            seeds.append(int(job.wildcards.seed))
    if not wanted:
        return None
    try:
        spec = RESOLVED.specs["plan"]
        return forecast(spec, Path(ROOT), DEVICES, wanted, get_assignments())
    except Exception as error:
        # A forecast is not worth a study.
        print(f"No forecast: {type(error).__name__}: {error}", file=sys.stderr)
        return None
