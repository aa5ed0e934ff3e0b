"""Errors that are the user's to mend."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in what the user gave: a file, a key, a value, a machine that lacks something.

    The message is one or more complete sentences that name the thing, say what was expected and
    how to mend it. The command line prints it without a traceback.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `" (did you mean 'x'?)"` for the nearest of `known`, or an empty string."""
    near = difflib.get_close_matches(str(word), [str(k) for k in known], n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""


def in_one_line(error: BaseException) -> str:
    """Return an error's message, at most 300 characters of it, without a full stop, for use within a sentence."""
    return textwrap.shorten(str(error), 300).rstrip(".") or "no message"
