"""Load the graph of a dataset's configuration, cut to the part that the protocol uses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from gkd_runner.data.checks import check_scale
from gkd_runner.data.graph import FloatArray, GraphData
from gkd_runner.data.importing.dgl_files import import_dgl_file, is_dgl_file
from gkd_runner.data.importing.wording import log_findings
from gkd_runner.data.npz import load_npz
from gkd_runner.data.protocols import cut
from gkd_runner.data.sources.find import find
from gkd_runner.data.synthetic import synthetic
from gkd_runner.options.schema import DatasetConfig, ProtocolConfig, SyntheticConfig


def load_dataset(
    dataset: DatasetConfig, protocol: ProtocolConfig, data_dir: str | Path
) -> GraphData:
    """Read, download or generate the graph; check, normalise and cut it. Raises ``DataError``."""
    return treated(_read(dataset, Path(data_dir).expanduser()), dataset, protocol)


def treated(graph: GraphData, dataset: DatasetConfig, protocol: ProtocolConfig) -> GraphData:
    """Normalise and cut ``graph`` as the configuration says."""
    if dataset.row_normalize:
        graph = replace(graph, features=row_normalized(graph.features))
    check_scale(graph)
    return cut(graph, protocol, dataset.family)


def _read(dataset: DatasetConfig, data_dir: Path) -> GraphData:
    if isinstance(dataset, SyntheticConfig):
        return synthetic(
            nodes=dataset.nodes,
            classes=dataset.classes,
            features=dataset.features,
            mean_degree=dataset.mean_degree,
            homophily=dataset.homophily,
            seed=dataset.seed,
        )
    path = Path(dataset.path).expanduser() if dataset.path else find(dataset.name, data_dir)
    if is_dgl_file(path):
        imported = import_dgl_file(path, dataset.name)
        log_findings(imported.findings, imported.graph.name)
        return imported.graph
    return load_npz(path, dataset.name, repair=dataset.repair)


def row_normalized(features: sp.csr_array | FloatArray) -> sp.csr_array | FloatArray:
    """Divide each row by its sum, as DGL does. Rows that sum to 0 become 0.

    Where float32 holds neither the sum nor its inverse, float64 does.
    """
    with np.errstate(over="ignore"):
        sums = np.asarray(features.sum(axis=1), dtype=np.float32).ravel()
    exact = features
    if _out_of_range(sums):
        exact = features.astype(np.float64)
        sums = np.asarray(exact.sum(axis=1)).ravel()
    inverse = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums != 0)
    if not isinstance(exact, np.ndarray):
        scaled = exact.data * np.repeat(inverse, np.diff(exact.indptr))
        scaled = scaled.astype(np.float32, copy=False)
        return sp.csr_array((scaled, exact.indices, exact.indptr), shape=exact.shape)
    return (exact * inverse[:, None]).astype(np.float32, copy=False)


def _out_of_range(sums: FloatArray) -> bool:
    """True if a sum of float32 has overflowed, or is so small that its inverse would."""
    tiny = (np.abs(sums) < np.finfo(np.float32).tiny) & (sums != 0)
    return bool(tiny.any()) or not np.isfinite(sums).all()
