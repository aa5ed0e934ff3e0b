"""The program that looks at a study's networks before any job starts: `python -m bakeoff.evaluation.examine`.

It reads a question on standard input and answers with lines of standard output, each a JSON value:
{"looking_at": name, "printed": bytes of standard error so far}, perhaps {"rehearsing": name}, and {"name": name,
...fields of `Description`}. A network is anyone's code, which may print or end the process: what it prints goes to
standard error, and the lines tell whoever asked which network was being looked at.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from bakeoff.errors import UserError
from bakeoff.models.describe import describe_one


def main() -> None:
    """Answer {"models": {name: {"model", "single", "rehearse"}}, "num_classes", "image_size"}."""
    question = json.load(sys.stdin)
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers:
        # Compiled code prints too, so that the descriptors are exchanged and not only Python's streams.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

        def tell(value: Mapping[str, Any]) -> None:
            print(json.dumps(value), file=answers, flush=True)

        for name, asked in question["models"].items():
            printed = os.fstat(sys.stderr.fileno()).st_size
            tell({"looking_at": name, "printed": printed})
            description = describe_one(
                asked["model"],
                question["num_classes"],
                question["image_size"],
                single=asked["single"],
            )
            if asked["rehearse"] and description.error is None:
                tell({"rehearsing": name})
                description = replace(
                    description,
                    error=_rehearsal_error(
                        asked["model"], question["num_classes"], question["image_size"]
                    ),
                )
            tell({"name": name, **asdict(description)})


def _rehearsal_error(model: Mapping[str, Any], num_classes: int, image_size: int) -> str | None:
    # Training needs libraries that describing does without.
    from bakeoff.support.rehearsal import rehearse_without_data  # noqa: PLC0415

    try:
        rehearse_without_data(model, num_classes, image_size)
    except UserError as error:
        return str(error)
    return None


if __name__ == "__main__":
    main()
