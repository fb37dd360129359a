"""Libraries that are imported when first used, so that questions about options are quick."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["distributed", "pd", "sp", "special", "torch"]


class _Lazy(ModuleType):
    """A module that is imported when one of its attributes is first asked for."""

    def __getattr__(self, name: str) -> Any:
        module = import_module(self.__name__)
        self.__dict__.update(vars(module))
        return getattr(module, name)


if TYPE_CHECKING:
    import pandas as pd
    import scipy.sparse as sp
    import torch
    import torch.distributed as distributed
    from scipy import special
else:
    pd = _Lazy("pandas")
    sp = _Lazy("scipy.sparse")
    special = _Lazy("scipy.special")
    torch = _Lazy("torch")
    distributed = _Lazy("torch.distributed")
