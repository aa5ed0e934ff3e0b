"""What the Snakefile asks: which studies there are, and which files each of their jobs needs.

It is read at every parse, so nothing heavy may be imported here. Rules import little else of this package:
`bakeoff.questions` answers targets such as `why`, `bakeoff.planning.follow` says what the plan gives each run,
`bakeoff.launch.slurm` looks at the queue.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bakeoff.data.config import CLASSES, IMAGE_SIZE
from bakeoff.data.config import check as check_data
from bakeoff.errors import UserError
from bakeoff.models.weights_files import Source, check_weights, lock_path
from bakeoff.planning.work import plan_spec
from bakeoff.provenance.spec import pack_spec, provenance_spec
from bakeoff.slides.templates import check_slides
from bakeoff.staleness.state import State
from bakeoff.staleness.tick import folder_holder, hold_root, keep_older_than_tick, write_tick
from bakeoff.study.config import ASKED, Asked
from bakeoff.study.layers import COMMAND_LINE, Layer, load_yaml, without_words
from bakeoff.study.networks import Network, describe_networks
from bakeoff.study.specs import (
    FIGURES,
    Specs,
    cards_spec,
    seeds_needed,
    study_specs,
    trained_as,
    write_specs,
)
from bakeoff.study.study import Study, load_study
from bakeoff.study.validation import in_file, parse

BASE = "config/config.yaml"
DEMO = "config/demo.yaml"
DOWNLOAD = "resources/cifar-100-binary.tar.gz"
NETWORKS = Path("resources/networks.json")
LANGUAGES = ("zh", "en")
TABLE_SUFFIXES = ("csv", "md", "tex")
# Reasons that are told unasked why a job is stale; `snakemake why` tells all.
TOLD = 4


@dataclass(frozen=True)
class Layout:
    """A study with everything the workflow derives from it."""

    study: Study
    networks: Mapping[str, Network]
    runs: Mapping[str, str]
    seeds: Mapping[str, tuple[int, ...]]
    specs: Specs
    weights: Mapping[str, Path] = field(default_factory=dict)
    """{trained variant: file of the pretrained weights that it starts from}."""
    told: set[str] = field(default_factory=set)
    """Jobs whose reason was printed."""
    busy: set[str] = field(default_factory=set)
    """Other Snakemake processes that are at work in the root."""

    @cached_property
    def state(self) -> State:
        """The state of the study's jobs, looked at when it is first asked for."""
        return self.look()

    def look(self) -> State:
        """Return the state of the study's jobs, looked at now."""
        return State(Path(self.study.root), self.specs, {"data": self._archives(), **self._locks()})

    def is_stale(self, job: str) -> bool:
        """Return whether a job has to run, and see to it that Snakemake will find its tick newer.

        Raises:
            UserError: another Snakemake is at work in this root.
        """
        for holder in self.busy:
            raise UserError(
                f"Another Snakemake (process {holder}) is at work in {self.study.root}. Wait until it ends, or stop "
                "it; `snakemake -n` may be used meanwhile."
            )
        if not self.state.reasons(job):
            return False
        keep_older_than_tick(Path(self.study.root), self.state.job(job).writes)
        return True

    def check_images(self) -> None:
        """Refuse to train on images that an archive left out.

        They are not made as a matter of course, because then every run would be newly trained on them.

        Raises:
            UserError: they were left out, and nobody has made them since.
        """
        if self.state.left_out("data"):
            root = self.study.root
            raise UserError(
                f"Runs would have to be trained, but the images were left out of the archive that {root} was "
                "unpacked from. To draw and read what is there, use the archive's configuration and code: `python "
                "-m bakeoff verify` names its commit. To train, make the images first: "
                f"snakemake {root}/data/meta.json --forcerun prepare"
            )

    def tell(self, job: str) -> None:
        """Print once why a job that was made before has to run again."""
        if job not in self.told and self.state.made_before(job):
            self.told.add(job)
            title, reasons = self.state.job(job).title, self.state.reasons(job)
            more = f"; and {len(reasons) - TOLD} more" if len(reasons) > TOLD else ""
            print(f"stale: {title}: {'; '.join(reasons[:TOLD])}{more}", file=sys.stderr)

    def _archives(self) -> list[Path]:
        return [Path(file) for file in archive_files(self.study)]

    def _locks(self) -> dict[str, list[Path]]:
        """Return {run: lock of its pretrained weights}: a small file that changes when they do."""
        return {
            f"runs/{variant}/seed{seed}": [lock_path(path)]
            for variant, path in self.weights.items()
            for seed in self.seeds[variant]
        }

    def run_files(self, name: str, runs: Mapping[str, Sequence[int]]) -> list[str]:
        """Return the file `name` of each run in {variant: seeds}, without repeats."""
        root = self.study.root
        return [
            f"{root}/runs/{variant}/seed{seed}/{name}"
            for variant, seeds in runs.items()
            for seed in seeds
        ]

    def comparison_runs(self) -> dict[str, Sequence[int]]:
        """Return {trained variant: seeds} behind the comparison."""
        return {self.runs[name]: self.study.seeds["comparison"] for name in self.study.comparison}

    def ablation_runs(self, ablation: str) -> dict[str, Sequence[int]]:
        """Return {trained variant: seeds} behind one ablation."""
        arms = self.study.ablations[ablation].arms
        return {self.runs[arm.variant]: self.study.seeds["ablations"] for arm in arms}

    def profiled(self) -> list[str]:
        """Return the trained variants of the comparison, whose cost its table shows."""
        return list(self.comparison_runs())


