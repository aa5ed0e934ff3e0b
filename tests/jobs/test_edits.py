"""A table of edits: each on a complete study, with exactly the jobs that it must cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.checkout import Checkout, copy_repository, jobs_of
from tests.support.small_jobs import (
    AFTER_COMPARISON,
    AFTER_RUNS,
    COMPARED,
    COMPARISON_FIGURES,
    DECKS,
    ECA,
    END,
    EVERY_RUN,
    EVERYTHING,
    profiles,
    runs,
)

# A variant's seeds in the comparison count in the ablations that have it as an arm.
AFTER_LOSS_OF_ECA = {
    *AFTER_COMPARISON,
    "ablate eca",
    "ablate attention_position",
    "plot ablation_deltas",
}

# file, text, new text, jobs
EDITS = {
    "how images are drawn": (
        "src/bakeoff/data/drawn/drawing.py",
        "BEHIND, IN_FRONT = 5, 3",
        "BEHIND, IN_FRONT = 5, 4",
        {"prepare", *EVERY_RUN, *AFTER_RUNS},
    ),
    "another kind of data": (
        "src/bakeoff/data/kinds/cifar10.py",
        "classes=10,",
        "classes=11,",
        set(),
    ),
    "a comment in eca.py": (
        "src/bakeoff/models/eca.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\n# A comment.\n",
        set(),
    ),
    "real code in eca.py": (
        "src/bakeoff/models/eca.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nUNUSED = 1\n",
        {
            *runs(ECA),
            *profiles(ECA),
            *AFTER_COMPARISON,
            "ablate eca",
            "ablate attention_position",
            "plot ablation_deltas",
        },
    ),
    "the shared residual block": (
        "src/bakeoff/models/cifar_resnet.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nUNUSED = 1\n",
        {*EVERY_RUN, *profiles(COMPARED), *AFTER_RUNS},
    ),
    "another family's code": (
        "src/bakeoff/models/hornet.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nUNUSED = 1\n",
        set(),
    ),
    "the training loop": (
        "src/bakeoff/training/loop.py",
        "LOOK_EVERY = 20",
        "LOOK_EVERY = 21",
        {*EVERY_RUN, *AFTER_RUNS},
    ),
    "how often a run says how far it is": (
        "src/bakeoff/support/progress.py",
        "PULSE_SECONDS = 2.0",
        "PULSE_SECONDS = 3.0",
        set(),
    ),
    "one figure's code": (
        "src/bakeoff/figures/accuracy_bars.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nUNUSED = 1\n",
        {"plot accuracy_bars", "report", "provenance"},
    ),
    "the code of a figure that the deck shows": (
        "src/bakeoff/figures/learning_curves.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nUNUSED = 1\n",
        {"plot learning_curves", "report", "provenance", *DECKS},
    ),
    "one recipe's value": (
        "config/recipes.yaml",
        "uniform:\n  epochs: 200",
        "uniform:\n  gradient_clip: 5.0\n  epochs: 200",
        {*EVERY_RUN, *AFTER_RUNS},
    ),
    "a recipe that nobody uses": (
        "config/recipes.yaml",
        "fast:\n  epochs: 16",
        "fast:\n  gradient_clip: 5.0\n  epochs: 16",
        set(),
    ),
    "a comment and the order of keys": (
        "config/recipes.yaml",
        "uniform:\n  epochs: 200\n  global_batch: 1024\n",
        "uniform:\n  # A comment.\n  global_batch: 1024\n  epochs: 200\n",
        set(),
    ),
    "what a run logs": (
        "src/bakeoff/evaluation/run.py",
        '"%s: %s parameters, %d process(es) on %s"',
        '"%s has %s parameters, %d process(es) on %s"',
        set(),
    ),
    "what a run is refused with": (
        "src/bakeoff/training/loop.py",
        "the GPU has too little memory for",
        "the GPU is too small for",
        set(),
    ),
    "what the script of a run passes on": (
        "workflow/scripts/train.py",
        "            options.seed,\n",
        "            options.seed + 1,\n",
        {*EVERY_RUN, *AFTER_RUNS},
    ),
    "which files a figure is called with": (
        "src/bakeoff/figures/files.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nUNUSED = 1\n",
        {*COMPARISON_FIGURES, "plot ablation_deltas", "report", "provenance", *DECKS},
    ),
    "how tables are tested": (
        "src/bakeoff/analysis/claims.py",
        "from __future__ import annotations\n",
        "from __future__ import annotations\n\nUNUSED = 1\n",
        END,
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_costs_exactly(built: Checkout, name: str) -> None:
    file, before, after, expected = EDITS[name]
    with built.changed(file, before, after):
        assert built.plan() == expected


# file, change, jobs
CONFIGURED = {
    "one variant's argument": (
        "config/config.yaml",
        {"variant_overrides": {"ghost_resnet_20": {"args": {"shortcut": "B"}}}},
        {
            *runs({"ghost_resnet_20"}),
            *profiles({"ghost_resnet_20"}),
            *AFTER_COMPARISON,
            "ablate ghost",
            "plot ablation_deltas",
        },
    ),
    "a seed of the comparison": (
        "config/config.yaml",
        {"seeds": {"comparison": [0, 1, 2]}},
        {f"train {variant}/seed2" for variant in COMPARED} | AFTER_RUNS,
    ),
    "a variant added": (
        "config/config.yaml",
        {"variants": ["resnet_20", "eca_resnet_20", "ghost_resnet_20", "resnet_32"]},
        {
            *("train resnet_32/seed0", "train resnet_32/seed1", "profile_model resnet_32"),
            *AFTER_COMPARISON,
        },
    ),
    "a variant removed": (
        "config/config.yaml",
        {"variants": ["resnet_20", "ghost_resnet_20"]},
        AFTER_LOSS_OF_ECA,
    ),
    "a family renamed": (
        "config/models.yaml",
        {"resnet_20": {"family": "Residual networks"}},
        AFTER_COMPARISON,
    ),
    "other data": (
        "config/config.yaml",
        {"data": {"shapes": {"seed": 1}}},
        {"prepare", *EVERY_RUN, *AFTER_RUNS},
    ),
    "another number of classes": (
        "config/config.yaml",
        {"data": {"classes": 50}},
        EVERYTHING,
    ),
    "another size of the images": (
        "config/config.yaml",
        {"data": {"image_size": 24}},
        EVERYTHING,
    ),
    "classes that are not grouped": (
        "config/config.yaml",
        {"data": {"shapes": {"superclasses": None}}},
        EVERYTHING - {*profiles(COMPARED), "plot superclass_confusion"},
    ),
    "mirrors of an archive that is not used": (
        "config/config.yaml",
        {"data": {"urls": ["https://example.org/cifar-100-binary.tar.gz"]}},
        set(),
    ),
    "another torch and timm are the same to this policy": (
        "config/config.yaml",
        {"versions": "compatible"},
        set(),
    ),
    "the policy on versions": (
        "config/config.yaml",
        {"versions": "strict"},
        {*EVERY_RUN, *AFTER_RUNS},
    ),
}


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_setting_costs_exactly(built: Checkout, name: str) -> None:
    file, change, expected = CONFIGURED[name]
    with built.configured(file, change):
        assert built.plan() == expected


def test_runs_stay_with_the_variant_that_has_them(built: Checkout) -> None:
    """The same network under another name, listed before the one that is trained, is not trained again."""
    variants = ["eca_resnet_20_k3", "resnet_20", "eca_resnet_20", "ghost_resnet_20"]
    with built.configured("config/config.yaml", {"variants": variants}):
        assert not {job for job in built.plan() if job.startswith("train")}


def test_no_change(built: Checkout) -> None:
    assert built.plan() == set()


def test_another_machine(built: Checkout) -> None:
    assert built.plan("--cores", "1") == set()
    assert built.plan("--profile", "profiles/gpu8") == set()
    assert built.plan("--resources", "gpu=4") == set()
    assert built.plan("--set-threads", "train=2") == set()


def test_every_file_touched(built: Checkout) -> None:
    for path in sorted(built.folder.rglob("*")):
        if path.is_file() and ".snakemake" not in path.parts:
            path.touch()
    assert built.plan() == set()


def test_results_copied_into_a_fresh_clone(built: Checkout, tmp_path: Path) -> None:
    clone = copy_repository(tmp_path / "elsewhere" / "clone")
    shutil.copytree(built.folder / "results", clone.folder / "results", copy_function=shutil.copy)
    assert not (clone.folder / ".snakemake").exists()
    assert clone.plan() == set()
    # And without Snakemake's own records an edit is still seen.
    with clone.configured("config/config.yaml", {"seeds": {"comparison": [0, 1, 2]}}):
        assert {job for job in clone.plan() if job.startswith("train")} == {
            f"train {variant}/seed2" for variant in COMPARED
        }


def test_a_claim_added(built: Checkout) -> None:
    path = built.folder / "config" / "claims.yaml"
    original = path.read_text(encoding="utf-8")
    claim = """
