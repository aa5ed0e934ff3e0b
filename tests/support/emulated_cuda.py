"""A CUDA device that is not there: tensors say `cuda:0`, and their numbers are computed on the CPU.

Python, autocast, the loss scaler, fused optimizers and the autograd engine are the real ones and take their CUDA paths.
What a GPU would refuse (tensors of two devices in one operation) is refused here; what the host would wait for, and how
many operations it would launch, is counted. Needs PyTorch's wheel with CUDA, and `cuda_stub.c` preloaded as
libcuda.so.1. Kernels, memory, streams and NCCL are not emulated.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from bakeoff.evaluation import results

CUDA = torch.device("cuda", 0)

# Nothing runs on the device for these.
FREE = frozenset(
    re.findall(
        r"\S+",
        """_reshape_alias _unsafe_view alias as_strided detach diagonal empty empty_like empty_strided expand is_pinned
        is_same_size lift_fresh new_empty new_empty_strided permute pin_memory _pin_memory record_stream resize_ reshape
        select set_ slice split split_with_sizes squeeze t transpose unbind unfold unsqueeze view view_as_real""",
    )
)
# Index tensors may lie on the CPU, for which the host waits.
INDEXING = frozenset({"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"})
COPIES = frozenset({"_to_copy", "copy_", "_foreach_copy_"})
# The host reads a value, or a size that depends on values.
WAITING = frozenset(
    {"_local_scalar_dense", "bincount", "equal", "is_nonzero", "masked_select", "nonzero"}
    | {"repeat_interleave", "_unique2", "unique_dim"}
)


class DeviceTensor(Tensor):
    """A tensor on the emulated device; `held` has its numbers."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> DeviceTensor:
        tensor = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=CUDA,
        )
        tensor.held = held
        return tensor

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert EmulatedCuda.current is not None, f"{func} outside of the emulated device"
        return EmulatedCuda.current.run(func, args, kwargs or {})

    def tolist(self) -> Any:
        assert EmulatedCuda.current is not None
        EmulatedCuda.current.wait("tolist")
        return self.held.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    __array__ = numpy

    def __repr__(self) -> str:
        return f"DeviceTensor({self.held})"


@dataclass
class Graph:
    """Stands for torch.cuda.CUDAGraph: what was launched while it was recorded, to be launched again."""

    launches: list[Callable[[], None]] = field(default_factory=list)
    before: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    """Tensors that recording has changed, each with its earlier content: a real recording computes nothing."""

    def pool(self) -> None:
        """Return its memory: there is none of its own."""

    def replay(self) -> None:
        for launch in self.launches:
            launch()


