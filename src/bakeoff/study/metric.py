"""Which accuracy decides: the setting `metric` of the study, and what it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Metric = Literal["top1", "balanced"]

NAMES: Mapping[Metric, str] = {"top1": "top-1 accuracy", "balanced": "balanced accuracy"}
"""{metric: what it is called in a sentence}"""
TITLES: Mapping[Metric, str] = {"top1": "Top-1", "balanced": "Balanced accuracy"}
"""{metric: how a heading begins}"""


def metric_of(spec: Mapping[str, Any]) -> Metric:
    """Return the metric of the study that a spec is of."""
    return "balanced" if spec["study"].get("metric") == "balanced" else "top1"
