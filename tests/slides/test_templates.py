"""The words of the deck."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bakeoff.errors import UserError
from bakeoff.slides import build_deck, check_slides, formats
from bakeoff.slides.templates import GLOSSARIES, LANGUAGES, TEMPLATES, leaves
from tests.support.decks import slides_yaml, spec_of

# --- templates ------------------------------------------------------------------------------------


def test_the_texts_of_the_project_are_right() -> None:
    assert check_slides(slides_yaml(), "config/slides.yaml") == []


def test_no_template_holds_a_digit() -> None:
    for language in LANGUAGES:
        for key, template in leaves(slides_yaml()[language]):
            if key.split(".")[0] not in GLOSSARIES:
                assert not re.search(r"\d", re.sub(r"\{\w+\}", "", template)), key


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda y: y["en"]["overall"]["headline"].update(tied="{bets} ties"), "did you mean 'best'"),
        (lambda y: y["zh"]["overall"]["headline"].pop("tied"), "zh.overall.headline.tied"),
        (lambda y: y["en"]["overall"].update(heading="Results"), "en.overall.heading: unknown key"),
        (lambda y: y["en"]["claims"].update(claim="Claim 1"), "en.claims.claim: a digit"),
        (lambda y: y["en"]["claims"].update(claim="{best"), "en.claims.claim: expected '}'"),
        (lambda y: y["en"]["claims"].update(claim=None), "en.claims.claim: expected a text"),
        (lambda y: y["en"]["names"].update(eca="{best}"), "en.names.eca: unknown placeholder"),
        (lambda y: y["zh"]["names"].update({"ratio 2": "比率 3"}), "names.ratio 2: a digit"),
        (lambda y: y["zh"].pop("families"), "zh.families: this section is missing"),
        (lambda y: y.pop("zh"), "zh: the block of this language is missing"),
        (lambda y: y.update(cn={}), "cn: unknown language"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_texts_is_named(
    change: Callable[[dict[str, Any]], Any], expected: str
) -> None:
    content = slides_yaml()
    change(content)
    mistakes = check_slides(content, "my.yaml")
    assert any(expected in mistake for mistake in mistakes), mistakes
    assert all(mistake.startswith("my.yaml: ") for mistake in mistakes)


def test_all_mistakes_are_listed_at_once(demo: Path, tmp_path: Path) -> None:
    content = slides_yaml()
    content["en"]["claims"]["claim"] = "{x}"
    content["zh"]["claims"]["verdict"] = "{y}"
    with pytest.raises(UserError, match=r"(?s)en\.claims\.claim.*zh\.claims\.verdict"):
        build_deck({**spec_of(demo), "slides": content}, demo, "en", tmp_path)
    assert not (tmp_path / "deck.en.pptx").exists()


def test_checking_the_texts_loads_no_heavy_library() -> None:
    code = "import sys, bakeoff.slides as s; s.check_slides({}, 'x'); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pptx", "lxml", "PIL", "numpy", "pandas", "torch"} & set(run.stdout.split())


def test_every_template_is_used() -> None:
    """A key that no code shows would have to be translated for nothing."""
    folder = Path(formats.__file__).parent
    modules = [path for path in folder.glob("*.py") if path.name != "templates.py"]
    patterns = [
        pattern
        for path in modules
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (pattern := key_pattern(node))
    ]
    unused = [key for key in TEMPLATES if not any(re.fullmatch(p, key) for p in patterns)]
    assert unused == []


def key_pattern(node: ast.AST) -> str:
    """Return the keys of templates that a string in the code can name, as a regular expression."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    if not isinstance(parts[0], ast.Constant) or not isinstance(parts[0].value, str):
        return ""
    return "".join(
        re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+" for part in parts
    )
