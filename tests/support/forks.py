"""Snakemake, called often: one process imports it and what it imports, and each call is a fork of that process.

A call costs what it does, and not the two seconds of importing. Nothing of the project is imported before the fork.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path


def call_snakemake(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run snakemake in `folder` to its end, as a command would with this environment and no other."""
    with tempfile.TemporaryDirectory() as outputs:
        files = [Path(outputs) / name for name in ("stdout", "stderr")]
        call = [list(arguments), str(folder), dict(environment), *map(str, files)]
        server = _server()
        assert server.stdin is not None and server.stdout is not None
        try:
            server.stdin.write(json.dumps(call) + "\n")
            server.stdin.flush()
            code = int(server.stdout.readline())
        except BaseException:
            # A test that was cut short leaves no answer for the next one to mistake for its own.
            server.kill()
            _server.cache_clear()
            raise
        stdout, stderr = (file.read_text(encoding="utf-8", errors="replace") for file in files)
    return subprocess.CompletedProcess(list(arguments), code, stdout, stderr)


@cache
def _server() -> subprocess.Popen[str]:
    # -P: this folder has modules with names that others import, too.
    command = [sys.executable, "-P", __file__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve() -> None:
    import jsonschema  # noqa: F401, PLC0415
    import pandas  # noqa: F401, PLC0415
    import psutil  # noqa: F401, PLC0415
    import pydantic  # noqa: F401, PLC0415
    import snakemake.cli  # noqa: PLC0415

    snakemake.cli.get_argument_parser()  # finds the plugins
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            arguments, folder, environment, stdout, stderr = json.loads(line)
            for number, path in enumerate((os.devnull, stdout, stderr)):
                mode = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT
                os.dup2(os.open(path, mode), number)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            paths = environment.get("PYTHONPATH", "").split(os.pathsep)
            sys.path[:0] = [folder, *(path for path in paths if path)]
            sys.argv = [str(Path(snakemake.cli.__file__).with_name("__main__.py")), *arguments]
            snakemake.cli.main()
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
