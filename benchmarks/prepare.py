"""Whether the kinds of data agree, and how long images take to prepare.

    python benchmarks/prepare.py --archive FILE --md5 SUM     # in CIFAR-100's layout: as folder, arrays and parquet
    python benchmarks/prepare.py --jpegs 10000                # photographs of 500 x 375 pixels, made for it
    python benchmarks/prepare.py --files 200000               # small files: what a plan and what preparing them costs

Needs room in the temporary folder: about 1 GB for 200,000 files.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from bakeoff.data import DataConfig, load_meta, load_split, load_validation_indices, prepare
from bakeoff.jobs import folders

HELD_OUT = 1000


@contextmanager
def timed(what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what}: {seconds:.1f} s (at most {peak:.1f} GiB of memory so far)", flush=True)


# --- the same images in other forms ---------------------------------------------------------------


def as_folder(data: Path, out: Path) -> None:
    names = load_meta(data).classes
    for split in ("train", "test"):
        images, labels, _ = load_split(data, split)
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = out / split / names[label]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.transpose(1, 2, 0)).save(place / f"{row:06}.png")


def as_arrays(data: Path, out: Path) -> None:
    content = {}
    for split in ("train", "test"):
        images, labels, _ = load_split(data, split)
        content |= {f"{split}_images": images.transpose(0, 2, 3, 1), f"{split}_labels": labels}
    np.savez(out, **content)


def as_parquet(data: Path, out: Path) -> None:
    out.mkdir()
    names = load_meta(data).classes
    for split in ("train", "test"):
        images, labels, _ = load_split(data, split)
        for part, rows in enumerate(np.array_split(np.arange(len(labels)), 3)):
            cells = [{"bytes": encoded(images[row]), "path": None} for row in rows]
            table = pa.table({"image": cells, "label": [names[label] for label in labels[rows]]})
            pq.write_table(table, out / f"{split}-{part:05}.parquet")


def encoded(image: np.ndarray) -> bytes:
    with tempfile.SpooledTemporaryFile() as file:
        Image.fromarray(image.transpose(1, 2, 0)).save(file, "PNG")
        file.seek(0)
        return file.read()


def content(data: Path) -> tuple[list[list[tuple[str, str]]], np.ndarray]:
    """Return (digest of an image, name of its class) of both splits, sorted, and the held-out sizes of the classes."""
    meta, splits = load_meta(data), []
    for split in ("train", "test"):
        images, labels, _ = load_split(data, split)
        digests = [hashlib.sha256(np.ascontiguousarray(image)).hexdigest() for image in images]
        splits.append(sorted(zip(digests, (meta.classes[label] for label in labels), strict=True)))
    labels = load_split(data, "train")[1][load_validation_indices(data)]
    sizes = np.bincount(labels, minlength=len(meta.classes))
    return splits, sizes[np.argsort(meta.classes)]


FORMS: dict[str, Callable[[Path, Path], None]] = {
    "image_folder": as_folder,
    "npz": as_arrays,
    "parquet": as_parquet,
}


def agree(archive: DataConfig, place: Path) -> dict[str, bool]:
    """Prepare an archive and its images in other forms; return for each whether it is the same data, and say so."""
    held_out = {"validation": {"images": archive.validation.images}}
    with timed(archive.kind):
        prepare(archive, None, place / "archive")
    expected, sizes = content(place / "archive")
    names = list(load_meta(place / "archive").classes)
    same = {}
    for kind, write in FORMS.items():
        path = place / f"as_{kind}{'.npz' if kind == 'npz' else ''}"
        write(place / "archive", path)
        extra = {"class_names": names} if kind == "npz" else {}
        config = DataConfig.model_validate({"kind": kind, "path": str(path), **held_out, **extra})
        with timed(kind):
            prepare(config, None, place / kind)
        found, held = content(place / kind)
        same[kind] = found == expected and np.array_equal(held, sizes)
        words = "the same images, classes and held-out sizes"
        print(f"  {words if same[kind] else f'NOT {words}'}", flush=True)
    return same


# --- how long -------------------------------------------------------------------------------------


def write_files(place: Path, count: int, size: tuple[int, int], suffix: str) -> Path:
    """Write `count` pictures in ten classes, each with coarse and fine structure of its own."""
    rng = np.random.default_rng(0)
    fine = rng.integers(-20, 21, (size[1], size[0], 3), np.int16)
    for number in range(count):
        split = "test" if number // 10 % 6 == 5 else "train"
        folder = place / split / f"class {number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (7, 7, 3), np.uint8))
        pixels = np.asarray(coarse.resize(size, Image.Resampling.BILINEAR)) + fine
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.{suffix}")
    return place


def measure(place: Path, count: int, size: tuple[int, int], suffix: str) -> None:
    folder = write_files(place / "pictures", count, size, suffix)
    settings = {"kind": "image_folder", "path": str(folder), "validation": {"images": count // 20}}
    config = DataConfig.model_validate(settings)
    folders.LISTINGS = place / "listings"
    with timed(f"{count:,} files, looked at for the first time"):
        folders.folder_digest(folder)
    with timed(f"{count:,} files, looked at again, as each plan does"):
        folders.folder_digest(folder)
        config.check()
    with timed(f"{count:,} pictures of {size[0]} x {size[1]} pixels ({suffix}) prepared"):
        prepare(config, None, place / "data")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--archive", type=Path, help="an archive in CIFAR-100's layout")
    parser.add_argument("--md5", help="of the archive")
    parser.add_argument("--jpegs", type=int, help="photographs to prepare")
    parser.add_argument("--files", type=int, help="small files to prepare")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if options.archive:
            given = {"archive": str(options.archive), "md5": options.md5}
            settings = {"kind": "cifar100", "validation": {"images": HELD_OUT}, **given}
            agree(DataConfig.model_validate(settings), Path(place))
        if options.jpegs:
            measure(Path(place) / "jpegs", options.jpegs, (500, 375), "jpg")
        if options.files:
            measure(Path(place) / "files", options.files, (40, 40), "png")


if __name__ == "__main__":
    main()
