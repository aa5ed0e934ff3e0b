"""What networks get wrong: classes, superclasses, and the test images that most of them miss."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bakeoff.analysis.networks import read_superclasses
from bakeoff.analysis.runs import load_runs
from bakeoff.files import read_json

IMAGES = 48
LARGEST = 96  # pixels on a side; images of more would make the page heavy


def find_mistakes(root: Path, runs: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return what the networks of `runs` ({variant: seeds}) get wrong on the test images.

    Returns:
        `classes` and `superclasses`: {variant: error of each in percent, mean over seeds; None without test images},
        the latter None where classes are not grouped; `gallery`: the images that most networks miss, each with its
        class, the share of networks that miss it (a network counts by the share of its seeds), and what it is taken
        for.
    """
    meta = read_json(root / "data" / "meta.json")
    superclass_of = read_superclasses(root / "data" / "meta.json")
    wrong: dict[str, NDArray[np.float64]] = {}
    said: list[NDArray[np.int64]] = []
    groups: dict[str, list[float | None]] = {}
    labels: NDArray[np.int64] | None = None
    for name, seeds in runs.items():
        found = [run for run in load_runs(root / "runs", name, seeds) if run.diverged_at is None]
        if not found:
            continue
        answers = [run.predictions() for run in found]
        labels = answers[0].labels
        predicted = np.stack([each.predicted() for each in answers])
        said += list(predicted)
        wrong[name] = (predicted != labels).mean(axis=0)
        if superclass_of is not None:
            outside = (superclass_of[predicted] != superclass_of[labels]).mean(axis=0)
            groups[name] = _by_class(outside, superclass_of[labels], len(meta["superclasses"]))
    if labels is None:
        return {"classes": {}, "superclasses": None, "gallery": []}
    count = len(meta["classes"])
    return {
        "classes": {name: _by_class(each, labels, count) for name, each in wrong.items()},
        "superclasses": groups or None,
        "gallery": _gallery(root, meta["classes"], labels, wrong, np.stack(said)),
    }


def _by_class(
    wrong: NDArray[np.float64], labels: NDArray[np.int64], count: int
) -> list[float | None]:
    images = np.bincount(labels, minlength=count)
    errors = np.bincount(labels, weights=wrong, minlength=count)
    return [
        round(100 * float(error / number), 2) if number else None
        for error, number in zip(errors, images, strict=True)
    ]


def _gallery(
    root: Path,
    classes: Sequence[str],
    labels: NDArray[np.int64],
    wrong: Mapping[str, NDArray[np.float64]],
    said: NDArray[np.int64],
) -> list[dict[str, Any]]:
    path = root / "data" / "test_images.npy"
    if not path.is_file():
        # An archive leaves the images out; what was unpacked has no gallery.
        return []
    share = np.mean(list(wrong.values()), axis=0)
    images = np.load(path, mmap_mode="r")
    hardest = np.argsort(-share, kind="stable")[:IMAGES]
    return [
        {
            "image": _png(images[i]),
            "number": int(i),
            "label": classes[labels[i]],
            "missed": round(100 * float(share[i]), 1),
            "taken_for": [
                {"class": classes[k], "share": round(100 * number / len(said), 1)}
                for k, number in Counter(said[:, i].tolist()).most_common(3)
                if k != labels[i]
            ],
        }
        for i in hardest
        if share[i] > 0
    ]


def _png(image: NDArray[np.uint8]) -> str:
    """Return an image (uint8, 3 x H x W) as a data URI."""
    picture = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    if max(picture.size) > LARGEST:
        picture.thumbnail((LARGEST, LARGEST))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
