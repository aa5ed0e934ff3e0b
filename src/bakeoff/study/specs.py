"""Specs: for each thing that is made, one JSON value with exactly what reaches its job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bakeoff.data.config import DataConfig
from bakeoff.data.kinds import find_kind, kind_names
from bakeoff.files import write_text_if_changed
from bakeoff.models.weights_files import WeightsSource
from bakeoff.study.figures import Figure, find_figures
from bakeoff.study.networks import Network, library_versions
from bakeoff.study.study import Study, Variant

LANGUAGES = ("zh", "en")

Specs = dict[str, dict[str, Any]]


def trained_as(study: Study, networks: Mapping[str, Network]) -> dict[str, str]:
    """Return {variant: the variant whose runs stand for it}.

    Variants that are the same network under the same recipe are trained once: as the one that has runs already, else
    the one that the comparison names first, else the one that the ablations name first.
    """
    first: dict[tuple[str, str, str], str] = {}
    result = {}
    names = list(dict.fromkeys([*study.comparison, *(arm.variant for arm in study.arms())]))
    for name in sorted(names, key=lambda name: not _has_runs(study, name)):
        variant = study.variants[name]
        identity = (
            networks[name].fingerprint,
            _compact(_trained_by(variant)),
            _compact(_start(variant)),
        )
        result[name] = first.setdefault(identity, name)
    return {name: result[name] for name in names}


def study_specs(study: Study, networks: Mapping[str, Network]) -> Specs:
    """Return {path below `{root}/specs`, without `.json`: spec} for everything the study makes."""
    runs = trained_as(study, networks)
    specs: Specs = {
        "data": data_spec(study),
        "download": {
            "data": study.data.model_dump(
                mode="json", exclude=set(DataConfig.model_fields) - {"kind"}
            )
        },
        "comparison": comparison_spec(study, runs),
        "claims": claims_spec(study),
        **{f"slides/{language}": slides_spec(study, runs, language) for language in LANGUAGES},
        "settle": settle_spec(study, runs),
        "report": report_spec(study),
        "data_card": {"title": study.dataset.title["en"]},
        "page": page_spec(study, runs),
    }
    for name in dict.fromkeys(runs.values()):
        variant = study.variants[name]
        specs[f"runs/{name}"] = run_spec(study, variant)
        specs[f"profiles/{name}"] = profile_spec(study, variant)
    specs |= weights_specs(study, [study.variants[name] for name in runs.values()])
    for name in study.ablations:
        specs[f"ablations/{name}"] = ablation_spec(study, name, runs)
    for figure in _figures(study):
        specs[f"figures/{figure}"] = figure_spec(study, figure)
    return specs


def seeds_needed(study: Study, runs: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Return {variant that is trained: its seeds}: every table uses all that any part of the study needs."""
    needed: dict[str, set[int]] = {}
    for name in study.comparison:
        needed.setdefault(runs[name], set()).update(study.seeds["comparison"])
    for arm in study.arms():
        needed.setdefault(runs[arm.variant], set()).update(arm.seeds)
    for name, seeds in study.growth.seeds().items():
        # A variant that the study has no more needs none.
        if (run := runs.get(name, name)) in needed:
            needed[run].update(seeds)
    return {name: tuple(sorted(seeds)) for name, seeds in needed.items()}


def data_spec(study: Study) -> dict[str, Any]:
    """Return what decides the prepared data, except for the files that they are read from."""
    return {"data": study.data.decides()}


def run_spec(study: Study, variant: Variant) -> dict[str, Any]:
    """Return what decides the result of a run, except for its seed and the prepared data."""
    return {
        "variant": variant.name,
        "model": dict(variant.model),
        "recipe": _trained_by(variant),
        "deterministic": study.deterministic,
        "versions": library_versions(study.versions),
    }


def profile_spec(study: Study, variant: Variant) -> dict[str, Any]:
    """Return what decides the cost profile of a variant."""
    return {
        "variant": variant.name,
        "model": dict(variant.model),
        **_network_size(study),
        "versions": library_versions(),
    }


def weights_specs(study: Study, variants: Sequence[Variant]) -> Specs:
    """Return, for each file of pretrained weights, what it is and the networks that start from it."""
    specs: Specs = {}
    for variant in variants:
        if variant.pretrained:
            source = WeightsSource.from_mapping(variant.model["weights"])
            spec = specs.setdefault(
                f"weights/{source.name}",
                {"weights": asdict(source), "models": {}, **_network_size(study)},
            )
            spec["models"][variant.name] = dict(variant.model)
    return specs


