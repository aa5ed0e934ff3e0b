"""The page as one file: template, style, script, library and data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from plotly.offline import get_plotlyjs

from bakeoff.files import write_text
from bakeoff.page.content import gather
from bakeoff.page.mistakes import find_mistakes
from bakeoff.page.words import load_words


def write_page(spec: Mapping[str, Any], root: Path) -> None:
    """Write `{root}/report/index.html` for the study in `root`; `spec` is `{root}/specs/page.json`.

    Raises:
        UserError: a table or a run is missing or damaged.
    """
    content = gather(spec, root) | {"mistakes": find_mistakes(root, spec["runs"])}
    write_text(root / "report" / "index.html", render(content))


def render(content: Mapping[str, Any]) -> str:
    """Return the page that shows `content`."""
    assets = files("bakeoff.page") / "assets"
    texts = {
        name: (assets / name).read_text(encoding="utf-8")
        for name in ("page.html", "page.css", "page.js")
    }
    # Autoescape: names of studies and classes are anyone's. What is put in as it is, is ours or JSON.
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        texts["page.html"]
    )
    return template.render(
        title=content["study"]["name"],
        style=texts["page.css"],
        script=texts["page.js"],
        library=get_plotlyjs(),
        data=in_script(content),
        words=in_script(load_words()),
    )


def in_script(value: Any) -> str:
    """Return JSON that can stand in a script element of HTML: nothing in it ends the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
