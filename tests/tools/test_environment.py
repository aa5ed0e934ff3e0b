"""`make env` takes PyTorch's CPU wheels where there is no GPU, and the lock's versions everywhere."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "environment", REPOSITORY / "tools/environment.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["environment"] = module
    spec.loader.exec_module(module)
    return module


tool = load()
VERSIONS = dict(tool.TORCH.findall(LOCK))


class Index(BaseHTTPRequestHandler):
    """PyTorch's index of CPU wheels, as it looks."""

    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2]
        if name not in VERSIONS or self.path.startswith("/old"):
            self.send_error(404)
            return
        wheel = f"{name}-{VERSIONS[name]}%2Bcpu-cp311-cp311-linux_x86_64.whl"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'<a href="/whl/cpu/{wheel}">{wheel}</a>'.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def index() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/cpu"
    server.shutdown()


def choose(environment: dict[str, str], *, has_gpu: bool = False, cuda: bool = True) -> object:
    return tool.choose(
        LOCK, environment, has_gpu=has_gpu, needs_cuda_libraries=cuda, fetch=tool.fetch
    )


def test_the_lock_pins_what_the_cpu_index_has() -> None:
    assert set(VERSIONS) == {"torch", "torchvision"}


def test_cpu_wheels_where_there_is_no_gpu(index: str) -> None:
    choice = choose({"BAKEOFF_TORCH_INDEX": f"{index}/"})
    assert choice.index == index
    assert "no GPU" in choice.says and index in choice.says


@pytest.mark.parametrize(
    ("environment", "has_gpu", "cuda", "says"),
    [
        ({}, True, True, "there is a GPU"),
        ({"BAKEOFF_TORCH": "cu128"}, False, True, "BAKEOFF_TORCH=cu128"),
        ({"BAKEOFF_TORCH": "cpu"}, False, False, "no CUDA on this platform"),
    ],
)
def test_ordinary_wheels_elsewhere(
    environment: dict[str, str], has_gpu: bool, cuda: bool, says: str
) -> None:
    choice = choose(environment, has_gpu=has_gpu, cuda=cuda)
    assert choice.index is None and says in choice.says


def test_a_gpu_may_be_passed_over_by_hand(index: str) -> None:
    environment = {"BAKEOFF_TORCH": "cpu", "BAKEOFF_TORCH_INDEX": index}
    assert choose(environment, has_gpu=True).index == index


@pytest.mark.parametrize(
    ("path", "says"),
    [("http://127.0.0.1:1/cpu", "cannot be reached"), ("old", "cannot be reached")],
)
def test_an_index_that_cannot_give_the_wheels_is_told(index: str, path: str, says: str) -> None:
    address = path if "://" in path else index.replace("/cpu", f"/{path}")
    choice = choose({"BAKEOFF_TORCH_INDEX": address})
    assert choice.index is None
    assert says in choice.says and "3 GB" in choice.says and "BAKEOFF_TORCH_INDEX" in choice.says


def test_an_index_without_the_locked_version_is_told(index: str) -> None:
    lock = LOCK.replace(f"torch=={VERSIONS['torch']}", "torch==9.9.9")
    assert tool.lacking(index, lock, tool.fetch) == f"{index}/torch/ has no torch 9.9.9"


def test_another_word_is_refused() -> None:
    with pytest.raises(tool.MistakeError, match="expected 'cpu', 'cu128' or nothing"):
        choose({"BAKEOFF_TORCH": "rocm"})


def test_the_cpu_wheels_come_without_cuda_and_in_the_locked_versions(tmp_path: Path) -> None:
    rest = tmp_path / "rest.txt"
    lock = REPOSITORY / "requirements.lock"
    torch, others = tool.commands(lock, tool.Choice("https://index/cpu", ""), rest)
    assert torch[-2:] == [f"{name}=={version}" for name, version in VERSIONS.items()]
    assert torch[torch.index("--index-url") + 1] == "https://index/cpu"
    assert "--index-url" not in others and others[-1] == str(rest)
    kept = rest.read_text().splitlines()
    locked = [line for line in LOCK.splitlines() if line and not line.lstrip().startswith("#")]
    dropped = {line.partition("==")[0] for line in locked} - {
        line.partition("==")[0] for line in kept
    }
    assert {"torch", "torchvision", "triton", "nvidia-nccl-cu12", "cuda-bindings"} <= dropped
    assert all(name.startswith(("nvidia-", "cuda-", "triton", "torch")) for name in dropped)
    assert "numpy" in rest.read_text() and "torch" not in {line.partition("==")[0] for line in kept}


def test_the_ordinary_wheels_are_the_lock_as_it_is(tmp_path: Path) -> None:
    lock = REPOSITORY / "requirements.lock"
    (command,) = tool.commands(lock, tool.Choice(None, ""), tmp_path / "rest.txt")
    assert command[-2:] == ["-r", str(lock)]
    assert not (tmp_path / "rest.txt").exists()
