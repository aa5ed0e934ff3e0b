"""Whether a study's results have a folder of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bakeoff.study.layers import COMMAND_LINE, Layer

# What a study makes in its folder.
PARTS = frozenset(
    {
        *("ablation", "archive", "checkpoints", "claims", "comparison", "data", "data_card"),
        *(
            "figures",
            "logs",
            "plan",
            "power",
            "profiles",
            "provenance",
            "records",
            "report",
            "runs",
            "settle",
            "slides",
            "specs",
        ),
        "tensorboard",
    }
)
PROJECT = frozenset(
    {"benchmarks", "config", "docs", "profiles", "resources", "src", "tests", "workflow"}
)


def check_root(
    root: str, name: str, source: str, layers: Sequence[Layer], reads: Iterable[str], folder: Path
) -> Iterator[str]:
    """Yield why `root` cannot be the folder of a study's results, if it cannot.

    Args:
        root: `results_root` of the study.
        name: of the study.
        source: the layer that says so.
        layers: all layers of its configuration; studies may lie beside one another in the root of the lowest.
        reads: configuration and code that the study reads.
        folder: the working directory.
    """
    if Path(root).is_absolute() and source != COMMAND_LINE:
        yield (
            "does not fit the pattern of a folder relative to the working directory; an absolute one is taken "
            f"from the command line alone: --config results_root={root}"
        )
        return
    here, place = folder.resolve(), (folder / root).resolve()
    inside = place.relative_to(here).parts if place.is_relative_to(here) else ()
    home = (folder / str(layers[0].content.get("results_root", root))).resolve()
    file = next((path for path in (place, *place.parents) if path.is_file()), None)
    read = [path for path in reads if (folder / path).resolve().is_relative_to(place)]
    if file is not None:
        yield f"cannot be a folder, because {file} is a file"
    elif (folder / root).is_symlink() and not place.exists():
        yield f"is a link to {place}, which does not exist"
    elif here.is_relative_to(place):
        yield "holds the working directory"
    elif inside and (inside[0] in PROJECT or inside[0].startswith(".")):
        yield f"lies in {inside[0]}, which is a folder of the project"
    elif read:
        yield f"holds {read[0]}, which the study reads"
    elif place != home and place.is_relative_to(home) and place.relative_to(home).parts[0] in PARTS:
        yield f"lies among the results of the study in {home}"
    elif taken := _of_another(place, home, name, layers, folder):
        yield taken
    elif others := _strangers(place):
        yield f"is a folder with other things in it ({', '.join(others[:3])})"


def _of_another(
    place: Path, home: Path, name: str, layers: Sequence[Layer], folder: Path
) -> str | None:
    """Return which other study of `config/` has a folder that `place` is, lies in, or holds."""
    known = {layer.name for layer in layers}
    for file in sorted((folder / "config").glob("*.yaml")):
        # A look at the text, because all files together take long to read as YAML.
        text = file.read_text(encoding="utf-8", errors="replace")
        theirs, title = (_top_level(text, key) for key in ("results_root", "name"))
        shown = f"config/{file.name}"
        if not theirs or shown in known or title == name:
            continue
        other = (folder / theirs).resolve()
        if place.is_relative_to(other) or (other.is_relative_to(place) and place != home):
            word = "is" if place == other else "lies in" if place.is_relative_to(other) else "holds"
            return f"{word} the folder of the study '{title}' ({shown})"
    return None


def _strangers(place: Path) -> list[str]:
    """Return what is in a folder in which no study has been, hidden files and roots of studies aside."""
    try:
        entries = sorted(path for path in place.iterdir() if not path.name.startswith("."))
    except OSError:
        return []
    if any(path.name in PARTS - {"data", "logs"} for path in entries):
        return []
    return [path.name for path in entries if not (path / "specs").is_dir()]


def _top_level(text: str, key: str) -> Any:
    found = re.search(rf"^{key}: *(\S+)", text, re.MULTILINE)
    return found.group(1).strip("'\"") if found else None
