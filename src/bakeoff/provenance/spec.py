"""The specs of provenance and archive. Read at each parse of the workflow, so nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff.files import file_digest
from bakeoff.jobs.code import CHECKOUT
from bakeoff.models.registry import builder_modules
from bakeoff.study.figures import find_figures
from bakeoff.study.growth import rounds_file
from bakeoff.study.specs import describe_study
from bakeoff.study.study import Study

LOCK = CHECKOUT / "requirements.lock"


def provenance_spec(
    study: Study,
    runs: Mapping[str, Sequence[int]],
    profiles: Sequence[str],
    languages: Sequence[str],
) -> dict[str, Any]:
    """Return what decides the study's provenance, given its records.

    Args:
        study: the study.
        runs: {variant that is trained: its seeds}.
        profiles: variants whose cost is measured.
        languages: of the decks.
    """
    return {
        "study": describe_study(study),
        "jobs": [
            "data",
            *(f"runs/{variant}/seed{seed}" for variant, seeds in runs.items() for seed in seeds),
            *(f"profiles/{variant}" for variant in dict.fromkeys(profiles)),
            "comparison",
            *(f"ablations/{name}" for name in study.ablations),
            "claims",
            *(
                f"figures/{name}"
                for name in find_figures(
                    list(study.ablations), study.dataset.superclasses is not None
                )
            ),
            *(f"slides/{language}" for language in languages),
            "report",
        ],
        "lock": {"file": LOCK.name, "sha256": file_digest(LOCK)} if LOCK.is_file() else None,
    }


def pack_spec(study: Study, layers: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an archive holds besides results: the study's configuration, and how it was called for.

    Args:
        study: the study.
        layers: files of its configuration.
        given: values from the command line that lie over them.
    """
    builders = {variant.model["builder"] for variant in study.variants.values()}
    own = sorted(name.rpartition(":")[0] for name in builders - builder_modules().keys())
    grown = [str(rounds_file(Path(study.root)))] if study.growth.rounds else []
    files = [*layers, *dict(study.config.files).values(), *own, *grown]
    return {
        "name": study.name,
        "configuration": list(dict.fromkeys(files)),
        "layers": list(layers),
        "command_line": dict(given),
    }