def load_layers(
    configfiles: Sequence[str | Path], command_line: Mapping[str, Any], demo: bool
) -> list[Layer]:
    """Return the layers of the main study, or of the demo.

    Args:
        configfiles: files given with --configfile.
        command_line: values given with --config; they are on top, except that they do not move the demo.
        demo: whether config/demo.yaml is laid over the rest.
    """
    files = [BASE, *(_short(file) for file in configfiles)]
    layers = [_layer(file) for file in dict.fromkeys(files)]
    if demo and DEMO not in files:
        layers.append(_layer(DEMO))
    given = {
        key: value
        for key, value in command_line.items()
        if key not in Asked.model_fields and not (demo and key in ("results_root", "name"))
    }
    return [*layers, Layer(COMMAND_LINE, given)] if given else layers


def load_asked(command_line: Mapping[str, Any]) -> Asked:
    """Return what the command line says to a target such as `why`.

    Raises:
        UserError: a value is empty, or of another type.
    """
    given = {key: value for key, value in command_line.items() if key in Asked.model_fields}
    asked: Asked
    asked, mistakes = parse(ASKED, given, in_file(COMMAND_LINE))
    if mistakes:
        raise UserError("\n".join(mistakes))
    return asked


def load_layout(layers: Sequence[Layer]) -> Layout:
    """Return the layout of the study that `layers` describe.

    Raises:
        UserError: a mistake in the configuration, or a network that cannot be built.
    """
    study = load_study(layers, check_slides=check_slides)
    networks = describe_networks(
        {name: variant.model for name, variant in study.variants.items()},
        CLASSES,
        IMAGE_SIZE,
        NETWORKS,
    )
    runs = trained_as(study, networks)
    seeds = seeds_needed(study, runs)
    cards = cards_spec(load_yaml(study.config.files.models))
    names = [layer.name for layer in layers if layer.name != COMMAND_LINE]
    given = next((layer.content for layer in layers if layer.name == COMMAND_LINE), {})
    compared = [runs[name] for name in study.comparison]
    specs = {
        **study_specs(study, networks),
        "plan": plan_spec(study, networks, seeds),
        "cards": cards,
        "provenance": provenance_spec(study, seeds, compared, LANGUAGES),
        "pack": pack_spec(study, names, without_words(given)),
    }
    weights = weights_files(study, seeds, study.config.weights.dir)
    return Layout(study, networks, runs, seeds, specs, weights)


def load_layouts(
    configfiles: Sequence[str | Path], command_line: Mapping[str, Any]
) -> dict[str, Layout]:
    """Return {root: layout} of the main study and of the demo; the main study comes first."""
    main = load_layout(load_layers(configfiles, command_line, demo=False))
    demo = load_layout(load_layers(configfiles, command_line, demo=True))
    return {main.study.root: main} | {
        root: layout for root, layout in {demo.study.root: demo}.items() if root != main.study.root
    }


def save_specs(layout: Layout, *, dry_run: bool) -> None:
    """Write the layout's specs below its root, and its tick.

    A dry run writes only what does not exist yet, so that looking at a plan changes nothing. Where another Snakemake
    is at work in the root nothing is written, and `Layout.is_stale` says so when it is asked.
    """
    folder = Path(layout.study.root) / "specs"
    if dry_run or hold_root(folder):
        write_specs(folder, layout.specs, rewrite=not dry_run)
        write_tick(folder)
    else:
        layout.busy.add(folder_holder(folder))


def figures(layout: Layout) -> list[str]:
    """Return the names of the figures of a study."""
    return [*FIGURES, *(["ablation_deltas"] if layout.study.ablations else [])]


def archive_of(layout: Layout) -> list[str]:
    """Return the archive that the data is prepared from: none, a local file, or the download.

    Raises:
        UserError: `data.archive` names something that does not exist.
    """
    if layout.study.data.kind != "shapes" and layout.state.reasons("data"):
        # What is prepared and current needs no archive any more.
        check_data(layout.study.data)
    return archive_files(layout.study)


def archive_files(study: Study) -> list[str]:
    """Return the archive of a study, whether it exists or not."""
    return [] if study.data.kind == "shapes" else [str(study.data.archive or DOWNLOAD)]


def weights_files(study: Study, trained: Iterable[str], folder: str) -> dict[str, Path]:
    """Return {variant: file of its weights} for those of the trained variants that are pretrained."""
    variants = (study.variants[name] for name in trained)
    return {
        variant.name: Source.from_mapping(variant.model["weights"]).path(folder)
        for variant in variants
        if variant.pretrained
    }


def weights_lock(layout: Layout, variant: str, seed: str) -> list[str]:
    """Return the lock of the weights that a run starts from; nothing for a run from scratch.

    Raises:
        UserError: the run is to be made, and no training could start from the weights that are there.
    """
    path = layout.weights.get(variant)
    if path is None:
        return []
    if layout.state.reasons(f"runs/{variant}/seed{seed}"):
        weights = layout.study.variants[variant].model["weights"]
        try:
            check_weights(Source.from_mapping(weights), path)
        except UserError as error:
            raise UserError(f"Variant {variant}: {error}") from None
    return [str(lock_path(path))]


def fetches(layouts: Iterable[Layout]) -> dict[str, tuple[Path, str]]:
    """Return {lock: (weights file, spec of its fetch)} over all studies."""
    found: dict[str, tuple[Path, str]] = {}
    for layout in layouts:
        for variant, path in layout.weights.items():
            name = Source.from_mapping(layout.study.variants[variant].model["weights"]).name
            spec = f"{layout.study.root}/specs/weights/{name}.json"
            found.setdefault(str(lock_path(path)), (path, spec))
    return found


def _layer(file: str) -> Layer:
    content = load_yaml(file)
    if not isinstance(content, Mapping):
        raise UserError(f"{file} is empty or not a mapping of keys to values.")
    return Layer(file, content)


def _short(file: str | Path) -> str:
    path = Path(file)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
