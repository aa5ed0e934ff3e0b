"""The configuration: what is wrong is said in one sentence each, what is right is resolved."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakeoff.errors import UserError
from bakeoff.jobs.code import code_digests, source_digest
from bakeoff.study.layers import Layer, load_yaml, merge, origin
from bakeoff.study.networks import Network
from bakeoff.study.specs import (
    comparison_spec,
    run_spec,
    seeds_needed,
    study_specs,
    trained_as,
    write_specs,
)
from bakeoff.study.study import Study, load_study
from tests.support.project import REPOSITORY, make_project

CONFIG: dict[str, Any] = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())


def study(over: dict[str, Any] | None = None, folder: Path = REPOSITORY) -> Study:
    layers = [Layer("config/config.yaml", CONFIG)]
    if over is not None:
        layers.append(Layer("my.yaml", over))
    return load_study(layers, folder)


def complaints(over: dict[str, Any], folder: Path = REPOSITORY) -> list[str]:
    with pytest.raises(UserError) as caught:
        study(over, folder)
    return str(caught.value).splitlines()


def networks_of(resolved: Study) -> dict[str, Network]:
    """Return made-up networks, all different but for the two spellings of ECA with k = 3."""
    names = list(resolved.variants)
    same = {"eca_resnet_20_k3": "eca_resnet_20", "eca_resnet_20_after_conv2": "eca_resnet_20"}
    return {name: Network(same.get(name, name), params=1, macs=1) for name in names}


def test_the_committed_study_is_the_talks() -> None:
    resolved = study()
    assert len(resolved.comparison) == 18
    assert len(resolved.seeds["comparison"]) == 3
    assert len(resolved.seeds["ablations"]) == 10
    recipe = resolved.variants["resnet_20"].recipe
    assert recipe["epochs"] == 200
    assert recipe["global_batch"] == 1024
    assert recipe["micro_batch"] == 128
    assert recipe["optimizer"]["name"] == "sgd"
    assert all(variant.recipe == recipe for variant in resolved.variants.values())


@pytest.mark.parametrize("overlay", ["demo", "quick"])
def test_overlays_are_valid(overlay: str) -> None:
    over = load_yaml(REPOSITORY / "config" / f"{overlay}.yaml")
    assert study(over).root == f"results/{overlay}"


def test_demo_has_three_seeds_four_variants_and_an_ablation() -> None:
    demo = study(load_yaml(REPOSITORY / "config" / "demo.yaml"))
    assert len(demo.comparison) >= 4
    assert demo.ablations
    assert len(demo.config.seeds.comparison) == len(demo.config.seeds.ablations) == 3


@pytest.mark.parametrize("protocol", ["uniform", "tuned", "fast"])
def test_protocols_resolve_for_every_variant(protocol: str) -> None:
    resolved = study({"protocol": protocol})
    for variant in resolved.variants.values():
        expected = "tuned_" if protocol == "tuned" else protocol
        assert variant.recipe["name"].startswith(expected)


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"protocoll": "fast"}, ["my.yaml", "protocoll", "did you mean 'protocol'?"]),
        ({"protocol": "unifrom"}, ["my.yaml", "'uniform'", "expected one of"]),
        ({"seeds": {"comparison": []}}, ["my.yaml", "seeds.comparison is empty"]),
        ({"seeds": {"comparison": [0, 1, 0]}}, ["seeds.comparison", "0 more than once"]),
        ({"seeds": {"ablations": [0, -1]}}, ["seeds.ablations[1] is -1", "at least 0"]),
        ({"seeds": {"ablations": 3}}, ["seeds.ablations is 3", "expected a list"]),
        ({"variants": ["resnet_20", "resnet_20x"]}, ["variants[1]", "resnet_20x", "did you mean 'resnet_20'?"]),
        ({"ablations": ["ecaa"]}, ["ablations[0]", "did you mean 'eca'?"]),
        ({"recipe_overrides": {"epochs": 0}}, ["my.yaml", "epochs is 0", "at least 1"]),
        ({"recipe_overrides": {"epoch": 3}}, ["recipe_overrides", "epoch is not a known key", "'epochs'"]),
        ({"recipe_overrides": {"label_smoothing": "1e-1"}}, ["label_smoothing", "write 0.1"]),
        ({"variant_overrides": {"resnet_2": {}}}, ["variant_overrides.resnet_2", "did you mean"]),
        ({"data": {"validation": {"images": "many"}}}, ["data.validation.images", "a whole number"]),
        ({"data": {"kind": "shapes"}}, ["data.shapes is missing"]),
        ({"data": {"md5": "123"}}, ["data.md5", "pattern"]),
        ({"results_root": "/tmp/results"}, ["results_root", "pattern", "relative"]),
        ({"files": {"models": "config/model.yaml"}}, ["config/model.yaml does not exist"]),
    ],
)  # fmt: skip
def test_one_sentence_for_a_mistake(over: dict[str, Any], expected: list[str]) -> None:
    lines = complaints(over)
    assert len(lines) == 1, lines
    for part in expected:
        assert part in lines[0]


def test_all_mistakes_at_once() -> None:
    lines = complaints(
        {"protocoll": 1, "seeds": {"comparison": []}, "data": {"kind": "cifar"}, "variants": []}
    )
    assert len(lines) == 4
    assert all(line.startswith("my.yaml: ") for line in lines)


def broken(tmp_path: Path, file: str, text: str) -> list[str]:
    project = make_project(tmp_path / "project")
    path = project.folder / "config" / file
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    return complaints({}, project.folder)


def test_names_that_stand_twice(tmp_path: Path) -> None:
    lines = broken(
        tmp_path, "models.yaml", "\nresnet_20:\n  family: ResNet\n  builder: cifar_resnet\n"
    )
    assert len(lines) == 1
    assert "models.yaml" in lines[0]
    assert "'resnet_20' stands there twice" in lines[0]


def test_baseline_outside_and_unknown_arm(tmp_path: Path) -> None:
    text = """
