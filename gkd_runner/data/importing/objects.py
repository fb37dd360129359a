"""Graphs of PyTorch Geometric and DGL in memory, recognised by their attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.data.importing.arrays import WEIGHTS, from_arrays
from gkd_runner.data.importing.raw import RawGraph


def is_pyg(source: Any) -> bool:
    """True for a ``torch_geometric.data.Data`` and what looks like one."""
    return hasattr(source, "edge_index") or hasattr(source, "adj_t")


def is_dgl(source: Any) -> bool:
    """True for a ``dgl.DGLGraph``."""
    return all(hasattr(source, name) for name in ("ndata", "edata", "num_nodes", "edges"))


def from_pyg(data: Any) -> RawGraph:
    """Describe a ``Data`` object: ``x``, ``edge_index`` (or ``adj_t``), ``y``, masks.

    Nothing of PyTorch Geometric is imported. Raises ``DataError`` if an attribute is missing.
    """
    where = f"the {type(data).__name__} object"
    keys = data.keys() if callable(getattr(data, "keys", None)) else getattr(data, "keys", None)
    names = [key for key in (vars(data) if keys is None else keys) if not key.startswith("_")]
    arrays, unused = {}, []
    for name in names:
        value = getattr(data, name)
        if name == "adj_t":  # a SparseTensor, which holds the transposed adjacency
            arrays["adj"] = to_array(value.to_scipy(layout="csr").T)
        elif (array := to_array(value)) is not None:
            arrays[name] = array
        elif value is not None and name != "num_nodes":
            unused.append(name)
    return from_arrays(arrays, where, tuple(unused))


def from_dgl(graph: Any, where: str = "the DGL graph") -> RawGraph:
    """Describe a homogeneous ``DGLGraph``: ``ndata`` has ``feat``, ``label`` and masks.

    Raises ``DataError`` for a graph with several types of nodes or edges.
    """
    if not getattr(graph, "is_homogeneous", True):
        raise DataError(
            f"{where} has several types of nodes or edges; gkd-runner reads one type of each:"
            " dgl.to_homogeneous(graph, ndata=['feat', 'label']) makes one"
        )
    source, target = graph.edges()
    arrays: dict[str, Any] = {"edge_index": np.stack([to_array(source), to_array(target)])}
    arrays |= {name: to_array(value) for name, value in graph.ndata.items()}
    weights = {name: value for name, value in graph.edata.items() if name in WEIGHTS}
    arrays |= {name: to_array(value) for name, value in weights.items()}
    others = tuple(f"edge data {name}" for name in graph.edata if name not in weights)
    return from_arrays(arrays, where, others)


def to_array(value: Any) -> Any:
    """A tensor, array or list of values as a NumPy or SciPy array; ``None`` for anything else."""
    if sp.issparse(value):
        return sp.csr_array(value)
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach"):  # a torch tensor on any device
        tensor = value.detach().cpu()
        if getattr(tensor, "is_sparse", False) or "sparse" in str(tensor.layout):
            tensor = tensor.to_sparse_coo().coalesce()
            parts = (tensor.values().numpy(), tuple(tensor.indices().numpy()))
            return sp.csr_array(sp.coo_array(parts, shape=tuple(tensor.shape)))
        return tensor.float().numpy() if "bfloat16" in str(tensor.dtype) else tensor.numpy()
    return np.asarray(value) if isinstance(value, list | tuple) else None
