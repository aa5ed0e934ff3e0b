"""The templates of one language, filled with values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from bakeoff.errors import UserError
from bakeoff.slides.templates import GLOSSARIES, LANGUAGES, TERMS, check_slides, leaves
from bakeoff.slides.values import Text, Value, join
from bakeoff.study.metric import Metric

NO_BREAK = "\u00a0"

Filler = str | Value | Text


@dataclass(frozen=True)
class Finding:
    """What the data shows: the key of the template that says it, and the values of its placeholders."""

    key: str
    values: Mapping[str, Filler]


@dataclass(frozen=True)
class Words:
    """The texts of one language."""

    language: str
    templates: Mapping[str, str]
    glossaries: Mapping[str, Mapping[str, str]]
    metric: Metric = "top1"

    def say(self, key: str, **values: Filler) -> Text:
        """Return the template `key` with its placeholders filled."""
        terms = TERMS
        if self.metric == "balanced":
            terms = {**TERMS, "metric": self.templates["common.balanced"]}
        parts: list[str | Value] = []
        for literal, name, _, _ in Formatter().parse(self.templates[key]):
            if literal:
                parts.append(literal)
            if name is not None:
                filler = values[name] if name in values else terms[name]
                parts.extend(filler if isinstance(filler, tuple) else (filler,))
        if self.templates[key].startswith(tuple(f"{{{term}}}" for term in TERMS)):
            parts[0] = str(parts[0]).capitalize() if str(parts[0]).islower() else parts[0]
        return tuple(parts)

    def tell(self, finding: Finding) -> Text:
        """Return the sentence of a finding."""
        return self.say(finding.key, **finding.values)

    def listing(self, texts: Sequence[Text]) -> Text:
        """Return `texts` as an enumeration."""
        separator, end = self.templates["common.list_separator"], self.templates["common.list_end"]
        if len(texts) < 2:
            return join(texts, separator)
        return (*join(texts[:-1], separator), end, *texts[-1])

    def dots(self, texts: Sequence[Text]) -> Text:
        """Return `texts` in one line, set apart by dots."""
        return join(texts, " · ")

    def colon(self, value: Value) -> Text:
        """Return a value with a colon before it."""
        return (self.templates["common.colon"], value)

    def span(self, low: Value, high: Value) -> Text:
        """Return a range, or the one value where both ends look the same."""
        if low.text == high.text:
            return (low,)
        return self.say("common.span", low=low, high=high)

    def name(self, raw: str, glossary: str = "names") -> str:
        """Return how slides show a name of the study: as the glossary has it, else as it is."""
        if raw in TERMS:
            return TERMS[raw]
        return self.glossaries[glossary].get(raw, raw)

    def named(self, value: Value) -> Value:
        """Return `value` shown as the glossary of names has it."""
        return Value(self.name(value.text), value.content, value.source, value.scale)


def load_words(
    slides: Mapping[str, Any], language: str, source: str, metric: Metric = "top1"
) -> Words:
    """Return the texts of `language` in the content of `config/slides.yaml`, for a study that `metric` decides.

    Raises:
        UserError: there are mistakes; the message lists them.
    """
    mistakes = check_slides(slides, source, [language] if language in LANGUAGES else LANGUAGES)
    if mistakes:
        raise UserError("\n".join(mistakes))
    if language not in LANGUAGES:
        raise UserError(
            f"{source}: no language '{language}'; the deck is made in {', '.join(LANGUAGES)}."
        )
    block = slides[language]
    return Words(
        language=language,
        templates={
            key: _unbroken(template)
            for key, template in leaves({k: v for k, v in block.items() if k not in GLOSSARIES})
        },
        glossaries={name: dict(block[name]) for name in GLOSSARIES},
        metric=metric,
    )


def _unbroken(template: str) -> str:
    """Keep a number on one line with its unit, and an interval in one piece."""
    template = re.sub(r"(?<=\}) (?=%|M\b|points\b)", NO_BREAK, template)
    return re.sub(r"\[[^\]]*\]", lambda found: found.group().replace(" ", NO_BREAK), template)
