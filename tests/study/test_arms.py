"""Arms that change more than the network: what their runs are called, who shares runs, and what is refused."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from bakeoff.errors import UserError
from bakeoff.jobs.answers import clean_orphans
from bakeoff.models.hub import hub_answers
from bakeoff.study.config import Asked
from bakeoff.study.layers import Layer, load_yaml, merge
from bakeoff.study.left_out import without_absent_weights
from bakeoff.study.networks import Network
from bakeoff.study.specs import ablation_spec, run_spec, seeds_needed, study_specs, trained_as
from bakeoff.study.study import Study, load_study
from tests.support.hub import Hub
from tests.support.project import REPOSITORY

CONFIG: dict[str, Any] = load_yaml(REPOSITORY / "config" / "config.yaml")
Arms = list[dict[str, Any]]
PLAIN = {"arm": "plain", "variant": "resnet_20"}


def study(
    tmp_path: Path, arms: Arms | Mapping[str, Arms], over: Mapping[str, Any] | None = None
) -> Study:
    """Return the committed study with an ablation `mine` of these arms alone, or with several by name."""
    named = arms if isinstance(arms, Mapping) else {"mine": arms}
    content = load_yaml(REPOSITORY / "config" / "ablations.yaml")
    for name, each in named.items():
        content[name] = {
            "title": {"en": name, "zh": name},
            "baseline": each[0]["arm"],
            "arms": each,
        }
    file = tmp_path / "ablations.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    changes = {"ablations": list(named), "files": {"ablations": str(file)}}
    layer = Layer("my.yaml", merge(changes, over or {}))
    return load_study([Layer("config/config.yaml", CONFIG), layer], REPOSITORY)


def complaints(tmp_path: Path, arms: Arms, over: Mapping[str, Any] | None = None) -> list[str]:
    with pytest.raises(UserError) as caught:
        study(tmp_path, arms, over)
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


def variants_of(resolved: Study, ablation: str = "mine") -> list[str]:
    return [arm.variant for arm in resolved.ablations[ablation].arms]


def networks_of(resolved: Study) -> dict[str, Network]:
    """Return a network for each model: what only changes the recipe has the same one."""
    models = {name: str(variant.model) for name, variant in resolved.variants.items()}
    return {name: Network(model, params=1, macs=1) for name, model in models.items()}


@pytest.mark.parametrize(
    ("change", "name", "display"),
    [
        ({}, "resnet_20", "ResNet-20"),
        (
            {"recipe": {"augmentation": {"mixup": 0.8}}},
            "resnet_20+mixup0.8",
            "ResNet-20 + mixup 0.8",
        ),
        ({"recipe": {"augmentation": {"mixup": 0}}}, "resnet_20", "ResNet-20"),
        ({"recipe": {"augmentation": {"flip": False}}}, "resnet_20+no_flip", "ResNet-20 + no flip"),
        (
            {"recipe": {"augmentation": {"policy": "randaugment"}}},
            "resnet_20+randaugment+magnitude9+layers2",
            "ResNet-20 + randaugment + magnitude 9 + layers 2",
        ),
        # The warm-up stays the same part of the run, unless the arm says otherwise.
        ({"recipe": {"epochs": 400}}, "resnet_20+epochs400", "ResNet-20 + epochs 400"),
        (
            {"recipe": {"epochs": 400, "warmup_epochs": 5}},
            "resnet_20+epochs400+warmup_epochs5",
            "ResNet-20 + epochs 400 + warmup epochs 5",
        ),
        (
            {"input_policy": "resize64"},
            "resnet_20+resize64",
            "ResNet-20 + 64 px",
        ),
        (
            {"base_recipe": "finetune", "recipe": {"epochs": 10}},
            "resnet_20+finetune+epochs10",
            "ResNet-20 + finetune + epochs 10",
        ),
        ({"base_recipe": "uniform"}, "resnet_20", "ResNet-20"),
    ],
)
def test_runs_are_named_by_what_is_changed(
    tmp_path: Path, change: dict[str, Any], name: str, display: str
) -> None:
    other = {"arm": "other", "variant": "resnet_32"}
    resolved = study(tmp_path, [other, {"arm": "changed", "variant": "resnet_20", **change}])
    assert variants_of(resolved) == ["resnet_32", name]
    assert resolved.variants[name].card["display"] == display
    assert resolved.variants[name].family == "ResNet"


def test_a_name_is_one_word_to_a_shell_and_fits_a_folder(tmp_path: Path) -> None:
    everything = {
        "optimizer": {"name": "adamw", "betas": [0.9, 0.98], "weight_decay": 1e-5},
        "learning_rate": {"base": 1e16, "per_images": 3},
        "augmentation": {"policy": "trivialaugment", "erasing": 0.5, "cutmix": 1.0, "cutout": 8},
        "label_smoothing": 0.1,
        "gradient_clip": 2,
        "ema_decay": 0.99,
    }
    resolved = study(
        tmp_path,
        [
            PLAIN,
            {"arm": "all", "variant": "resnet_20", "recipe": everything},
            {
                "arm": "all but one",
                "variant": "resnet_20",
                "recipe": merge(everything, {"ema_decay": 0.98}),
            },
        ],
    )
    _, first, second = variants_of(resolved)
    # They differ behind what is cut off.
    assert first != second
    for name in (first, second):
        assert len(name) <= 100
        said = subprocess.run(
            f"echo {name}", shell=True, capture_output=True, text=True, check=True
        )
        assert said.stdout == f"{name}\n"


def test_an_arms_spec_is_the_variants_with_the_change(tmp_path: Path) -> None:
    arm = {"arm": "mixup", "variant": "resnet_20", "recipe": {"augmentation": {"mixup": 0.8}}}
    resolved = study(tmp_path, [PLAIN, arm], {"recipe_overrides": {"epochs": 30}})
    before, after = (run_spec(resolved, resolved.variants[name]) for name in variants_of(resolved))
    assert before["recipe"]["epochs"] == 30
    assert after["variant"] == "resnet_20+mixup0.8"
    assert after["model"] == before["model"]
    assert after["recipe"] == merge(before["recipe"], {"augmentation": {"mixup": 0.8}})


def test_an_arm_has_the_last_word_over_what_the_study_lays_over_all(tmp_path: Path) -> None:
    arm = {"arm": "longer", "variant": "resnet_20", "recipe": {"epochs": 60}}
    resolved = study(tmp_path, [PLAIN, arm], {"recipe_overrides": {"epochs": 30}})
    recipe = resolved.variants["resnet_20+epochs60"].recipe
    assert recipe["epochs"] == 60
    assert recipe["warmup_epochs"] == pytest.approx(1.5)


def test_tuned_arms_are_changes_of_the_variants_own_recipe(tmp_path: Path) -> None:
    arms = [PLAIN, {**PLAIN, "arm": "no policy", "recipe": {"augmentation": {"policy": None}}}]
    resolved = study(tmp_path, arms, {"protocol": "tuned"})
    assert variants_of(resolved) == ["resnet_20", "resnet_20+no_policy"]
    plain, changed = (resolved.variants[name].recipe for name in variants_of(resolved))
    assert plain["augmentation"]["policy"] == "trivialaugment"
    assert changed["augmentation"]["policy"] is None
    assert changed["label_smoothing"] == plain["label_smoothing"] == 0.1


@pytest.mark.parametrize("protocol", ["uniform", "tuned", "fast"])
def test_the_study_of_augmentation_resolves_under_each_protocol(protocol: str) -> None:
    layers = [
        Layer("config/config.yaml", CONFIG),
        Layer("a.yaml", load_yaml(REPOSITORY / "config" / "augmentation.yaml")),
        Layer("b.yaml", {"protocol": protocol}),
    ]
    resolved = load_study(layers, REPOSITORY)
    runs = trained_as(resolved, networks_of(resolved))
    arms = resolved.ablations["augmentation"].arms
    # One network, seven ways to train it.
    assert len({runs[arm.variant] for arm in arms}) == len(arms) == 7
    kinds = [resolved.variants[arm.variant].recipe["augmentation"] for arm in arms]
    assert [kind["policy"] for kind in kinds] == [
        *(None, "autoaugment", "randaugment", "trivialaugment"),
        *(None, None, None),
    ]
    used = [(kind["erasing"], kind["mixup"], kind["cutmix"]) for kind in kinds]
    assert used == [*[(0, 0, 0)] * 4, (0.5, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert all(kind["crop_padding"] == 4 and kind["flip"] for kind in kinds)


def test_arms_of_two_ablations_that_are_one_training_share_its_runs(tmp_path: Path) -> None:
    mixup = {"recipe": {"augmentation": {"mixup": 0.8}}}
    resolved = study(
        tmp_path,
        {
            "first": [PLAIN, {**PLAIN, "arm": "mixup", **mixup}],
            "second": [
                {**PLAIN, "arm": "as it is"},
                {**PLAIN, "arm": "Zhang et al.", **mixup, "base_recipe": "uniform"},
                {"arm": "k=3", "variant": "eca_resnet_20_k3", **mixup},
                {"arm": "adaptive", "variant": "eca_resnet_20", **mixup},
            ],
        },
    )
    assert variants_of(resolved, "first")[1] == variants_of(resolved, "second")[1]
    networks = networks_of(resolved)
    k3, adaptive = variants_of(resolved, "second")[2:]
    networks[k3] = networks[adaptive]
    runs = trained_as(resolved, networks)
    assert runs[k3] == runs[adaptive]
    assert runs["resnet_20+mixup0.8"] == "resnet_20+mixup0.8"
    specs = study_specs(resolved, networks)
    assert "runs/resnet_20+mixup0.8" in specs
    arms = ablation_spec(resolved, "first", runs)["arms"]
    assert [arm["run"] for arm in arms] == ["resnet_20", "resnet_20+mixup0.8"]


def test_a_recipe_of_another_name_with_the_same_content_is_no_other_training(
    tmp_path: Path,
) -> None:
    # tuned_ghost and tuned_resnet differ in the weight decay, in smoothing and in the policy.
    same = {
        "optimizer": {"weight_decay": 0.0001},
        "label_smoothing": 0,
        "augmentation": {"policy": None},
    }
    arms = [
        PLAIN,
        {**PLAIN, "arm": "ghost's", "base_recipe": "tuned_ghost"},
        {**PLAIN, "arm": "by hand", "recipe": same},
    ]
    resolved = study(tmp_path, arms, {"protocol": "tuned"})
    _, ghosts, by_hand = variants_of(resolved)
    assert ghosts == "resnet_20+tuned_ghost"
    assert by_hand != ghosts
    runs = trained_as(resolved, networks_of(resolved))
    assert runs[by_hand] == ghosts


def test_a_costly_arm_has_fewer_seeds(tmp_path: Path) -> None:
    arms = [
        PLAIN,
        {**PLAIN, "arm": "large", "input_policy": "resize64", "seeds": [0, 1]},
        {"arm": "deeper", "variant": "resnet_32"},
    ]
    resolved = study(tmp_path, arms, {"variants": ["resnet_20"]})
    networks = networks_of(resolved)
    runs = trained_as(resolved, networks)
    assert {name: len(seeds) for name, seeds in seeds_needed(resolved, runs).items()} == {
        "resnet_20": 10,
        "resnet_20+resize64": 2,
        "resnet_32": 10,
    }
    assert complaints(tmp_path, [PLAIN, {**arms[1], "seeds": [0]}]) == [
        "ablations.yaml: mine.arms[1].seeds has 1 entries, expected at least 2. Seeds of an arm that costs more than "
        "others, at least two; those of the study's ablations if absent."
    ]


# What is wrong is told, all at once


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"recipe": {"mixup": 0.8}}, "mine.arms[1].recipe.mixup is not a known key"),
        (
            {"recipe": {"augmentation": {"mixup": -1}}},
            "mine.arms[1].recipe.augmentation.mixup is -1, expected at least 0",
        ),
        (
            {"recipe": {"epochs": 4, "warmup_epochs": 4}},
            "mine.arms[1].recipe.warmup_epochs is 4, expected less than epochs",
        ),
        (
            {"recipe": {"learning_rate": {"base": 1e-9}}, "base_recipe": "tuned_convnext"},
            "with mine.arms[1].recipe, tuned_convnext.final_learning_rate is 1e-06, expected at most the peak",
        ),
        ({"recipe": "mixup"}, 'mine.arms[1].recipe is "mixup", expected a mapping'),
        (
            {"base_recipe": "fintune"},
            "base_recipe is 'fintune', which config/recipes.yaml does not define (did you mean 'finetune'?)",
        ),
        (
            {"pretrained": True},
            "mine.arms[1].pretrained is true, but config/models.yaml has no weights for resnet_20",
        ),
        ({"input_policy": "resize"}, 'input_policy is "resize", which does not fit the pattern'),
        ({"sise": 64}, "mine.arms[1].sise is not a known key"),
        (
            {"recipe": {"augmentation": {"cutmix": 0.0}}},
            "mine.arms[1], 'changed', is trained exactly as the baseline 'plain' is",
        ),
        ({"pretrained": False, "input_policy": "native32"}, "exactly as the baseline"),
    ],
)
def test_a_mistake_in_an_arm_is_one_sentence(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    lines = complaints(tmp_path, [PLAIN, {**PLAIN, "arm": "changed", **change}])
    assert len(lines) == 1, lines
    assert lines[0].startswith("ablations.yaml: ")
    assert told in lines[0]


def test_all_mistakes_in_arms_are_told_with_all_others(tmp_path: Path) -> None:
    lines = complaints(
        tmp_path,
        [
            PLAIN,
            {**PLAIN, "arm": "a", "recipe": {"epochs": 0}},
            {**PLAIN, "arm": "b", "recipe": {"mix": 1}},
            {**PLAIN, "arm": "c", "base_recipe": "none"},
            {**PLAIN, "arm": "d", "pretrained": True},
            {**PLAIN, "arm": "e"},
            {"arm": "f", "variant": "resnet_21"},
        ],
        {"variants": ["resnet_21"]},
    )
    assert len(lines) == 7, lines


def test_arms_whose_weights_would_be_one_file_are_told(tmp_path: Path) -> None:
    models = load_yaml(REPOSITORY / "config" / "models.yaml")
    models["cspresnet50"]["weights"]["hub"] = "other/resnest50d.in1k"
    file = tmp_path / "models.yaml"
    file.write_text(yaml.safe_dump(models), encoding="utf-8")
    arms = [
        PLAIN,
        {"arm": "a", "variant": "cspresnet50", "pretrained": True},
        {"arm": "b", "variant": "resnest50d", "pretrained": True},
    ]
    (line,) = complaints(tmp_path, arms, {"files": {"models": str(file)}})
    assert "would be one file named 'resnest50d.in1k', but they differ" in line


def test_what_is_wrong_with_the_recipe_of_all_is_told_once(tmp_path: Path) -> None:
    mixup = {**PLAIN, "arm": "mixup", "recipe": {"augmentation": {"mixup": 0.8}}}
    lines = complaints(tmp_path, [PLAIN, mixup], {"recipe_overrides": {"epochs": 0}})
    assert lines == [
        "my.yaml: recipe_overrides.epochs is 0, expected at least 1. Passes over the training images."
    ]


# Weights that are not to be had


def pretraining(root: str, **over: Any) -> Study:
    overlay = load_yaml(REPOSITORY / "config" / "pretraining.yaml")
    layers = [Layer("config/config.yaml", CONFIG), Layer("p.yaml", overlay)]
    return load_study([*layers, Layer("my.yaml", {"results_root": root, **over})], REPOSITORY)


def test_each_variant_with_published_weights_has_its_ablation() -> None:
    resolved = pretraining("results/pretraining")
    models = load_yaml(REPOSITORY / "config" / "models.yaml")
    assert set(resolved.comparison) == {name for name, each in models.items() if "weights" in each}
    for ablation in resolved.ablations.values():
        arms = [resolved.variants[arm.variant] for arm in ablation.arms]
        assert [arm.pretrained for arm in arms] == [False, False, True]
        assert [arm.recipe["name"] for arm in arms] == ["uniform", "uniform", "finetune"]
        small, large, weights = (arm.model["input_policy"] for arm in arms)
        assert small == "native32"
        assert large == weights
        assert [arm.arm for arm in ablation.arms][1] == ablation.baseline
        assert all(len(arm.seeds) >= 2 for arm in ablation.arms)


def test_ablations_without_weights_are_left_out_by_one_line(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "ghostnet_100.in1k.safetensors").touch()
    (weights / "resnest50d.in1k.lock.json").touch()
    whole = pretraining("results/none", weights={"dir": str(weights)})
    left = without_absent_weights(whole, lambda: False, "https://hub")
    assert list(left.ablations) == ["pretraining_ghostnet_100", "pretraining_resnest50d"]
    assert left.comparison == whole.comparison
    assert "cspresnet50" in left.variants
    assert "cspresnet50+resize128" not in left.variants
    assert left.left_out == (
        "Left out: ablations pretraining_convnext_tiny, pretraining_cspresnet50, pretraining_mlp_mixer_b16, because "
        f"pretrained weights are neither in {weights} nor to be fetched (https://hub does not answer). To have them, "
        "put there: convnext_tiny.in12k_ft_in1k.safetensors, cspresnet50.ra_in1k.safetensors, "
        "mixer_b16_224.goog_in21k_ft_in1k.safetensors; or name their folder as weights.dir."
    )
    assert study_specs(left, networks_of(left))["report"]["left_out"] == left.left_out
    assert without_absent_weights(whole, lambda: True, "https://hub") == whole


def test_finished_runs_keep_their_ablation_without_weights(tmp_path: Path) -> None:
    whole = replace(pretraining("results/none"), root=str(tmp_path))
    for name, variant in whole.variants.items():
        if variant.pretrained:
            (tmp_path / "records" / "runs" / name).mkdir(parents=True)
    assert without_absent_weights(whole, lambda: False, "") == whole


def test_runs_of_what_is_left_out_are_no_orphans(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "tiny+resize40" / "seed0"
    run.mkdir(parents=True)
    left = SimpleNamespace(root=str(tmp_path), ablations={}, left_out="Left out: ablation x.")
    layout: Any = SimpleNamespace(study=left, seeds={})
    look: Any = None
    assert clean_orphans(layout, look, Asked()) == [
        f"orphan: {run}",
        "remove them with --config remove=true",
    ]
    with pytest.raises(UserError, match=r"Left out: ablation x\. Nothing was removed"):
        clean_orphans(layout, look, Asked(remove=True))
    left.left_out = ""
    clean_orphans(layout, look, Asked(remove=True))
    assert not run.exists()


def test_nobody_asks_the_hub_where_no_weights_are_missing(tmp_path: Path) -> None:
    def asked() -> bool:
        raise AssertionError

    resolved = study(tmp_path, [PLAIN, {"arm": "b", "variant": "resnet_32"}])
    assert without_absent_weights(resolved, asked, "") is resolved


def test_the_hub_answers_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub("someone/net", b"")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    # Its first page is not found there, which is an answer.
    assert hub_answers()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not hub_answers()
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    hub.close()
    assert not hub_answers(patience=1)
