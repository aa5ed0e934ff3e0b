"""Names of the model builders, and where each one lives.

A builder is a function that makes one family's network::

    @register_model("mscan")
    def mscan(
        num_classes: int, image_size: int, input_policy: str = "native32", *, depth: int = 3
    ) -> nn.Module: ...

`image_size` is the height and width of what reaches the network (after the input policy has
resized it, see `bakeoff.models.policy`), `input_policy` says whether the stem is the one for small
images (`native32`) or the paper's own (`resize224`). Everything else is an argument that
`config/models.yaml` may set under `args`; spell arguments out, so that a misspelt one is noticed.

To add a family: write a module in this package with a decorated builder. Which module has which builder is read
from the files, so that only the module of the network in use is imported: importing `bakeoff.models` costs neither
torch nor timm.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from bakeoff.errors import UserError, did_you_mean
from bakeoff.user_code import import_file, split_name

if TYPE_CHECKING:
    from torch import nn

Builder: TypeAlias = "Callable[..., nn.Module]"
AnyBuilder = TypeVar("AnyBuilder", bound="Callable[..., nn.Module]")


@lru_cache(maxsize=1)
def builder_modules() -> Mapping[str, str]:
    """Return {builder: module of this package that registers it}, found in the files without importing them."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("*.py")):
        for node in ast.parse(file.read_bytes(), filename=str(file)).body:
            for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
                if (
                    isinstance(decorator, ast.Call)
                    and ast.unparse(decorator.func) == "register_model"
                ):
                    found[str(ast.literal_eval(decorator.args[0]))] = file.stem
    return found


def builder_code(builder: str) -> tuple[str, ...]:
    """Return the module, or the user's file, that a builder's network is made of; nothing for what is no builder."""
    if module := builder_modules().get(builder):
        return (f"{__package__}.{module}",)
    own = split_name(builder)
    # What is written otherwise, `find_builder` refuses.
    return (own[0],) if own else ()


class ModelRegistry(Mapping[str, Builder]):
    """Mapping from a builder's name to the builder; a builder's module is imported on first use."""

    def __init__(self) -> None:
        self._builders: dict[str, Builder] = {}

    def add(self, name: str, builder: Builder) -> None:
        """Register `builder` under `name`; two functions of one name are a ValueError."""
        held = self._builders.setdefault(name, builder)
        if (held.__module__, held.__qualname__) != (builder.__module__, builder.__qualname__):
            raise ValueError(f"builder {name!r} is registered by {held.__module__} already")
        self._builders[name] = builder

    def __getitem__(self, name: str) -> Builder:
        if name not in self._builders and name in builder_modules():
            importlib.import_module(f"{__package__}.{builder_modules()[name]}")
        return self._builders[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*builder_modules(), *self._builders]))

    def __len__(self) -> int:
        return len(builder_modules().keys() | self._builders.keys())

    def __contains__(self, name: object) -> bool:
        # Mapping's own version would import the module only to answer yes.
        return name in builder_modules() or name in self._builders


MODEL_REGISTRY = ModelRegistry()


def register_model(name: str) -> Callable[[AnyBuilder], AnyBuilder]:
    """Return the decorator that registers a builder as `name` in `MODEL_REGISTRY`."""

    def decorate(builder: AnyBuilder) -> AnyBuilder:
        MODEL_REGISTRY.add(name, builder)
        return builder

    return decorate


def find_builder(name: str) -> Builder:
    """Return the builder called `name`, or the function named by `path/to/file.py:function`.

    A path is taken from the working directory.

    Raises:
        UserError: there is no such builder, file or function, or the file cannot be imported.
    """
    if name in MODEL_REGISTRY:
        return MODEL_REGISTRY[name]
    own = split_name(name)
    if own is None:
        raise UserError(
            f"There is no builder {name!r}{did_you_mean(name, MODEL_REGISTRY)}. Known builders: "
            f"{', '.join(MODEL_REGISTRY)}; your own is written as 'path/to/file.py:function'."
        )
    path, function = own
    module = import_file(Path(path), "a variant names as its builder's file")
    builder = getattr(module, function, None)
    if not callable(builder):
        raise UserError(f"The file {path} has no function {function!r} (builder {name!r}).")
    found: Builder = builder
    return found
