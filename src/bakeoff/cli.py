"""The command line: `python -m bakeoff <command>`, one command for each rule of the workflow.

Each command imports what it needs when it runs, so that drawing a figure does not wait for torch.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bakeoff.errors import UserError
from bakeoff.files import read_json
from bakeoff.training.interrupts import INTERRUPTED, InterruptedRunError

MISTAKE = 2
METRICS_SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "metrics.schema.yaml"

log = logging.getLogger("bakeoff")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for a user's mistake, 75 for "stopped, try again"."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(words)
    _set_up_logging(options.log_file)
    try:
        _set_up_process(options, words)
        options.run(options)
        _keep_record(options)
    except UserError as error:
        log.error("%s", error)
        return MISTAKE
    except InterruptedRunError as error:
        log.warning("%s", error)
        return INTERRUPTED
    except KeyboardInterrupt:
        return 130
    except Exception:
        log.exception("%s failed", options.command)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bakeoff", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run, offline=True)
        added.add_argument("--spec", type=Path, required=True, help="what is to be made (JSON)")
        added.add_argument("--log-file", type=Path, help="file for the log, besides the terminal")
        added.add_argument(
            "--record",
            nargs=2,
            metavar=("ROOT", "JOB"),
            help="keep a record of what it was made from",
        )
        return added

    download = command("download", _download, "fetch the official archive")
    download.add_argument("--out", type=Path, required=True)

    fetch = command("fetch-weights", _fetch_weights, "fetch, check and lock pretrained weights")
    fetch.add_argument(
        "--out", type=Path, required=True, help="the file; only checked if it is there"
    )
    fetch.set_defaults(offline=False)

    prepare = command("prepare", _prepare, "turn an archive, or nothing, into prepared arrays")
    prepare.add_argument("--archive", type=Path, nargs="?", help="absent for drawn data")
    prepare.add_argument("--out", type=Path, required=True, help="folder")

    train = command("train", _train, "train and evaluate one run")
    train.add_argument("--seed", type=int, required=True)
    train.add_argument("--data", type=Path, required=True, help="folder of the prepared data")
    train.add_argument("--out", type=Path, required=True, help="folder of the run")
    train.add_argument("--checkpoints", type=Path, required=True, help="folder")
    train.add_argument("--weights", type=Path, nargs="?", help="file of pretrained weights, if any")
    train.add_argument(
        "--processes", type=int, help="number of processes; default: one for each GPU"
    )
    train.add_argument(
        "--tensorboard", type=Path, nargs="?", help="folder for TensorBoard's event files"
    )
    train.add_argument("--checkpoint-minutes", type=float, default=10.0)

    profile = command("profile", _profile, "measure what a variant costs")
    profile.add_argument("--out", type=Path, required=True)
    profile.set_defaults(processes=1)
    for added in (train, profile):
        added.add_argument("--gpus", type=int, default=0, help="0: train on the CPU")
        added.add_argument("--threads", type=int, default=1, help="CPU threads of each process")

    plan = command("plan", _plan, "plan the runs that are not yet done")
    plan.add_argument("--root", type=Path, required=True, help="folder of the study's results")
    plan.add_argument(
        "--kind", required=True, choices=("gpu", "cpu"), help="what runs are trained on"
    )
    plan.add_argument("--devices", type=int, required=True, help="GPUs, or cores of the CPU")

    cards = command("cards", _cards, "write the model cards and the table of all models")
    cards.add_argument("--out", type=Path, required=True, help="folder of the documentation")

    for name, run, text in (
        ("compare", _compare, "make the comparison tables"),
        ("ablate", _ablate, "make the table of one ablation"),
        ("claims", _claims, "test the published claims"),
        ("report", _report, "put all tables and figures on one page"),
        ("provenance", _provenance, "write where all results come from, as an RO-Crate"),
        ("plot", _plot, "draw one figure"),
        ("deck", _deck, "make the slide deck in one language"),
    ):
        added = command(name, run, text)
        added.add_argument("--root", type=Path, required=True, help="folder of the study's results")
        if name == "plot":
            added.add_argument("figure", help="name of the figure")
        if name == "deck":
            added.add_argument("--language", required=True, choices=("zh", "en"))
    _add_tools(commands)
    return parser


def _add_tools(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands that people call by hand, which make no results."""

    def tool(name: str, run: object, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run, offline=True, log_file=None, record=None)
        return added

    trace = tool("trace", _trace, "show the runs behind a file, a slide, or a number on a slide")
    trace.add_argument(
        "file", type=Path, nargs="?", help="default: the English deck of the study in --root"
    )
    trace.add_argument("--number", help="as it is shown in the deck, or rounded from the table")
    trace.add_argument("--slide", type=int, help="of the deck, counted from 1")
    trace.add_argument("--root", type=Path, default=Path("results"), help="folder of the results")

    archive = tool("archive", _archive, "pack a study into one file, without images")
    archive.add_argument("--root", type=Path, required=True, help="folder of the study's results")
    archive.add_argument("--out", type=Path, required=True, help="the archive, a .tar.gz")
    archive.add_argument("--weights", action="store_true", help="pack the weights of the runs too")

    verify = tool("verify", _verify, "check results: every file, the runs, the tables, the slides")
    verify.add_argument("results", type=Path, help="an archive, or the folder of a study's results")


def _set_up_logging(file: Path | None) -> None:
    """Log to the terminal and to `file`; of several processes only the first tells of more than trouble."""
    level = logging.INFO if os.environ.get("RANK", "0") == "0" else logging.WARNING
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    terminal.setLevel(logging.WARNING)
    handlers: list[logging.Handler] = [terminal]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(file, encoding="utf-8")
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(to_file)
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    logging.getLogger("bakeoff").setLevel(level)
    logging.captureWarnings(capture=True)


