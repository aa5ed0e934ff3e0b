"""The studies, and the functions by which rules ask for their inputs."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from bakeoff.errors import UserError
from bakeoff.study.layers import read_arguments
from bakeoff.questions import adopt_results, answer, clean_orphans, say_why
from bakeoff.workflow import (
    LANGUAGES,
    archive_of,
    fetches,
    figures,
    load_asked,
    load_layouts,
    save_specs,
    weights_lock,
)


def refuse(error):
    """End with one sentence for each mistake, at parse or while jobs are collected.

    An exception would be framed by Snakemake with a traceback, or swallowed where it can do without the rule.
    """
    print(error, file=sys.stderr)
    sys.exit(2)


def load():
    """Load what is asked, the main study and the demo, and write the specs that their jobs read."""
    try:
        given = read_arguments(workflow.config_settings.config_args or [])
        asked = load_asked(given)
        layouts = load_layouts(workflow.overwrite_configfiles, given)
        if workflow.is_main_process:
            for layout in layouts.values():
                save_specs(layout, dry_run=workflow.output_settings.dryrun)
    except UserError as error:
        refuse(error)
    return layouts, asked


LAYOUTS, ASKED = load()
FETCHES = fetches(LAYOUTS.values())
MAIN, DEMO = list(LAYOUTS.values())[0], list(LAYOUTS.values())[-1]


wildcard_constraints:
    root="|".join(map(re.escape, LAYOUTS)),
    variant="|".join(
        sorted({run for layout in LAYOUTS.values() for run in layout.seeds})
    ),
    seed="0|[1-9][0-9]*",
    ablation="|".join(
        sorted(
            {name for layout in LAYOUTS.values() for name in layout.study.ablations}
            | {"none"}
        )
    ),
    language="|".join(LANGUAGES),
    weights="|".join(re.escape(lock.removesuffix(".lock.json")) for lock in FETCHES)
    or "none",


def tracked(job, **inputs):
    """Return the input function of a rule whose job is tracked by content.

    `bakeoff.staleness` knows whether the job has to run. If not, all of its inputs are `ancient`: Snakemake then does not
    look at their time stamps. If it has to, they are what they are, and the tick, which is newer than everything,
    is the input that tells Snakemake so.

    Inputs are patterns, lists of patterns, or functions of the wildcards.
    """

    def get_inputs(wildcards):
        layout = LAYOUTS[wildcards.root]
        name = job.format(**wildcards)
        try:
            stale = layout.is_stale(name)
            files = {key: resolve(value, wildcards) for key, value in inputs.items()}
        except UserError as error:
            refuse(error)
        if stale and workflow.is_main_process:
            layout.tell(name)
        files["tick"] = [f"{wildcards.root}/specs/tick"]
        return (
            files
            if stale
            else {key: [ancient(f) for f in value] for key, value in files.items()}
        )

    return get_inputs


def reply(question, log):
    """Answer a question of `bakeoff.questions` in a rule's `run` block."""
    try:
        answer(question, LAYOUTS, ASKED, log)
    except UserError as error:
        # Not sys.exit, which would end a thread of Snakemake's and leave the rest waiting.
        raise WorkflowError(str(error)) from None


def resolve(value, wildcards):
    if callable(value):
        return value(wildcards)
    return [
        pattern.format(**wildcards)
        for pattern in ([value] if isinstance(value, str) else value)
    ]


def get_archive(wildcards):
    return archive_of(LAYOUTS[wildcards.root])


def get_weights_lock(wildcards):
    return weights_lock(LAYOUTS[wildcards.root], wildcards.variant, wildcards.seed)


def get_weights_file(wildcards, input):
    # A function of `input`, because Snakemake does not track those: what the weights are is in their lock.
    return str(LAYOUTS[wildcards.root].weights.get(wildcards.variant, ""))


def get_fetched_file(wildcards, output):
    return str(FETCHES[output.lock][0])


def get_fetch_spec(wildcards, output):
    return FETCHES[output.lock][1]


def get_comparison_runs(wildcards):
    layout = LAYOUTS[wildcards.root]
    return layout.run_files("metrics.json", layout.comparison_runs())


def get_profiles(wildcards):
    layout = LAYOUTS[wildcards.root]
    return [
        f"{wildcards.root}/profiles/{variant}.json" for variant in layout.profiled()
    ]


def get_ablation_runs(wildcards):
    layout = LAYOUTS[wildcards.root]
    return layout.run_files("metrics.json", layout.ablation_runs(wildcards.ablation))


def get_ablation_tables(wildcards):
    return ablation_targets(LAYOUTS[wildcards.root])


def get_table_specs(wildcards):
    names = [
        "comparison",
        *(f"ablations/{name}" for name in LAYOUTS[wildcards.root].study.ablations),
    ]
    return [f"{wildcards.root}/specs/{name}.json" for name in names]


def get_download_spec(wildcards, output):
    # A function of `output`, because Snakemake does not track those: another list of mirrors, or another study
    # that needs the archive, must not download it again.
    return f"{MAIN.study.root}/specs/download.json"


def get_tensorboard(wildcards, output):
    # A function of `output`, which Snakemake does not track: watching a run does not change it.
    folder = f"{wildcards.root}/tensorboard/{wildcards.variant}/seed{wildcards.seed}"
    return folder if LAYOUTS[wildcards.root].study.config.tensorboard else ""


def get_checkpoint_minutes(wildcards, output):
    # A function of `output`, which Snakemake does not track: how often a run is saved does not change it.
    return LAYOUTS[wildcards.root].study.config.checkpoint_minutes


def get_figures(wildcards):
    return figure_targets(LAYOUTS[wildcards.root])


def comparison_targets(layout):
    return [
        f"{layout.study.root}/comparison/{name}.csv"
        for name in ("models", "families", "pairwise")
    ]


def ablation_targets(layout):
    return [
        f"{layout.study.root}/ablation/{name}.csv" for name in layout.study.ablations
    ]


def figure_targets(layout):
    return [
        f"{layout.study.root}/figures/{name}.{suffix}"
        for name in figures(layout)
        for suffix in ("png", "svg")
    ]


def slide_targets(layout):
    return [
        f"{layout.study.root}/slides/deck.{language}.pptx" for language in LANGUAGES
    ]


def product_targets(layout):
    return [
        *comparison_targets(layout),
        *ablation_targets(layout),
        f"{layout.study.root}/claims/claims.csv",
        *figure_targets(layout),
        *slide_targets(layout),
        f"{layout.study.root}/report/report.md",
    ]


def study_targets(layout):
    return [
        *product_targets(layout),
        f"{layout.study.root}/provenance/ro-crate-metadata.json",
    ]


def get_products(wildcards):
    return product_targets(LAYOUTS[wildcards.root])
