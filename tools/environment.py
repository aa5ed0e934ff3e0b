"""Install what requirements.lock says into the environment of this Python; called by `make env`.

Where there is no GPU, PyTorch comes from its index of CPU wheels, in the locked version, and the lock's CUDA libraries
(about 3 GB) are left out. `BAKEOFF_TORCH=cu128` or `cpu` decides by hand, `BAKEOFF_TORCH_INDEX` names another index.
Standard library only: nothing is installed yet.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SECONDS = 10
# Of the lock: what only CUDA needs, and what the CPU index has instead.
CUDA = re.compile(r"(nvidia|cuda|triton)\b")
TORCH = re.compile(r"^(torch|torchvision)==([^\s;]+)", re.MULTILINE)


@dataclass(frozen=True)
class Choice:
    """Where PyTorch comes from."""

    index: str | None
    """Of the CPU wheels; None for the ordinary wheels."""
    says: str


class MistakeError(Exception):
    """What the user can mend."""


def choose(
    lock: str,
    environment: Mapping[str, str],
    *,
    has_gpu: bool,
    needs_cuda_libraries: bool,
    fetch: Callable[[str], str],
) -> Choice:
    """Return where PyTorch comes from.

    Args:
        lock: text of the lock file.
        environment: with BAKEOFF_TORCH and BAKEOFF_TORCH_INDEX, perhaps.
        has_gpu: whether this machine has one.
        needs_cuda_libraries: whether the ordinary wheels bring CUDA on this platform.
        fetch: returns the text of an address, or raises OSError.

    Raises:
        MistakeError: BAKEOFF_TORCH is neither.
    """
    wanted = environment.get("BAKEOFF_TORCH", "")
    if wanted not in ("", "cpu", "cu128"):
        raise MistakeError(f"BAKEOFF_TORCH is '{wanted}', expected 'cpu', 'cu128' or nothing.")
    if not needs_cuda_libraries:
        return Choice(None, "PyTorch: the ordinary wheels, which have no CUDA on this platform.")
    if wanted == "cu128" or (has_gpu and not wanted):
        why = "BAKEOFF_TORCH=cu128" if wanted else "there is a GPU"
        return Choice(None, f"PyTorch: the wheels with CUDA 12.8 ({why}).")
    index = environment.get("BAKEOFF_TORCH_INDEX", CPU_INDEX).rstrip("/")
    if trouble := lacking(index, lock, fetch):
        return Choice(
            None,
            f"PyTorch: no GPU, but {trouble}; so the ordinary wheels, with about 3 GB of CUDA libraries. "
            "BAKEOFF_TORCH_INDEX names another index.",
        )
    why = "BAKEOFF_TORCH=cpu" if wanted else "no GPU; BAKEOFF_TORCH=cu128 takes those with CUDA"
    return Choice(index, f"PyTorch: CPU wheels from {index} ({why}).")


def lacking(index: str, lock: str, fetch: Callable[[str], str]) -> str | None:
    """Return why an index cannot give the locked wheels; None if it can."""
    for name, version in TORCH.findall(lock):
        page = f"{index}/{name}/"
        try:
            text = fetch(page)
        except (OSError, ValueError) as error:
            return f"{page} cannot be reached ({getattr(error, 'reason', error)})"
        # "+" is "%2B" in an address.
        if not re.search(rf"{name}-{re.escape(version)}(\+|%2B|-)", text):
            return f"{page} has no {name} {version}"
    return None


def without_cuda(lock: str) -> str:
    """Return the lines of a lock file without PyTorch and what only CUDA needs; comments go, too."""
    lines = (line for line in lock.splitlines() if line and not line.lstrip().startswith("#"))
    return "".join(f"{line}\n" for line in lines if not CUDA.match(line) and not TORCH.match(line))


def commands(lock: Path, choice: Choice, rest: Path) -> list[list[str]]:
    """Return the commands of uv that install a choice; `rest` is a file that may be written for them."""
    install = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet"]
    install += ["--compile-bytecode", "--python", sys.executable]
    if choice.index is None:
        return [[*install, "-r", str(lock)]]
    text = lock.read_text(encoding="utf-8")
    rest.write_text(without_cuda(text), encoding="utf-8")
    wheels = [f"{name}=={version}" for name, version in TORCH.findall(text)]
    # The lock is complete. Asked for all of it, the CPU index would give what else it has in other versions.
    return [
        [*install, "--no-deps", "--index-url", choice.index, *wheels],
        [*install, "--no-deps", "-r", str(rest)],
    ]


def fetch(address: str) -> str:
    """Return the text of an address."""
    with urllib.request.urlopen(address, timeout=SECONDS) as answer:
        return str(answer.read().decode("utf-8", errors="replace"))


def main(lock: Path) -> int:
    """Install what `lock` says, and say where PyTorch comes from."""
    try:
        choice = choose(
            lock.read_text(encoding="utf-8"),
            os.environ,
            has_gpu=any(Path("/dev").glob("nvidia[0-9]*")),
            needs_cuda_libraries=(sys.platform, platform.machine()) == ("linux", "x86_64"),
            fetch=fetch,
        )
    except MistakeError as error:
        print(error, file=sys.stderr)
        return 2
    print(choice.says, flush=True)
    for command in commands(lock, choice, Path(sys.prefix) / "requirements.txt"):
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
