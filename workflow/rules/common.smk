"""The study, its jobs, and what is looked at before the first of them starts."""

import os
import sys
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from bakeoff.errors import UserError
from bakeoff.files import unwritable
from bakeoff.jobs.answers import answer
from bakeoff.jobs.frame import JobSpec, listed
from bakeoff.jobs.rules import Inputs, JobTable
from bakeoff.jobs.state import Staleness
from bakeoff.launch.command import job_text
from bakeoff.launch.environment import settle
from bakeoff.launch.slurm import check_no_job_is_left, prefer_commands, relay_signals
from bakeoff.models.hub import hub_answers
from bakeoff.provenance.archive import check_packable
from bakeoff.study.layers import read_arguments
from bakeoff.study.specs import LANGUAGES
from bakeoff.workflow import hold_root, load_asked, load_layout, save_specs

# Jobs, and what is asked before them, are processes that this one starts.
settle(os.environ)

if workflow.remote_exec:
    # This is Snakemake inside a job of Slurm's.
    relay_signals()


# What Snakemake says of outputs that a failed job leaves as they were: nothing that a person has to do.
# And what it misses of results that were copied without `.snakemake`, which it is not asked to judge.
QUIET = (
    "no backup found",
    "--keep-incomplete mode is set",
    "missing provenance/metadata",
)
logger.addFilter(lambda record: not any(text in record.getMessage() for text in QUIET))


def refuse(error):
    """End with one sentence for each mistake, at parse or while jobs are collected.

    An exception would be framed by Snakemake with a traceback, or swallowed where it can do without the rule.
    """
    print(error, file=sys.stderr)
    sys.exit(2)


def refuse_or_raise(error):
    """End with one sentence where a disk, a folder or its permissions are at fault."""
    if text := unwritable(error):
        refuse(text)
    raise error


def load():
    """Load the study, and what is asked of a target such as `why`."""
    try:
        given = read_arguments(workflow.config_settings.config_args or [])
        # A job is not left out because its machine has no network.
        ask = hub_answers if workflow.is_main_process else lambda: True
        return load_layout(workflow.overwrite_configfiles, given, ask), load_asked(
            given
        )
    except UserError as error:
        refuse(error)


RESOLVED, ASKED = load()
STUDY = RESOLVED.study
if STUDY.left_out:
    print(STUDY.left_out, file=sys.stderr)
ROOT = STUDY.root
# What scripts take for the root. Snakemake may read `--config results_root=2026` as a number.
config["results_root"] = ROOT
SCRIPTS = Path(workflow.basedir) / "scripts"
TABLE_SUFFIXES = ("csv", "md", "tex")
COMPARISON_TABLES = ("models", "families", "pairwise", "runs")

COMPARISON = expand(
    "<root>/comparison/{table}.csv", table=("models", "families", "pairwise")
)
ABLATIONS = expand("<root>/ablation/{ablation}.csv", ablation=STUDY.ablations)
FIGURES = expand(
    "<root>/figures/{figure}.{suffix}",
    figure=RESOLVED.figures,
    suffix=("png", "svg", "pdf"),
)
SLIDES = expand("<root>/slides/deck.{language}.pptx", language=LANGUAGES)
PRODUCTS = [
    *COMPARISON,
    *ABLATIONS,
    "<root>/claims/claims.csv",
    *FIGURES,
    *SLIDES,
    "<root>/report/report.md",
]


wildcard_constraints:
    variant="|".join(map(re.escape, sorted(RESOLVED.seeds))),
    seed="0|[1-9][0-9]*",
    ablation="|".join(sorted({*STUDY.ablations, "none"})),
    figure="|".join(RESOLVED.figures),
    language="|".join(LANGUAGES),
    weights="|".join(
        re.escape(lock.removesuffix(".lock.json")) for lock in RESOLVED.fetches
    )
    or "none",


# What is stale. `tracked` gives a rule its inputs; when all rules are read, STATE knows their jobs.
STALE = f".snakemake/bakeoff/stale-{os.getpid()}-{os.urandom(4).hex()}"
TRACKED = []
TOLD = 4
NO_SETTLE = (
    "settle: the configuration does not say what may be spent. Add settle: {gpu_hours: 20} to it, before the study is "
    "looked at if that can be; docs/statistics.md says what it does."
)
# Targets that make nothing: rules of staleness.smk and provenance.smk.
QUESTIONS = {"why", "clean_orphans", "trace"}


def tracked(check=None, **inputs):
    """Return the input function of a rule whose jobs are tracked by content, for `unpack`.

    Inputs are patterns, lists of patterns, or functions of the wildcards. `check` is called with the wildcards of a job
    that has to run, and raises a UserError where it cannot.

    `bakeoff.jobs` knows whether a job has to run. So all of its inputs are `ancient`, which means that Snakemake does not
    look at time stamps; and a job that was made and is stale gets one input more, which no job has made yet.
    """
    declared = Inputs(inputs, workflow.pathvars.apply)

    def get_inputs(wildcards):
        try:
            stale = workflow.is_main_process and is_stale(declared, wildcards, check)
            files = declared.files(wildcards)
        except UserError as error:
            refuse(error)
        except OSError as error:
            refuse_or_raise(error)
        if workflow.is_main_process and is_new(declared, wildcards):
            # Its outputs are missing, which is enough; but Snakemake would pass over a target that comes after a job that
            # has to run, if its inputs were `ancient`.
            return files
        found = {name: ancient(paths) for name, paths in files.items()}
        if not stale:
            return found
        # Snakemake asks for a file that is missing only where a job needs it that has to run anyway.
        workflow.dag.forcefiles.add(STALE)
        return {**found, "stale": STALE}

    TRACKED.append((get_inputs, declared))
    return get_inputs


