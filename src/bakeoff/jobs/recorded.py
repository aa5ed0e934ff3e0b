"""The jobs that have records, as the records and the specs beside them describe them: without Snakemake's rules.

For questions that are asked while Snakemake works, or where it is not installed. A rule that reads more or less since
then is not seen; configuration, code and files are.
"""

from __future__ import annotations

from functools import cache, cached_property
from pathlib import Path

from bakeoff.files import read_json
from bakeoff.jobs.code import entry_file
from bakeoff.jobs.records import Record, load_record, spec_path
from bakeoff.jobs.rules import Job


class RecordedJobs:
    """All jobs of a root that have records."""

    def __init__(self, root: Path) -> None:
        """Look at the records below `root`."""
        self._root = root
        self.record = cache(self._record)

    def job(self, name: str) -> Job:
        """Return the job called `name`.

        Raises:
            KeyError: it has no record, or no spec.
        """
        record = self.record(name)
        try:
            spec = read_json(spec_path(self._root, name))
        except (OSError, ValueError):
            spec = None
        if record is None or spec is None:
            raise KeyError(name)
        # What is gone has no digest, which is a difference, too.
        code = tuple(each for each in record.code if entry_file(each))
        return Job(
            name, spec, tuple(record.reads), tuple(record.outside), tuple(record.writes), code
        )

    def producer(self, path: str) -> str | None:
        """Return the job that makes the prepared data: what runs read, and nothing else."""
        return self._data.get(path)

    def describes(self, name: str) -> bool:
        """Return whether there is a record and a spec of this job."""
        return self.record(name) is not None and spec_path(self._root, name).is_file()

    @cached_property
    def _data(self) -> dict[str, str]:
        record = self.record("data")
        return dict.fromkeys(record.writes, "data") if record else {}

    def _record(self, name: str) -> Record | None:
        return load_record(self._root, name)
