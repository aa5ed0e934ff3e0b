"""A deck as PDF, by LibreOffice."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from bakeoff.errors import UserError
from bakeoff.files import atomic_path

SECONDS = 300


def write_pdf(deck: Path, out: Path) -> None:
    """Write the pages of a presentation to the PDF file `out`.

    Raises:
        UserError: LibreOffice is not here, or cannot read the deck.
    """
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        raise UserError(
            f"{out} is made by LibreOffice, which is not here (no program soffice). Install it, such as Debian's "
            "package libreoffice-impress, or open the deck and export it."
        )
    with tempfile.TemporaryDirectory() as folder:
        # A profile of its own: LibreOffice refuses to start twice with one.
        profile = f"-env:UserInstallation=file://{folder}/profile"
        command = [
            office,
            profile,
            "--headless",
            "--convert-to",
            "pdf",
            "--outdir",
            folder,
            str(deck),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        made = Path(folder) / f"{deck.stem}.pdf"
        if done.returncode or not made.is_file():
            raise UserError(
                f"LibreOffice cannot show {deck}: {(done.stderr or done.stdout).strip()}"
            )
        with atomic_path(out) as temporary:
            shutil.copy(made, temporary)
