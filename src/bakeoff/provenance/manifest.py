"""The manifest of an archive: what is in it, what was left out, and how its study was called for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bakeoff.errors import UserError


@dataclass(frozen=True)
class Content:
    """What a file holds."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself. Paths are relative to the working directory of the workflow."""

    name: str
    """Of the study."""
    root: str
    layers: Sequence[str]
    """Configuration files of the study, each laid over the ones before."""
    command_line: Mapping[str, Any]
    """Values that were given with --config."""
    commits: Sequence[str]
    """Git commits that the runs were made at."""
    dirty: bool
    """Whether any of the runs was made with uncommitted changes."""
    files: Mapping[str, Content]
    left_out: Mapping[str, Content]

    def as_json(self) -> dict[str, Any]:
        """Return the content of `MANIFEST.json`."""
        return asdict(self)


def read_manifest(content: Any, archive: object) -> Manifest:
    """Return the manifest that `MANIFEST.json` of an archive holds.

    Raises:
        UserError: it is none.
    """
    try:
        return Manifest(
            **{
                **content,
                "files": _contents(content["files"]),
                "left_out": _contents(content["left_out"]),
            }
        )
    except (KeyError, TypeError, AttributeError):
        raise UserError(
            f"The manifest of {archive} cannot be understood: it was edited, or written by another version. "
            "Get a whole copy of the archive."
        ) from None


def _contents(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Content]:
    return {path: Content(**content) for path, content in files.items()}
