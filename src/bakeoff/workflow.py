"""What the Snakefile asks about its study: its jobs' specs, its runs, and the files that they need.

It is read at every parse, so nothing heavy may be imported here.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bakeoff.data.arrays import array_names
from bakeoff.data.kinds import kind_code
from bakeoff.errors import UserError
from bakeoff.jobs.code import SOURCE, constants
from bakeoff.jobs.state import Staleness
from bakeoff.models.hub import endpoint, hub_answers
from bakeoff.models.registry import builder_code
from bakeoff.models.weights_files import WeightsSource, check_weights, lock_path
from bakeoff.planning.work import plan_spec, split_sizes
from bakeoff.provenance.spec import pack_spec, provenance_spec
from bakeoff.slides.templates import check_slides
from bakeoff.study.config import ASKED, Asked
from bakeoff.study.figures import ARGUMENTS, RUN_FILES, Figure, find_figures
from bakeoff.study.layers import COMMAND_LINE, Layer, load_yaml, without_words
from bakeoff.study.left_out import without_absent_weights
from bakeoff.study.networks import Network, describe_networks
from bakeoff.study.specs import (
    LANGUAGES,
    Specs,
    cards_spec,
    seeds_needed,
    study_specs,
    trained_as,
    write_specs,
)
from bakeoff.study.study import Study, load_study
from bakeoff.study.validation import in_file, parse
from bakeoff.training.batches import smallest_micro_batch

BASE = "config/config.yaml"
NETWORKS = Path("resources/networks.json")


@dataclass(frozen=True)
class ResolvedStudy:
    """A study with everything the workflow derives from it."""

    study: Study
    networks: Mapping[str, Network]
    runs: Mapping[str, str]
    """{variant: the variant whose runs stand for it}."""
    seeds: Mapping[str, tuple[int, ...]]
    """{variant that is trained: its seeds}."""
    specs: Specs
    weights: Mapping[str, Path]
    """{trained variant: file of the pretrained weights that it starts from}."""

    @cached_property
    def figures(self) -> Mapping[str, Figure]:
        """The figures of the study, by name."""
        return find_figures(list(self.study.ablations), self.study.dataset.superclasses is not None)

    @property
    def pictures(self) -> list[str]:
        """The figures that the decks show, drawn for them."""
        shown: Any = constants(SOURCE / "slides" / "pictures.py")["PICTURES"]
        return [name for name in shown if name in self.figures]

    @cached_property
    def fetches(self) -> Mapping[str, tuple[Path, str]]:
        """{lock: (weights file, spec of its fetch)}."""
        return {
            str(lock_path(path)): (path, f"weights/{self._weights(variant).name}")
            for variant, path in self.weights.items()
        }

    def run_files(self, names: Sequence[str], runs: Mapping[str, Sequence[int]]) -> list[str]:
        """Return these files of each run in {variant: seeds}."""
        return [
            f"{self.study.root}/runs/{variant}/seed{seed}/{name}"
            for variant, seeds in runs.items()
            for seed in seeds
            for name in names
        ]

    def comparison_runs(self) -> dict[str, Sequence[int]]:
        """Return {trained variant: seeds} behind the comparison."""
        return {self.runs[name]: self.seeds[self.runs[name]] for name in self.study.comparison}

    def ablation_runs(self, ablation: str) -> dict[str, Sequence[int]]:
        """Return {trained variant: seeds} behind one ablation."""
        arms = self.study.ablations[ablation].arms
        return {self.runs[arm.variant]: self.seeds[self.runs[arm.variant]] for arm in arms}

    def profiled(self) -> list[str]:
        """Return the trained variants of the comparison, whose cost its table shows."""
        return list(self.comparison_runs())

    def figure_files(self, figure: str) -> list[str]:
        """Return the files that a figure is drawn from."""
        root, ablations = Path(self.study.root), list(self.study.ablations)
        files: list[str] = []
        for name in self.figures[figure].reads:
            if name == "runs_dir":
                files += self.run_files(RUN_FILES, self.comparison_runs())
            else:
                found = ARGUMENTS[name](root, ablations)
                files += map(str, found if isinstance(found, list) else [found])
        return files

    def builder_code(self, variant: str) -> tuple[str, ...]:
        """Return the module, or the user's file, that builds a variant's network."""
        return builder_code(self.study.variants[variant].model["builder"])

    def data_sources(self) -> list[str]:
        """Return what the data are prepared from: nothing, files of the user's, or the file that is fetched."""
        return [str(path) for path in self.study.data.sources()]

    def data_code(self) -> list[str]:
        """Return the module of the data's kind, or the user's file, which `prepare` and `download` import by name."""
        return [kind_code(self.study.data.kind)]

    def data_arrays(self) -> list[str]:
        """Return the files of the prepared arrays."""
        names = array_names(superclasses=self.study.dataset.superclasses is not None)
        return [f"{self.study.root}/data/{name}.npy" for name in names]

    def weights_lock(self, variant: str) -> list[str]:
        """Return the lock of the weights that runs of a variant start from; nothing for runs from scratch."""
        return [str(lock_path(self.weights[variant]))] if variant in self.weights else []

    def check_weights(self, variant: str) -> None:
        """Check the weights that runs of a variant start from, where there are any.

        Raises:
            UserError: no training could start from the weights that are there.
        """
        if variant in self.weights:
            try:
                check_weights(self._weights(variant), self.weights[variant])
            except UserError as error:
                raise UserError(f"Variant {variant}: {error}") from None

    def check_images(self, state: Staleness) -> None:
        """Refuse to train on images that an archive left out.

        They are not made as a matter of course, because then every run would be newly trained on them.

        Raises:
            UserError: they were left out, and nobody has made them since.
        """
        if state.left_out("data"):
            root = self.study.root
            raise UserError(
                f"Runs would have to be trained, but the images were left out of the archive that {root} was "
                "unpacked from. To draw and read what is there, use the archive's configuration and code: `python "
                "-m bakeoff verify` names its commit. To train, make the images first: "
                f"snakemake {root}/data/meta.json --forcerun prepare"
            )

    def _weights(self, variant: str) -> WeightsSource:
        return WeightsSource.from_mapping(self.study.variants[variant].model["weights"])


