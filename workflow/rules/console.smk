"""What the project's own logger is told: the plan before the first job, and how the invocation ended."""

from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import get_event
from snakemake_interface_logger_plugins.common import LogEvent

from bakeoff.console.events import Begun, Ended
from bakeoff.console.plan import KINDS, Plan, PlannedJob
from bakeoff.console.study import study_of
from bakeoff.jobs.frame import CONSOLE
from bakeoff.jobs.records import job_name

HAS_CONSOLE = (
    workflow.is_main_process
    and "bakeoff" in workflow.output_settings.log_handler_settings
)
if HAS_CONSOLE:
    # Jobs of this machine write to their logs only.
    os.environ[CONSOLE] = "1"
elif workflow.is_main_process or workflow.remote_exec:
    os.environ.pop(CONSOLE, None)
elif CONSOLE in os.environ:
    # Snakemake inside a job of this machine: what fails here, the main process tells.
    logger.addFilter(lambda record: False)


def send(event):
    """Tell the logger plugin; other handlers of the log pass over it."""
    if HAS_CONSOLE:
        logger.info("", extra={"bakeoff": event})


@cache
def get_study():
    return study_of(Path(ROOT), RESOLVED.specs)


def planned(job):
    """Return what the plan says of a job that has to run."""
    record = job.output.get("record")
    if record is None:
        return PlannedJob(job.rule.name, job.rule.name, is_new=True)
    name = job_name(Path(ROOT), record)
    run = None
    if job.rule.name == "train":
        run = get_study().run(job.wildcards.variant, int(job.wildcards.seed))
    if not state().jobs.describes(name):
        # A seed, for example, that the study has not, and that was asked for by hand.
        return PlannedJob(job.rule.name, name, run)
    is_new = not state().made_before(name)
    return PlannedJob(job.rule.name, name, run, is_new, state().reasons(name))


@cache
def tell_plan():
    """Tell what this invocation will do, when the graph of its jobs is complete."""
    jobs = [job for job in workflow.dag.needrun_jobs() if job.rule.name in KINDS]
    records = (job.output.get("record") for job in workflow.dag.jobs)
    names = frozenset(job_name(Path(ROOT), record) for record in records if record)
    if not jobs and (not names or len(workflow.dag)):
        # A question, or what makes no results.
        return
    plan = Plan(
        get_study(),
        tuple(map(planned, jobs)),
        names,
        get_forecast(),
        workflow.output_settings.dryrun,
        workflow.execution_settings.keep_going,
        workflow.execution_settings.retries,
    )
    send(Begun(plan, Path.cwd() if workflow.non_local_exec else None))


def when_planned(record):
    """Let a dry run, and one that finds nothing to do, tell the plan: no hook of Snakemake's is called then."""
    is_dry = workflow.output_settings.dryrun
    if record.msg == NOTHING_TO_BE_DONE_MSG or (
        is_dry and get_event(record) is LogEvent.RUN_INFO
    ):
        tell_plan()
    return True


if HAS_CONSOLE:
    logger.addFilter(when_planned)
