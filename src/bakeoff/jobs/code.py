"""Which source files a job executes, and a digest of what they say.

A job starts from its script in `workflow/scripts`, and from what the script imports by name (a network's module, a
figure's). From there the files are found by following imports, so that nobody keeps a list.

A file counts by its syntax tree without what decides no result: comments, formatting, docstrings, annotations of
functions, what a `raise` or a log call says. An import that is used by such parts alone is not followed.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

PACKAGE = "bakeoff"
SOURCE = Path(__file__).resolve().parents[1]
CHECKOUT = SOURCE.parents[1]
SCRIPTS = CHECKOUT / "workflow" / "scripts"

# The frame of all jobs: how they are started, stopped, watched and recorded, how files are written whole. It decides no
# result, so it is neither counted nor followed.
FRAME = ("bakeoff.jobs", "bakeoff.launch", "bakeoff.support")
_LOGGERS = frozenset({"log", "logger", "logging", "warnings"})


def script_of(rule: str) -> str:
    """Return the script of a rule, as it is named among digests of code: `workflow/scripts/compare.py`."""
    return str((SCRIPTS / f"{rule}.py").relative_to(CHECKOUT))


def code_digests(*entries: str) -> dict[str, str]:
    """Return {module or file: SHA-256 (hex) of its code} of all that `entries` execute.

    Args:
        entries: modules of this package, scripts as `script_of` names them, and files relative to the working
            directory (a network of the user's).

    Raises:
        ModuleNotFoundError: a module does not exist.
    """
    found: dict[str, Path] = {}
    queue = list(dict.fromkeys(entries))
    while queue:
        name = queue.pop()
        if name in found or name.startswith(tuple(f"{each}." for each in FRAME)) or name in FRAME:
            continue
        file = entry_file(name)
        if file is None:
            if name in entries:
                raise ModuleNotFoundError(f"No module named {name!r} in {PACKAGE}")
            continue
        found[name] = file
        if not file.is_file():
            # A user's file that is not there; whoever imports it says so.
            continue
        queue.extend(_imports(file, name))
        if not name.endswith(".py") and "." in name:
            # Python executes the packages on the way, too.
            queue.append(name.rpartition(".")[0])
    return {name: file_digest(file) for name, file in sorted(found.items())}


def source_digest(*entries: str) -> str:
    """Return one SHA-256 (hex) of the code that `entries` execute."""
    return hashlib.sha256(repr(sorted(code_digests(*entries).items())).encode()).hexdigest()


def file_digest(file: Path) -> str:
    """Return the SHA-256 (hex) of what a Python file executes; "missing" where it is not there."""
    try:
        status = file.stat()
    except OSError:
        return "missing"
    return _parsed(str(file), status.st_mtime_ns, status.st_size)[0]


def constants(file: Path) -> dict[str, object]:
    """Return {name: value} of the literal constants that a Python file assigns at its top, without importing it."""
    found: dict[str, object] = {}
    for node in ast.parse(file.read_bytes(), filename=str(file)).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def entry_file(name: str) -> Path | None:
    """Return the file of an entry, or None for a module that is not of this package."""
    if name.endswith(".py"):
        script = CHECKOUT / name
        # Only scripts are the checkout's: the working directory may be another folder, with networks of its own.
        return script if script.is_relative_to(SCRIPTS) else Path(name)
    head, *rest = name.split(".")
    if head != PACKAGE:
        return None
    base = SOURCE.joinpath(*rest)
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _imports(file: Path, name: str) -> Iterator[str]:
    status = file.stat()
    for level, base, imported in _parsed(str(file), status.st_mtime_ns, status.st_size)[1]:
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        if level:
            parent = package.split(".")[: len(package.split(".")) - level + 1]
            absolute = ".".join([*parent, base] if base else parent)
        else:
            absolute = base
        yield absolute
        # `from package import name` may name a submodule.
        if imported:
            yield f"{absolute}.{imported}"


@lru_cache(maxsize=1024)
def _parsed(
    file: str, _mtime_ns: int, _size: int
) -> tuple[str, tuple[tuple[int, str, str | None], ...]]:
    """Return (digest, imports) of a file; the time stamp and size only key the cache."""
    try:
        tree = _Executed().visit(ast.parse(Path(file).read_bytes(), filename=file))
    except (SyntaxError, ValueError, RecursionError):
        # A user's file that is not Python; whoever imports it says so.
        return hashlib.sha256(Path(file).read_bytes()).hexdigest(), ()
    if not file.endswith("__init__.py"):
        # A package's own imports are its names to others.
        tree = _Pruned(_used(tree)).visit(tree)
    imports: list[tuple[int, str, str | None]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.extend((0, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports.extend((node.level, node.module or "", alias.name) for alias in node.names)
    # Not ast.dump: its text changes between Python versions.
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest(), tuple(imports)


def _used(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


class _Executed(ast.NodeTransformer):
    """Drops what decides no result: see the module's docstring."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        # What is raised may be caught; what it says may not decide anything.
        kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return ast.Raise(exc=kind, cause=None)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            owner = node.value.func.value
            if isinstance(owner, ast.Name) and owner.id in _LOGGERS:
                return ast.Pass()
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(arg=node.arg)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [each for each in node.body if not _is_text(each)]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        super().generic_visit(node)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            # An empty body would not be a tree; `pass` stands for "nothing but a docstring".
            node.body = node.body or [ast.Pass()]
        return node


class _Pruned(ast.NodeTransformer):
    """Drops imports of names that nothing uses any more."""

    def __init__(self, used: set[str]) -> None:
        self._used = used

    def visit_Import(self, node: ast.Import) -> ast.AST:
        return self._without_unused(node, [a for a in node.names if self._is_used(a)])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        return self._without_unused(node, [a for a in node.names if self._is_used(a)])

    def _is_used(self, alias: ast.alias) -> bool:
        return (alias.asname or alias.name.partition(".")[0]) in self._used

    @staticmethod
    def _without_unused(node: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> ast.AST:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            return node
        node.names = names
        return node if names else ast.Pass()


def _is_text(node: ast.stmt) -> bool:
    """Tell whether a statement is a text alone: a docstring, of a module, class, function or attribute."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
