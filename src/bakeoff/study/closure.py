"""Which source files a job executes, and a digest of what they say.

The files are found by following import statements from a module, so that nobody keeps a list. A file counts
by its syntax tree without docstrings: comments, formatting and time stamps do not change the digest.
"""

from __future__ import annotations

import ast
import hashlib
from functools import lru_cache
from pathlib import Path

PACKAGE = "bakeoff"

# Modules that decide no number in any result: what they say to people, how they write a file whole, how they stop.
# They are not counted, and what only they import is not followed.
NEUTRAL = frozenset(
    {
        "bakeoff",
        "bakeoff.errors",
        "bakeoff.files",
        "bakeoff.evaluation.provenance",
        "bakeoff.evaluation.rehearsal",
        "bakeoff.models.weights_files",
        "bakeoff.study",
        "bakeoff.study.closure",
        "bakeoff.study.layers",
        "bakeoff.training.checkpoint",
        "bakeoff.training.interrupts",
        "bakeoff.training.progress",
    }
)
SOURCE = Path(__file__).resolve().parents[1]


def module_file(module: str) -> Path | None:
    """Return the file of a module of this package, or None for anything else."""
    head, *rest = module.split(".")
    if head != PACKAGE:
        return None
    base = SOURCE.joinpath(*rest)
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def closure(*modules: str) -> dict[str, Path]:
    """Return {module name: file} of all modules of this package that `modules` import, and themselves.

    Packages on the way count too, because Python executes their `__init__.py`; NEUTRAL modules do not.

    Raises:
        ModuleNotFoundError: one of `modules` does not exist.
    """
    for module in modules:
        if module_file(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r} in {PACKAGE}")
    found: dict[str, Path] = {}
    queue = list(modules)
    while queue:
        module = queue.pop()
        file = module_file(module)
        if file is None or module in found or module in NEUTRAL:
            continue
        found[module] = file
        queue.extend(_imports(file, module))
        if "." in module:
            queue.append(module.rpartition(".")[0])
    return dict(sorted(found.items()))


def source_digest(*modules: str) -> str:
    """Return a SHA-256 (hex) of the code that `modules` execute, as far as this package goes."""
    return _digest({name: file_digest(file) for name, file in closure(*modules).items()})


def source_digests(*modules: str) -> dict[str, str]:
    """Return {module name: digest of its code} for the closure of `modules`."""
    return {name: file_digest(file) for name, file in closure(*modules).items()}


def file_digest(file: Path) -> str:
    """Return the SHA-256 (hex) of a Python file's syntax tree without docstrings."""
    status = file.stat()
    return _parsed(str(file), status.st_mtime_ns, status.st_size)[0]


def _digest(parts: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(parts.items())).encode()).hexdigest()


def _imports(file: Path, module: str) -> list[str]:
    status = file.stat()
    names = _parsed(str(file), status.st_mtime_ns, status.st_size)[1]
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    resolved = []
    for level, base, name in names:
        if level:
            parent = package.split(".")[: len(package.split(".")) - level + 1]
            base = ".".join([*parent, base] if base else parent)  # noqa: PLW2901
        resolved.append(base)
        # `from package import name` may name a submodule.
        if name:
            resolved.append(f"{base}.{name}")
    return resolved


@lru_cache(maxsize=1024)
def _parsed(
    file: str, _mtime_ns: int, _size: int
) -> tuple[str, tuple[tuple[int, str, str | None], ...]]:
    """Return (digest, imports) of a file; the time stamp and size only key the cache."""
    tree = _Normaliser().visit(ast.parse(Path(file).read_bytes(), filename=file))
    imports: list[tuple[int, str, str | None]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.extend((0, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports.extend((node.level, node.module or "", alias.name) for alias in node.names)
    # Not ast.dump: its text changes between Python versions.
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest(), tuple(imports)


class _Normaliser(ast.NodeTransformer):
    """Drops what is not executed: docstrings, and imports that only type checkers read."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
        super().generic_visit(node)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # An empty body would not be a tree; `pass` stands for "nothing but a docstring".
            node.body = node.body or [ast.Pass()]
        return node
