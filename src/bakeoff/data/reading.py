"""What was found when the images were read: `reading.json`. Nothing of it decides a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from bakeoff.data.dataset import Origin
from bakeoff.data.duplicates import Duplicates
from bakeoff.data.near_copies import NearCopies
from bakeoff.errors import UserError
from bakeoff.files import read_json, write_json

FILE = "reading.json"
LISTED = 1000  # names of files left out that are kept


@dataclass(frozen=True)
class Reading:
    """What `reading.json` says.

    `sizes` are (width, height, number of pictures) before they were made squares, the most frequent first. `left_out`
    counts files that could not be read, `left_out_files` names the first of them. `test_in_train` are the rows of the
    test images that also stand in train, `test_nearly_in_train` of those that nearly do. `sentences` say what a person
    should know of copies.
    """

    sizes: tuple[tuple[int, int, int], ...]
    left_out: int
    left_out_files: tuple[str, ...]
    test_in_train: tuple[int, ...]
    test_nearly_in_train: tuple[int, ...]
    sentences: tuple[str, ...]

    @property
    def copies(self) -> tuple[int, ...]:
        """Rows of the test images that stand in train, or nearly do."""
        return tuple(sorted({*self.test_in_train, *self.test_nearly_in_train}))


def reading(origin: Origin, duplicates: Duplicates, near: NearCopies) -> Reading:
    """Return what is to be kept of it."""
    sizes = sorted(origin.sizes.items(), key=lambda item: (-item[1], item[0]))
    return Reading(
        tuple((*size, count) for size, count in sizes),
        len(origin.left_out),
        # Split, class and file, without the folder, which may be moved.
        tuple("/".join(Path(name).parts[-3:]) for name in origin.left_out[:LISTED]),
        duplicates.test_in_train,
        near.test_in_train,
        (*duplicates.sentences(), *near.sentences()),
    )


def write_reading(root: Path, found: Reading) -> None:
    """Write `reading.json` to the folder `root` atomically."""
    write_json(root / FILE, asdict(found))


def load_reading(path: str | Path) -> Reading:
    """Read a `reading.json`.

    Raises:
        UserError: it is missing or broken.
    """
    try:
        content = dict(read_json(path))
        return Reading(
            tuple((int(w), int(h), int(n)) for w, h, n in content["sizes"]),
            int(content["left_out"]),
            _texts(content["left_out_files"]),
            _rows(content["test_in_train"]),
            _rows(content["test_nearly_in_train"]),
            _texts(content["sentences"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read ({error!r}). Run the rule 'prepare' again."
        ) from error


def _rows(values: Iterable[object]) -> tuple[int, ...]:
    return tuple(int(str(value)) for value in values)


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(map(str, values))
