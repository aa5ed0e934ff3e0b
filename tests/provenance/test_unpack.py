"""A study unpacked on another machine."""

from __future__ import annotations

from pathlib import Path

from bakeoff.files import read_json, write_json
from tests.support.project import Project
from tests.support.provenance import COMPARED, NOTHING, RUNS, rules

# --- on another machine ---------------------------------------------------------------------------


def test_unpacked_elsewhere_nothing_is_to_be_done(elsewhere: Project) -> None:
    assert not list(elsewhere.folder.rglob("*.npy"))
    assert not list(elsewhere.folder.rglob("*.safetensors"))
    done = elsewhere.snakemake("-n", "all")
    # The page shows images, so it is not packed; it is made again from what is there, without them.
    assert rules(done.stdout + done.stderr) == ["page"]
    done = elsewhere.snakemake("-n", "results/provenance/ro-crate-metadata.json")
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