def _set_up_process(options: argparse.Namespace, words: Sequence[str]) -> None:
    """Set what libraries read when they are imported; for a run, also find its GPUs and start its processes."""
    if options.offline:
        # No job goes to the network by itself; huggingface_hub reads this at import.
        os.environ["HF_HUB_OFFLINE"] = "1"
    if hasattr(options, "gpus"):
        from bakeoff.launch.processes import start

        options.gpus = start(words, options.gpus, options.processes, options.threads)


def _keep_record(options: argparse.Namespace) -> None:
    """Write what the job was made from, once it is done; of several processes only the first does."""
    if options.record is None or os.environ.get("RANK", "0") != "0":
        return
    from bakeoff.staleness.records import record_job

    outside = [path for path in (getattr(options, "archive", None), _weights_lock(options)) if path]
    root, job = options.record
    record_job(Path(root), job, read_json(options.spec), outside)


def _weights_lock(options: argparse.Namespace) -> Path | None:
    weights = getattr(options, "weights", None)
    if weights is None:
        return None
    from bakeoff.models.weights_files import lock_path

    return lock_path(weights)


def _download(options: argparse.Namespace) -> None:
    from bakeoff.data import DataConfig, download

    download(DataConfig.model_validate(read_json(options.spec)), options.out)


def _fetch_weights(options: argparse.Namespace) -> None:
    from bakeoff.models.fetch import fetch_weights

    fetch_weights(read_json(options.spec), options.out)


def _prepare(options: argparse.Namespace) -> None:
    from bakeoff.data import DataConfig, prepare

    data = DataConfig.model_validate(read_json(options.spec)["data"])
    prepare(data, options.archive, options.out)


def _train(options: argparse.Namespace) -> None:
    import torch

    from bakeoff.evaluation.run import RunPaths, execute

    torch.set_num_threads(options.threads)
    paths = RunPaths(
        data=options.data,
        out=options.out,
        checkpoints=options.checkpoints,
        metrics_schema=METRICS_SCHEMA,
        weights=options.weights,
        tensorboard=options.tensorboard,
    )
    execute(read_json(options.spec), options.seed, paths, options.gpus, options.checkpoint_minutes)


def _profile(options: argparse.Namespace) -> None:
    import torch

    from bakeoff.evaluation.profile import profile

    torch.set_num_threads(options.threads)
    profile(read_json(options.spec), options.out, options.gpus)


def _plan(options: argparse.Namespace) -> None:
    import torch

    from bakeoff.planning.machine import Fleet
    from bakeoff.planning.plan import make_plan
    from bakeoff.planning.summary import in_words

    # As a run on the CPU has it: one core.
    torch.set_num_threads(1)
    summary = make_plan(read_json(options.spec), options.root, Fleet(options.kind, options.devices))
    print(in_words(summary))
    print(f"{options.root / 'plan'}: schedule.md, gantt.png, summary.json")


def _cards(options: argparse.Namespace) -> None:
    from bakeoff.models.cards import write_cards

    spec = read_json(options.spec)
    write_cards(spec["models"], options.out, spec["num_classes"], spec["image_size"])


def _compare(options: argparse.Namespace) -> None:
    from bakeoff.analysis.comparison import compare

    root = options.root
    compare(
        read_json(options.spec),
        root / "runs",
        root / "profiles",
        root / "comparison",
        meta=root / "data" / "meta.json",
    )


def _ablate(options: argparse.Namespace) -> None:
    from bakeoff.analysis.ablation import ablate

    spec = read_json(options.spec)
    ablate(spec, options.root / "runs", options.root / "ablation" / f"{spec['ablation']}.csv")


def _claims(options: argparse.Namespace) -> None:
    from bakeoff.analysis.claims import test_claims

    spec, root = read_json(options.spec), options.root
    ablations = [root / "ablation" / f"{name}.csv" for name in spec["ablations"]]
    test_claims(spec, root / "comparison" / "models.csv", ablations, root / "claims")


def _report(options: argparse.Namespace) -> None:
    from bakeoff.analysis.report import write_report

    write_report(read_json(options.spec), options.root)


def _plot(options: argparse.Namespace) -> None:
    from bakeoff.figures.files import draw

    draw(options.figure, read_json(options.spec), options.root)


def _deck(options: argparse.Namespace) -> None:
    from bakeoff.slides.deck import build_deck

    root = options.root
    build_deck(read_json(options.spec), root, options.language, root / "slides")


def _provenance(options: argparse.Namespace) -> None:
    from bakeoff.provenance.crate import write_crate

    write_crate(read_json(options.spec), options.root)


def _trace(options: argparse.Namespace) -> None:
    from bakeoff.provenance.printing import print_trace
    from bakeoff.provenance.trace import trace

    file = options.file or options.root / "slides" / "deck.en.pptx"
    print_trace(trace(file, options.number, options.slide))


def _archive(options: argparse.Namespace) -> None:
    from bakeoff.provenance.archive import pack
    from bakeoff.provenance.printing import print_manifest

    print_manifest(options.out, pack(options.root, options.out, weights=options.weights))


def _verify(options: argparse.Namespace) -> None:
    from bakeoff.provenance.printing import print_manifest, print_verified
    from bakeoff.provenance.verify import verify_archive, verify_results

    if options.results.is_dir():
        print_verified(verify_results(options.results))
    else:
        manifest, verified = verify_archive(options.results)
        print_manifest(options.results, manifest)
        print_verified(verified)
