"""Provenance, trace and archive, on a study that is built for real."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rocrate.rocrate import ROCrate

from bakeoff.errors import UserError
from bakeoff.files import file_digest, read_json, write_json
from bakeoff.provenance.archive import pack
from bakeoff.provenance.cells import Cell
from bakeoff.provenance.crate import CRATE, write_crate
from bakeoff.provenance.graph import Graph, load_graph
from bakeoff.provenance.rows import runs_of_cell
from bakeoff.provenance.slides import load_slides
from bakeoff.provenance.trace import Step, trace
from bakeoff.provenance.verify import verify_archive, verify_results
from conftest import Project, make_project, project_environment
from small_study import small_study

NOTHING = "Nothing to be done"
COMPARED = ("ghost_resnet_20", "resnet_20")
RUNS = [f"runs/{variant}/seed{seed}" for variant in COMPARED for seed in (0, 1)]
DECK = "slides/deck.en.pptx"
KEPT = ("metrics.json", "history.csv", "predictions.npz", "provenance.json")


def is_testable(measure: dict[str, str]) -> bool:
    """Return whether the small study has the arm that a claim is about."""
    return measure.get("ablation") != "ghost" or measure["arm"] in ("ratio 2", "best")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with a complete study: two variants, two seeds, one ablation of two arms."""
    study = small_study() | {"variants": list(COMPARED), "ablations": ["ghost"]}
    project = make_project(tmp_path_factory.mktemp("built"), study)
    arms = [
        {"arm": "none", "variant": "resnet_20"},
        {"arm": "ratio 2", "variant": "ghost_resnet_20"},
    ]
    project.edit("config/ablations.yaml", lambda content: content["ghost"].update(arms=arms))
    project.edit(
        "config/claims.yaml", lambda claims: [c for c in claims if is_testable(c["measure"])]
    )
    done = project.snakemake("all")
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="module")
def root(built: Project) -> Path:
    return built.folder / "results"


@pytest.fixture(scope="module")
def graph(root: Path) -> Graph:
    return load_graph(root)


@pytest.fixture(scope="module")
def archive(built: Project) -> Path:
    done = built.snakemake("archive")
    assert done.returncode == 0, done.stderr
    return built.folder / "results" / "archive" / "small.tar.gz"


@pytest.fixture
def elsewhere(built: Project, archive: Path, tmp_path: Path) -> Project:
    """Return a fresh project, with its own configuration, into which the archive was unpacked."""
    project = make_project(tmp_path / "elsewhere")
    # Only saves time: what the networks are, keyed by all that it depends on.
    networks = Path("resources/networks.json")
    (project.folder / networks).parent.mkdir(exist_ok=True)
    shutil.copy(built.folder / networks, project.folder / networks)
    subprocess.run(["tar", "-xzf", str(archive)], cwd=project.folder, check=True)
    return project


