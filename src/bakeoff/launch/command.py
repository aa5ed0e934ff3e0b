"""The command line of jobs that are started without Snakemake's `script:`, because torchrun has to start a file."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from bakeoff.jobs.frame import JobSpec


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Add the job itself, and its devices and processes."""
    parser.add_argument("--job", type=read_job, required=True, help="what `job_text` returns")
    parser.add_argument("--log-file", type=Path, help="file for the log, besides the terminal")
    parser.add_argument("--gpus", type=int, default=0, help="0: compute on the CPU")
    parser.add_argument("--processes", type=int, help="default: one for each GPU")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each process")


def job_text(job: JobSpec) -> str:
    """Return a job as one word of a command line."""
    return json.dumps(asdict(job), default=str, ensure_ascii=False)


def read_job(text: str) -> JobSpec:
    """Return the job of a command line."""
    content = json.loads(text)
    paths = {key: Path(content[key]) for key in ("root", "spec")}
    return JobSpec(**{**content, **paths})


def optional_path(text: str) -> Path | None:
    """Return the path that an option gives; none for an empty one."""
    return Path(text) if text else None
