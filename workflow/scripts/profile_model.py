"""Measure what a variant costs at inference."""

import argparse
import sys
from pathlib import Path

from bakeoff.jobs.frame import frame
from bakeoff.launch.command import add_job_options
from bakeoff.launch.processes import start


def main(words: list[str]) -> None:
    """Run the job that the command line describes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_job_options(parser)
    options = parser.parse_args(words)
    with frame(options.job, options.log_file) as spec:
        gpus = start(__file__, words, options.gpus, 1, options.threads)

        import torch

        from bakeoff.evaluation.profile import profile

        torch.set_num_threads(options.threads)
        profile(spec, Path(options.job.writes[0]), gpus)


if __name__ == "__main__":
    main(sys.argv[1:])
