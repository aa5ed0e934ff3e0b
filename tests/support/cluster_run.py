"""Looking into a run that trains on the cluster, and holding it still."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.cluster import Job, jobs, wait_for


@dataclass(frozen=True)
class Run:
    """One run of a project's only variant, by its seed."""

    project: Path
    seed: int
    variant: str = "resnet_20"
    root: str = "results"

    @property
    def folder(self) -> Path:
        """Where its five files go."""
        return self.project / self.root / "runs" / self.variant / f"seed{self.seed}"

    @property
    def log_file(self) -> Path:
        """The log of its present attempt, or of the last one."""
        return self.project / self.root / "logs" / "train" / self.variant / f"seed{self.seed}.log"

    def log(self) -> str:
        """Return what stands in the log."""
        return self.log_file.read_text(encoding="utf-8") if self.log_file.exists() else ""

    def resumed_at(self) -> int | None:
        """Return the step from which the present attempt went on."""
        return step_after("resumed at step", self.log())

    def job(self) -> Job:
        """Return its newest job."""
        name = f"train_wildcards_{self.variant}_{self.seed}"
        return [job for job in jobs() if job.rule == name][-1]

    def processes(self) -> list[psutil.Process]:
        """Return the processes that train it, without their launcher."""
        found = []
        for process in psutil.process_iter():
            try:
                words = process.cmdline()
                if not any(
                    word.endswith("scripts/train.py") for word in words
                ) or process.cwd() != str(self.project):
                    continue
                if (
                    words[words.index("--seed") + 1] == str(self.seed)
                    and "RANK" in process.environ()
                ):
                    found.append(process)
            except (psutil.NoSuchProcess, ValueError):
                continue
        return found

    def hold(self) -> None:
        """Stop its processes where they are."""
        for process in self.processes():
            process.suspend()

    def release(self) -> None:
        """Let stopped processes go on."""
        for process in self.processes():
            process.resume()

    def told(self, number: signal.Signals) -> bool:
        """Return whether a signal has reached every process of a run that is held."""
        return all(_pending(process, number) for process in self.processes())


@contextmanager
def held(text: str, *runs: Run) -> Iterator[None]:
    """Hold each run as soon as its log contains `text`; the block starts when all are held, and ends by letting go.

    What is held does not finish before its time, and takes no processor from others.
    """
    waiting = list(runs)

    def all_held() -> bool:
        for each in [each for each in waiting if text in each.log()]:
            each.hold()
            waiting.remove(each)
        return not waiting

    try:
        wait_for(all_held)
        yield
    finally:
        for each in runs:
            each.release()


def step_after(words: str, log: str) -> int | None:
    """Return the optimizer step that a log names after `words`."""
    found = re.search(rf"{words} (\d+)", log)
    return int(found[1]) if found else None


def _pending(process: psutil.Process, number: signal.Signals) -> bool:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    masks = re.findall(r"(?:SigPnd|ShdPnd):\s*([0-9a-f]+)", status)
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)
