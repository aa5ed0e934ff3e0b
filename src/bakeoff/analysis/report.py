"""All tables and figures of a study on one page of Markdown: `{root}/report/report.md`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bakeoff.analysis.tables import format_number, read_table
from bakeoff.data.reading import Reading, load_reading
from bakeoff.files import read_json, write_text
from bakeoff.markup import markdown
from bakeoff.study.metric import Metric, metric_of

TABLES: Mapping[str, str] = {
    "models": "Variants",
    "families": "Families",
    "pairwise": "Pairs of variants",
}


DECIDES: Mapping[Metric, str] = {
    "top1": "Top-1 accuracy decides: every test image counts the same.",
    "balanced": "Balanced accuracy decides: every class counts the same, however many test images it has.",
}


def write_report(spec: Mapping[str, Any], root: Path) -> None:
    """Write the page for the study in `root`; `spec` is `{root}/specs/report.json`."""
    meta = read_json(root / "data" / "meta.json")
    found = load_reading(root / "data" / "reading.json")
    write_text(root / "report" / "report.md", "\n\n".join(_parts(spec, meta, found, root)) + "\n")


def _parts(
    spec: Mapping[str, Any], meta: Mapping[str, Any], found: Reading, root: Path
) -> list[str]:
    study = spec["study"]
    figures: Mapping[str, Mapping[str, str]] = spec["figures"]
    of_ablations = [name for name in figures if figures[name]["category"] == "Ablations"]
    parts = [
        f"# Study {markdown(study['name'])}",
        _about(spec, meta),
        *_told(found),
        "## Findings",
        "\n".join(f"- {markdown(text)}" for text in findings(spec, root)),
        "## Comparison",
        *(_figure(name, figures) for name in figures if name not in of_ablations),
    ]
    for name, title in TABLES.items():
        parts += [f"### {title}", _table(root / "comparison" / f"{name}.md")]
    if spec["ablations"]:
        parts += ["## Ablations", *(_figure(name, figures) for name in of_ablations)]
    for name, title in spec["ablations"].items():
        parts += [f"### {markdown(title['en'])}", _table(root / "ablation" / f"{name}.md")]
    if left_out := spec.get("left_out"):
        parts += ["## Ablations"] if not spec["ablations"] else []
        parts.append(markdown(left_out))
    return [*parts, "## Claims", _counts(root), _table(root / "claims" / "claims.md")]


def _about(spec: Mapping[str, Any], meta: Mapping[str, Any]) -> str:
    study, data = spec["study"], spec["data"]
    size = f"{len(meta['classes'])} classes, {meta['image_size']} x {meta['image_size']} pixels"
    return (
        f"Data: {markdown(data)}, {size}. {meta['train_images'] - meta['validation_images']:,} images to train on, "
        f"{meta['validation_images']:,} held out for every choice, {meta['test_images']:,} to test on, once. "
        f"Protocol `{study['protocol']}`, {study['epochs']} epochs. {DECIDES[metric_of(spec)]}"
    )


def _told(found: Reading) -> list[str]:
    """Return what a reader has to know of the images: files left out, and copies."""
    told = list(found.sentences)
    if found.left_out:
        told.append(
            f"Files left out, because they are no images that can be read: {found.left_out}."
        )
    return ["\n".join(f"- {markdown(sentence)}" for sentence in told)] if told else []


def _counts(root: Path) -> str:
    """Say how many claims have which verdict, those of the original talk and those of papers apart."""
    claims = read_table(root / "claims" / "claims.csv", ("origin", "verdict"))
    told = []
    for origin, of in (("talk", "Of the original talk"), ("paper", "Of papers")):
        verdicts = claims.loc[claims["origin"] == origin, "verdict"]
        counts = [f"{count} {verdict}" for verdict, count in verdicts.value_counts().items()]
        if counts:
            told.append(f"{of}: {', '.join(counts)}.")
    return " ".join(told)


def findings(spec: Mapping[str, Any], root: Path) -> list[str]:
    """Return what the tables of the study in `root` say, in sentences; nothing is decided here."""
    models = read_table(
        root / "comparison" / "models.csv", ("display", "group", "distinct", "diverged")
    )
    networks = models[models["distinct"]]
    told = [_leaders(networks)]
    for name, title in spec["ablations"].items():
        table = read_table(root / "ablation" / f"{name}.csv", ("arm", "verdict", "delta"))
        told.append(f"{title['en']}: {_arms(table)}")
    if left := int(networks["diverged"].sum()):
        told.append(f"Runs that diverged, and are in no mean: {left}.")
    return told


def _leaders(networks: pd.DataFrame) -> str:
    leading = networks.loc[networks["group"] == "leading", "display"].tolist()
    judged = int((networks["group"] != "one seed").sum())
    if not leading or judged < 2:
        return (
            "No difference between variants can be told: that takes several seeds of two of them."
        )
    if len(leading) == 1:
        return f"{leading[0]} is better than each other variant with several seeds ({judged})."
    return (
        f"{len(leading)} of {judged} variants with several seeds lead, and none of them is shown to be better than "
        f"another: {', '.join(leading)}."
    )


def _arms(table: pd.DataFrame) -> str:
    """Return the arms of an ablation by their verdict, with their change in points."""
    if table.empty:
        return "no finished run of the baseline."
    arms = table[table["arm"] != table["baseline"]]
    parts = []
    for verdict, rows in arms.groupby("verdict", sort=False):
        named = (
            f"{row['arm']} ({format_number(row['delta'], '+.2f')})"
            for row in rows.to_dict("records")
        )
        parts.append(f"{verdict}: {', '.join(named)}")
    return "; ".join(parts) + "." if parts else "no arm but the baseline."


def _figure(name: str, figures: Mapping[str, Mapping[str, str]]) -> str:
    caption = figures[name]["caption"]
    return f"![{caption}](../figures/{name}.png)\n\n*{caption}*"


def _table(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
