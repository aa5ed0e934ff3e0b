"""Files that an archive left out on purpose, so that their absence makes nothing stale.

`bakeoff.provenance.archive` packs a study without its images and, unless asked, without its weights. Its manifest lists
them with their digests, and lies in the root after unpacking.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bakeoff.files import read_json

MANIFEST = "MANIFEST.json"


def left_out(root: Path) -> Mapping[str, str]:
    """Return {path below the root: SHA-256} of the files that the archive behind `root` left out; none without one."""
    try:
        content = read_json(root / MANIFEST)
        return {
            str(Path(path).relative_to(content["root"])): state["sha256"]
            for path, state in content["left_out"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # No archive, or a manifest that cannot be read: then every file has to be there.
        return {}
