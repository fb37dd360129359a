"""The origin of each public dataset, and the function that converts its raw files to a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gkd_runner.data.graph import GraphData
from gkd_runner.data.npz import load_npz
from gkd_runner.data.sources.ogb import read_ogb
from gkd_runner.data.sources.planetoid import PARTS, read_planetoid

PLANETOID = (
    "https://raw.githubusercontent.com/kimiyoung/planetoid/master/data/",
    "https://github.com/kimiyoung/planetoid/raw/master/data/",
)
SHCHUR = (
    "https://raw.githubusercontent.com/shchur/gnn-benchmark/master/data/npz/",
    "https://github.com/shchur/gnn-benchmark/raw/master/data/npz/",
)
DGL = "https://data.dgl.ai/dataset/"
OGB = (
    "https://snap.stanford.edu/ogb/data/nodeproppred/",
    "http://snap.stanford.edu/ogb/data/nodeproppred/",
)

# Recorded by several public projects for the files at these addresses. The 24 digests of the
# Planetoid files (ind.*.x included) combine by exclusive or to the checksum that
# GraphMLDatasets.jl pins for the whole set; the same file pins the one of products.zip.
_DIGESTS = Path(__file__).with_name("sha256.txt").read_text(encoding="ascii")
SHA256 = {name: digest for digest, name in map(str.split, _DIGESTS.splitlines())}


@dataclass(frozen=True)
class RawFile:
    """A file to download; ``urls`` are tried in order, and ``zip#member`` is a file in a zip."""

    name: str
    urls: tuple[str, ...]
    sha256: str | None


@dataclass(frozen=True)
class Source:
    """A dataset's raw files, and the function that reads the graph from their folder."""

    files: tuple[RawFile, ...]
    convert: Callable[[Path], GraphData]


def planetoid(name: str, dgl_name: str) -> Source:
    """One of the Planetoid graphs; DGL's zip file holds the same files."""

    def raw(part: str) -> RawFile:
        file = f"ind.{name}.{part}"
        member = f"{DGL}{dgl_name}.zip#ind.{dgl_name}.{part}"
        return RawFile(file, (*(base + file for base in PLANETOID), member), SHA256[file])

    return Source(tuple(map(raw, PARTS)), partial(read_planetoid, name=name))


def shchur(name: str, file: str, dgl_name: str) -> Source:
    """One of the graphs of Shchur et al. (2018); published directed, repaired on reading."""
    urls = (*(base + file for base in SHCHUR), f"{DGL}{dgl_name}.zip#{dgl_name}.npz")
    raw_file = RawFile(file, urls, sha256=None)  # no digest is known
    return Source((raw_file,), lambda raw: load_npz(raw / file, name, repair=True))


def ogb(name: str, root: str, split: str) -> Source:
    """One of the node property graphs of the Open Graph Benchmark."""
    file = f"{root}.zip"
    raw_file = RawFile(file, tuple(base + file for base in OGB), SHA256[file])
    return Source((raw_file,), lambda raw: read_ogb(raw / file, name, root=root, split=split))


SOURCES: dict[str, Source] = {
    "cora": planetoid("cora", "cora_v2"),
    "citeseer": planetoid("citeseer", "citeseer"),
    "pubmed": planetoid("pubmed", "pubmed"),
    "amazon-photo": shchur("amazon-photo", "amazon_electronics_photo.npz", "amazon_co_buy_photo"),
    "amazon-computers": shchur(
        "amazon-computers", "amazon_electronics_computers.npz", "amazon_co_buy_computer"
    ),
    "coauthor-cs": shchur("coauthor-cs", "ms_academic_cs.npz", "coauthor_cs"),
    "coauthor-physics": shchur("coauthor-physics", "ms_academic_phy.npz", "coauthor_physics"),
    "ogbn-arxiv": ogb("ogbn-arxiv", "arxiv", "time"),
    "ogbn-products": ogb("ogbn-products", "products", "sales_ranking"),
}
