"""The crate: what it links, and that it repeats."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from rocrate.rocrate import ROCrate

from bakeoff.files import file_digest, read_json
from bakeoff.provenance.crate import CRATE, write_crate
from bakeoff.provenance.graph import load_graph
from bakeoff.provenance.slides import load_slides
from tests.support.provenance import DECK, RUNS

# --- the crate ------------------------------------------------------------------------------------


def ids(value: Any) -> set[str]:
    """Return the ids of what a property of an entity refers to."""
    items = value if isinstance(value, list) else [value]
    return {item if isinstance(item, str) else item.id for item in items if item is not None}


def test_the_crate_links_results_to_runs(root: Path) -> None:
    crate = ROCrate(root / "provenance")
    every_run = {f"../{run}/" for run in RUNS}
    for path in ("comparison/models.csv", "figures/accuracy_bars.svg", "claims/claims.csv", DECK):
        assert ids(crate.get(f"../{path}")["isBasedOn"]) == every_run, path
    assert (
        ids(crate.get("../ablation/ghost.csv")["isBasedOn"]) == every_run
    )  # all seeds that there are
    slides = crate.get(f"../{DECK}")["hasPart"]
    assert len(slides) == len(load_slides(load_graph(root), DECK))
    based = [ids(slide.get("isBasedOn", [])) for slide in slides]
    assert any({"../comparison/pairwise.csv", *every_run} <= found for found in based)
    assert any("../slides/assets/learning_curves.en.png" in found for found in based)


def test_the_crate_links_runs_to_configuration_code_data_and_machine(root: Path) -> None:
    crate = ROCrate(root / "provenance")
    for run in RUNS:
        origin = read_json(root / run / "provenance.json")
        action = crate.get(f"#job/{run}")
        assert (action["startTime"], action["endTime"]) == (origin["start"], origin["end"])
        objects = {entity.id: entity for entity in action["object"]}
        assert {"../data/", "../data/meta.json", f"#seed/{origin['seed']}"} <= set(objects)
        (configuration,) = (e for i, e in objects.items() if i.startswith("#configuration/"))
        assert json.loads(configuration["value"]) == origin["configuration"]
        code = action["instrument"]
        modules = {module["name"]: module["identifier"] for module in code["hasPart"]}
        assert modules == {
            name: f"sha256:{d}" for name, d in load_graph(root).records[run].code.items()
        }
        software = {
            entity["name"]: entity["softwareVersion"] for entity in code["softwareRequirements"]
        }
        assert software == origin["versions"]
        assert origin["hardware"]["processor"] in action["location"]["name"]
        assert f"../{run}/model.safetensors" in ids(action["result"])
    meta = read_json(root / "data" / "meta.json")
    assert crate.get("../data/")["identifier"] == f"sha256:{meta['checksum']}"


def test_the_crate_knows_every_file_by_its_content(root: Path) -> None:
    files = [e for e in read_json(root / CRATE)["@graph"] if e["@type"] == "File"]
    assert len(files) > 50
    for entity in files:
        path = root / "provenance" / entity["@id"]
        assert file_digest(path) == entity["sha256"]
        assert path.stat().st_size == int(entity["contentSize"])


def test_every_reference_in_the_crate_has_its_entity(root: Path) -> None:
    entities = read_json(root / CRATE)["@graph"]
    known = {entity["@id"] for entity in entities}

    def references(value: Any) -> list[str]:
        if isinstance(value, list):
            return [found for item in value for found in references(item)]
        return [value["@id"]] if isinstance(value, dict) else []

    for entity in entities:
        for key, value in entity.items():
            if key != "conformsTo":
                assert set(references(value)) <= known, (entity["@id"], key)


def test_the_same_records_give_the_same_crate(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "copy")
    (tmp_path / "copy" / CRATE).unlink()
    write_crate(read_json(root / "specs" / "provenance.json"), tmp_path / "copy")
    assert (tmp_path / "copy" / CRATE).read_bytes() == (root / CRATE).read_bytes()