def load_layers(configfiles: Sequence[str | Path], command_line: Mapping[str, Any]) -> list[Layer]:
    """Return the layers of the study: the base file, files given with --configfile, values given with --config."""
    files = [BASE, *(_short(file) for file in configfiles)]
    layers = [_layer(file) for file in dict.fromkeys(files)]
    given = {key: value for key, value in command_line.items() if key not in Asked.model_fields}
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


def load_layout(
    configfiles: Sequence[str | Path],
    command_line: Mapping[str, Any],
    hub_answers: Callable[[], bool] = hub_answers,
) -> ResolvedStudy:
    """Return the layout of the study that the configuration describes.

    Args:
        configfiles: laid over the base file.
        command_line: laid over those.
        hub_answers: whether pretrained weights can be fetched; ablations are left out where they cannot.

    Raises:
        UserError: a mistake in the configuration, or a network that cannot be built.
    """
    layers = load_layers(configfiles, command_line)
    study = load_study(layers, check_slides=check_slides)
    study = without_absent_weights(study, hub_answers, endpoint())
    networks = describe_networks(
        {name: variant.model for name, variant in study.variants.items()},
        study.dataset.classes,
        study.dataset.image_size,
        NETWORKS,
        with_single_images(study),
    )
    runs = trained_as(study, networks)
    seeds = seeds_needed(study, runs)
    names = [layer.name for layer in layers if layer.name != COMMAND_LINE]
    given = next((layer.content for layer in layers if layer.name == COMMAND_LINE), {})
    compared = [runs[name] for name in study.comparison]
    specs = {
        **study_specs(study, networks),
        "plan": plan_spec(study, networks, seeds),
        "cards": cards_spec(study, load_yaml(study.config.files.models)),
        "provenance": provenance_spec(study, seeds, compared, LANGUAGES),
        "pack": pack_spec(study, names, without_words(given)),
    }
    folder = study.config.weights.dir
    weights = {
        name: WeightsSource.from_mapping(study.variants[name].model["weights"]).path(folder)
        for name in seeds
        if study.variants[name].pretrained
    }
    layout = ResolvedStudy(study, networks, runs, seeds, specs, weights)
    for file in (*layout.data_sources(), *map(str, weights.values())):
        if any(mark in file for mark in "{}<>"):
            # Snakemake would read them as a wildcard or a variable, in an input too, and knows no way to say otherwise.
            raise UserError(
                f"'{file}': the path of an input has no braces or angle brackets; rename it, or link to it."
            )
    return layout


def with_single_images(study: Study) -> set[str]:
    """Return the variants that are trained on a micro-batch of one image, as far as the configuration tells."""
    images, _ = split_sizes(study.data)
    # Of a user's own data only `prepare` may know the number of images; each run looks again.
    known = study.data.describe().exact
    batches = {
        name: (variant.recipe["global_batch"], variant.recipe["micro_batch"])
        for name, variant in study.variants.items()
    }
    return {
        name
        for name, pair in batches.items()
        if min(pair) == 1 or (known and smallest_micro_batch(images, *pair) == 1)
    }


def hold_root(root: Path) -> None:
    """Keep other Snakemake processes from working in this root until this process ends, however it ends.

    Snakemake's own lock is one of a working directory; a root may be another's, too.

    Raises:
        UserError: another process holds the root.
    """
    file = root / "specs" / ".lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    # Inherited by nobody and never closed: the kernel drops the lock when this process is gone.
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        holder = file.read_text(encoding="utf-8", errors="replace").strip() or "unknown"
        raise UserError(
            f"Another Snakemake (process {holder}) is at work in {root}. Wait until it ends, or stop "
            "it; `snakemake -n` may be used meanwhile."
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def save_specs(layout: ResolvedStudy) -> None:
    """Write the specs of the study below its root, where jobs read them."""
    write_specs(Path(layout.study.root) / "specs", layout.specs)


def _layer(file: str) -> Layer:
    content = load_yaml(file)
    if not isinstance(content, Mapping):
        raise UserError(f"{file} is empty or not a mapping of keys to values.")
    return Layer(file, content)


def _short(file: str | Path) -> str:
    path = Path(file)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
