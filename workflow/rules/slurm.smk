"""What a run on a Slurm cluster needs from the workflow; without Slurm, all of this does nothing."""

from bakeoff.launch.slurm import check_no_job_is_left, prefer_commands, relay_signals

if workflow.remote_exec:
    # This is Snakemake inside a job.
    relay_signals()


# Seconds to minutes on one core each: not worth a place in a queue. `download` needs the network, too, which nodes
# often do not have.
localrules:
    download,
    prepare,
    compare,
    ablate,
    claims,
    report,
    plot_accuracy_bars,
    plot_accuracy_vs_parameters,
    plot_accuracy_vs_time,
    plot_learning_curves,
    plot_superclass_confusion,
    plot_ablation_deltas,
    deck,


def check_queue():
    """Refuse to start runs that jobs of an earlier Snakemake still work on, and put right how states are asked."""
    try:
        check_no_job_is_left(Path.cwd())
    except UserError as error:
        raise WorkflowError(str(error)) from None
    if workflow.non_local_exec:
        prefer_commands(Path(workflow.basedir).parent / "profiles" / "slurm" / "bin")
