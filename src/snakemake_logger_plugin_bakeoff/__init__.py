"""Snakemake's logger plugin `bakeoff`: a plan, a live table, failures in a sentence, and what came out.

Snakemake imports it at each start, in each process; what it shows is in `bakeoff.console`, imported when it is used.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

if TYPE_CHECKING:
    from bakeoff.console.session import Session

# What Snakemake says at each start, and nobody needs.
NOISE = (
    "Building DAG of jobs",
    "Assuming unrestricted shared filesystem",
    "host: ",
    "Complete log(s)",
    "Config file ",
)
# What it says while jobs run and is worth a line.
NEWS = "Will exit after finishing"
INTERRUPTED = "Terminating processes on user request"
# What the plugin has said itself, in better words.
TOLD = (
    "Exiting because a job execution failed",
    "At least one job did not complete successfully",
    "Removing output files of failed job",
)
OF_JOBS = ("RuleException", "CalledProcessError")


class LogHandler(LogHandlerBase):
    """Turns Snakemake's log into what a person wants to see."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        """Note that no job has started."""
        self._executing = self._has_failed = False
        self._shows_all = self.common_settings.verbose or self.common_settings.printshellcmds

    @cached_property
    def session(self) -> Session:
        """Return the session, made when there is something to say."""
        from bakeoff.console.screens import LiveScreen, PlainScreen  # noqa: PLC0415
        from bakeoff.console.session import Session  # noqa: PLC0415
        from bakeoff.console.table import console_for, is_plain  # noqa: PLC0415

        stream = sys.stdout if self.common_settings.stdout else sys.stderr
        if self.common_settings.nocolor or is_plain(os.environ, stream.isatty()):
            return Session(PlainScreen(stream), tells_all=self._shows_all)
        screen = LiveScreen(console_for(stderr=stream is sys.stderr))
        return Session(screen, tells_all=self._shows_all)

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, or leave it out."""
        try:
            self._show(record)
        except BrokenPipeError:
            raise
        except Exception as error:
            # What is shown must not stop what is computed.
            if self.common_settings.verbose:
                self.handleError(record)
            elif not self._has_failed:
                self._has_failed = True
                print(f"The console failed: {error!r}; --verbose says where.", file=sys.stderr)

    def close(self) -> None:
        """Say the last word."""
        if "session" in self.__dict__:
            self.session.close()
        super().close()

    def _show(self, record: logging.LogRecord) -> None:
        told: Any = getattr(record, "bakeoff", None)
        if told is not None:
            told(self.session)
            return
        fields = record.__dict__
        match getattr(record, "event", None):
            case LogEvent.WORKFLOW_STARTED:
                self._executing = True
            case LogEvent.JOB_INFO if not self.common_settings.dryrun:
                self.session.start(
                    fields["jobid"], fields["rule_name"], fields["wildcards"], fields["log"]
                )
            case LogEvent.JOB_FINISHED:
                self.session.finish(fields["job_id"])
            case LogEvent.JOB_ERROR:
                self.session.fail(
                    fields["jobid"], fields["rule_name"], fields["log"], fields["rule_msg"] or ""
                )
            case LogEvent.ERROR if not (self._shows_all or self._is_told(record)):
                self._pass_on(record)
            case None:
                self._pass_on_message(record)
            case _:
                pass
        if self._shows_all and getattr(record, "event", None) in (
            LogEvent.JOB_INFO,
            LogEvent.SHELLCMD,
            LogEvent.JOB_ERROR,
            LogEvent.ERROR,
        ):
            self.session.block(self.format(record))

    def _is_told(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        # Of a job that fails; before the first job it is a mistake of a rule's.
        of_job = bool(self.session.jobs) and getattr(record, "exception", "") in OF_JOBS
        return of_job or any(each in text for each in TOLD)

    def _pass_on_message(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if self.common_settings.verbose:
            self._pass_on(record)
        elif text.startswith(INTERRUPTED):
            self.session.stop()
        elif any(each in text for each in TOLD):
            return
        elif record.levelno >= logging.WARNING or (
            text.startswith(NEWS) if self._executing else text and not text.startswith(NOISE)
        ):
            self._pass_on(record)

    def _pass_on(self, record: logging.LogRecord) -> None:
        style = "red" if record.levelno >= logging.ERROR else ""
        self.session.message(record.getMessage(), style)