def cards_spec(study: Study, models: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the model cards of all variants of models.yaml."""
    return {
        "models": dict(models),
        **_network_size(study),
        "versions": library_versions(),
    }


def comparison_spec(study: Study, runs: Mapping[str, str]) -> dict[str, Any]:
    """Return what decides the comparison tables, given the runs."""
    rows = []
    seeds = seeds_needed(study, runs)
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
                "seeds": list(seeds[runs[name]]),
                "paper": variant.card.get("paper"),
                "year": variant.card.get("year"),
            }
        )
    return {
        "study": describe_study(study),
        "margin": study.config.margin,
        "variants": rows,
    }


def ablation_spec(study: Study, name: str, runs: Mapping[str, str]) -> dict[str, Any]:
    """Return what decides the table of an ablation, given the runs."""
    ablation = study.ablations[name]
    seeds = seeds_needed(study, runs)
    return {
        "study": describe_study(study),
        "margin": study.config.margin,
        "ablation": name,
        "title": dict(ablation.title),
        "baseline": ablation.baseline,
        "arms": [
            {
                "arm": arm.arm,
                "variant": arm.variant,
                "display": study.variants[arm.variant].card.get("display", arm.variant),
                "run": runs[arm.variant],
                "seeds": list(seeds[runs[arm.variant]]),
            }
            for arm in ablation.arms
        ],
    }


def claims_spec(study: Study) -> dict[str, Any]:
    """Return what decides the verdicts on the claims, given the tables."""
    return {
        "study": describe_study(study),
        "claims": [claim.model_dump(mode="json", exclude_defaults=True) for claim in study.claims],
        "datasets": _titles(study),
        "ablations": list(study.ablations),
    }


def settle_spec(study: Study, runs: Mapping[str, str]) -> dict[str, Any]:
    """Return what decides which seeds are added next, given the tables."""
    settle = study.config.settle
    return {
        "study": describe_study(study),
        "settle": None if settle is None else settle.model_dump(mode="json"),
        "growth": study.growth.model_dump(mode="json"),
        "runs": {name: list(seeds) for name, seeds in seeds_needed(study, runs).items()},
    }


def report_spec(study: Study) -> dict[str, Any]:
    """Return what decides the page with all tables and figures, given those."""
    # Claims name other data sets, and a reader of the page is told that this is not one of them.
    others = [t["en"] for name, t in _titles(study).items() if name != study.dataset.name]
    return {
        "study": describe_study(study),
        "data": study.dataset.title["en"] + (f" (not {', '.join(others)})" if others else ""),
        "ablations": {name: dict(ablation.title) for name, ablation in study.ablations.items()},
        **({"left_out": study.left_out} if study.left_out else {}),
        "figures": {
            name: {"caption": figure.caption, "category": figure.category}
            for name, figure in _figures(study).items()
        },
    }


def figure_spec(study: Study, figure: str) -> dict[str, Any]:
    """Return what decides a figure, given the tables and runs."""
    return {
        "study": describe_study(study),
        "ablations": list(study.ablations) if figure == "ablation_deltas" else [],
    }


def page_spec(study: Study, runs: Mapping[str, str]) -> dict[str, Any]:
    """Return what decides the page to explore the study with, given tables and runs."""
    names = list(dict.fromkeys(runs.values()))
    return {
        "study": describe_study(study),
        "data": dict(study.dataset.title),
        "margin": study.config.margin,
        "ablations": {name: dict(ablation.title) for name, ablation in study.ablations.items()},
        "arms": {
            name: {arm.arm: runs[arm.variant] for arm in ablation.arms}
            for name, ablation in study.ablations.items()
        },
        "variants": {name: runs[name] for name in study.comparison},
        "runs": {name: list(seeds) for name, seeds in seeds_needed(study, runs).items()},
        "display": {name: study.variants[name].card.get("display", name) for name in names},
        "family": {name: study.variants[name].family for name in names},
    }


def slides_spec(study: Study, runs: Mapping[str, str], language: str) -> dict[str, Any]:
    """Return what decides the deck in one language, given tables and figures."""
    recipe = _recipes(study)[0]
    return {
        "study": {
            **describe_study(study),
            "seeds": {key: list(value) for key, value in study.seeds.items()},
            "global_batch": recipe["global_batch"],
            "recipe": dict(recipe),
        },
        "slides": {language: study.slides[language]},
        "talk": {"logo": study.talk.logo, **study.talk.model_dump(mode="json")[language]},
        "comparison": comparison_spec(study, runs),
        "ablations": {name: ablation_spec(study, name, runs) for name in study.ablations},
    }


def describe_study(study: Study) -> dict[str, Any]:
    """Return what every table and figure says about the study itself."""
    return {
        "name": study.name,
        "dataset": study.dataset.name,
        "protocol": study.protocol,
        "epochs": min(int(recipe["epochs"]) for recipe in _recipes(study)),
        "metric": study.config.metric,
        "looks": study.growth.looks,
    }


def _recipes(study: Study) -> list[Mapping[str, Any]]:
    return [study.variants[name].recipe for name in study.comparison]


def _figures(study: Study) -> dict[str, Figure]:
    return find_figures(list(study.ablations), study.dataset.superclasses is not None)


def _network_size(study: Study) -> dict[str, int]:
    """Return what a builder is told of the data."""
    return {"num_classes": study.dataset.classes, "image_size": study.dataset.image_size}


def _titles(study: Study) -> dict[str, dict[str, str]]:
    """Return {data set: title in each language} of those that the study or its claims name, as far as they have any."""
    named = {claim.requires.dataset for claim in study.claims} & set(kind_names())
    titles = {name: dict(find_kind(name).TITLE) for name in sorted(filter(None, named))}
    return {**titles, study.dataset.name: dict(study.dataset.title)}


def write_specs(folder: Path, specs: Specs) -> None:
    """Write each spec to `{folder}/{path}.json` if its content changed."""
    for name, spec in specs.items():
        text = json.dumps(spec, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_text_if_changed(folder / f"{name}.json", text)


def _has_runs(study: Study, variant: str) -> bool:
    return (Path(study.root) / "records" / "runs" / variant).is_dir()


def _trained_by(variant: Variant) -> dict[str, Any]:
    """Return a variant's recipe without its name, and without the rate that is the network's."""
    return {key: value for key, value in variant.recipe.items() if key not in ("name", "drop_path")}


def _start(variant: Variant) -> Mapping[str, Any]:
    """Return what the weights start from and how images are shown: part of a run, not of the network."""
    return {key: variant.model.get(key) for key in ("pretrained", "weights", "input_policy")}


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)
