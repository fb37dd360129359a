"""Rebuild gkd_runner/data/packaged/cora.npz from the wheel of the package graphdatascience.

    pip download --no-deps graphdatascience==2.2
    python scripts/prepare_cora.py graphdatascience-2.2-py3-none-any.whl

The wheel holds the LINQS papers, words and citations; ``cora_public_order.csv`` says at which
index of the public (Planetoid) numbering each paper stands, with its label and split.
"""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from gkd_runner.data.checks import check_graph, without_defects
from gkd_runner.data.graph import GraphData, Split
from gkd_runner.data.npz import save_npz

HERE = Path(__file__).parent
ORDER = HERE / "cora_public_order.csv"
TARGET = HERE.parent / "gkd_runner" / "data" / "packaged" / "cora.npz"
TABLES = "graphdatascience/resources/cora/cora_{}.parquet.gzip"


def main() -> None:
    """Read the wheel named on the command line and write the packaged file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("wheel", type=Path, help="graphdatascience-*.whl")
    parser.add_argument("--target", type=Path, default=TARGET, help="default: %(default)s")
    args = parser.parse_args()
    graph = build(_table(args.wheel, "nodes"), _table(args.wheel, "rels"), pd.read_csv(ORDER))
    check_graph(graph, str(args.wheel))
    save_npz(graph, args.target)
    print(f"{args.target}: {graph.num_nodes} nodes, {graph.num_edges} stored edges")


def build(papers: pd.DataFrame, citations: pd.DataFrame, order: pd.DataFrame) -> GraphData:
    """Put the papers into the public order; labels and split are the order table's."""
    nodes = len(order)
    index_of = pd.Series(order["index"].to_numpy(), index=order["paper_id"])
    rows = papers.set_index("nodeId").loc[order.sort_values("index")["paper_id"]]
    features = sp.csr_array(np.stack(rows["features"].to_list()).astype(np.float32))
    ends = [index_of.loc[citations[f"{side}NodeId"]].to_numpy() for side in ("source", "target")]
    ones = np.ones(len(citations), dtype=np.float32)
    adjacency = without_defects(sp.csr_array((ones, tuple(ends)), shape=(nodes, nodes)))
    labels = order.sort_values("index")["label"].to_numpy(dtype=np.int64)
    parts = (
        np.sort(order.loc[order["split"] == part, "index"].to_numpy(dtype=np.int64))
        for part in ("train", "val", "test")
    )
    return GraphData("cora", adjacency, features, labels, (Split(*parts),))


def _table(wheel: Path, kind: str) -> Any:
    with zipfile.ZipFile(wheel) as files:
        packed = io.BytesIO(files.read(TABLES.format(kind)))
    try:
        return pd.read_parquet(packed, engine="pyarrow")
    except ImportError:
        sys.exit("prepare_cora.py reads parquet tables with pyarrow: pip install pyarrow")


if __name__ == "__main__":
    main()
