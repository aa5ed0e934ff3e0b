"""The jobs of a study, read from Snakemake's rules: a job is declared once, in its rule.

A rule whose results are tracked by content takes its inputs from `Inputs` and has among its outputs

- `record`: `{root}/records/{job}.json`, which names the job: `records/runs/{variant}/seed{seed}.json`,

and maybe among its parameters

- `code`: what its script imports by name, besides what it imports as usual: modules, or files of the user's.

This module knows Snakemake by the few attributes that it uses, and does not import it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from bakeoff.jobs.code import script_of
from bakeoff.jobs.records import job_name, split_paths

Source = str | Sequence[str] | Callable[[Any], Sequence[str]]


@dataclass(frozen=True)
class Job:
    """One job of a study. Paths are relative to the study's root, except in `outside`."""

    name: str
    """As in `{root}/records/{name}.json`: `data`, `runs/resnet_20/seed0`, `figures/accuracy_bars`, ..."""
    spec: Mapping[str, Any]
    reads: tuple[str, ...]
    outside: tuple[str, ...]
    """Files outside of the root that it reads: an archive, the lock of weights."""
    writes: tuple[str, ...]
    code: tuple[str, ...]
    """What it starts from: its script, and modules and files that this imports by name."""

    @property
    def title(self) -> str:
        """What to call it to a person."""
        return self.name.removeprefix("runs/")


class Rule(Protocol):
    """What is used of a rule of Snakemake's."""

    name: str
    params: Any
    output: Any

    def is_producer(self, path: str) -> bool:
        """Return whether the rule makes a file."""
        ...

    def get_wildcards(self, path: str) -> dict[str, str]:
        """Return the wildcards by which it makes a file."""
        ...


class Inputs:
    """What a rule reads: patterns, lists of patterns, or functions of the wildcards, by name."""

    def __init__(self, sources: Mapping[str, Source], resolve: Callable[[str], str]) -> None:
        """Take the inputs of a rule; `resolve` puts the root into a pattern."""
        self._sources = sources
        self._resolve = resolve

    def files(self, wildcards: Any) -> dict[str, str | list[str]]:
        """Return {name: file, or list of files} for the job with these wildcards."""
        found = {
            name: source(wildcards) if callable(source) else source
            for name, source in self._sources.items()
        }
        return {
            name: self._file(patterns, wildcards)
            if isinstance(patterns, str)
            else [self._file(pattern, wildcards) for pattern in patterns]
            for name, patterns in found.items()
        }

    def _file(self, pattern: str, wildcards: Any) -> str:
        return self._resolve(pattern).format(**vars(wildcards))


@dataclass(frozen=True)
class _Tracked:
    """A rule whose jobs are tracked."""

    rule: Rule
    inputs: Inputs
    pattern: str

    @cached_property
    def names(self) -> re.Pattern[str]:
        """Match a job's name and give its wildcards."""
        parts = re.split(r"\{(\w+)\}", self.pattern)
        texts = [re.escape(p) if i % 2 == 0 else f"(?P<{p}>[^/]+)" for i, p in enumerate(parts)]
        return re.compile("".join(texts))


class JobTable:
    """All tracked jobs that the rules can make."""

    def __init__(
        self,
        root: Path,
        specs: Mapping[str, Mapping[str, Any]],
        rules: Iterable[tuple[Rule, Inputs]],
    ) -> None:
        """Take the rules of a study.

        Args:
            root: of the study.
            specs: {spec: content}; a job's spec has its name or that of a folder above it.
            rules: those that are tracked, each with its inputs.
        """
        self._root = root
        self._specs = specs
        self._rules = [
            _Tracked(rule, inputs, job_name(root, _plain(rule.output.record)))
            for rule, inputs in rules
        ]
        self._jobs: dict[str, Job] = {}
        self._producers: dict[str, str | None] = {}

    def name(self, inputs: Inputs, wildcards: Any) -> str:
        """Return the name of the job of the rule with these inputs and wildcards."""
        return self._with(inputs).pattern.format(**vars(wildcards))

    def rule(self, inputs: Inputs) -> Rule:
        """Return the rule with these inputs."""
        return self._with(inputs).rule

    def _with(self, inputs: Inputs) -> _Tracked:
        return next(each for each in self._rules if each.inputs is inputs)

    def job(self, name: str) -> Job:
        """Return the job called `name`.

        Raises:
            KeyError: there is no such job.
        """
        if name not in self._jobs:
            self._jobs[name] = self._make(name)
        return self._jobs[name]

    def describes(self, name: str) -> bool:
        """Return whether the study has a job of this name."""
        return self._spec_of(name) is not None and any(
            each.names.fullmatch(name) for each in self._rules
        )

    def producer(self, path: str) -> str | None:
        """Return the name of the job that writes a file, given by its path below the root; None if none does."""
        if path not in self._producers:
            whole = str(self._root / path)
            makers = (each for each in self._rules if each.rule.is_producer(whole))
            maker = next(makers, None)
            self._producers[path] = (
                maker.pattern.format(**maker.rule.get_wildcards(whole)) if maker else None
            )
        return self._producers[path]

    def steps(self, name: str) -> list[tuple[str, str]]:
        """Return the pairs of rules that lead to a job, of which the second reads what the first writes."""
        found: dict[tuple[str, str], None] = {}
        seen, waiting = set(), [name]
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            job = self.job(name)
            for before in dict.fromkeys(filter(None, map(self.producer, job.reads))):
                found[self._rule_name(before), self._rule_name(name)] = None
                waiting.append(before)
        return sorted(found)

    def _rule_name(self, name: str) -> str:
        return next(each.rule.name for each in self._rules if each.names.fullmatch(name))

    def _make(self, name: str) -> Job:
        spec = self._spec_of(name)
        found = ((each, each.names.fullmatch(name)) for each in self._rules)
        tracked, match = next(((e, m) for e, m in found if m), (None, None))
        if spec is None or tracked is None or match is None:
            raise KeyError(name)
        wildcards = SimpleNamespace(**match.groupdict())
        inputs = tracked.inputs.files(wildcards).values()
        reads, outside = split_paths(
            self._root,
            (path for each in inputs for path in ([each] if isinstance(each, str) else each)),
        )
        outputs = (
            _plain(output).format(**vars(wildcards))
            for output in tracked.rule.output
            if output != tracked.rule.output.record
        )
        writes, _ = split_paths(self._root, outputs)
        extra = tracked.rule.params.get("code", ())
        code = extra(wildcards) if callable(extra) else extra
        return Job(
            name, self._specs[spec], reads, outside, writes, (script_of(tracked.rule.name), *code)
        )

    def _spec_of(self, name: str) -> str | None:
        while name and name not in self._specs:
            name = name.rpartition("/")[0]
        return name or None


def _plain(pattern: object) -> str:
    """Return a pattern of Snakemake's without the constraints of its wildcards."""
    return re.sub(r"\{(\w+),[^{}]*\}", r"{\1}", str(pattern))
