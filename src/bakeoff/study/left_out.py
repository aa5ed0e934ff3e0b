"""Ablations that a study leaves out, because the pretrained weights of their arms are not to be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bakeoff.models.weights_files import WeightsSource, lock_path
from bakeoff.study.study import Study


def without_absent_weights(study: Study, hub_answers: Callable[[], bool], endpoint: str) -> Study:
    """Return a study without the ablations whose weights are neither here nor to be fetched.

    Its `left_out` says so in one line. Runs that were made need their weights no more, and of weights with a lock a
    job says itself what is to be done.

    Args:
        study: the whole study.
        hub_answers: whether weights can be fetched; asked only where some are missing.
        endpoint: the address that is asked, for the line.
    """
    absent = {
        name: files
        for name, ablation in study.ablations.items()
        if (files := _absent(study, {arm.variant for arm in ablation.arms}))
    }
    if not absent or hub_answers():
        return study
    wanted = sorted({file.name for missing in absent.values() for file in missing})
    names = list(absent)
    line = (
        f"Left out: {'ablation' if len(names) == 1 else 'ablations'} {', '.join(names)}, because pretrained weights "
        f"are neither in {study.config.weights.dir} nor to be fetched ({endpoint} does not answer). To have "
        f"{'it' if len(names) == 1 else 'them'}, put there: {', '.join(wanted)}; or name their folder as weights.dir."
    )
    kept = {name: each for name, each in study.ablations.items() if name not in absent}
    used = {*study.comparison, *(arm.variant for each in kept.values() for arm in each.arms)}
    variants = {name: each for name, each in study.variants.items() if name in used}
    return replace(study, ablations=kept, variants=variants, left_out=line)


def _absent(study: Study, variants: set[str]) -> set[Path]:
    """Return the files of weights that runs of these variants still need, and that a hub would have."""
    files = set()
    for name in sorted(variants):
        variant = study.variants[name]
        if not variant.pretrained or (Path(study.root) / "records" / "runs" / name).is_dir():
            continue
        source = WeightsSource.from_mapping(variant.model["weights"])
        path = source.path(study.config.weights.dir)
        if source.hub is not None and not path.is_file() and not lock_path(path).is_file():
            files.add(path)
    return files
