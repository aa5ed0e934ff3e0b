"""Declaring a change harmless, and what belongs to nobody."""

from __future__ import annotations

import json

from tests.support.checkout import Checkout


def test_a_harmless_change_is_adopted_and_remembered(spoilt: Checkout) -> None:
    file = spoilt.folder / "src" / "bakeoff" / "training" / "loop.py"
    file.write_text(file.read_text().replace("LOOK_EVERY = 20", "LOOK_EVERY = 25"))
    assert len(spoilt.plan()) > 10
    refused = spoilt.snakemake("adopt")
    assert refused.returncode != 0
    assert "Say why the change is harmless" in refused.stdout + refused.stderr
    done = spoilt.snakemake("adopt", "--config", "reason=only how often it looks")
    assert done.returncode == 0, done.stderr
    assert "adopted resnet_20/seed0: code changed: bakeoff.training.loop" in done.stdout
    # The study's provenance tells of it, too, and the page reads the provenance of its runs.
    assert spoilt.plan() == {"provenance", "page"}
    run = spoilt.folder / "results" / "runs" / "resnet_20" / "seed0"
    (entry,) = json.loads((run / "provenance.json").read_text())["adopted"]
    assert entry["note"] == "only how often it looks"
    assert entry["changes"] == ["code changed: bakeoff.training.loop"]


def test_what_was_altered_cannot_be_adopted(spoilt: Checkout) -> None:
    path = spoilt.folder / "results" / "runs" / "resnet_20" / "seed0" / "metrics.json"
    path.write_text(path.read_text() + " ")
    done = spoilt.snakemake("adopt", "--config", "reason=looks fine")
    assert done.returncode != 0
    assert "cannot be adopted" in done.stdout + done.stderr


def test_orphans_are_listed_and_removed_on_request(spoilt: Checkout) -> None:
    assert "no orphans" in spoilt.snakemake("clean_orphans").stdout
    change = {"ablations": ["ghost"], "variants": ["resnet_20", "ghost_resnet_20"]}
    with spoilt.configured("config/config.yaml", change):
        done = spoilt.snakemake("all")
        assert done.returncode == 0, done.stderr
        table = (spoilt.folder / "results" / "comparison" / "models.csv").read_text()
        assert "eca" not in table
        orphan = spoilt.folder / "results" / "runs" / "eca_resnet_20" / "seed0"
        done = spoilt.snakemake("clean_orphans")
        assert f"orphan: {orphan.relative_to(spoilt.folder)}" in done.stdout
        assert orphan.exists()
        spoilt.snakemake("clean_orphans", "--config", "remove=true")
        assert not orphan.parent.exists()
        assert (spoilt.folder / "results" / "runs" / "ghost_resnet_20").exists()
        assert spoilt.plan() == set()