class EmulatedCuda(TorchDispatchMode):
    """The device, while the context lasts."""

    current: ClassVar[EmulatedCuda | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.launches: Counter[str] = Counter()
        """By the phase that was set when they happened."""
        self.phase = "other"
        self._graph: Graph | None = None
        self._stack = ExitStack()

    # --- what the host is told

    def __enter__(self) -> EmulatedCuda:
        EmulatedCuda.current = self
        torch._C._ensureCUDADeviceGuardSet()
        for name, value in self._answers().items():
            self._stack.enter_context(patch.object(torch.cuda, name, value))
        self._stack.enter_context(patch.object(F, "scaled_dot_product_attention", attention))
        for owner, name in ((torch, "save"), (results, "save_file")):
            self._stack.enter_context(patch.object(owner, name, _from_host(getattr(owner, name))))
        lifts = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)
        self._stack.callback(torch._C._set_only_lift_cpu_tensors, lifts)
        future = torch.__future__
        overwrites = future.get_overwrite_module_params_on_conversion()
        future.set_overwrite_module_params_on_conversion(True)
        self._stack.callback(future.set_overwrite_module_params_on_conversion, overwrites)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._stack.close()
        EmulatedCuda.current = None

    def _answers(self) -> dict[str, Any]:
        """Return what `torch.cuda` says of itself: one V100."""
        return {
            "_lazy_init": lambda: None,
            "_is_in_bad_fork": lambda: False,
            "is_available": lambda: True,
            "is_initialized": lambda: True,
            "is_bf16_supported": lambda *_, **__: False,
            "device_count": lambda: 1,
            "current_device": lambda: 0,
            "set_device": lambda _: None,
            "manual_seed_all": lambda _: None,
            "get_device_capability": lambda _=None: (7, 0),
            "get_device_name": lambda _=None: "Tesla V100 (emulated)",
            "get_arch_list": lambda: torch._C._cuda_getArchFlags().split(),
            "mem_get_info": lambda _=None: (15 * 2**30, 16 * 2**30),
            "max_memory_allocated": lambda _=None: 0,
            "reset_peak_memory_stats": lambda _=None: None,
            "synchronize": lambda _=None: self.wait("synchronize"),
            "get_sync_debug_mode": lambda: 0,
            "set_sync_debug_mode": lambda _: None,
            "CUDAGraph": Graph,
            "graph": self._recording,
        }

    def wait(self, what: str) -> None:
        """Note that the host waits for the device."""
        self.waits[f"{what} ({self.phase})"] += 1

    @contextmanager
    def _recording(self, graph: Graph, **_: Any) -> Iterator[None]:
        self._graph = graph
        waits = self.waits.total()
        try:
            yield
        finally:
            self._graph = None
        if self.waits.total() > waits:
            raise RuntimeError("operation not permitted when stream is capturing")
        for tensor, content in reversed(graph.before):
            tensor.copy_(content)

    # --- what the device does

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Compute one operation."""
        composite = torch._C.DispatchKey.CompositeImplicitAutograd
        if torch.is_inference_mode_enabled() and torch._C._dispatch_has_kernel_for_dispatch_key(
            func.name(), composite
        ):
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        name = func._schema.name.split("::")[1]
        leaves, structure = tree_flatten((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        here = [tensor for tensor in tensors if isinstance(tensor, DeviceTensor)]
        device = torch.device(kwargs["device"]) if kwargs.get("device") is not None else None
        to_device = device is not None and device.type == "cuda"
        if not here and not to_device:
            return func(*args, **kwargs)
        to_host = device is not None and device.type == "cpu"
        self._count(name, args, kwargs, here, tensors, device)
        held_args, held_kwargs = tree_unflatten([_held(leaf) for leaf in leaves], structure)
        if name in ("pin_memory", "_pin_memory"):
            return args[0]
        if held_kwargs.get("pin_memory"):
            held_kwargs["pin_memory"] = False
        result = self._launch(func, name, held_args, held_kwargs)
        known = {id(tensor.held): tensor for tensor in here}

        def on_device(value: Any) -> Any:
            if not isinstance(value, Tensor) or isinstance(value, DeviceTensor) or to_host:
                return value
            return known.get(id(value)) if id(value) in known else DeviceTensor(value)

        return tree_map(on_device, result)

    def _count(
        self,
        name: str,
        args: Any,
        kwargs: dict[str, Any],
        here: list[DeviceTensor],
        tensors: list[Tensor],
        device: torch.device | None,
    ) -> None:
        """Note what the host waits for, and refuse what a GPU would.

        Raises:
            RuntimeError: tensors of two devices are in one operation.
        """
        elsewhere = [each for each in tensors if not isinstance(each, DeviceTensor) and each.dim()]
        if name in INDEXING and here:
            indices = [each for each in tree_leaves(args[1]) if isinstance(each, Tensor)]
            if any(not isinstance(index, DeviceTensor) for index in indices):
                self.wait("an index on the CPU")
                elsewhere = [each for each in elsewhere if all(each is not one for one in indices)]
            if any(index.dtype in (torch.bool, torch.uint8) for index in indices):
                self.wait("a boolean index")
        if here and elsewhere and name not in COPIES:
            raise RuntimeError(
                f"{name}: a CPU tensor {tuple(elsewhere[0].shape)} beside CUDA tensors"
            )
        if name in WAITING:
            self.wait(name)
        sides = {isinstance(each, DeviceTensor) for each in tensors}
        crosses = name in ("copy_", "_foreach_copy_") and len(sides) == 2
        if name == "_to_copy" and device is not None:
            crosses = device.type != ("cuda" if here else "cpu")
        if crosses:
            self.wait("a copy between CPU and GPU")
        elif name not in FREE:
            self.launches[self.phase] += 1

    def _launch(self, func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
        """Compute on the CPU; where a graph is recorded, note how to do so again."""
        compute = KERNELS.get(name, func)
        graph = self._graph
        if graph is None:
            return compute(*args, **kwargs)
        graph.before += [(each, each.clone()) for each in _written(func, name, args)]
        result = compute(*args, **kwargs)
        if name not in FREE:
            inputs = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
            kept = [
                (place, each)
                for place, each in enumerate(tree_leaves(result))
                if isinstance(each, Tensor) and all(each is not one for one in inputs)
            ]

            def again() -> None:
                values = tree_leaves(compute(*args, **kwargs))
                for place, each in kept:
                    # A view of an input has been written with it.
                    if values[place].data_ptr() != each.data_ptr():
                        each.copy_(values[place])

            graph.launches.append(again)
        return result


def _written(func: Any, name: str, args: Any) -> list[Tensor]:
    """Return the tensors that an operation writes to."""
    if name == "cudnn_batch_norm":
        # Its running mean and variance, of which the schema says nothing.
        return [each for each in args[3:5] if each is not None]
    return [
        each
        for argument, value in zip(func._schema.arguments, args, strict=False)
        if argument.alias_info is not None and argument.alias_info.is_write
        for each in tree_leaves(value)
    ]


def _from_host(save: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that saves what is on the device as if it had been copied to the host before."""
    return lambda state, *args, **kwargs: save(tree_map(_held, state), *args, **kwargs)


