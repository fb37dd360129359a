from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from raw_files import TEST_ORDER, dump, small_graph, write_ogb, write_planetoid

from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import GraphData
from gkd_runner.data.sources.ogb import read_ogb
from gkd_runner.data.sources.pickles import read_restricted
from gkd_runner.data.sources.planetoid import read_planetoid


@pytest.fixture
def truth() -> GraphData:
    return small_graph()


@pytest.mark.parametrize("protocol", [1, 2])
def test_planetoid_files_give_the_graph_in_public_order(
    tmp_path: Path, truth: GraphData, protocol: int
) -> None:
    write_planetoid(truth, tmp_path, protocol)
    graph = read_planetoid(tmp_path, "toy")
    assert graph.features.toarray().tolist() == truth.features.toarray().tolist()
    assert graph.adjacency.toarray().tolist() == truth.adjacency.toarray().tolist()
    assert graph.labels.tolist() == truth.labels.tolist()


def test_zeros_that_planetoid_files_store_are_dropped(tmp_path: Path, truth: GraphData) -> None:
    truth.features.data[[0, -1]] = 0  # one in allx, one in tx
    write_planetoid(truth, tmp_path)
    assert read_planetoid(tmp_path, "toy").features.nnz == truth.features.nnz - 2


def test_planetoid_files_give_the_public_split(tmp_path: Path, truth: GraphData) -> None:
    write_planetoid(truth, tmp_path)
    split = read_planetoid(tmp_path, "toy").splits[0]
    assert split is not None
    assert split.train.tolist() == list(range(6))
    assert split.val.tolist() == list(range(6, 506))
    assert split.test.tolist() == sorted(TEST_ORDER)


def test_the_pickles_are_read_as_python_2_wrote_them(tmp_path: Path, truth: GraphData) -> None:
    write_planetoid(truth, tmp_path, protocol=1)
    content = (tmp_path / "ind.toy.allx").read_bytes()
    assert b"cscipy.sparse.csr\ncsr_matrix\n" in content
    assert b"ccopy_reg\n_reconstructor\n" in content
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in content
    assert b"c__builtin__\nlist\n" in (tmp_path / "ind.toy.graph").read_bytes()
    assert b"_codecs" not in content


@pytest.mark.parametrize("protocol", [1, 2])
def test_arrays_scalars_and_text_are_read(tmp_path: Path, protocol: int) -> None:
    dump({"array": np.arange(3), "scalar": np.int64(7), "text": "é"}, tmp_path / "old", protocol)
    read = read_restricted(tmp_path / "old")
    assert read["array"].tolist() == [0, 1, 2]
    assert (read["scalar"], read["text"]) == (7, "é")


def test_inconsistent_planetoid_files_are_refused(tmp_path: Path, truth: GraphData) -> None:
    write_planetoid(truth, tmp_path)
    index = tmp_path / "ind.toy.test.index"
    for text, message in {
        "613\n606\n": "tx has 7 rows, but test.index names 2 nodes",
        "5 606 610 608 614 615 607": "names node 5, which allx holds already",
        "six": "not a list of node ids",
        "": "names no test node",
    }.items():
        index.write_text(text)
        with pytest.raises(DataError, match=message):
            read_planetoid(tmp_path, "toy")
    write_planetoid(truth, tmp_path)
    dump([1, 2], tmp_path / "ind.toy.allx")
    with pytest.raises(DataError, match="expected a sparse matrix, got list"):
        read_planetoid(tmp_path, "toy")


class Attack:
    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def test_a_pickle_that_runs_a_command_is_refused_unrun(tmp_path: Path) -> None:
    mark, bad = tmp_path / "mark", tmp_path / "bad"
    bad.write_bytes(pickle.dumps(Attack(os.system, f"touch {mark}"), 2))
    with pytest.raises(DataError, match=r"refused to load (posix|nt)\.system"):
        read_restricted(bad)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cbuiltins\neval\n(U\x011tR.",
        b"c__builtin__\ngetattr\n.",
        b"cnumpy\nload\n.",
        b"ccollections\nOrderedDict\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0ef2py.crackfort\x93.",
        b"c_codecs\nencode\n(U\x01aU\x03hextR.",
        b"ccopy_reg\n_reconstructor\n(c__builtin__\nlist\nc__builtin__\nobject\nNtR.",
    ],
)
def test_any_global_or_use_beyond_the_published_files_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(DataError, match="refused to"):
        read_restricted(tmp_path / "bad")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x02]q", b"cnumpy\nndarray\nNb."])
def test_a_damaged_pickle_is_reported_with_its_path(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(DataError, match=r"bad: (not a readable pickle|refused)"):
        read_restricted(tmp_path / "bad")


def test_ogb_tables_give_an_undirected_graph_with_reciprocal_edges_merged(tmp_path: Path) -> None:
    write_ogb(tmp_path / "tiny.zip")
    graph = read_ogb(tmp_path / "tiny.zip", "ogbn-tiny", root="tiny", split="time")
    assert graph.adjacency.toarray().tolist() == [
        [0, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


def test_ogb_tables_give_dense_features_labels_and_the_official_split(tmp_path: Path) -> None:
    write_ogb(tmp_path / "tiny.zip")
    graph = read_ogb(tmp_path / "tiny.zip", "ogbn-tiny", root="tiny", split="time")
    assert isinstance(graph.features, np.ndarray)
    assert graph.features.dtype == np.float32
    assert graph.features.tolist() == [[0.5, 1], [-1, 0], [2, 3], [0, 0]]
    assert graph.labels.tolist() == [1, 0, 1, 2]
    assert [
        graph.splits[0].train.tolist(),
        graph.splits[0].val.tolist(),
        graph.splits[0].test.tolist(),
    ] == [
        [2, 0],
        [1],
        [3],
    ]


def test_a_wrong_ogb_archive_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "tiny.zip"
    write_ogb(archive)
    with pytest.raises(DataError, match=r"lacks a table: .*split/year/train"):
        read_ogb(archive, "ogbn-tiny", root="tiny", split="year")
    write_ogb(archive, edges="0,9\n")
    with pytest.raises(DataError, match="not a readable OGB archive"):
        read_ogb(archive, "ogbn-tiny", root="tiny", split="time")
    archive.write_bytes(b"no zip")
    with pytest.raises(DataError, match="delete it and download it again"):
        read_ogb(archive, "ogbn-tiny", root="tiny", split="time")
