"""Names and sentences in Markdown and LaTeX, so that a reader sees them as they were written."""

from __future__ import annotations

import re

# What starts something in CommonMark, on GitHub also a formula (`$`) and a strike (`~`). Underscores
# and ampersands inside of words do nothing, and most names have some.
_MARKDOWN = re.compile(
    r"[\\`*$~|]|(?<![^\W_])_|_(?![^\W_])|(?<!\S)#|<(?=[A-Za-z/!?])|&(?=#?\w+;)"
    r"|\[(?=[^\]]*\][(\[:])|^[>+-]",
)
_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "`": r"\textasciigrave{}",
        # In LaTeX's oldest font encoding these are other characters.
        **{character: f"${character}$" for character in "<>|"},
        "–": "--",
        "−": "$-$",
        "±": r"$\pm$",
        "≥": r"$\ge$",
        "≤": r"$\le$",
    }
)


def markdown(text: str) -> str:
    """Return `text` for a line of Markdown: nothing in it is markup, a line feed is a blank."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


def latex(text: str) -> str:
    """Return `text` for a line of LaTeX: nothing in it is a command, a line feed is a blank."""
    # Two hyphens would become a dash.
    return re.sub("-(?=-)", "-\0", one_line(text)).translate(_LATEX).replace("\0", "{}")


def one_line(text: str) -> str:
    """Return `text` with each line feed, and the blanks around it, as one blank."""
    return re.sub(r"\s*[\n\r\v\f\x85\u2028\u2029]+\s*", " ", text)
