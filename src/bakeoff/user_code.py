"""Code of a user's own: a function or a class in a file of theirs, written `path/to/file.py:name`."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from bakeoff.errors import UserError, in_one_line


def split_name(name: object) -> tuple[str, str] | None:
    """Return the file and what it is asked for, of `path/to/file.py:name`; None for what is not written so."""
    if not isinstance(name, str):
        return None
    path, colon, wanted = name.rpartition(":")
    # Python imports no file of another name.
    return (path, wanted) if colon and path.endswith(".py") else None


def import_file(path: Path, what: str) -> ModuleType:
    """Return the module that a file is. A path is taken from the working directory.

    Args:
        path: of the file.
        what: who names it, for the message.

    Raises:
        UserError: there is no such file, or it cannot be imported.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}, which {what}.")
    unique = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"bakeoff_user_{path.stem}_{unique}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"The file {path} cannot be imported as a Python module.")
    module = importlib.util.module_from_spec(spec)
    # dataclasses and pickle look their module up by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    # A file of the user's own may even end the process.
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UserError(
            f"The file {path} fails when it is imported: {type(error).__name__}: {in_one_line(error)}."
        ) from error
    return module
