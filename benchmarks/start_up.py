"""How long a run takes from the start of its process to its first optimizer step, beside `import torch`.

    python benchmarks/start_up.py --variant resnet_20

The run is the demo's, started as the workflow starts it; it ends itself after the first step. The least that any
PyTorch training needs is measured too: the step of an optimizer on a single number, which imports the compiler. All
are started in turns, and medians are compared. Nothing is written outside of a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bakeoff.jobs.frame import JobSpec
from bakeoff.launch.command import job_text
from bakeoff.workflow import load_layout
from common import ROOT, drawn_data, show

# Runs the script of the rule `train` up to the first step, which is its rehearsal's.
UNTIL_FIRST_STEP = """
import os, runpy, sys
from torch.optim.optimizer import register_optimizer_step_post_hook
register_optimizer_step_post_hook(lambda *_: os._exit(0))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

LEAST = """
import torch
number = torch.zeros(1, requires_grad=True)
number.sum().backward()
torch.optim.SGD([number], lr=0.1).step()
"""


def seconds(command: list[str], threads: int) -> tuple[float, float]:
    """Return wall time and processor time of a command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", default="resnet_20", help="of the demo")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    os.chdir(ROOT)
    layout = load_layout(["config/demo.yaml"], {})
    folder = Path(tempfile.mkdtemp(prefix="bakeoff-benchmark-"))
    (folder / "spec.json").write_text(json.dumps(layout.specs[f"runs/{options.variant}"]))
    job = JobSpec(
        rule="train",
        root=drawn_data(1000).parent,
        spec=folder / "spec.json",
        writes=(str(folder / "run" / "metrics.json"),),
    )
    arguments = {
        "--job": job_text(job),
        "--seed": 0,
        "--checkpoints": folder / "checkpoints",
        "--log-file": folder / "log.txt",
    }
    words = [str(word) for pair in arguments.items() for word in pair]
    script = str(ROOT / "workflow" / "scripts" / "train.py")
    run = [sys.executable, "-c", UNTIL_FIRST_STEP, script, *words]
    commands = {
        "first_step": run,
        "least": [sys.executable, "-c", LEAST],
        "import_torch": [sys.executable, "-c", "import torch"],
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(options.rounds + 1):
        for name, command in commands.items():
            times[name].append(seconds(command, options.threads))
    # The first round read the files from the disk.
    wall = {name: statistics.median(each[0] for each in times[name][1:]) for name in commands}
    used = {name: statistics.median(each[1] for each in times[name][1:]) for name in commands}
    show(
        f"From the start of the process to the first step of {options.variant}",
        {
            "variant": options.variant,
            "threads": options.threads,
            **{f"{name}_s": value for name, value in wall.items()},
            "over_import_torch": wall["first_step"] / wall["import_torch"],
            "over_import_torch_processor_time": used["first_step"] / used["import_torch"],
            "over_least": wall["first_step"] / wall["least"],
        },
    )


if __name__ == "__main__":
    main()
