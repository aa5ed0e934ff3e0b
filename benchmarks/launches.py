"""What one optimizer step launches on a GPU, of every variant of the shipped study, counted on an emulated device.

    PYTHONPATH=src:. python benchmarks/launches.py [VARIANT ...]

Needs PyTorch's wheel with CUDA and a C compiler, and no GPU: the real code takes its CUDA paths with one micro-batch of
four images, operation by operation. Engine: all that is neither the network's forward nor its backward pass.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.support.emulation import compile_stub, emulated, missing


def main(names: list[str]) -> None:
    """Print the table."""
    if reason := missing():
        sys.exit(f"Not here: {reason}.")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        counts = emulated(compile_stub(folder), "variants", "sgd", folder, *names)
    print("| variant | engine | forward | backward | all | waits |")
    print("| :-- | --: | --: | --: | --: | --: |")
    for name, found in counts.items():
        launches = found["launches"]
        parts = [launches[phase] for phase in ("engine", "forward", "backward")]
        cells = [name, *parts, sum(parts), sum(found["waits"].values())]
        print("| " + " | ".join(str(cell) for cell in cells) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
