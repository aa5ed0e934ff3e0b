"""Writing a presentation so that equal decks are equal bytes."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bakeoff.files import write_bytes

_CREATED = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(</dcterms)")
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # what a zip archive can tell


def save(presentation: Any, title: str, language: str, moment: str, out: Path) -> None:
    """Write `presentation` to `out` atomically, dated `moment` (ISO 8601) instead of now.

    The date stands in the properties of the document and on every member of its archive, so the
    same content and moment give the same bytes.
    """
    date = _parsed(moment)
    properties = presentation.core_properties
    properties.title, properties.language = title, language
    properties.author = properties.last_modified_by = "bakeoff"
    properties.created = properties.modified = date.replace(tzinfo=None)
    properties.revision = 1
    stream = io.BytesIO()
    presentation.save(stream)
    write_bytes(out, _dated(stream, date))


def _dated(archive: io.BytesIO, date: datetime) -> bytes:
    stamp = max(date, _EARLIEST).timetuple()[:6]
    result = io.BytesIO()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            member = zipfile.ZipInfo(name, stamp)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            content = source.read(name)
            if name.endswith(".xlsx"):
                # The numbers of a native chart, for who edits it.
                content = _dated(io.BytesIO(content), date)
            elif name == "docProps/core.xml":
                content = _CREATED.sub(rf"\g<1>{date:%Y-%m-%dT%H:%M:%SZ}\g<2>".encode(), content)
            target.writestr(member, content)
    return result.getvalue()


def _parsed(moment: str) -> datetime:
    date = datetime.fromisoformat(moment)
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
