"""The command line: what people call by hand. The jobs of the workflow are scripts in `workflow/scripts`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bakeoff.jobs.frame import set_up_logging, told_in_a_sentence
from bakeoff.launch.environment import settle


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a user's mistake ends the process with 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    # What follows `settle` is Snakemake's.
    mine = (
        given[:1] if given[:1] == ["settle"] and given[1:2] not in (["-h"], ["--help"]) else given
    )
    options = parser.parse_args(mine, argparse.Namespace(rest=given[len(mine) :]))
    settle(os.environ)
    set_up_logging(None)
    with told_in_a_sentence(options.command):
        options.run(options)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bakeoff", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(
        name: str, run: Callable[[argparse.Namespace], None], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    trace = command("trace", _trace, "show the runs behind a file, a slide, or a number on a slide")
    trace.add_argument(
        "file", type=Path, nargs="?", help="default: the English deck of the study in --root"
    )
    trace.add_argument("--number", help="as it is shown in the deck, or rounded from the table")
    trace.add_argument("--slide", type=int, help="of the deck, counted from 1")
    trace.add_argument("--root", type=Path, default=Path("results"), help="folder of the results")

    status = command("status", _status, "show how a study stands: its runs, and what is left")
    status.add_argument(
        "root", type=Path, nargs="?", default=Path("results"), help="folder of the results"
    )
    status.add_argument("--watch", action="store_true", help="go on until all runs are done")
    status.add_argument("--all", action="store_true", help="show each run")

    archive = command("archive", _archive, "pack a study into one file, without images")
    archive.add_argument("--root", type=Path, required=True, help="folder of the study's results")
    archive.add_argument("--out", type=Path, required=True, help="the archive, a .tar.gz")
    archive.add_argument("--weights", action="store_true", help="pack the weights of the runs too")

    command("settle", _settle, "add seeds until the questions are settled or the budget is spent")

    verify = command(
        "verify", _verify, "check results: every file, the runs, the tables, the slides"
    )
    verify.add_argument("results", type=Path, help="an archive, or the folder of a study's results")
    return parser


def _trace(options: argparse.Namespace) -> None:
    from bakeoff.provenance.printing import print_trace
    from bakeoff.provenance.trace import trace

    file = options.file or options.root / "slides" / "deck.en.pptx"
    print_trace(trace(file, options.number, options.slide))


def _status(options: argparse.Namespace) -> None:
    from bakeoff.console.watch import show_status

    show_status(options.root, watch=options.watch, everything=options.all)


def _archive(options: argparse.Namespace) -> None:
    from bakeoff.provenance.archive import pack
    from bakeoff.provenance.printing import print_manifest

    print_manifest(options.out, pack(options.root, options.out, weights=options.weights))


def _settle(options: argparse.Namespace) -> None:
    from bakeoff.settle import settle_until_done

    if code := settle_until_done(options.rest):
        sys.exit(code)


def _verify(options: argparse.Namespace) -> None:
    from bakeoff.provenance.printing import print_manifest, print_verified
    from bakeoff.provenance.verify import verify_archive, verify_results

    if options.results.is_dir():
        print_verified(verify_results(options.results))
    else:
        manifest, verified = verify_archive(options.results)
        print_manifest(options.results, manifest)
        print_verified(verified)
