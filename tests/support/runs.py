"""Small real runs for tests: prepared data, specs, and the command line that trains them."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bakeoff.jobs.frame import JobSpec
from bakeoff.launch.command import job_text
from bakeoff.models.registry import builder_code
from bakeoff.study.layers import merge
from tests.support.project import REPOSITORY, project_environment
from tests.support.study import recipe, small_study

# Not a multiple of any batch.
DATA = merge(small_study()["data"], {"shapes": {"test_images": 203}, "limit": {}})
SPEC: dict[str, Any] = {
    "variant": "small",
    "model": {"builder": "cifar_resnet", "args": {"depth": 8}, "input_policy": "native32", "pretrained": False},
    "recipe": recipe(
        {
            **{"epochs": 2, "global_batch": 100, "micro_batch": 25, "warmup_epochs": 1, "label_smoothing": 0.1},
            "optimizer": {"nesterov": True, "weight_decay": 0.0005},
            "augmentation": {"crop_padding": 4, "flip": True},
        }
    ),
    "deterministic": False,
    "versions": {},
}  # fmt: skip


# Of the code that a run executes, as the script of the rule `train` passes them on.
CODE = JobSpec("train", Path(), Path(), code=builder_code("cifar_resnet")).digests()


def spec_with(
    changes: dict[str, Any] | None = None, model: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return SPEC with parts of its recipe and model replaced."""
    spec = copy.deepcopy(SPEC)
    spec["recipe"].update(changes or {})
    # A warm-up has to end before the run.
    spec["recipe"]["warmup_epochs"] = min(
        spec["recipe"]["warmup_epochs"], spec["recipe"]["epochs"] / 2
    )
    spec["model"].update(model or {})
    return spec


def prepare_data(folder: Path) -> Path:
    """Prepare the small data set in `folder`/data and return that folder."""
    from bakeoff.data import DataConfig, prepare  # noqa: PLC0415

    prepare(DataConfig.model_validate(DATA), None, folder / "data")
    return folder / "data"


def train_command(
    spec: dict[str, Any], data: Path, folder: Path, *options: str, seed: int = 0
) -> list[str]:
    """Write the spec to `folder` and return the command that trains it into `folder`/run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.json").write_text(json.dumps(spec))
    job = JobSpec(
        rule="train",
        root=data.parent,
        spec=folder / "spec.json",
        code=builder_code(spec["model"]["builder"]),
        writes=(str(folder / "run" / "metrics.json"),),
    )
    return [
        sys.executable, str(REPOSITORY / "workflow" / "scripts" / "train.py"),
        "--job", job_text(job),
        "--seed", str(seed),
        "--checkpoints", str(folder / "checkpoints"),
        "--log-file", str(folder / "log.txt"),
        *options,
    ]  # fmt: skip


def train(
    spec: dict[str, Any], data: Path, folder: Path, *options: str, seed: int = 0
) -> subprocess.CompletedProcess[str]:
    """Train in processes of its own and return the finished process."""
    return subprocess.run(
        train_command(spec, data, folder, *options, seed=seed),
        cwd=REPOSITORY,
        env=project_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
