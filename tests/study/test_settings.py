"""Settings are written once: the schemas follow from the models, every key is read, and a parse stays cheap."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from typing import get_args

import pytest
from pydantic import BaseModel

from bakeoff.data.config import DataConfig
from bakeoff.study.claims import ClaimConfig
from bakeoff.study.config import AblationConfig, StudyConfig, VariantConfig
from bakeoff.study.schemas import schema_texts
from bakeoff.training.recipe import Recipe
from tests.support.project import REPOSITORY, SCHEMAS


def test_the_schemas_are_those_of_the_models() -> None:
    for name, text in schema_texts():
        assert (SCHEMAS / name).read_text(encoding="utf-8") == text, "run `make schemas`"


def keys_of(*models: type[BaseModel]) -> set[str]:
    """Return the names of all keys in models and in the models within them."""
    found = set()
    for model in models:
        for name, field in model.model_fields.items():
            found.add(name)
            kinds = (field.annotation, *get_args(field.annotation))
            inner = [
                each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)
            ]
            found |= keys_of(*inner)
    return found


@pytest.mark.parametrize(
    ("model", "readers"),
    [
        (Recipe, ("training", "evaluation", "study/study.py")),
        (DataConfig, ("data", "study")),
        (ClaimConfig, ("analysis", "study")),
        (StudyConfig, ("study", "data", "planning", "workflow.py", "../../workflow/rules")),
        (AblationConfig, ("study", "figures", "analysis")),
        (VariantConfig, ("study", "models", "evaluation")),
    ],
)
def test_every_key_that_a_schema_offers_is_read(
    model: type[BaseModel], readers: tuple[str, ...]
) -> None:
    """Read: by its name as an attribute, or as a key, in the part of the package that acts on it."""
    package = REPOSITORY / "src" / "bakeoff"
    read: set[str] = set()
    for place in readers:
        path = package / place
        for file in path.glob("*.smk"):
            read |= set(re.findall(r"\.(\w+)", file.read_text(encoding="utf-8")))
        for file in [path] if path.suffix else path.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute):
                    read.add(node.attr)
                elif isinstance(node, ast.Subscript | ast.Call | ast.Tuple | ast.Set):
                    read |= {
                        each.value for each in ast.walk(node) if isinstance(each, ast.Constant)
                    }
    assert keys_of(model) <= read, keys_of(model) - read


def test_a_parse_imports_nothing_heavy() -> None:
    code = (
        "import sys, bakeoff.workflow; "
        "print(sorted({'torch', 'timm', 'pandas', 'numpy', 'jsonschema'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
