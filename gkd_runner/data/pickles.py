"""Read the few kinds of object that Planetoid's pickles hold, and nothing else."""

from __future__ import annotations

import pickle
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from gkd_runner.common.errors import DataError

# NumPy has moved this function between private modules; its own pickles name the right one.
_RECONSTRUCT: Any = np.empty(0).__reduce__()[0]


class CsrState:
    """Stands in for a pickled ``csr_matrix``: collects its state, runs none of its code."""

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
    """Unpickle ``path`` (written by Python 2 or 3), allowing only the globals listed here.

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
    """What Python 2 calls to build an object before its state is set."""
    if cls is not CsrState or base is not object or state is not None:
        raise DataError(f"refused to build an object of type {cls!r}")
    return CsrState()


def _dtype(name: str, *_: object) -> np.dtype[Any]:
    # Old pickles pass `align` and `copy` as integers, which NumPy 2.4 warns about. A copy,
    # because unpickling sets its state.
    return np.dtype(str(name), copy=True)


def _scalar(dtype: np.dtype[Any], raw: str | bytes) -> Any:
    data = raw.encode("latin1") if isinstance(raw, str) else raw
    return np.frombuffer(data, dtype, count=1)[0]


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes at protocol 2."""
    if encoding != "latin1":
        raise DataError(f"refused to encode text as {encoding!r}")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("scipy.sparse.csr", "csr_matrix"): CsrState,
    ("scipy.sparse._csr", "csr_matrix"): CsrState,
    ("copy_reg", "_reconstructor"): _reconstructor,
    ("copyreg", "_reconstructor"): _reconstructor,
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
    ("collections", "defaultdict"): defaultdict,
    ("_codecs", "encode"): _encode,
    **{(module, "list"): list for module in ("__builtin__", "builtins")},
    **{(module, "object"): object for module in ("__builtin__", "builtins")},
}
