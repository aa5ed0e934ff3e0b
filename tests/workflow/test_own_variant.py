"""A variant of one's own, as docs/variants.md says: one entry, no change of code."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from bakeoff.models import create_model
from bakeoff.models.cards import write_cards
from bakeoff.models.factory import load_variants
from tests.support.built import build
from tests.support.project import REPOSITORY, Project, make_project
from tests.support.study import ONE_RUN, small_study

GUIDE = (REPOSITORY / "docs" / "variants.md").read_text(encoding="utf-8")
OWN = ("resnet18_narrow", "plain_16")


def examples(file: str) -> list[str]:
    """Return the code blocks of the guide that start with the name of `file`."""
    return re.findall(
        rf"^```\w+\n# {re.escape(file)}\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL
    )


def add_examples(project: Project) -> None:
    """Do what the guide says."""
    (source,) = examples("my_networks/plain.py")
    file = project.folder / "my_networks" / "plain.py"
    file.parent.mkdir()
    file.write_text(source, encoding="utf-8")
    for entry in examples("config/models.yaml"):
        project.edit(
            "config/models.yaml", lambda models, entry=entry: models | yaml.safe_load(entry)
        )
    project.edit("config/config.yaml", lambda config: config["variants"].extend(OWN))


def jobs(text: str) -> dict[str, int]:
    """Return {rule: number of jobs} of a dry run's table, without what is no job of the study."""
    rows = re.findall(r"^(\w+) +(\d+)$", text, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in rows if rule not in ("stale", "total")}


def test_an_entry_is_all_it_takes(small_results: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", small_study(ONE_RUN), results=small_results)
    build(project, "comparison")

    add_examples(project)
    planned = jobs(project.snakemake("-n", "comparison").stdout)
    assert planned == {"train": 2, "profile_model": 2, "compare": 1, "comparison": 1}
    figure = "results/figures/accuracy_bars.svg"
    done = project.snakemake("comparison", figure)
    assert done.returncode == 0, done.stderr
    models = pd.read_csv(project.folder / "results/comparison/models.csv").set_index("variant")
    assert set(models.index) == {"resnet_20", *OWN}
    assert models.loc["plain_16", "family"] == "Plain"
    # 3 -> 16 -> 32 -> 64 channels of 3 x 3, their norms, and the classifier.
    parameters = 9 * (3 * 16 + 16 * 32 + 32 * 64) + 2 * (16 + 32 + 64) + 64 * 100 + 100
    assert models.loc["plain_16", "params_m"] == pytest.approx(parameters / 1e6, rel=1e-3)
    assert "Plain-16" in (project.folder / figure).read_text(encoding="utf-8")

    # An edit of the file concerns its own runs only.
    file = project.folder / "my_networks" / "plain.py"
    file.write_text("# A remark.\n" + file.read_text())
    assert "Nothing to be done" in project.snakemake("-n", "comparison").stdout
    file.write_text(file.read_text().replace("nn.ReLU()", "nn.GELU()"))
    again = project.snakemake("-n", "comparison")
    assert jobs(again.stdout)["train"] == 1
    assert "plain_16" in again.stderr


def test_mistakes_in_an_own_variant_are_told_before_any_job(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", small_study())
    add_examples(project)

    def spoil(models: dict[str, dict[str, object]]) -> None:
        models["plain_16"]["args"] = {"widht": 16}
        models["resnet18_narrow"]["args"] = {"name": "resnet18"}

    project.edit("config/models.yaml", spoil)
    done = project.snakemake("-n", "comparison")
    assert done.returncode != 0
    assert "variant plain_16: " in done.stderr
    assert "did you mean 'width'" in done.stderr
    assert "variant resnet18_narrow: There is no stem for small images" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_own_variant_has_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_project(tmp_path / "project")
    add_examples(project)
    monkeypatch.chdir(project.folder)
    entry = load_variants("config/models.yaml")["plain_16"]
    write_cards({"plain_16": entry}, "docs")
    card = (project.folder / "docs/models/plain_16.md").read_text(encoding="utf-8")
    assert "| Code | `my_networks/plain.py` |" in card
    assert "| Feature maps | 32 → 16 → 8 (64 channels) |" in card


def test_entries_of_the_guide_can_be_built() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", GUIDE, flags=re.MULTILINE | re.DOTALL)
    entries = {name: entry for block in blocks for name, entry in yaml.safe_load(block).items()}
    timm_entries = {name: entry for name, entry in entries.items() if entry["builder"] == "timm"}
    assert len(timm_entries) > 3
    for name in timm_entries:
        create_model(name, variants=entries)


# The committed cards


def test_the_committed_cards_agree_with_the_code(tmp_path: Path) -> None:
    variants = load_variants(REPOSITORY / "config" / "models.yaml")
    chosen = ("eca_resnet_20", "ghost_resnet_20_r3", "ghostnet_100")
    write_cards({name: variants[name] for name in chosen}, tmp_path)
    committed = REPOSITORY / "docs"
    for name in chosen:
        card = Path("models") / f"{name}.md"
        assert (tmp_path / card).read_text() == (committed / card).read_text()
    table = (committed / "models.md").read_text().splitlines()
    for row in (tmp_path / "models.md").read_text().splitlines():
        assert row in table


def test_every_variant_has_a_committed_card() -> None:
    variants = load_variants(REPOSITORY / "config" / "models.yaml")
    cards = {path.stem for path in (REPOSITORY / "docs" / "models").glob("*.md")}
    assert cards == set(variants)
    table = (REPOSITORY / "docs" / "models.md").read_text()
    assert all(f"(models/{name}.md)" in table for name in variants)
