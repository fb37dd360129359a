"""A device called ``cuda`` on machines that have none, to run the paths that a GPU takes.

Each tensor of this device wraps a tensor of the CPU that has its values. All operations pass
through ``SecondDevice``, which computes them on the wrapped tensors. As on a GPU, an operation
must not be given tensors of both devices, unless it copies from one to the other or the tensor of
the host has no dimensions. It is stricter in one point: indices must be on the device, too, which
a GPU would first copy there.

It does not see what happens inside of an operation: kernels that a GPU does not have, their own
waits for the host, their rounding, memory, and the order of operations on streams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from gkd_runner.common import lazy

CUDA = torch.device("cuda", 0)
"""As tensors report it; ``torch.device("cuda")`` means the same."""

_UNDERNEATH = torch.device("meta")
"""What torch's C++ code takes the device for; without CUDA, its autograd refuses ``cuda``."""

COPIES = {torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default}
"""Operations that may read one device and write the other."""

READS = {
    torch.ops.aten._local_scalar_dense.default: "item",
    torch.ops.aten.nonzero.default: "nonzero",
    torch.ops.aten.masked_select.default: "nonzero",
    torch.ops.aten.repeat_interleave.Tensor: "nonzero",
    torch.ops.aten.bincount.default: "nonzero",
    torch.ops.aten.equal.default: "item",
}
"""Operations whose result the host has to wait for: a value, or the number of values."""


_HostGenerator = torch.Generator


class MixedDevicesError(RuntimeError):
    """An operation was given tensors of the host and of the device."""


class DeviceTensor(Tensor):
    """A tensor of the second device; ``held`` has its values."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> DeviceTensor:
        strided = held.layout == torch.strided  # torch takes a sparse one for contiguous
        made: DeviceTensor = Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride() if strided else None,
            storage_offset=held.storage_offset() if strided else None,
            dtype=held.dtype,
            device=_UNDERNEATH,
        )
        made.held = held
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        """What all Python code sees."""
        return CUDA

    def tolist(self) -> Any:
        """The values; torch refuses this to subclasses."""
        return self.cpu().tolist()

    def __repr__(self, *_: Any, **__: Any) -> str:
        return f"DeviceTensor({tuple(self.shape)}, {self.dtype})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} on the second device outside of SecondDevice")


class SecondDevice(TorchDispatchMode):
    """Computes on the second device; ``waits`` counts when the host waited for it, by reason."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self._generators: dict[int, torch.Generator] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to skip torch's compiler is to import it first, for seconds

    def generator(self, device: Any = "cpu") -> torch.Generator:
        """``torch.Generator``; one for the second device draws what one for the CPU draws."""
        made = _HostGenerator()
        if torch.device(device).type == CUDA.type:
            self._generators[made._cdata] = made  # type: ignore[attr-defined]
        return made

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
        ours = [x for x in tensors if isinstance(x, DeviceTensor)]
        target = kwargs.get("device")
        on_host = not ours and (target is None or target.type == "cpu")
        self._check(func, tensors, kwargs.get("generator"), on_host)
        if on_host:
            return func(*args, **kwargs)
        reason = self._reason(func, args, kwargs)
        if reason is not None:
            self.waits[reason] += 1
        back_to_host = target is not None and target.type == "cpu"
        if target is not None:
            kwargs["device"] = torch.device("cpu")
        if func is torch.ops.aten._to_copy.default:  # a copy even if only the device changes
            out = func(args[0].held if ours else args[0], **kwargs)
            return out if back_to_host else DeviceTensor(out)
        known = {id(x.held): x for x in ours}
        args, kwargs = tree_map(_held, (args, kwargs))
        return tree_map(lambda x: _wrapped(x, known), func(*args, **kwargs))

    def _check(
        self, func: Any, tensors: list[Tensor], generator: torch.Generator | None, on_host: bool
    ) -> None:
        if any(x.device == _UNDERNEATH for x in tensors):
            raise MixedDevicesError(f"{func}: new_tensor() copies from the host; use new_full()")
        if generator is not None and (generator._cdata in self._generators) == on_host:  # type: ignore[attr-defined]
            raise MixedDevicesError(f"{func} draws from a generator of the other device")
        host = [x for x in tensors if not isinstance(x, DeviceTensor) and x.dim() > 0]
        if host and not on_host and func not in COPIES:
            raise MixedDevicesError(
                f"{func} reads tensors of the host {[tuple(x.shape) for x in host]}"
            )

    def _reason(self, func: Any, args: Any, kwargs: dict[str, Any]) -> str | None:
        aten = torch.ops.aten
        if func in READS:
            return READS[func]
        if func is aten._to_copy.default:
            to = kwargs.get("device")
            if to is None or (to.type == "cuda") == isinstance(args[0], DeviceTensor):
                return None
            return "upload" if to.type == "cuda" else "download"
        if func is aten.copy_.default:
            ours, theirs = (isinstance(x, DeviceTensor) for x in args[:2])
            return None if ours == theirs else "upload" if ours else "download"
        if func in (aten.index.Tensor, aten.index_put_.default, aten.index_put.default):
            masks = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)]
            return "nonzero" if masks else None
        return None


class _Numbered(TorchFunctionMode):
    """Gives ``cuda`` the number of its only device, for which torch would ask CUDA."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        numbered = [_numbered(x) for x in args]
        return func(*numbered, **{name: _numbered(x) for name, x in (kwargs or {}).items()})


def _numbered(x: Any) -> Any:
    return CUDA if isinstance(x, torch.device) and x.type == CUDA.type else x


def _held(x: Any) -> Any:
    return x.held if isinstance(x, DeviceTensor) else x


def _wrapped(x: Any, known: dict[int, DeviceTensor]) -> Any:
    """The tensor that an operation wrote into, or a new one."""
    if not isinstance(x, Tensor):
        return x
    return known[id(x)] if id(x) in known else DeviceTensor(x)


_CUDA_MODULE: dict[str, Callable[..., Any]] = {
    "_lazy_init": lambda: None,
    "synchronize": lambda *_: None,
    "is_available": lambda: True,
    "get_device_name": lambda *_: "second device",
    "max_memory_allocated": lambda *_: 0,
}


@contextmanager
def second_device(patch: pytest.MonkeyPatch) -> Iterator[SecondDevice]:
    """The device, while it is there."""
    lifts = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=...) copies in sight
    try:
        with patch.context() as here, SecondDevice() as device, _Numbered():
            for name, stand_in in _CUDA_MODULE.items():
                here.setattr(torch.cuda, name, stand_in)
            here.setattr(lazy.torch, "Generator", device.generator)
            here.setattr(torch, "Generator", device.generator)
            yield device
    finally:
        torch._C._set_only_lift_cpu_tensors(lifts)
