"""Targets that ask or settle what is stale. They make no results; their answers are also kept as logs."""

from bakeoff.jobs.answers import adopt_results, clean_orphans, say_why


rule stale:
    """No job of the study: by this file, which is never there before, Snakemake learns which jobs are stale."""
    output:
        touch(STALE),
    localrule: True


rule why:
    """Say why a file is stale: snakemake why --config target=results/comparison/models.csv"""
    log:
        "resources/logs/why.log",
    localrule: True
    run:
        reply(say_why, log[0])


rule adopt:
    """Accept results as current after a harmless change: snakemake adopt --config reason='renamed a variable'"""
    log:
        "resources/logs/adopt.log",
    localrule: True
    run:
        reply(adopt_results, log[0])


rule clean_orphans:
    """List what the study no longer has; remove it with --config remove=true"""
    log:
        "resources/logs/clean_orphans.log",
    localrule: True
    run:
        reply(clean_orphans, log[0])
