"""A terminal's text becomes a picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "terminal_picture.py"


def test_what_a_terminal_shows_is_drawn_with_its_colours(tmp_path: Path) -> None:
    target = tmp_path / "shown.svg"
    shown = "\x1b[1mStudy demo\x1b[0m\n\x1b[32mdone     resnet_20\x1b[0m   \n\n"
    subprocess.run(
        [sys.executable, str(TOOL), str(target), "make", "demo"], input=shown, text=True, check=True
    )
    picture = target.read_text()
    assert picture.startswith("<svg") and "make&#160;demo" in picture
    assert "resnet_20" in picture and "\x1b" not in picture