depth:
  title: {en: Depth, zh: 深度}
  baseline: resnet_20x
  arms:
    - {arm: resnet_20, variant: resnet_20}
    - {arm: resnet_20, variant: resnet_20x}
"""
    lines = broken(tmp_path, "ablations.yaml", text)
    assert len(lines) == 3
    assert "depth.baseline is 'resnet_20x' (did you mean 'resnet_20'?)" in lines[0]
    assert "two arms named 'resnet_20'" in lines[1]
    assert "depth.arms[1].variant is 'resnet_20x'" in lines[2]


def test_recipe_that_does_not_exist(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    project.edit(
        "config/models.yaml", lambda models: models["resnet_20"].update(recipe="tuned_resent")
    )
    lines = complaints({"protocol": "tuned"}, project.folder)
    assert len(lines) == 1
    assert "resnet_20.recipe is 'tuned_resent'" in lines[0]
    assert "did you mean 'tuned_resnet'?" in lines[0]


def test_yaml_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("a: [1, 2\nb: 3\n")
    with pytest.raises(UserError, match=r"bad\.yaml, line 2 is not valid YAML"):
        load_yaml(file)


def test_layers_merge_deeply_and_know_their_origin() -> None:
    layers = [Layer("a", {"x": {"y": 1, "z": [1, 2]}}), Layer("b", {"x": {"z": [3]}})]
    assert merge(layers[0].content, layers[1].content) == {"x": {"y": 1, "z": [3]}}
    assert origin(layers, ("x", "y")) == "a"
    assert origin(layers, ("x", "z")) == "b"
    assert origin(layers, ("q",)) == "a"


def test_equal_networks_are_trained_once_under_the_first_name() -> None:
    resolved = study()
    runs = trained_as(resolved, networks_of(resolved))
    assert runs["eca_resnet_20_k3"] == "eca_resnet_20"
    assert runs["eca_resnet_20_after_conv2"] == "eca_resnet_20"
    assert runs["eca_resnet_20_k5"] == "eca_resnet_20_k5"
    needed = seeds_needed(resolved, runs)
    assert "eca_resnet_20_k3" not in needed
    assert needed["eca_resnet_20"] == tuple(range(10))
    assert needed["resnet_56"] == (0, 1, 2)
    spec = comparison_spec(resolved, runs)
    assert [row["variant"] for row in spec["variants"]] == list(resolved.comparison)


def test_the_same_network_by_another_recipe_is_another_run() -> None:
    resolved = study(
        {"protocol": "tuned", "variant_overrides": {"eca_resnet_20_k3": {"recipe": "tuned_ghost"}}}
    )
    runs = trained_as(resolved, networks_of(resolved))
    assert runs["eca_resnet_20_k3"] == "eca_resnet_20_k3"


def specs(over: dict[str, Any] | None = None) -> dict[str, dict[str, Any]]:
    resolved = study(over)
    return study_specs(resolved, networks_of(resolved))


def changed(over: dict[str, Any]) -> set[str]:
    before, after = specs(), specs(over)
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_a_change_reaches_only_the_specs_it_concerns() -> None:
    assert changed({"variant_overrides": {"resnet_56": {"args": {"depth": 62}}}}) == {
        "runs/resnet_56",
        "profiles/resnet_56",
    }
    assert changed({"data": {"urls": ["https://example.org/cifar.tar.gz"]}}) == {"download"}
    limited = changed({"data": {"limit": {"train": 10_000}}})
    assert "data" in limited
    assert not any(name.startswith("runs/") for name in limited)  # the images tell
    seeds = changed({"seeds": {"comparison": [0, 1, 2, 3]}})
    assert seeds == {"comparison", "page", "settle", "slides/en", "slides/zh"}
    name = changed({"variant_overrides": {"resnet_20": {"family": "Residual"}}})
    assert name == {"comparison", "page", "slides/en", "slides/zh"}


def test_specs_are_written_only_when_they_change(tmp_path: Path) -> None:
    before = {"a": {"x": 1}, "b/c": {"x": 2}}
    write_specs(tmp_path, before)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    after = copy.deepcopy(before)
    after["a"]["x"] = 3
    write_specs(tmp_path, after)
    moved = [path.name for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp]
    assert moved == ["a.json"]


def test_run_spec_holds_what_decides_the_run_and_no_more() -> None:
    resolved = study()
    spec = run_spec(resolved, resolved.variants["eca_resnet_20"])
    assert set(spec) == {"variant", "model", "recipe", "deterministic", "versions"}
    assert "family" not in str(spec)


def test_digests_follow_imports() -> None:
    run = code_digests("bakeoff.evaluation.run")
    assert {"bakeoff.training.loop", "bakeoff.training.batches", "bakeoff.data.prepared"} <= set(
        run
    )
    assert "bakeoff.support.progress" not in run
    assert not any(name.startswith(("bakeoff.figures", "bakeoff.slides")) for name in run)
    assert not any(name.startswith("bakeoff.analysis") for name in run)
    # Builders are imported by name: a run executes its own family's module only.
    assert "bakeoff.models.mscan" not in run
    plot = code_digests("bakeoff.figures.accuracy_bars")
    assert "bakeoff.training.loop" not in plot


def test_comments_and_docstrings_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest(text: str) -> str:
        (tmp_path / "module.py").write_text(text)
        return source_digest("bakeoff.module")

    monkeypatch.setattr("bakeoff.jobs.code.SOURCE", tmp_path)
    plain = digest("def f(x):\n    return x + 1\n")
    assert (
        digest('"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    # why\n    return (x + 1)\n')
        == plain
    )
    assert digest("def f(x):\n    return x + 2\n") != plain