def bakeoff(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bakeoff", *arguments],
        cwd=folder,
        env=project_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def rules(text: str) -> list[str]:
    """Return the rules that ran, or would run, without targets."""
    found = re.findall(r"^(?:local)?rule (\w+):", text, flags=re.MULTILINE)
    return sorted(rule for rule in found if rule not in ("all", "figures"))


def texts(step: Step) -> list[str]:
    return [step.text, *(text for cause in step.causes for text in texts(cause))]


# --- the crate ------------------------------------------------------------------------------------


def ids(value: Any) -> set[str]:
    """Return the ids of what a property of an entity refers to."""
    items = value if isinstance(value, list) else [value]
    return {item if isinstance(item, str) else item.id for item in items if item is not None}


def test_the_crate_links_results_to_runs(root: Path) -> None:
    crate = ROCrate(root / "provenance")
    every_run = {f"../{run}/" for run in RUNS}
    for path in ("comparison/models.csv", "figures/accuracy_bars.svg", "claims/claims.csv", DECK):
        assert ids(crate.get(f"../{path}")["isBasedOn"]) == every_run, path
    ablated = {f"../runs/{variant}/seed0/" for variant in COMPARED}
    assert ids(crate.get("../ablation/ghost.csv")["isBasedOn"]) == ablated
    slides = crate.get(f"../{DECK}")["hasPart"]
    assert len(slides) == len(load_slides(load_graph(root), DECK))
    based = [ids(slide.get("isBasedOn", [])) for slide in slides]
    assert any({"../comparison/pairwise.csv", *every_run} <= found for found in based)
    assert any("../slides/assets/ablation_deltas.en.png" in found for found in based)


def test_the_crate_links_runs_to_configuration_code_data_and_machine(root: Path) -> None:
    crate = ROCrate(root / "provenance")
    for run in RUNS:
        origin = read_json(root / run / "provenance.json")
        action = crate.get(f"#job/{run}")
        assert (action["startTime"], action["endTime"]) == (origin["start"], origin["end"])
        objects = {entity.id: entity for entity in action["object"]}
        assert {"../data/", "../data/meta.json", f"#seed/{origin['seed']}"} <= set(objects)
        (configuration,) = (e for i, e in objects.items() if i.startswith("#configuration/"))
        assert json.loads(configuration["value"]) == origin["configuration"]
        code = action["instrument"]
        modules = {module["name"]: module["identifier"] for module in code["hasPart"]}
        assert modules == {
            name: f"sha256:{d}" for name, d in load_graph(root).records[run].code.items()
        }
        software = {
            entity["name"]: entity["softwareVersion"] for entity in code["softwareRequirements"]
        }
        assert software == origin["versions"]
        assert origin["hardware"]["processor"] in action["location"]["name"]
        assert f"../{run}/model.safetensors" in ids(action["result"])
    meta = read_json(root / "data" / "meta.json")
    assert crate.get("../data/")["identifier"] == f"sha256:{meta['checksum']}"


def test_the_crate_knows_every_file_by_its_content(root: Path) -> None:
    files = [e for e in read_json(root / CRATE)["@graph"] if e["@type"] == "File"]
    assert len(files) > 50
    for entity in files:
        path = root / "provenance" / entity["@id"]
        assert file_digest(path) == entity["sha256"]
        assert path.stat().st_size == int(entity["contentSize"])


def test_every_reference_in_the_crate_has_its_entity(root: Path) -> None:
    entities = read_json(root / CRATE)["@graph"]
    known = {entity["@id"] for entity in entities}

    def references(value: Any) -> list[str]:
        if isinstance(value, list):
            return [found for item in value for found in references(item)]
        return [value["@id"]] if isinstance(value, dict) else []

    for entity in entities:
        for key, value in entity.items():
            if key != "conformsTo":
                assert set(references(value)) <= known, (entity["@id"], key)


def test_the_same_records_give_the_same_crate(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / "copy")
    (tmp_path / "copy" / CRATE).unlink()
    write_crate(read_json(root / "specs" / "provenance.json"), tmp_path / "copy")
    assert (tmp_path / "copy" / CRATE).read_bytes() == (root / CRATE).read_bytes()


# --- trace ----------------------------------------------------------------------------------------


def test_a_figure_is_traced_to_its_runs(root: Path) -> None:
    found = trace(root / "figures" / "accuracy_bars.png")
    assert [f"runs/{run.variant}/seed{run.seed}" for run in found.runs] == RUNS
    assert "comparison/{models.csv,runs.csv}" in " ".join(texts(found.step))
    assert found.breaks == ()
    for run in found.runs:
        folder = root / "runs" / run.variant / f"seed{run.seed}"
        origin = read_json(folder / "provenance.json")
        assert run.top1 == read_json(folder / "metrics.json")["test"]["top1"]
        assert run.commit == origin["git"]["commit"]
        assert run.data == origin["data_checksum"]


@pytest.mark.parametrize(
    ("file", "row", "column", "runs"),
    [
        ("comparison/models.csv", {"variant": "resnet_20"}, "top1_mean", RUNS[2:]),
        ("comparison/models.csv", {"variant": "resnet_20"}, "rank", RUNS),
        ("comparison/models.csv", {"variant": "resnet_20"}, "display", []),
        ("comparison/models.csv", {}, "epochs", RUNS),
        ("comparison/families.csv", {"family": "GhostNet"}, "top1_mean", RUNS[:2]),
        ("comparison/runs.csv", {"variant": "resnet_20", "seed": "1"}, "top1", RUNS[3:]),
        ("comparison/pairwise.csv", {"variant_a": COMPARED[0], "variant_b": COMPARED[1]}, "delta", RUNS),
        ("ablation/ghost.csv", {"arm": "ratio 2"}, "top1_mean", [RUNS[0]]),
        ("ablation/ghost.csv", {"arm": "ratio 2"}, "delta", [RUNS[0], RUNS[2]]),
        ("ablation/ghost.csv", {"arm": "ratio 2"}, "arm", []),
        ("runs/resnet_20/seed1/metrics.json", {}, "params", [RUNS[3]]),
        ("runs/*/seed*/provenance.json", {}, "seed", RUNS),
        ("data/meta.json", {}, "classes", []),
    ],
)  # fmt: skip
def test_a_cell_comes_from_its_row_and_no_other(
    graph: Graph, file: str, row: dict[str, str], column: str, runs: list[str]
) -> None:
    assert list(runs_of_cell(graph, Cell("", file, column, row, "cell"))) == runs


def claims_with(graph: Graph, **measure: str) -> list[str]:
    claims = graph.records["claims"].spec["claims"]
    return [c["id"] for c in claims if measure.items() <= c["measure"].items()]


def test_a_claims_figure_has_no_run_behind_it_and_its_measurement_has(graph: Graph) -> None:
    (claim, *_) = claims_with(graph, variant="ghost_resnet_20")
    row = {"id": claim}
    assert runs_of_cell(graph, Cell("", "claims/claims.csv", "claimed", row, "cell")) == ()
    assert (
        list(runs_of_cell(graph, Cell("", "claims/claims.csv", "measured", row, "cell")))
        == RUNS[:2]
    )


def test_a_number_on_a_slide_is_traced(root: Path, graph: Graph) -> None:
    shown = [
        (slide.number, number)
        for slide in load_slides(graph, DECK)
        for number in slide.numbers
        if number.cell.row == {"variant": "resnet_20"} and number.cell.column == "params_m"
    ]
    slide, number = shown[0]
    found = trace(root / DECK, number.text, slide)
    assert [f"runs/{run.variant}/seed{run.seed}" for run in found.runs] == RUNS[2:]
    assert any(number.cell.place in text for text in texts(found.step))
    # As a number, however many zeros were typed.
    assert trace(root / DECK, f"{float(number.text):.6f}", slide).runs == found.runs


def test_a_slide_is_traced_with_its_pictures(root: Path, graph: Graph) -> None:
    (slide, *_) = (
        s for s in load_slides(graph, DECK) if any("ablation_deltas" in p for p in s.pictures)
    )
    found = trace(root / DECK, slide=slide.number)
    told = " ".join(texts(found.step))
    assert slide.title in told
    assert "slides/assets/ablation_deltas.en.png, made by slides/en" in told
    assert "ablation/ghost.csv, made by ablations/ghost" in told
    assert {(run.variant, run.seed) for run in found.runs} >= {(variant, 0) for variant in COMPARED}


def test_a_number_in_a_table_is_traced_by_what_it_rounds_to(root: Path) -> None:
    params = read_json(root / "runs" / "resnet_20" / "seed0" / "metrics.json")["params"] / 1e6
    found = trace(root / "comparison" / "models.csv", f"{params:.3f}")
    assert {run.variant for run in found.runs} == {"resnet_20"}


@pytest.mark.parametrize(
    ("path", "number", "slide", "expected"),
    [
        (DECK, "12345.678", None, "shows no number 12345.678"),
        (DECK, None, 99, "but no slide 99"),
        ("figures/accuracy_bars.png", None, 3, "has no slides"),
        ("figures/accuracy_bar.png", None, None, "did you mean 'figures/accuracy_bars.png'"),
        ("comparison/models.csv", "12345.678", None, "no number that rounds to 12345.678"),
    ],
)
def test_what_cannot_be_traced_is_said(
    root: Path, path: str, number: str | None, slide: int | None, expected: str
) -> None:
    with pytest.raises(UserError, match=re.escape(expected)):
        trace(root / path, number, slide)


def test_a_file_outside_of_any_study_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not below the root of a study"):
        trace(tmp_path / "figure.png")


def test_a_broken_chain_is_told(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    figure = copy / "figures" / "accuracy_bars.png"
    figure.write_bytes(figure.read_bytes() + b" ")
    assert "altered" in trace(figure).step.text
    record = copy / "records" / "comparison.json"
    content = read_json(record)
    content["writes"]["comparison/models.csv"]["digest"] = "0" * 64
    write_json(record, content)
    assert trace(figure).breaks == (
        "figures/accuracy_bars was made from another comparison/models.csv than the one that comparison wrote",
    )


def test_trace_in_words(built: Project) -> None:
    done = bakeoff(built.folder, "trace", "results/figures/accuracy_bars.png")
    assert done.returncode == 0, done.stderr
    assert "4 runs: ghost_resnet_20 (seed 0, 1); resnet_20 (seed 0, 1)" in done.stdout
    meta = read_json(built.folder / "results" / "data" / "meta.json")
    assert done.stdout.count(meta["checksum"][:12]) == len(RUNS)
    refused = bakeoff(built.folder, "trace", "results/figures/bars.png")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr


def test_trace_as_a_target(built: Project) -> None:
    done = built.snakemake("trace", "--config", "file=results/ablation/ghost.csv")
    assert "2 runs: ghost_resnet_20 (seed 0); resnet_20 (seed 0)" in done.stdout
    done = built.snakemake("trace", "--config", "number=12345.678")
    assert done.returncode != 0
    assert "results/slides/deck.en.pptx shows no number 12345.678" in done.stdout + done.stderr


# --- the archive ----------------------------------------------------------------------------------


def members(archive: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(archive) as tar:
        return tar.getmembers()


def test_the_archive_holds_results_without_images_and_weights(archive: Path, root: Path) -> None:
    names = {member.name for member in members(archive)}
    for path in (
        "comparison/models.csv", "comparison/models.md", "comparison/models.tex", "ablation/ghost.csv",
        "claims/claims.csv", "figures/accuracy_bars.svg", DECK, "slides/assets/numbers.zh.json",
        "report/report.md", "data/meta.json", CRATE, "records/comparison.json", "records/provenance.json",
        "specs/comparison.json", "profiles/resnet_20.json",
        *(f"{run}/{file}" for run in RUNS for file in KEPT),
    ):  # fmt: skip
        assert f"results/{path}" in names, path
    assert {
        "config/config.yaml",
        "config/models.yaml",
        "config/slides.yaml",
        "requirements.lock",
    } <= names
    assert not [name for name in names if name.endswith((".npy", ".safetensors"))]
    manifest = read_json_member(archive, "results/MANIFEST.json")
    assert set(manifest["files"]) == names - {"results/MANIFEST.json"}
    left_out = {f"results/{run}/model.safetensors" for run in RUNS}
    left_out |= {str(path.relative_to(root.parent)) for path in (root / "data").glob("*.npy")}
    assert set(manifest["left_out"]) == left_out


def read_json_member(archive: Path, name: str) -> Any:
    with tarfile.open(archive) as tar:
        stream = tar.extractfile(name)
        assert stream is not None
        return json.load(stream)


def test_equal_studies_give_equal_archives(
    archive: Path, elsewhere: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On another machine, of another user, at another time, and from an archive.
    monkeypatch.chdir(elsewhere.folder)
    pack(Path("results"), Path("again.tar.gz"), weights=False)
    assert Path("again.tar.gz").read_bytes() == archive.read_bytes()
    assert all(
        (member.uid, member.uname, member.mtime) == (0, "", 10**9) for member in members(archive)
    )
    with pytest.raises(UserError, match=r"model\.safetensors is missing"):
        pack(Path("results"), Path("again.tar.gz"), weights=True)


def test_weights_on_request(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(built.folder)
    pack(Path("results"), tmp_path / "with.tar.gz", weights=True)
    names = {member.name for member in members(tmp_path / "with.tar.gz")}
    assert {f"results/{run}/model.safetensors" for run in RUNS} <= names
    verify_archive(tmp_path / "with.tar.gz")


def test_nothing_altered_is_packed(
    built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(built.folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    table = Path("results/comparison/models.csv")
    table.write_text(table.read_text().replace("GhostNet", "GhostNot"))
    with pytest.raises(UserError, match=r"models\.csv was altered"):
        pack(Path("results"), Path("a.tar.gz"), weights=False)
    assert not Path("a.tar.gz").exists()


def test_verify_finds_everything_right(archive: Path, graph: Graph, root: Path) -> None:
    manifest, verified = verify_archive(archive)
    assert manifest.name == "small"
    assert verified.runs == len(RUNS)
    assert verified.jobs == len(graph.records)
    assert verified.numbers > 100
    assert set(verified.tables) == {"comparison", "ablations/ghost", "claims"}
    assert verified.other_code == []
    assert verify_results(root) == verified


def test_verify_in_words(archive: Path, tmp_path: Path) -> None:
    done = bakeoff(tmp_path, "verify", str(archive))
    assert done.returncode == 0, done.stderr
    assert f"SHA-256 {file_digest(archive)}" in done.stdout
    assert f"tar -xzf {archive}" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_of_the_same_size_is_found(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    path = copy / RUNS[0] / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"ghost_resnet_20/seed0/model\.safetensors is not the file that"
    ):
        verify_results(copy)


# --- archives that somebody changed ---------------------------------------------------------------


def write_archive(folder: Path, out: Path, extra: dict[str, bytes] | None = None) -> None:
    """Pack a folder as it is, the manifest first."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    paths.sort(key=lambda path: path.name != "MANIFEST.json")
    with gzip.open(out, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for path in paths:
            tar.add(path, str(path.relative_to(folder)))
        for name, content in (extra or {}).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def sign(folder: Path) -> None:
    """Make the manifest agree with the files."""
    manifest = read_json(folder / "results" / "MANIFEST.json")
    for path in manifest["files"]:
        file = folder / path
        manifest["files"][path] = {"sha256": file_digest(file), "size": file.stat().st_size}
    write_json(folder / "results" / "MANIFEST.json", manifest)


def forge(
    folder: Path, path: str, *, wrote: bool = True, read: bool = True, crate: bool = True
) -> None:
    """Make the records of those who wrote and read a file agree with it, and what follows from them."""
    root = folder / "results"
    records = sorted(
        (root / "records").rglob("*.json"), key=lambda file: file.name == "provenance.json"
    )
    for file in records:
        record = read_json(file)
        for states in [record["writes"]] * wrote + [record["reads"]] * read:
            if path in states:
                states[path]["digest"] = file_digest(root / path)
        if file.name == "provenance.json":
            for read_path, state in record["reads"].items():
                state["digest"] = file_digest(root / read_path)
            if crate:
                content = read_json(root / CRATE)
                for entity in content["@graph"]:
                    if entity["@id"] == f"../{path}":
                        entity["sha256"] = file_digest(root / path)
                write_json(root / CRATE, content)
                record["writes"][CRATE]["digest"] = file_digest(root / CRATE)
        write_json(file, record)
    sign(folder)


def replace(folder: Path, path: str, pattern: str, new: str) -> None:
    file = folder / "results" / path
    text, count = re.subn(pattern, new, file.read_text(encoding="utf-8"), count=1)
    assert count == 1, (path, pattern)
    file.write_text(text, encoding="utf-8")


MODELS = "comparison/models.csv"
METRICS = f"{RUNS[0]}/metrics.json"


def edited(folder: Path) -> None:
    replace(folder, MODELS, "GhostNet", "GhostNot")


def edited_and_signed(folder: Path) -> None:
    edited(folder)
    sign(folder)


def edited_with_its_record(folder: Path) -> None:
    edited(folder)
    forge(folder, MODELS, read=False)


def edited_with_all_records(folder: Path) -> None:
    edited(folder)
    forge(folder, MODELS, crate=False)


def number_edited_with_everything(folder: Path) -> None:
    replace(folder, MODELS, r"0\.\d{4,}", "0.1234567")
    forge(folder, MODELS)


def run_improved(folder: Path) -> None:
    replace(folder, METRICS, r'"top1": [\d.]+', '"top1": 71.3')
    forge(folder, METRICS)


def run_of_other_data(folder: Path) -> None:
    path = f"{RUNS[0]}/provenance.json"
    replace(folder, path, r'"data_checksum": "\w+"', f'"data_checksum": "{"0" * 64}"')
    forge(folder, path)


def number_on_a_slide(folder: Path) -> None:
    path = "slides/assets/numbers.en.json"
    content = read_json(folder / "results" / path)
    entry = next(e for e in content["numbers"] if e["file"] == MODELS and e["column"] == "params_m")
    entry["value"] *= 2
    write_json(folder / "results" / path, content)
    forge(folder, path)


def other_configuration(folder: Path) -> None:
    replace(folder, "specs/runs/resnet_20.json", r'"epochs": 1', '"epochs": 200')
    sign(folder)


def file_dropped(folder: Path) -> None:
    (folder / "results" / f"{RUNS[0]}/history.csv").unlink()


def record_dropped(folder: Path) -> None:
    name = "results/records/claims.json"
    (folder / name).unlink()
    manifest = read_json(folder / "results" / "MANIFEST.json")
    del manifest["files"][name]
    write_json(folder / "results" / "MANIFEST.json", manifest)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edited, r"results/comparison/models\.csv is not what its manifest says"),
        (edited_and_signed, r"comparison/models\.csv is not the file that comparison wrote"),
        (edited_with_its_record, r"figures/accuracy_bars was made from another comparison/models\.csv"),
        (edited_with_all_records, r"does not know comparison/models\.csv as it is"),
        (number_edited_with_everything, r"comparison/models\.csv does not follow from the runs"),
        (run_improved, r"says test top-1 = 71\.30 % but the predictions beside it give"),
        (run_of_other_data, r"was trained on data with another checksum"),
        (number_on_a_slide, r"is not what stands at comparison/models\.csv"),
        (other_configuration, r"runs/resnet_20/seed0 was made with another configuration .*recipe\.epochs"),
        (file_dropped, r"results/runs/ghost_resnet_20/seed0/history\.csv is missing"),
        (record_dropped, r"has no record of claims"),
    ],
)  # fmt: skip
def test_a_changed_archive_is_refused(
    archive: Path, tmp_path: Path, change: Callable[[Path], None], expected: str
) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xzf", str(archive)], cwd=folder, check=True)
    write_archive(folder, tmp_path / "same.tar.gz")
    verify_archive(tmp_path / "same.tar.gz")
    change(folder)
    write_archive(folder, tmp_path / "changed.tar.gz")
    with pytest.raises(UserError, match=expected) as caught:
        verify_archive(tmp_path / "changed.tar.gz")
    assert "bakeoff-verify-" not in str(caught.value)


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "results/MANIFEST.json"])
def test_what_no_archive_should_hold_is_refused(archive: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xzf", str(archive)], cwd=folder, check=True)
    write_archive(folder, tmp_path / "bad.tar.gz", {name: b"surprise"})
    with pytest.raises(UserError, match=r"no plain file below|twice"):
        verify_archive(tmp_path / "bad.tar.gz")


def test_a_file_that_is_not_listed_is_refused(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xzf", str(archive)], cwd=folder, check=True)
    write_archive(folder, tmp_path / "more.tar.gz", {"results/runs/more.txt": b"surprise"})
    with pytest.raises(UserError, match=r"results/runs/more\.txt is not in its manifest"):
        verify_archive(tmp_path / "more.tar.gz")


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.999])
def test_an_archive_that_was_cut_short_is_refused(
    archive: Path, tmp_path: Path, kept: float
) -> None:
    content = archive.read_bytes()
    size = int(kept * len(content)) if kept < 1 else int(kept)
    (tmp_path / "cut.tar.gz").write_bytes(content[:size])
    with pytest.raises(UserError, match=r"damaged|missing"):
        verify_archive(tmp_path / "cut.tar.gz")


def test_a_missing_archive_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        verify_archive(tmp_path / "none.tar.gz")


# --- on another machine ---------------------------------------------------------------------------


def test_unpacked_elsewhere_nothing_is_to_be_done(elsewhere: Project) -> None:
    assert not list(elsewhere.folder.rglob("*.npy"))
    assert not list(elsewhere.folder.rglob("*.safetensors"))
    done = elsewhere.snakemake("-n", "all")
    assert NOTHING in done.stdout + done.stderr


def test_figures_are_drawn_again_without_training(elsewhere: Project, root: Path) -> None:
    figures = elsewhere.folder / "results" / "figures"
    drawn = ["learning_curves.png", "superclass_confusion.svg", "ablation_deltas.png"]
    for name in drawn:
        (figures / name).unlink()
    done = elsewhere.snakemake("figures")
    assert done.returncode == 0, done.stderr
    ran = rules(done.stdout + done.stderr)
    assert sorted(set(ran) - {"stale"}) == ["plot"]
    assert ran.count("plot") == len(drawn)
    for name in drawn:
        assert (figures / name).read_bytes() == (root / "figures" / name).read_bytes()


def test_one_figure_is_drawn_alone(elsewhere: Project, root: Path) -> None:
    figure = elsewhere.folder / "results" / "figures" / "accuracy_bars.svg"
    figure.unlink()
    done = elsewhere.snakemake("results/figures/accuracy_bars.svg")
    assert done.returncode == 0, done.stderr
    assert figure.read_bytes() == (root / "figures" / "accuracy_bars.svg").read_bytes()


def test_only_what_the_archive_left_out_may_be_absent(elsewhere: Project) -> None:
    results = elsewhere.folder / "results"
    (results / RUNS[0] / "predictions.npz").unlink()
    assert "train" in rules(elsewhere.snakemake("-n", "all").stdout)
    manifest = read_json(results / "MANIFEST.json")
    manifest["left_out"][f"results/{RUNS[0]}/predictions.npz"] = {"sha256": "0" * 64, "size": 1}
    write_json(results / "MANIFEST.json", manifest)
    assert "train" in rules(elsewhere.snakemake("-n", "all").stdout), (
        "not the file that the run wrote"
    )
    (results / "MANIFEST.json").unlink()
    assert "prepare" in rules(elsewhere.snakemake("-n", "all").stdout)


def test_training_goes_on_once_the_images_are_made(elsewhere: Project) -> None:
    elsewhere.edit(
        "config/config.yaml", lambda config: config["seeds"].update(comparison=[0, 1, 2])
    )
    done = elsewhere.snakemake("all")
    assert done.returncode != 0
    assert "images were left out of the archive" in done.stderr
    assert rules(done.stdout + done.stderr).count("train") == 0
    done = elsewhere.snakemake("results/data/meta.json", "--forcerun", "prepare")
    assert done.returncode == 0, done.stderr
    planned = rules(elsewhere.snakemake("-n", "all").stdout)
    assert planned.count("train") == len(COMPARED)
    assert "prepare" not in planned
