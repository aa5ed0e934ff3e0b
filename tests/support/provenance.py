"""What tests of provenance share: the names of their study, and its command line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from bakeoff.provenance.trace import TraceStep
from tests.support.project import project_environment

NOTHING = "Nothing to be done"
COMPARED = ("ghost_resnet_20", "resnet_20")
RUNS = [f"runs/{variant}/seed{seed}" for variant in COMPARED for seed in (0, 1)]
DECK = "slides/deck.en.pptx"
KEPT = ("metrics.json", "history.csv", "predictions.npz", "provenance.json")


def is_testable(measure: dict[str, str]) -> bool:
    """Return whether the small study has the arm that a claim is about."""
    return measure.get("ablation") != "ghost" or measure["arm"] in ("ratio 2", "best")


def bakeoff(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bakeoff", *arguments],
        cwd=folder,
        env=project_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def rules(text: str) -> list[str]:
    """Return the rules that ran, or would run, without targets."""
    found = re.findall(r"^(?:local)?rule (\w+):", text, flags=re.MULTILINE)
    return sorted(rule for rule in found if rule not in ("all", "figures"))


def texts(step: TraceStep) -> list[str]:
    return [step.text, *(text for cause in step.causes for text in texts(cause))]
