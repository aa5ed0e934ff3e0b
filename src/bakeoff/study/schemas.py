"""The JSON schemas of the configuration, for editors: `python -m bakeoff.study.schemas FOLDER` writes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema

from bakeoff.files import write_text_if_changed
from bakeoff.study.config import KINDS

NOTE = "# Made from the models in src/bakeoff by `make schemas`; edit those.\n"


class _Schema(GenerateJsonSchema):
    """Schemas whose keys have their docstrings as descriptions, and no titles, which would repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: Any) -> Any:
        made = super().model_schema(schema)
        for key, meaning in schema["cls"].meanings().items():
            made["properties"][key].setdefault("description", meaning)
        return made


def schema_texts() -> Iterator[tuple[str, str]]:
    """Yield (file name, content) of each schema."""
    for kind, adapter in KINDS.items():
        schema = {
            "$schema": _Schema.schema_dialect,
            **adapter.json_schema(schema_generator=_Schema),
        }
        # Numbers as they are, and each setting on a line or two.
        text = yaml.safe_dump(schema, sort_keys=False, width=116, default_flow_style=None)
        yield f"{kind}.schema.yaml", NOTE + text


def main() -> None:
    """Write the schemas to the folder that the command line names."""
    for name, text in schema_texts():
        write_text_if_changed(Path(sys.argv[1]) / name, text)


if __name__ == "__main__":
    main()