def is_new(inputs, wildcards):
    """Return whether nothing exists yet of what a job writes."""
    return not state().made_before(state().jobs.name(inputs, wildcards))


@cache
def state():
    """Return the state of the study's jobs, looked at when it is first asked for."""
    return look()


def look():
    """Return the state of the study's jobs, looked at now."""
    # A rule keeps an input function as its text, which has the function's address.
    owners = {str(item): rule for rule in workflow.rules for item in rule.input}
    rules = [(owners[str(function)], inputs) for function, inputs in TRACKED]
    return Staleness(Path(ROOT), JobTable(Path(ROOT), RESOLVED.specs, rules))


def is_stale(inputs, wildcards, check):
    """Return whether a job that was made before has to run again, and say why, once, unless that follows from others."""
    name = state().jobs.name(inputs, wildcards)
    reasons = state().reasons(name)
    if reasons and check:
        check(wildcards)
    forced = state().jobs.rule(inputs) in workflow.dag.forcerules
    if (reasons or forced) and not workflow.output_settings.dryrun:
        # Before Snakemake looks at the files that the job will write: it has no word for a disk that is read-only.
        hold()
    if forced:
        # Snakemake passes over a forced job that comes after another one, because its inputs are `ancient`.
        return True
    if not reasons or not state().made_before(name):
        return False
    if not HAS_CONSOLE and (causes := state().causes(name)):
        tell(state().job(name).title, causes)
    return True


@cache
def hold():
    """Keep the root for this process; what is wrong with it shows here."""
    hold_root(Path(ROOT))


@cache
def tell(title, reasons):
    more = f"; and {len(reasons) - TOLD} more" if len(reasons) > TOLD else ""
    print(f"stale: {title}: {'; '.join(reasons[:TOLD])}{more}", file=sys.stderr)


def after_the_last_job(success):
    """Remove the file by which Snakemake has learned what is stale."""
    Path(STALE).unlink(missing_ok=True)
    send(Ended(success))


def before_the_first_job():
    """Look at what only the jobs of this invocation tell, and write the specs that they read.

    A job that fails leaves what was there before: outputs are `update`, so that they are not removed when it starts, and
    with `keep_incomplete` they are not removed when it has failed, neither here nor on a cluster's node. Files are whole
    or absent, and records say which belong together.
    """
    workflow.execution_settings.keep_incomplete = True
    planned = {job.rule.name for job in workflow.dag.needrun_jobs()}
    if planned <= QUESTIONS and not ASKED.remove:
        # A question writes nothing among results, and may be asked while they are made.
        return
    try:
        if "settle" in planned and STUDY.config.settle is None:
            raise UserError(NO_SETTLE)
        if "archive" in planned:
            check_packable(Path(ROOT), RESOLVED.specs["pack"]["configuration"])
        hold()
        check_no_job_is_left(Path.cwd())
        if "train" in planned and "prepare" not in planned:
            RESOLVED.check_images(state())
        save_specs(RESOLVED)
    except UserError as error:
        refuse(error)
    except OSError as error:
        refuse_or_raise(error)
    if workflow.non_local_exec:
        prefer_commands(Path(workflow.basedir).parent / "profiles" / "slurm" / "bin")
    if HAS_CONSOLE:
        tell_plan()
    elif forecast := get_forecast():
        print(forecast, file=sys.stderr)


# Files of runs that rules read.
def comparison_runs(*names):
    return RESOLVED.run_files(names, RESOLVED.comparison_runs())


def ablation_runs(*names):
    return lambda wildcards: RESOLVED.run_files(
        names, RESOLVED.ablation_runs(wildcards.ablation)
    )


# What the rules of training, planning and staleness ask.
def get_code(wildcards):
    """Return what the scripts import by name: the module, or the user's file, of the variant's network."""
    return RESOLVED.builder_code(wildcards.variant)


def get_job(name, spec):
    """Return the function that puts a job of the rule `name` into one word of its command line."""

    def get(wildcards, input, output):
        job = JobSpec(
            name,
            ROOT,
            f"{ROOT}/specs/{spec}/{wildcards.variant}.json",
            record=str(output.record),
            code=get_code(wildcards),
            reads=listed(input),
            writes=listed(output),
        )
        return job_text(job)

    return get


def get_weights(wildcards):
    """Return the file of pretrained weights that a run starts from; nothing for a run from scratch."""
    return str(RESOLVED.weights.get(wildcards.variant, ""))


def get_tensorboard(wildcards):
    folder = f"{ROOT}/tensorboard/{wildcards.variant}/seed{wildcards.seed}"
    return folder if STUDY.config.tensorboard else ""


def get_pending(wildcards):
    """Return {variant: seeds} of the runs that are still to be trained."""
    return {
        variant: pending
        for variant, seeds in RESOLVED.seeds.items()
        if (
            pending := [
                seed for seed in seeds if state().reasons(f"runs/{variant}/seed{seed}")
            ]
        )
    }


def reply(question, log):
    """Answer a question of `bakeoff.jobs.answers` in a rule's `run` block."""
    try:
        answer(lambda: question(RESOLVED, look, ASKED), log)
    except UserError as error:
        # Not sys.exit, which would end a thread of Snakemake's and leave the rest waiting.
        raise WorkflowError(str(error)) from None
