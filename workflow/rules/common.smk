"""The studies, and the functions by which rules ask for their inputs."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from bakeoff.errors import UserError
from bakeoff.workflow import LANGUAGES, archive_of, figures, load_plans, save_specs


def load():
    """Load the main study and the demo, and write the specs that their jobs read."""
    try:
        plans = load_plans(
            workflow.overwrite_configfiles,
            workflow.config_settings.config,
            Path(workflow.basedir) / "schemas",
        )
    except UserError as error:
        # One sentence for each mistake, and no traceback: the user has to read this.
        print(f"The configuration is not usable:\n{error}", file=sys.stderr)
        sys.exit(2)
    if workflow.is_main_process:
        for plan in plans.values():
            save_specs(plan, dry_run=workflow.output_settings.dryrun)
    return plans


PLANS = load()
MAIN, DEMO = list(PLANS.values())[0], list(PLANS.values())[-1]


wildcard_constraints:
    root="|".join(map(re.escape, PLANS)),
    variant="|".join(sorted({run for plan in PLANS.values() for run in plan.seeds})),
    seed="0|[1-9][0-9]*",
    ablation="|".join(sorted({name for plan in PLANS.values() for name in plan.study.ablations} | {"none"})),
    language="|".join(LANGUAGES),


def get_archive(wildcards):
    try:
        return archive_of(PLANS[wildcards.root])
    except UserError as error:
        raise WorkflowError(str(error)) from None


def get_comparison_runs(wildcards):
    plan = PLANS[wildcards.root]
    return plan.run_files("metrics.json", plan.comparison_runs())


def get_profiles(wildcards):
    plan = PLANS[wildcards.root]
    return [f"{wildcards.root}/profiles/{variant}.json" for variant in plan.profiled()]


def get_ablation_runs(wildcards):
    plan = PLANS[wildcards.root]
    return plan.run_files("metrics.json", plan.ablation_runs(wildcards.ablation))


def get_ablation_tables(wildcards):
    return ablation_targets(PLANS[wildcards.root])


def get_figures(wildcards):
    return figure_targets(PLANS[wildcards.root])


def comparison_targets(plan):
    return [f"{plan.study.root}/comparison/{name}.csv" for name in ("models", "families", "pairwise")]


def ablation_targets(plan):
    return [f"{plan.study.root}/ablation/{name}.csv" for name in plan.study.ablations]


def figure_targets(plan):
    return [f"{plan.study.root}/figures/{name}.{suffix}" for name in figures(plan) for suffix in ("png", "svg")]


def slide_targets(plan):
    return [f"{plan.study.root}/slides/deck.{language}.pptx" for language in LANGUAGES]


def study_targets(plan):
    return [
        *comparison_targets(plan),
        *ablation_targets(plan),
        f"{plan.study.root}/claims/claims.csv",
        *figure_targets(plan),
        *slide_targets(plan),
        f"{plan.study.root}/report/report.md",
    ]
