"""What the Snakefile asks: which studies there are, and which files each of their jobs needs.

This is the only module that the workflow imports. It is read at every parse, so nothing heavy may be imported here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.data.config import DataConfig
from bakeoff.data.config import check as check_data
from bakeoff.errors import UserError
from bakeoff.slides.templates import check_slides
from bakeoff.study.layers import Layer, load_yaml
from bakeoff.study.networks import Network, describe_networks
from bakeoff.study.specs import FIGURES, Specs, seeds_needed, study_specs, trained_as, write_specs
from bakeoff.study.study import CLASSES, IMAGE_SIZE, Study, load_study

BASE = "config/config.yaml"
DEMO = "config/demo.yaml"
DOWNLOAD = "resources/cifar-100-binary.tar.gz"
NETWORKS = Path("resources/networks.json")
LANGUAGES = ("zh", "en")
TABLE_SUFFIXES = ("csv", "md", "tex")


@dataclass(frozen=True)
class Plan:
    """A study with everything the workflow derives from it."""

    study: Study
    networks: Mapping[str, Network]
    runs: Mapping[str, str]
    seeds: Mapping[str, tuple[int, ...]]
    specs: Specs

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
        if not (demo and key in ("results_root", "name"))
    }
    return [*layers, Layer("--config on the command line", given)] if given else layers


def load_plan(layers: Sequence[Layer], schemas: Path) -> Plan:
    """Return the plan of the study that `layers` describe.

    Raises:
        UserError: a mistake in the configuration, or a network that cannot be built.
    """
    study = load_study(layers, schemas)
    mistakes = check_slides(study.slides, study.files["slides"])
    if mistakes:
        raise UserError("\n".join(mistakes))
    networks = describe_networks(
        {name: variant.model for name, variant in study.variants.items()},
        CLASSES,
        IMAGE_SIZE,
        NETWORKS,
    )
    runs = trained_as(study, networks)
    return Plan(study, networks, runs, seeds_needed(study, runs), study_specs(study, networks))


def load_plans(
    configfiles: Sequence[str | Path], command_line: Mapping[str, Any], schemas: Path
) -> dict[str, Plan]:
    """Return {root: plan} of the main study and of the demo; the main study comes first."""
    main = load_plan(load_layers(configfiles, command_line, demo=False), schemas)
    demo = load_plan(load_layers(configfiles, command_line, demo=True), schemas)
    return {main.study.root: main} | {
        root: plan for root, plan in {demo.study.root: demo}.items() if root != main.study.root
    }


def save_specs(plan: Plan, *, dry_run: bool) -> None:
    """Write the plan's specs below its root; a dry run writes only those that do not exist yet."""
    write_specs(Path(plan.study.root) / "specs", plan.specs, rewrite=not dry_run)


def figures(plan: Plan) -> list[str]:
    """Return the names of the figures of a study."""
    return [*FIGURES, *(["ablation_deltas"] if plan.study.ablations else [])]


def archive_of(plan: Plan) -> list[str]:
    """Return the archive that the data is prepared from: none, a local file, or the download.

    Raises:
        UserError: `data.archive` names something that does not exist.
    """
    data = plan.study.data
    if data["kind"] == "shapes":
        return []
    config = DataConfig.from_mapping(data)
    check_data(config)
    return [str(config.archive or DOWNLOAD)]


def _layer(file: str) -> Layer:
    content = load_yaml(file)
    if not isinstance(content, Mapping):
        raise UserError(f"{file} is empty or not a mapping of keys to values.")
    return Layer(file, content)


def _short(file: str | Path) -> str:
    path = Path(file)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
