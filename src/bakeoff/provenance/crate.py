"""The study as an RO-Crate: files, the jobs that made them, and what those were made from, as JSON-LD.

It follows RO-Crate 1.1 (Soiland-Reyes et al. 2022, doi:10.3233/DS-210053) and the Process Run Crate profile 0.5 (Leo
et al. 2024, doi:10.1371/journal.pone.0309210): each job is a `CreateAction` with its code as `instrument`, what it
read as `object` and what it wrote as `result`. Beyond that, each table, figure, deck and slide is `isBasedOn` its runs.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model import ContextEntity, DataEntity
from rocrate.rocrate import ROCrate

from bakeoff.files import canonical_json, sha256_text, write_json
from bakeoff.jobs.records import FileState, Record
from bakeoff.provenance.graph import Graph, is_run, load_graph, read_result, spec_digest, study_jobs
from bakeoff.provenance.rows import runs_of_cell
from bakeoff.provenance.slides import drawn_as, is_deck, load_slides

CRATE = "provenance/ro-crate-metadata.json"
VERSION = "1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
TERMS = "https://w3id.org/ro/terms/workflow-run/context"  # gives `sha256` a meaning

# Ids are relative to the folder of the crate, which lies in the study's root.
ROOT = "../"
DIGITS = 16
MEDIA_TYPES = {
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".safetensors": "application/x-safetensors",
    ".md": "text/markdown",
    ".tex": "application/x-tex",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

TITLES = {
    "data": "Prepare the data",
    "runs": "Train and evaluate",
    "profiles": "Measure the cost of",
    "comparison": "Compare the variants",
    "ablations": "Evaluate the ablation",
    "claims": "Test the claims",
    "figures": "Draw the figure",
    "slides": "Make the slides in",
    "report": "Write the report",
}
LICENSE = "No license is stated for these results. Images are not among them; the code is under Apache-2.0."

Properties = dict[str, Any]


def write_crate(spec: Mapping[str, Any], root: Path) -> None:
    """Write the provenance of the study in `root`: the same records give the same bytes.

    Args:
        spec: content of `{root}/specs/provenance.json`.
        root: of the study.

    Raises:
        UserError: a job of the study has no record, or a file that tells about a run or a slide is damaged.
    """
    graph = study_jobs(load_graph(root), spec["jobs"])
    write_json(root / CRATE, Builder(graph, spec).build())


class Builder:
    """Builds the crate of one study; what several jobs share is described once."""

    def __init__(self, graph: Graph, spec: Mapping[str, Any]) -> None:
        """Prepare an empty crate for the study whose jobs are in `graph` and whose description is in `spec`."""
        self._graph = graph
        self._spec = spec
        self._crate = ROCrate(version=VERSION)
        self._crate.metadata.extra_contexts.append(TERMS)

    def build(self) -> Any:
        """Return the content of `ro-crate-metadata.json`."""
        for job, record in self._graph.records.items():
            for path, state in record.writes.items():
                self._file(path, state, job)
        self._data()
        for job in filter(is_run, self._graph.records):
            self._run(job)
        for job, record in self._graph.records.items():
            self._action(job, record)
        for deck in filter(is_deck, self._graph.writers):
            self._slides(deck)
        self._about_study()
        return self._crate.metadata.generate()

    def _about_study(self) -> None:
        study, runs = self._spec["study"], [*filter(is_run, self._graph.records)]
        ends = [self._of_run(run)["end"] for run in runs]
        self._context(
            PROFILE,
            "CreativeWork",
            {"name": "Process Run Crate", "version": "0.5"},
        )
        root = self._crate.root_dataset
        # Not the present time: it would make two crates of the same study differ.
        root["datePublished"] = max(ends)
        root["name"] = f"Results of the study {study['name']}"
        root["description"] = (
            f"Tables, figures and slides from {len(runs)} runs on {study['dataset']} by the protocol "
            f"{study['protocol']}, with the jobs, code, configuration and data that they come from."
        )
        root["license"] = LICENSE
        root["conformsTo"] = {"@id": PROFILE}
        root["mentions"] = [_ref(_action_id(job)) for job in self._graph.records]
        if self._spec["lock"]:
            lock = self._spec["lock"]
            about = "Versions of all packages, as locked when the provenance was written."
            properties = {"name": lock["file"], "sha256": lock["sha256"], "description": about}
            self._context(f"#{lock['file']}", "CreativeWork", properties)
            root["softwareRequirements"] = _ref(f"#{lock['file']}")

    def _file(self, path: str, state: FileState, job: str) -> None:
        properties: Properties = {
            "name": path,
            "contentSize": str(state.size),
            "sha256": state.digest,
            "encodingFormat": _media_type(path),
        }
        runs = self._graph.runs(job)
        if runs and not is_run(job):
            properties["isBasedOn"] = [_ref(_run_id(run)) for run in runs]
        self._crate.add_file(dest_path=f"{ROOT}{path}", properties=_compact(properties))

    def _data(self) -> None:
        record, meta = self._graph.records["data"], read_result(self._graph.root / "data/meta.json")
        properties = {
            "name": f"Prepared data: {meta['name']}",
            "identifier": f"sha256:{meta['checksum']}",
            "description": (
                f"{meta['train_images']} images for training, of which {meta['validation_images']} are held out, and "
                f"{meta['test_images']} for the final test; {len(meta['classes'])} classes."
            ),
            "hasPart": _refs(record.writes),
        }
        self._data_entity(f"{ROOT}data/", properties)

    def _run(self, job: str) -> None:
        record, origin = self._graph.records[job], self._of_run(job)
        properties = {
            "name": job.removeprefix("runs/").replace("/seed", ", seed "),
            "hasPart": _refs(record.writes),
            "isBasedOn": [
                _ref(self._configuration(job, record)),
                _ref(self._code(job, record, origin)),
                _ref(f"{ROOT}data/"),
            ],
            "dateCreated": origin["end"],
        }
        self._data_entity(_run_id(job), properties)

    def _action(self, job: str, record: Record) -> None:
        origin = self._of_run(job) if is_run(job) else {}
        read = [*_refs(record.reads), _ref(self._configuration(job, record))]
        read += [_ref(self._outside(path, state)) for path, state in record.outside.items()]
        written = _refs(record.writes)
        properties: Properties = {
            "name": _title(job),
            "instrument": _ref(self._code(job, record, origin)),
            "actionStatus": "http://schema.org/CompletedActionStatus",
        }
        if origin:
            read += [_ref(self._seed(origin["seed"])), _ref(f"{ROOT}data/")]
            written = [_ref(_run_id(job)), *written]
            properties |= {"startTime": origin["start"], "endTime": origin["end"]}
            properties["location"] = _ref(self._machine(origin["hardware"]))
        else:
            properties |= {"startTime": record.started, "endTime": record.ended}
        if record.adopted:
            properties["description"] = " ".join(
                f"Declared current on {entry['time']} although changed ({'; '.join(entry['changes'])}): "
                f"{entry['note']}."
                for entry in record.adopted
            )
        self._context(
            _action_id(job),
            "CreateAction",
            {**properties, "object": read, "result": written},
        )

    def _slides(self, deck: str) -> None:
        slides = load_slides(self._graph, deck)
        parts = []
        for slide in slides:
            runs = [
                run
                for picture in slide.pictures
                for run in self._graph.runs(drawn_as(self._graph, picture))
            ]
            runs += [
                run for shown in slide.numbers for run in runs_of_cell(self._graph, shown.cell)
            ]
            files = [file for file in slide.files if file in self._graph.writers]
            properties: Properties = {
                "name": slide.title,
                "position": slide.number,
                "isBasedOn": [*_refs(files), *(_ref(_run_id(run)) for run in dict.fromkeys(runs))],
            }
            identity = f"{ROOT}{deck}#slide{slide.number}"
            self._context(identity, "CreativeWork", properties)
            parts.append(_ref(identity))
        self._crate.get(f"{ROOT}{deck}")["hasPart"] = parts

    def _configuration(self, job: str, record: Record) -> str:
        name = job.rpartition("/seed")[0] if is_run(job) else job
        return self._context(
            f"#configuration/{spec_digest(record)[:DIGITS]}",
            "PropertyValue",
            {"name": f"Resolved configuration of {name}", "value": canonical_json(record.spec)},
        )

    def _seed(self, seed: int) -> str:
        return self._context(f"#seed/{seed}", "PropertyValue", {"name": "seed", "value": seed})

    def _code(self, job: str, record: Record, origin: Mapping[str, Any]) -> str:
        """Describe the code that a job executed: its modules, for a run also the commit and the libraries."""
        git, versions = origin.get("git", {}), origin.get("versions", {})
        digest = sha256_text(canonical_json([record.code, git, versions]))
        modules = [
            self._context(
                f"#module/{name}/{code[:DIGITS]}",
                "SoftwareSourceCode",
                {
                    "name": name,
                    "identifier": f"sha256:{code}",
                    "description": "Identified by its syntax tree without comments and docstrings.",
                },
            )
            for name, code in record.code.items()
        ]
        properties: Properties = {
            "name": f"Code of {job.partition('/')[0]}",
            "programmingLanguage": "Python",
            "hasPart": [_ref(module) for module in modules],
        }
        if git.get("commit"):
            properties["version"] = (
                f"{git['commit']}{' with uncommitted changes' if git['dirty'] else ''}"
            )
        if versions:
            software = [
                self._context(
                    f"#software/{name}@{version}",
                    "SoftwareApplication",
                    {"name": name, "softwareVersion": version},
                )
                for name, version in versions.items()
            ]
            properties["softwareRequirements"] = [_ref(identity) for identity in software]
        return self._context(f"#code/{digest[:DIGITS]}", "SoftwareSourceCode", properties)

    def _machine(self, hardware: Mapping[str, Any]) -> str:
        # The name of the host is left to provenance.json: it means nothing to others.
        known = {key: value for key, value in hardware.items() if key != "host" and value}
        name = "; ".join(f"{key}: {value}" for key, value in known.items())
        digest = sha256_text(canonical_json(known))
        return self._context(f"#machine/{digest[:DIGITS]}", "Place", {"name": name})

    def _outside(self, path: str, state: FileState) -> str:
        return self._context(
            f"#file/{state.digest[:DIGITS]}",
            "CreativeWork",
            {"name": Path(path).name, "sha256": state.digest},
        )

    def _of_run(self, job: str) -> Any:
        return read_result(self._graph.root / job / "provenance.json")

    def _context(self, identity: str, kind: str, properties: Properties) -> str:
        if self._crate.get(identity) is None:
            self._crate.add(
                ContextEntity(self._crate, identity, {"@type": kind, **_compact(properties)})
            )
        return identity

    def _data_entity(self, identity: str, properties: Properties) -> None:
        self._crate.add(
            DataEntity(self._crate, identity, {"@type": "Dataset", **_compact(properties)})
        )


def _ref(identity: str) -> dict[str, str]:
    return {"@id": identity}


def _refs(paths: Iterable[str]) -> list[dict[str, str]]:
    # Quoted, as the crate's library does with the files themselves: a run of an arm has a plus in its name.
    return [_ref(f"{ROOT}{quote(path)}") for path in paths]


def _compact(properties: Properties) -> Properties:
    """Return properties as the specification wants them: a list of one is no list."""
    return {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value
        for key, value in properties.items()
    }


def _title(job: str) -> str:
    kind, _, rest = job.partition("/")
    return f"{TITLES[kind]} {rest}".strip().replace("/seed", " with seed ")


def _run_id(job: str) -> str:
    return f"{ROOT}{quote(job)}/"


def _action_id(job: str) -> str:
    return f"#job/{job}"


def _media_type(path: str) -> str:
    suffix = Path(path).suffix
    return MEDIA_TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
