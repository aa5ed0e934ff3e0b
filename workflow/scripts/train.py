"""Train and evaluate one run. torchrun starts this file once for each process, with the same words."""

import argparse
import json
import sys
from pathlib import Path

from bakeoff.jobs.frame import frame
from bakeoff.launch.command import add_job_options, optional_path
from bakeoff.launch.processes import start


def main(words: list[str]) -> None:
    """Run the job that the command line describes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_job_options(parser)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder")
    parser.add_argument("--weights", type=optional_path, help="file of pretrained weights")
    parser.add_argument("--tensorboard", type=optional_path, help="folder of event files")
    parser.add_argument("--checkpoint-minutes", type=float, default=10.0)
    parser.add_argument("--cuda-graphs", type=json.loads, default=True, help="true or false")
    options = parser.parse_args(words)
    with frame(options.job, options.log_file) as spec:
        gpus = start(__file__, words, options.gpus, options.processes, options.threads)

        import torch

        from bakeoff.evaluation.results import RunPaths
        from bakeoff.evaluation.run import execute

        torch.set_num_threads(options.threads)
        metrics = next(path for path in options.job.writes if path.endswith("metrics.json"))
        paths = RunPaths(
            data=options.job.root / "data",
            out=Path(metrics).parent,
            checkpoints=options.checkpoints,
            weights=options.weights,
            tensorboard=options.tensorboard,
        )
        execute(
            spec,
            options.seed,
            paths,
            gpus,
            options.checkpoint_minutes,
            options.job.digests(),
            cuda_graphs=options.cuda_graphs,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
