"""What a record says that a job has read is what it has read: nothing else among the results was opened."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.checkout import Checkout

# Python imports this before anything else, and tells a file of each result that a process opens to read.
SPY = """
import os, sys
def tell(event, arguments, log=os.environ.get("BAKEOFF_SPY"), here=os.getcwd()):
    if event != "open" or not log or not isinstance(arguments[0], str):
        return
    path, mode = os.path.abspath(arguments[0]), arguments[1] or "r"
    root = os.path.join(here, "results") + os.sep
    if path.startswith(root) and "r" in mode:
        line = f"{os.path.basename(sys.argv[0])}\\t{os.getpid()}\\t{path[len(root):]}\\n"
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line.encode())
        os.close(descriptor)
sys.addaudithook(tell)
"""
# Read by every job: what it is to make, and what it writes at last.
OWN = ("specs/", "records/", "logs/")
LIGHT = ("compare", "ablate", "claims", "plot", "report", "page", "deck", "provenance")
# As for a training: the digests of the arrays stand in meta.json, which is read.
IMAGES = {"data/test_images.npy"}


def test_a_record_names_all_that_its_job_has_read(
    built: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SPY)
    log = tmp_path / "log.txt"
    monkeypatch.setenv("BAKEOFF_SPY", str(log))
    source = built.folder / "src"
    for path in (built.folder / "results").rglob("*"):
        # Another test sets clocks, and Snakemake takes no input from the future.
        os.utime(path)
    done = built.snakemake("all", "--forcerun", *LIGHT, pythonpath=f"{tmp_path}:{source}")
    assert done.returncode == 0, done.stderr
    reads: dict[tuple[str, str], set[str]] = {}
    for line in log.read_text().splitlines():
        program, process, path = line.split("\t")
        reads.setdefault((program, process), set()).add(path)
    records = [
        json.loads(path.read_text())
        for path in (built.folder / "results" / "records").rglob("*.json")
    ]
    of_rules = {
        rule: [record for record in records if f"workflow/scripts/{rule}.py" in record["code"]]
        for rule in LIGHT
    }
    seen = set()
    for (program, _), paths in reads.items():
        rule = program.split(".")[-2] if program.endswith(".py") else ""
        if rule not in LIGHT:
            continue
        seen.add(rule)
        # Hidden ones are files that become results when they are whole.
        opened = {
            path
            for path in paths
            if not path.startswith(OWN) and not Path(path).name.startswith(".")
        } - IMAGES
        # A job reads back what it writes, too: a deck's pictures.
        candidates = [set(r["reads"]) | set(r["writes"]) for r in of_rules[rule]]
        assert any(opened <= known for known in candidates), (rule, sorted(opened))
    assert seen == set(LIGHT)
