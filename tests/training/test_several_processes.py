"""What several processes of a run meet that one does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from bakeoff.support import checkpoint
from bakeoff.support.checkpoint import load_checkpoint, save_checkpoint
from bakeoff.support.interrupts import StopRequest
from bakeoff.training import loop
from bakeoff.training.batches import Step
from bakeoff.training.gradients import neutral_gradients
from bakeoff.training.loop import Task, Trainer
from bakeoff.training.recipe import Recipe
from tests.support.project import REPOSITORY
from tests.support.runs import SPEC


class Plain:
    """Images without augmentation."""

    def train_batch(self, indices: Tensor, epoch: int) -> Tensor:
        return torch.ones(len(indices), 3, 2, 2)

    eval_batch: Any = None

    def mix(self, images: Tensor, labels: Tensor, classes: int, seed: int) -> tuple[Tensor, Tensor]:
        return images, labels


def test_a_process_without_a_micro_batch_takes_a_scaled_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accelerator = Accelerator(cpu=True)
    accelerator.scaler = torch.amp.GradScaler("cpu")
    task = Task(
        title="idle",
        key="k",
        seed=0,
        images=Plain(),
        labels=torch.zeros(4, dtype=torch.int64),
        train=torch.arange(4),
        validation=torch.arange(4),
        classes=2,
        checkpoints=tmp_path,
    )
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    trainer = Trainer(network, Recipe.model_validate(SPEC["recipe"]), task, accelerator, _calm())
    monkeypatch.setattr(Step, "of_rank", lambda *_: ())
    sent = [torch.ones_like(each) * 2.0**16 for each in neutral_gradients(trainer.trained)]
    monkeypatch.setattr(loop, "sum_over_processes", lambda *_: sent)
    before = network[1].weight.detach().clone()
    trainer._train_step(0, torch.arange(4), trainer.epoch_steps[0])
    assert not torch.equal(network[1].weight, before)


def _calm() -> StopRequest:
    request = StopRequest.__new__(StopRequest)
    request.signal = None
    return request


@pytest.mark.parametrize("found", [None, {"key": "before"}], ids=["damaged", "another"])
def test_a_checkpoint_that_another_process_has_just_set_aside(
    found: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, 1, {"key": "before"})

    def read(path: Path) -> Any:
        path.unlink()
        return found

    monkeypatch.setattr(checkpoint, "_read", read)
    assert load_checkpoint(tmp_path, "after") is None


@pytest.mark.parametrize("processes", [2, 3, 4, 8])
def test_processes_sum_gradients_in_the_fixed_order(processes: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.exchange", str(processes), str(tmp_path)]
    # By path, because a job's environment, which other tests take on, has Python not look where it was started.
    paths = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    subprocess.run(command, check=True, timeout=120, env={**os.environ, "PYTHONPATH": paths})
    outcomes = [
        json.loads((tmp_path / f"{rank}.json").read_text(encoding="utf-8"))
        for rank in range(processes)
    ]
    assert all(outcome["equal"] and outcome["in_place"] for outcome in outcomes)
    if processes == 3:
        return
    # As many bytes as a ring sends, in as many rounds as the tree is deep, there and back.
    padded = outcomes[0]["numbers"] + -outcomes[0]["numbers"] % processes
    for outcome in outcomes:
        assert outcome["sent"] == 2 * (processes - 1) * padded // processes
        assert outcome["rounds"] == 2 * (processes.bit_length() - 1)
