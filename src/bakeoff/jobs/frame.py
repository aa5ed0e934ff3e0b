"""The frame of a job: its log, its errors in a sentence, and its record. Every script in `workflow/scripts` uses it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError
from bakeoff.files import read_json, unwritable
from bakeoff.jobs.code import code_digests, script_of
from bakeoff.jobs.records import ended, job_name, save_record, spec_path, start_record
from bakeoff.launch.environment import settle
from bakeoff.support.interrupts import INTERRUPTED, InterruptedRunError

MISTAKE = 2
# The input by which Snakemake learns that a job is stale is none that the job reads: see `workflow/rules/common.smk`.
STALE = ".snakemake/"
# Of several processes of a run, the first writes and tells.
RANK = "RANK"
# Set where Snakemake's console is ours: it shows what a log says, so that nothing else may write on the terminal.
CONSOLE = "BAKEOFF_CONSOLE"

log = logging.getLogger("bakeoff")


@dataclass(frozen=True)
class JobSpec:
    """What a job is, as its rule says it."""

    rule: str
    root: Path
    """Of the study."""
    spec: Path
    record: str | None = None
    """The file of its record; None for a job that is not tracked."""
    code: Sequence[str] = ()
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()

    def digests(self) -> dict[str, str]:
        """Return {module or file: digest} of the code that the job executes, as it is now."""
        return code_digests(script_of(self.rule), *self.code)


@contextmanager
def job(snakemake: Any, *, online: bool = False) -> Iterator[Any]:
    """Run the body of a script as a job of Snakemake's; the value is the job's spec.

    A UserError ends the script with its sentence and exit code 2, without a traceback. Where the body succeeds, the
    record of a tracked job is written: from the lists that the rule has, so that it cannot differ from them.

    Args:
        snakemake: the object that Snakemake gives to a script. Its output `record` names the job; a job without one
            names its spec by the parameter `spec`.
        online: whether the job may go to the network.
    """
    params, root = snakemake.params, Path(snakemake.config["results_root"])
    record = snakemake.output.get("record")
    about = JobSpec(
        rule=snakemake.rule,
        root=root,
        spec=root / "specs" / f"{params.spec}.json"
        if record is None
        else spec_path(root, job_name(root, record)),
        record=record,
        code=listed(params.get("code", ())),
        reads=list(snakemake.input),
        writes=list(snakemake.output),
    )
    log_file = Path(snakemake.log[0]) if snakemake.log else None
    with frame(about, log_file, online=online) as content:
        yield content


@contextmanager
def frame(about: JobSpec, log_file: Path | None, *, online: bool = False) -> Iterator[Any]:
    """Run the body as the job `about`; see `job`."""
    settle(os.environ)
    if not online:
        # huggingface_hub reads this at import.
        os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        with told_in_a_sentence(about.rule):
            if log_file and CONSOLE in os.environ:
                # A job without a record may have an answer to print.
                send_output(log_file, *((1, 2) if about.record else (2,)))
            set_up_logging(log_file)
            spec = read_json(about.spec)
            if about.record is None or os.environ.get(RANK, "0") != "0":
                yield spec
                return
            # Before the body, which may take hours: what changes meanwhile was neither executed nor read.
            reads = [path for path in about.reads if not path.startswith(STALE)]
            record = start_record(about.root, spec, about.digests(), reads)
            yield spec
            writes = [path for path in about.writes if path != about.record]
            save_record(
                about.root,
                job_name(about.root, about.record),
                ended(about.root, record, writes),
            )
    finally:
        logging.shutdown()


@contextmanager
def told_in_a_sentence(name: str) -> Iterator[None]:
    """End the process with exit code 2 and a sentence for a mistake of the user's, with 1 and a traceback for ours."""
    try:
        yield
    except UserError as error:
        log.error("%s", error)
        sys.exit(MISTAKE)
    except InterruptedRunError as error:
        log.warning("%s", error)
        sys.exit(INTERRUPTED)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if text := unwritable(error):
            log.error("%s", text)
            sys.exit(MISTAKE)
        log.exception("%s failed", name)
        sys.exit(1)


def send_output(file: Path, *descriptors: int) -> None:
    """Append what this process, and those that it becomes or starts, write to these descriptors to `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with file.open("ab") as stream:
        for descriptor in descriptors:
            os.dup2(stream.fileno(), descriptor)


def set_up_logging(file: Path | None) -> None:
    """Log to the terminal and to `file`; of several processes only the first tells of more than trouble."""
    level = logging.INFO if os.environ.get(RANK, "0") == "0" else logging.WARNING
    handlers: list[logging.Handler] = []
    if file is None or CONSOLE not in os.environ:
        terminal = logging.StreamHandler(sys.stderr)
        terminal.setFormatter(logging.Formatter("%(message)s"))
        terminal.setLevel(logging.WARNING)
        handlers.append(terminal)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(file, encoding="utf-8")
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(to_file)
    logging.basicConfig(level=logging.WARNING, handlers=handlers, force=True)
    logging.getLogger("bakeoff").setLevel(level)
    logging.captureWarnings(capture=True)


def listed(value: Any) -> list[str]:
    """Return a value of Snakemake's that is one text or several, as a list."""
    return [value] if isinstance(value, str) else [str(each) for each in value]