def _held(leaf: Any) -> Any:
    if isinstance(leaf, DeviceTensor):
        return leaf.held
    return torch.device("cpu") if isinstance(leaf, torch.device) and leaf.type == "cuda" else leaf


# --- kernels that a CPU lacks under these names or for these numbers

aten = torch.ops.aten


def _batch_norm(
    x: Tensor,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, ...]:
    outputs = aten.native_batch_norm(x, weight, bias, mean, var, training, momentum, eps)
    return *outputs, torch.empty(0, dtype=torch.uint8)


def _batch_norm_backward(
    x: Tensor,
    gradient: Tensor,
    weight: Any,
    mean: Any,
    var: Any,
    saved: Any,
    deviation: Any,
    eps: float,
    _: Tensor,
) -> tuple[Tensor, ...]:
    needed = [True, True, True]
    outputs: tuple[Tensor, ...] = aten.native_batch_norm_backward(
        gradient, x, weight, mean, var, saved, deviation, True, eps, needed
    )
    return outputs


def _softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    result: Tensor = aten._softmax(x.float() if half_to_float else x, dim, False)
    return result


def _softmax_backward(gradient: Tensor, output: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    result: Tensor = aten._softmax_backward_data(gradient, output, dim, gradient.dtype)
    return result.to(dtype)


def _uninitialised(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function that makes memory whose use shows: NaN, and a number that is a class where it is one."""

    def filled(*args: Any, **kwargs: Any) -> Tensor:
        made = make(*args, **kwargs)
        return made.fill_(math.nan if made.is_floating_point() else 0)

    return filled


KERNELS: dict[str, Callable[..., Any]] = {
    "cudnn_batch_norm": _batch_norm,
    "cudnn_batch_norm_backward": _batch_norm_backward,
    "empty_like": _uninitialised(aten.empty_like),
    "_softmax": _softmax,
    "_softmax_backward_data": _softmax_backward,
}


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **_: Any,
) -> Tensor:
    """Scaled dot product attention, of which PyTorch chooses the kernel by what the device is."""
    assert not is_causal
    weights = query @ key.transpose(-2, -1) * (scale or 1 / math.sqrt(query.shape[-1]))
    if attn_mask is not None:
        weights = weights + attn_mask
    return F.dropout(weights.softmax(dim=-1), dropout_p, dropout_p > 0).to(value.dtype) @ value
