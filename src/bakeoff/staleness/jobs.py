"""The jobs of a study: for each, its spec, the files it reads and writes, and the code it executes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bakeoff.models.registry import BUILDER_MODULES

RUN_FILES = (
    "metrics.json",
    "history.csv",
    "predictions.npz",
    "model.safetensors",
    "provenance.json",
)
DATA_FILES = (
    "meta.json",
    *(
        f"{split}_{what}.npy"
        for split in ("train", "test")
        for what in ("images", "fine", "coarse")
    ),
    "validation_indices.npy",
)
COMPARISON_TABLES = ("models", "families", "pairwise", "runs")
TABLE_SUFFIXES = ("csv", "md", "tex")
META = "data/meta.json"


@dataclass(frozen=True)
class Job:
    """One job of a study. Paths are relative to the study's root."""

    name: str
    """As in `{root}/records/{name}.json`: `data`, `runs/resnet_20/seed0`, `figures/accuracy_bars`, ..."""
    spec: str
    """As in `{root}/specs/{spec}.json`."""
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    modules: tuple[str, ...]
    """Modules of this package that it starts from."""

    @property
    def title(self) -> str:
        """What to call it to a person."""
        return self.name.removeprefix("runs/")


def make_job(name: str, spec: Mapping[str, Any]) -> Job:
    """Return the job called `name`, whose spec says what it reads.

    Raises:
        KeyError: there is no such kind of job.
    """
    kind, _, rest = name.partition("/")
    return _MAKERS[kind](rest, spec)


def runs_of(entries: list[dict[str, Any]]) -> tuple[str, ...]:
    """Return the metrics of each run behind the variants or arms of a spec, without repeats."""
    return tuple(
        dict.fromkeys(
            f"runs/{entry['run']}/seed{seed}/metrics.json"
            for entry in entries
            for seed in entry["seeds"]
        )
    )


def _tables(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}.{suffix}" for name in names for suffix in TABLE_SUFFIXES)


def _data(_rest: str, _spec: Mapping[str, Any]) -> Job:
    writes = tuple(f"data/{file}" for file in DATA_FILES)
    return Job("data", "data", (), writes, ("bakeoff.data.preparation",))


def _run(rest: str, spec: Mapping[str, Any]) -> Job:
    variant = rest.partition("/")[0]
    return Job(
        name=f"runs/{rest}",
        spec=f"runs/{variant}",
        reads=(META,),
        writes=tuple(f"runs/{rest}/{file}" for file in RUN_FILES),
        modules=("bakeoff.evaluation.run", *_family(spec)),
    )


def _profile(rest: str, spec: Mapping[str, Any]) -> Job:
    name = f"profiles/{rest}"
    modules = ("bakeoff.evaluation.profile", *_family(spec))
    return Job(name, name, (), (f"profiles/{rest}.json",), modules)


def _comparison(_rest: str, spec: Mapping[str, Any]) -> Job:
    entries = spec["variants"]
    profiles = dict.fromkeys(f"profiles/{entry['run']}.json" for entry in entries)
    return Job(
        name="comparison",
        spec="comparison",
        reads=(*runs_of(entries), *profiles, META),
        writes=_tables("comparison", *COMPARISON_TABLES),
        modules=("bakeoff.analysis.comparison",),
    )


def _ablation(rest: str, spec: Mapping[str, Any]) -> Job:
    name = f"ablations/{rest}"
    writes = _tables("ablation", rest)
    return Job(name, name, runs_of(spec["arms"]), writes, ("bakeoff.analysis.ablation",))


def _claims(_rest: str, spec: Mapping[str, Any]) -> Job:
    reads = ("comparison/models.csv", *_ablation_tables(spec))
    return Job("claims", "claims", reads, _tables("claims", "claims"), ("bakeoff.analysis.claims",))


def _figure(rest: str, spec: Mapping[str, Any]) -> Job:
    name = f"figures/{rest}"
    reads = (
        _ablation_tables(spec)
        if rest == "ablation_deltas"
        else ("comparison/models.csv", "comparison/runs.csv")
    )
    writes = (f"figures/{rest}.png", f"figures/{rest}.svg")
    return Job(name, name, reads, writes, (f"bakeoff.figures.{rest}", "bakeoff.figures.files"))


def _slides(rest: str, spec: Mapping[str, Any]) -> Job:
    return Job(
        name=f"slides/{rest}",
        spec="slides",
        reads=(
            *(f"comparison/{name}.csv" for name in COMPARISON_TABLES),
            *_ablation_tables(spec),
            "claims/claims.csv",
            META,
        ),
        writes=(
            f"slides/deck.{rest}.pptx",
            *(f"slides/assets/{name}.{rest}.png" for name in spec["figures"]),
            f"slides/assets/numbers.{rest}.json",
            f"slides/assets/notes.{rest}.md",
        ),
        modules=("bakeoff.slides.deck",),
    )


def _report(_rest: str, spec: Mapping[str, Any]) -> Job:
    return Job(
        name="report",
        spec="report",
        reads=(
            *(f"comparison/{name}.md" for name in COMPARISON_TABLES),
            *(f"ablation/{name}.md" for name in spec["ablations"]),
            "claims/claims.md",
            *(f"figures/{name}.png" for name in spec["figures"]),
            META,
        ),
        writes=("report/report.md",),
        modules=("bakeoff.analysis.report",),
    )


def _provenance(_rest: str, spec: Mapping[str, Any]) -> Job:
    jobs = spec["jobs"]
    return Job(
        name="provenance",
        spec="provenance",
        # A record holds the digests of all files of its job, so one of these beside it is enough.
        reads=(
            *(f"records/{job}.json" for job in jobs),
            *(path for job in jobs for path in _main_results(job)),
        ),
        writes=("provenance/ro-crate-metadata.json",),
        modules=("bakeoff.provenance.crate",),
    )


def _main_results(job: str) -> tuple[str, ...]:
    kind, _, rest = job.partition("/")
    match kind:
        case "data":
            return (META,)
        case "runs":
            return (f"{job}/provenance.json",)
        case "comparison":
            return ("comparison/models.csv",)
        case "ablations":
            return (f"ablation/{rest}.csv",)
        case "slides":
            return (f"slides/deck.{rest}.pptx", f"slides/assets/numbers.{rest}.json")
        case "figures":
            return (f"{job}.png",)
        case "profiles":
            return (f"{job}.json",)
        case "report":
            return ("report/report.md",)
        case _:
            return ("claims/claims.csv",)


def _ablation_tables(spec: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(f"ablation/{name}.csv" for name in spec["ablations"])


def _family(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the module of a model's builder; none for a file of the user's, whose digest is in the spec."""
    builder = spec["model"]["builder"]
    return (f"bakeoff.models.{BUILDER_MODULES[builder]}",) if builder in BUILDER_MODULES else ()


_MAKERS = {
    "data": _data,
    "runs": _run,
    "profiles": _profile,
    "comparison": _comparison,
    "ablations": _ablation,
    "claims": _claims,
    "figures": _figure,
    "slides": _slides,
    "report": _report,
    "provenance": _provenance,
}
