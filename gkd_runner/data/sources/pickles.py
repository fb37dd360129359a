"""Read the few kinds of object that Planetoid's pickles hold, and nothing else."""

from __future__ import annotations

import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from gkd_runner.common.errors import DataError


class CsrState:
    """Replaces a pickled ``csr_matrix``: holds its attributes and runs none of its code."""

    def matrix(self) -> sp.csr_array:
        """The pickled matrix, float32. Raises ``DataError`` when the state is incomplete."""
        state = vars(self)
        try:
            parts = (state["data"], state["indices"], state["indptr"])
            shape = state["_shape"] if "_shape" in state else state["shape"]
            matrix = sp.csr_array(parts, shape=tuple(map(int, shape)), dtype=np.float32)
            matrix.check_format(full_check=True)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"a pickled sparse matrix is malformed: {error}") from error
        return matrix


def read_restricted(path: Path) -> Any:
    """Unpickle ``path``, which Python 2 wrote, allowing only the globals listed here.

    Returns plain containers, NumPy arrays and ``CsrState``. Raises ``DataError`` for any other
    global, named in the message, and for a file that is not a pickle.
    """
    try:
        with path.open("rb") as stream:
            return _Restricted(stream, encoding="latin1").load()
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise DataError(
            f"{path}: not a readable pickle ({error!r}); delete it and try again"
        ) from error


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise DataError(
                f"refused to load {module}.{name}: the published files do not contain it, so"
                " this file is not one of them; delete it and download it again"
            ) from None


def _reconstructor(cls: type, base: type, state: object) -> CsrState:
    """Stands in for ``copy_reg._reconstructor``, which makes an object without its state."""
    if cls is not CsrState or base is not object or state is not None:
        raise DataError(f"refused to build an object of type {cls!r}")
    return CsrState()


def _dtype(name: str, *_: object) -> np.dtype[Any]:
    # NumPy 2.4 warns of the integers that old pickles give for `align` and `copy`. A copy,
    # because unpickling sets its state.
    return np.dtype(str(name), copy=True)


def _scalar(dtype: np.dtype[Any], raw: str) -> Any:
    return np.frombuffer(raw.encode("latin1"), dtype, count=1)[0]


_ALLOWED: dict[tuple[str, str], Any] = {  # module and name as Python 2 and its NumPy had them
    ("scipy.sparse.csr", "csr_matrix"): CsrState,
    ("copy_reg", "_reconstructor"): _reconstructor,
    # NumPy has moved this function between private modules; an array refers to the right one.
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
    ("collections", "defaultdict"): defaultdict,
    ("__builtin__", "list"): list,
    ("__builtin__", "object"): object,
}