- id: another
  source: a test
  statement: {en: "{claimed} is claimed.", zh: "声称为 {claimed}。"}
  claimed: 1.0
  unit: percent
  relation: at_least
  measure: {kind: top1, variant: resnet_20}
"""
    path.write_text(original + claim, encoding="utf-8")
    try:
        assert built.plan() == END
    finally:
        path.write_text(original, encoding="utf-8")


def test_a_slides_text(built: Checkout) -> None:
    import yaml  # noqa: PLC0415

    path = built.folder / "config" / "slides.yaml"
    original = path.read_text(encoding="utf-8")
    content = yaml.safe_load(original)
    section, texts = next((k, v) for k, v in content["en"].items() if isinstance(v, dict))
    key = next(key for key, text in texts.items() if isinstance(text, str))
    content["en"][section][key] += " "
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    try:
        assert built.plan() == {"deck en", "provenance"}
    finally:
        path.write_text(original, encoding="utf-8")


RUN = "results/runs/ghost_resnet_20/seed0"
AFTER_GHOST = {
    "train ghost_resnet_20/seed0",
    *AFTER_COMPARISON,
    "ablate ghost",
    "plot ablation_deltas",
}


@pytest.mark.parametrize("file", ["metrics.json", "predictions.npz", "model.safetensors"])
def test_a_file_of_a_run_deleted(built: Checkout, file: str) -> None:
    path = built.folder / RUN / file
    content = path.read_bytes()
    path.unlink()
    try:
        assert built.plan() == AFTER_GHOST
        assert (
            f"ghost_resnet_20/seed0: runs/ghost_resnet_20/seed0/{file} is missing"
            in built.reasons()
        )
    finally:
        path.write_bytes(content)
    assert built.plan() == set()


@pytest.mark.parametrize("file", ["metrics.json", "predictions.npz"])
def test_a_file_of_a_run_truncated(built: Checkout, file: str) -> None:
    path = built.folder / RUN / file
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    try:
        assert built.plan() == AFTER_GHOST
        assert "was altered: it is not what the job wrote" in built.reasons()
    finally:
        path.write_bytes(content)


def test_a_result_improved_by_hand(built: Checkout) -> None:
    path = built.folder / RUN / "metrics.json"
    content = path.read_text(encoding="utf-8")
    metrics = json.loads(content)
    # The same length, so that only the content tells.
    better = content.replace(f'"seed": {metrics["seed"]}', '"seed": 7', 1)
    assert len(better) == len(content)
    path.write_text(better, encoding="utf-8")
    try:
        assert built.plan() == AFTER_GHOST
        assert "metrics.json was altered" in built.reasons()
    finally:
        path.write_text(content, encoding="utf-8")


def test_reasons_are_in_words(built: Checkout) -> None:
    with built.configured("config/config.yaml", {"recipe_overrides": {"gradient_clip": 2.0}}):
        text = built.reasons()
    assert "stale: ghost_resnet_20/seed0: recipe.gradient_clip: None -> 2.0" in text
    with built.changed(
        "src/bakeoff/models/eca.py", "import annotations\n", "import annotations\n\nX = 1\n"
    ):
        text = built.reasons()
    assert "stale: eca_resnet_20/seed0: code changed: bakeoff.models.eca" in text


def test_why(built: Checkout) -> None:
    target = "results/comparison/models.csv"
    results = built.folder / "results"
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    done = built.snakemake("why", "--config", f"target={target}")
    assert f"{target} is current" in done.stdout
    with built.configured("config/config.yaml", {"recipe_overrides": {"gradient_clip": 2.0}}):
        done = built.snakemake("why", "--config", f"target={target}")
    assert "recipe.gradient_clip: None -> 2.0" in done.stdout
    # A question writes nothing among results, not even specs.
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before
    done = built.snakemake("why", "--config", "target=results/comparison/model.csv")
    assert done.returncode != 0
    assert "did you mean 'results/comparison/models.csv'?" in done.stdout + done.stderr
    assert built.plan() == set()


def test_a_clock_that_was_set_back(built: Checkout) -> None:
    """Results from the future are current, and an edit is seen all the same."""
    future = time.time() + 1e6
    files = [path for path in (built.folder / "results").rglob("*") if path.is_file()]
    before = {path: path.stat() for path in files}
    for path in files:
        os.utime(path, (future, future))
    assert built.plan() == set()
    with built.configured("config/config.yaml", {"variants": ["resnet_20", "ghost_resnet_20"]}):
        assert built.plan() == AFTER_LOSS_OF_ECA
    for path, status in before.items():
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_two_at_once(built: Checkout) -> None:
    """A second Snakemake that would write in the same root is refused in one sentence; a dry run is not."""
    holds = (
        "import sys; from pathlib import Path; from bakeoff.workflow import hold_root; "
        "hold_root(Path('results')); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holds],
        cwd=built.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        done = built.snakemake("all", "--forcerun", "claims")
        assert done.returncode != 0
        assert (
            f"Another Snakemake (process {other.pid}) is at work in results"
            in done.stdout + done.stderr
        )
        assert built.plan() == set()


def test_a_target_that_was_never_made_comes_after_stale_jobs(built: Checkout) -> None:
    target = "results/figures/accuracy_bars.png"
    kept = [built.folder / "results/figures/accuracy_bars.png"]
    kept += [
        kept[0].with_suffix(".svg"),
        built.folder / "results/records/figures/accuracy_bars.json",
    ]
    contents = [path.read_bytes() for path in kept]
    for path in kept:
        path.unlink()
    try:
        with built.configured("config/models.yaml", {"resnet_20": {"family": "Residual networks"}}):
            done = built.snakemake("-n", target)
            assert jobs_of(done.stdout) == {"compare", "plot accuracy_bars"}, done.stderr
    finally:
        for path, content in zip(kept, contents, strict=True):
            path.write_bytes(content)


def test_forced_jobs_run_also_after_one_another(built: Checkout) -> None:
    forced = {"compare", "claims", "report"}
    assert built.plan("--forcerun", *forced) == forced
