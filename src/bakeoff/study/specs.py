"""Specs: for each thing that is made, one JSON value with exactly what reaches its job.

A spec also holds a digest of the code that its job executes, so that "is it current?" is one question: does the
spec still say the same?
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bakeoff.data.config import CLASSES, IMAGE_SIZE, DataConfig
from bakeoff.files import write_text, write_text_if_changed
from bakeoff.models.weights_files import Source
from bakeoff.study.closure import source_digest
from bakeoff.study.networks import Network, builder_digest, library_versions
from bakeoff.study.study import Study, Variant

FIGURES = (
    "accuracy_bars",
    "accuracy_vs_parameters",
    "accuracy_vs_time",
    "learning_curves",
    "superclass_confusion",
)

Specs = dict[str, dict[str, Any]]


def trained_as(study: Study, networks: Mapping[str, Network]) -> dict[str, str]:
    """Return {variant: the variant whose runs stand for it}.

    Variants that are the same network under the same recipe are trained once: as the one that the comparison
    names first, else the one that the ablations name first.
    """
    first: dict[tuple[str, str, str], str] = {}
    result = {}
    for name in dict.fromkeys([*study.comparison, *study.arms()]):
        variant = study.variants[name]
        identity = (networks[name].fingerprint, _compact(variant.recipe), _compact(_start(variant)))
        result[name] = first.setdefault(identity, name)
    return result


def study_specs(study: Study, networks: Mapping[str, Network]) -> Specs:
    """Return {path below `{root}/specs`, without `.json`: spec} for everything the study makes."""
    runs = trained_as(study, networks)
    specs: Specs = {
        "data": data_spec(study),
        "download": study.data.model_dump(mode="json", include={"kind", "urls", "md5"}),
        "comparison": comparison_spec(study, runs),
        "claims": claims_spec(study),
        "slides": slides_spec(study),
        "report": report_spec(study),
    }
    for name in dict.fromkeys(runs.values()):
        variant = study.variants[name]
        specs[f"runs/{name}"] = run_spec(study, variant)
        specs[f"profiles/{name}"] = profile_spec(variant)
    specs |= weights_specs([study.variants[name] for name in runs.values()])
    for name in study.ablations:
        specs[f"ablations/{name}"] = ablation_spec(study, name, runs)
    for figure in figure_names(study):
        specs[f"figures/{figure}"] = figure_spec(study, figure)
    return specs


def seeds_needed(study: Study, runs: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Return {variant that is trained: its seeds}, over the comparison and all ablations."""
    needed: dict[str, set[int]] = {}
    for name in study.comparison:
        needed.setdefault(runs[name], set()).update(study.seeds["comparison"])
    for name in study.arms():
        needed.setdefault(runs[name], set()).update(study.seeds["ablations"])
    return {name: tuple(sorted(seeds)) for name, seeds in needed.items()}


def data_spec(study: Study) -> dict[str, Any]:
    """Return what decides the prepared data, except for the archive itself, which is a file."""
    own = {"archive": "md5", "shapes": "shapes"}[study.data.kind]
    return {
        "data": study.data.model_dump(mode="json", include={"kind", "validation", "limit", own}),
        "sources": source_digest("bakeoff.data.preparation"),
    }


def run_spec(study: Study, variant: Variant) -> dict[str, Any]:
    """Return what decides the result of a run, except for its seed and the prepared data."""
    recipe = {
        key: value for key, value in variant.recipe.items() if key not in ("name", "drop_path")
    }
    return {
        "variant": variant.name,
        "model": dict(variant.model),
        "recipe": recipe,
        "deterministic": study.deterministic,
        "versions": library_versions(study.versions),
        "sources": {
            "engine": source_digest("bakeoff.evaluation.run"),
            "model": builder_digest(variant.model["builder"]),
        },
    }


def profile_spec(variant: Variant) -> dict[str, Any]:
    """Return what decides the cost profile of a variant."""
    return {
        "variant": variant.name,
        "model": dict(variant.model),
        "versions": library_versions(),
        "sources": {
            "profile": source_digest("bakeoff.evaluation.profile"),
            "model": builder_digest(variant.model["builder"]),
        },
    }


def weights_specs(variants: Sequence[Variant]) -> Specs:
    """Return, for each file of pretrained weights, what it is and the networks that start from it."""
    specs: Specs = {}
    for variant in variants:
        if variant.pretrained:
            source = Source.from_mapping(variant.model["weights"])
            spec = specs.setdefault(
                f"weights/{source.name}",
                {
                    "weights": asdict(source),
                    "models": {},
                    "num_classes": CLASSES,
                    "image_size": IMAGE_SIZE,
                },
            )
            spec["models"][variant.name] = dict(variant.model)
    return specs


