"""The recipe on its slides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pptx import Presentation
from pydantic import BaseModel

from bakeoff.slides import build_deck, formats, recipe
from bakeoff.slides.templates import LANGUAGES
from bakeoff.training.recipe import Recipe
from tests.support.decks import change_runs, slides_yaml, spec_of, texts, words_of

# --- the recipe -----------------------------------------------------------------------------------


def settings(model: type[BaseModel] = Recipe, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all settings that a recipe may have."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if inner:
            yield from settings(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_setting_of_a_recipe_has_a_group_and_a_name() -> None:
    expected = set(settings())
    grouped = [name for group in recipe.GROUPS.values() for name in group]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == expected
    for language in LANGUAGES:
        assert set(slides_yaml()[language]["recipe"]) == expected, language


def recipe_rows(root: Path, out: Path) -> dict[str, list[str]]:
    """Build the deck and return the rows of the tables on the slides of the recipe."""
    build_deck(spec_of(root), root, "en", out)
    kicker = words_of("en").templates["protocol.kicker"]
    slides = Presentation(out / "deck.en.pptx").slides
    shown = [slide for slide in slides if kicker in texts(slide)]
    tables = [shape.table for slide in shown for shape in slide.shapes if shape.has_table]
    cells = [[cell.text for cell in row.cells] for table in tables for row in table.rows]
    return {name: values for name, *values in cells}


def test_the_recipe_leaves_out_what_is_off_or_of_another_optimizer(
    study: Path, tmp_path: Path
) -> None:
    rows = recipe_rows(study, tmp_path)
    assert rows["Optimizer"] == ["SGD"]
    assert rows["Momentum"] == ["0.9"]
    assert rows["Learning rate at the end"] == ["0"]  # says that the cosine ends there
    assert not {"Betas", "Mixup", "Label smoothing", "Compiled", "Largest gradient norm"} & set(
        rows
    )

    def use_adamw(record: dict[str, Any]) -> dict[str, Any]:
        optimizer = record["configuration"]["recipe"]["optimizer"]
        optimizer.update(name="adamw", decay_norm_and_bias=False)
        record["configuration"]["recipe"].update(label_smoothing=0.1)
        return record

    change_runs(study, "*/*/provenance.json", use_adamw)
    rows = recipe_rows(study, tmp_path)
    assert rows["Betas"] == ["0.9, 0.999"]
    assert rows["… of norms and biases too"] == ["no"]
    assert rows["Label smoothing"] == ["0.1"]
    assert not {"Momentum", "Nesterov momentum"} & set(rows)


def test_a_setting_without_a_group_stands_under_its_own_name(study: Path, tmp_path: Path) -> None:
    def train(record: dict[str, Any]) -> dict[str, Any]:
        record["configuration"]["recipe"]["sharpness"] = {"radius": 0.05}
        return record

    change_runs(study, "*/*/provenance.json", train)
    assert recipe_rows(study, tmp_path)["sharpness.radius"] == ["0.05"]


def test_the_precision_is_the_one_that_was_used(study: Path, tmp_path: Path) -> None:
    assert recipe_rows(study, tmp_path)["Precision"] == ["fp16, mixed"]  # "auto" was asked for
    change_runs(study, "*/*/metrics.json", lambda metrics: metrics | {"precision": "no"})
    assert recipe_rows(study, tmp_path)["Precision"] == ["fp32"]
    change_runs(study, "resnet_20/*/metrics.json", lambda metrics: metrics | {"precision": "bf16"})
    assert recipe_rows(study, tmp_path)["Precision"] == ["bf16, mixed, fp32"]


def test_a_tuned_protocol_shows_each_recipe(study: Path, tmp_path: Path) -> None:
    def tune(record: dict[str, Any]) -> dict[str, Any]:
        record["configuration"]["recipe"]["learning_rate"]["base"] = 0.4
        record["configuration"]["model"]["args"]["drop_path_rate"] = 0.1
        return record

    change_runs(study, "ghost_resnet_20/*/provenance.json", tune)
    rows = recipe_rows(study, tmp_path)
    users = rows["Setting"]
    assert sorted(users) == ["GhostNet", "ResNet and ECA-Net"]
    ghost, others = users.index("GhostNet"), users.index("ResNet and ECA-Net")
    assert (rows["Base learning rate"][ghost], rows["Base learning rate"][others]) == ("0.4", "0.1")
    assert (rows["Drop path"][ghost], rows["Drop path"][others]) == ("0.1", formats.MISSING)
    assert rows["Optimisation"] == ["", ""]
