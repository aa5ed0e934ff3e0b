"""The command line of jobs that are started without Snakemake's `script:`, because torchrun has to start a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from bakeoff.jobs.frame import JobSpec


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Add what `job_of_options` needs, and the devices and processes of the job."""
    parser.add_argument("--root", type=Path, required=True, help="folder of the study's results")
    parser.add_argument("--spec", type=Path, required=True, help="what is to be made (JSON)")
    parser.add_argument("--reads", nargs="*", default=[], help="files that the job reads")
    parser.add_argument("--writes", nargs="+", required=True, help="files that it writes")
    parser.add_argument("--record", help="the one of them that tells how the others were made")
    parser.add_argument("--code", nargs="*", default=[], help="modules and files imported by name")
    parser.add_argument("--log-file", type=Path, help="file for the log, besides the terminal")
    parser.add_argument("--gpus", type=int, default=0, help="0: compute on the CPU")
    parser.add_argument("--processes", type=int, help="default: one for each GPU")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each process")


def job_of_options(rule: str, options: argparse.Namespace) -> JobSpec:
    """Return the job of a rule that the options describe."""
    return JobSpec(
        rule=rule,
        root=options.root,
        spec=options.spec,
        log=options.log_file,
        record=options.record,
        code=options.code,
        reads=options.reads,
        writes=options.writes,
    )