def cards_spec(models: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the model cards of all variants of models.yaml."""
    builders = sorted({entry["builder"] for entry in models.values()})
    return {
        "models": dict(models),
        "num_classes": CLASSES,
        "image_size": IMAGE_SIZE,
        "versions": library_versions(),
        "sources": {
            "cards": source_digest("bakeoff.models.cards"),
            **{builder: builder_digest(builder) for builder in builders},
        },
    }


def comparison_spec(study: Study, runs: Mapping[str, str]) -> dict[str, Any]:
    """Return what decides the comparison tables, given the runs."""
    rows = []
    for name in study.comparison:
        variant = study.variants[name]
        rows.append(
            {
                "variant": name,
                "display": variant.card.get("display", name),
                "family": variant.family,
                "pretrained": variant.pretrained,
                "input_policy": variant.model["input_policy"],
                "run": runs[name],
                "seeds": list(study.seeds["comparison"]),
                "paper": variant.card.get("paper"),
                "year": variant.card.get("year"),
            }
        )
    return {
        "study": describe_study(study),
        "variants": rows,
        "sources": source_digest("bakeoff.analysis.comparison"),
    }


def ablation_spec(study: Study, name: str, runs: Mapping[str, str]) -> dict[str, Any]:
    """Return what decides the table of an ablation, given the runs."""
    ablation = study.ablations[name]
    return {
        "study": describe_study(study),
        "ablation": name,
        "title": dict(ablation.title),
        "baseline": ablation.baseline,
        "arms": [
            {
                "arm": arm.arm,
                "variant": arm.variant,
                "run": runs[arm.variant],
                "seeds": list(study.seeds["ablations"]),
            }
            for arm in ablation.arms
        ],
        "sources": source_digest("bakeoff.analysis.ablation"),
    }


def claims_spec(study: Study) -> dict[str, Any]:
    """Return what decides the verdicts on the claims, given the tables."""
    return {
        "study": describe_study(study),
        "claims": [claim.model_dump(mode="json", exclude_none=True) for claim in study.claims],
        "ablations": list(study.ablations),
        "sources": source_digest("bakeoff.analysis.claims"),
    }


def figure_names(study: Study) -> list[str]:
    """Return the names of the figures of a study."""
    return [*FIGURES, *(["ablation_deltas"] if study.ablations else [])]


def report_spec(study: Study) -> dict[str, Any]:
    """Return what decides the page with all tables and figures, given those."""
    return {
        "study": describe_study(study),
        "ablations": {name: dict(ablation.title) for name, ablation in study.ablations.items()},
        "figures": figure_names(study),
        "sources": source_digest("bakeoff.analysis.report"),
    }


def figure_spec(study: Study, figure: str) -> dict[str, Any]:
    """Return what decides a figure, given the tables and runs."""
    return {
        "study": describe_study(study),
        "ablations": list(study.ablations) if figure == "ablation_deltas" else [],
        "sources": source_digest(f"bakeoff.figures.{figure}"),
    }


def slides_spec(study: Study) -> dict[str, Any]:
    """Return what decides the decks, given tables and figures."""
    recipe = _recipes(study)[0]
    return {
        "study": {
            **describe_study(study),
            "seeds": {key: list(value) for key, value in study.seeds.items()},
            "global_batch": recipe["global_batch"],
            "recipe": dict(recipe),
        },
        "slides": dict(study.slides),
        "ablations": list(study.ablations),
        "figures": figure_names(study),
        "sources": source_digest("bakeoff.slides.deck"),
    }


def describe_study(study: Study) -> dict[str, Any]:
    """Return what every table and figure says about the study itself."""
    return {
        "name": study.name,
        "dataset": dataset_name(study.data),
        "protocol": study.protocol,
        "epochs": min(int(recipe["epochs"]) for recipe in _recipes(study)),
    }


def _recipes(study: Study) -> list[Mapping[str, Any]]:
    return [study.variants[name].recipe for name in study.comparison]


def dataset_name(data: DataConfig) -> str:
    """Return what to call the data set: CIFAR-100 only where its official checksum is required."""
    if data.kind == "shapes":
        return "shapes"
    if data.official:
        return "cifar100"
    return data.archive.name.removesuffix(".tar.gz") if data.archive else "custom"


def write_specs(folder: Path, specs: Specs, *, rewrite: bool) -> None:
    """Write each spec to `{folder}/{path}.json` if its content changed.

    With `rewrite` false (a dry run) only specs that do not exist yet are written, because a plan needs them as
    inputs; those that differ are left, so that looking at a plan changes nothing.
    """
    for name, spec in specs.items():
        path = folder / f"{name}.json"
        text = json.dumps(spec, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        if not path.exists():
            write_text(path, text)
        elif rewrite:
            write_text_if_changed(path, text)


def _start(variant: Variant) -> Mapping[str, Any]:
    """Return what the weights start from and how images are shown: part of a run, not of the network."""
    return {key: variant.model.get(key) for key in ("pretrained", "weights", "input_policy")}


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)
