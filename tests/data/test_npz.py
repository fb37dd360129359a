from __future__ import annotations

import doctest
import logging
import zipfile
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from gkd_runner.common.errors import DataError
from gkd_runner.data.graph import GraphData, Split
from gkd_runner.data.npz import load_npz, save_npz

Arrays = dict[str, Any]


@pytest.fixture
def arrays() -> Arrays:
    """A path 0 - 1 - 2 - 3 with two classes, three words and a split."""
    return {
        "adj_indices": np.array([1, 0, 2, 1, 3, 2], dtype=np.int32),
        "adj_indptr": np.array([0, 1, 3, 5, 6]),
        "adj_shape": np.array([4, 4]),
        "attr_data": np.array([1, 2, 1, 3], dtype=np.float32),
        "attr_indices": np.array([0, 1, 2, 0], dtype=np.int32),
        "attr_indptr": np.array([0, 1, 2, 3, 4]),
        "attr_shape": np.array([4, 3]),
        "labels": np.array([0, 1, 0, 1]),
        "train_idx": np.array([0, 1]),
        "val_idx": np.array([2]),
        "test_idx": np.array([3]),
    }


def load(folder: Path, arrays: Arrays, **options: bool) -> GraphData:
    path = folder / "g.npz"
    np.savez(path, **arrays)
    return load_npz(path, "g", **options)


def set_edges(arrays: Arrays, edges: list[tuple[int, int]]) -> None:
    """Write CSR by hand: SciPy would merge the very duplicates that tests need."""
    rows, columns = np.array(sorted(edges)).T
    arrays["adj_indices"] = columns.astype(np.int32)
    arrays["adj_indptr"] = np.searchsorted(rows, np.arange(5))


def refused(folder: Path, arrays: Arrays, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(folder, arrays)


def test_a_sound_file_loads_as_published(tmp_path: Path, arrays: Arrays) -> None:
    graph = load(tmp_path, arrays)
    assert (graph.num_nodes, graph.num_edges, graph.num_features, graph.num_classes) == (4, 6, 3, 2)
    assert graph.adjacency.dtype == graph.features.dtype == np.float32
    assert graph.features.toarray().tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 1], [3, 0, 0]]
    assert graph.splits[0].train.tolist() == [0, 1]


def test_saving_and_loading_gives_the_same_graph(tmp_path: Path, arrays: Arrays) -> None:
    graph = load(tmp_path, arrays)
    save_npz(graph, tmp_path / "copy.npz")
    copy = load_npz(tmp_path / "copy.npz", "copy")
    assert copy.fingerprint == graph.fingerprint
    assert copy.splits[0].fingerprint == graph.splits[0].fingerprint


def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_else(
    tmp_path: Path, arrays: Arrays
) -> None:
    graph = load(tmp_path, arrays)
    for name in ("a.npz", "b.npz"):
        save_npz(graph, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz", "g.npz"]


def test_dense_features_stay_dense_through_a_round_trip(tmp_path: Path, arrays: Arrays) -> None:
    sparse = {key for key in arrays if key.startswith("attr_")}
    dense = {key: value for key, value in arrays.items() if key not in sparse}
    dense["attr_matrix"] = np.arange(8, dtype=np.float64).reshape(4, 2)
    graph = load(tmp_path, dense)
    assert isinstance(graph.features, np.ndarray)
    assert graph.features.dtype == np.float32
    save_npz(graph, tmp_path / "copy.npz")
    assert load_npz(tmp_path / "copy.npz", "copy").fingerprint == graph.fingerprint


def test_a_graph_without_split_has_none(tmp_path: Path, arrays: Arrays) -> None:
    for key in ("train_idx", "val_idx", "test_idx"):
        del arrays[key]
    graph = load(tmp_path, arrays)
    assert graph.splits == ()
    save_npz(graph, tmp_path / "copy.npz")
    assert load_npz(tmp_path / "copy.npz", "copy").splits == ()


def test_stored_zeros_are_no_edges_and_weights_are_dropped(tmp_path: Path, arrays: Arrays) -> None:
    arrays["adj_data"] = np.array([5.0, 5.0, 0.0, 0.0, 2.0, 2.0])
    graph = load(tmp_path, arrays)
    assert graph.num_edges == 4
    assert set(graph.adjacency.data) == {1.0}


def test_unknown_labels_are_allowed(tmp_path: Path, arrays: Arrays) -> None:
    arrays["labels"] = np.array([0, 1, -1, 1])
    arrays["val_idx"] = np.array([3])
    arrays["test_idx"] = np.array([], dtype=np.int64)
    refused(tmp_path, arrays, "test split is empty")
    arrays |= {"train_idx": np.array([0]), "val_idx": np.array([1]), "test_idx": np.array([3])}
    assert load(tmp_path, arrays).labels.tolist() == [0, 1, -1, 1]


def test_other_peoples_pickled_extras_are_never_read(tmp_path: Path, arrays: Arrays) -> None:
    arrays["node_names"] = np.array([{"a": 1}, "b"], dtype=object)
    assert load(tmp_path, arrays).num_nodes == 4


@pytest.mark.parametrize("key", ["labels", "adj_indices", "attr_data", "train_idx"])
def test_pickled_object_arrays_are_refused(tmp_path: Path, arrays: Arrays, key: str) -> None:
    arrays[key] = arrays[key].astype(object)
    refused(tmp_path, arrays, "pickles.*are refused")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("labels", np.array([0, 1, 0]), r"adjacency is \(4, 4\), but there are 3 labels"),
        ("labels", np.array([[0], [1], [0], [1]]), r"non-empty vector, got shape \(4, 1\)"),
        ("labels", np.array(3), r"non-empty vector, got shape \(\)"),
        ("labels", np.array([0.0, 1.0, 0.0, 1.0]), "got dtype float64; map .* to 0, 1, 2"),
        ("labels", np.array(["a", "b", "a", "b"]), "got dtype <U1; map the classes to 0, 1, 2"),
        ("labels", np.array([0, 1, -2, 1]), "label -2 is below -1"),
        ("labels", np.array([0, 0, 0, 0]), "hold 1 known classes; at least 2"),
        ("labels", np.array([0, 5, 0, 5]), r"4 classes below the largest label 5.*\(1, 2, 3, 4\)"),
        ("labels", np.array([0, 19, 0, 19]), r"18 classes .*\(1, 2, .*, 9, 10, \.\.\.\)"),
        ("labels", np.array([0, 1, 0, -1]), "test split holds 1 nodes without a label"),
        ("adj_shape", np.array([4, 5]), r"adjacency is \(4, 5\)"),
        ("adj_shape", np.array(4), "malformed arrays"),
        ("adj_indptr", np.array([0, 1, 3, 5, 9]), "malformed arrays"),
        ("adj_indices", np.array([1, 0, 2, 1, 7, 2]), "malformed arrays"),
        ("adj_indices", np.array([1.0, 0, 2, 1, 3, 2]), "hold float64, not integers"),
        ("attr_shape", np.array([5, 3]), "malformed arrays"),
        ("attr_data", np.array([1, np.nan, np.inf, 3]), "2 values that are NaN or infinite"),
        ("attr_data", np.array(["a", "b", "c", "d"]), "attr_data must be numbers, got dtype <U1"),
        ("attr_data", np.array([1.0, 2.0, 1e39, 3.0]), r"attr_data holds .* float32 .*; rescale"),
        ("attr_matrix", np.full((4, 2), -1e300), r"attr_matrix holds .* float32 .*; rescale"),
        ("attr_matrix", np.ones((4, 2), dtype=complex), "must be numbers, got dtype complex128"),
        ("attr_matrix", np.ones((3, 2)), r"features are \(3, 2\), but there are 4 labels"),
        ("attr_matrix", np.ones(4), r"features are \(4,\)"),
        ("attr_matrix", np.ones((4, 0)), "features have no column"),
        ("train_idx", np.array([0, 4]), "train split names node 4; nodes are 0 to 3"),
        ("train_idx", np.array([0, -1]), "train split names node -1"),
        ("train_idx", np.array([0, 0]), "1 nodes stand in a split twice"),
        ("val_idx", np.array([0]), "1 nodes stand in a split twice or in two splits"),
        ("val_idx", np.array([], dtype=np.int64), "val split is empty"),
        ("val_idx", np.array([2.0]), r"vector of node ids.*got float64 of shape \(1,\)"),
        ("val_idx", np.array([[[2]]]), r"vector of node ids.*got int64 of shape \(1, 1, 1\)"),
    ],
)
def test_a_broken_array_is_refused_by_name(
    tmp_path: Path, arrays: Arrays, key: str, value: Any, message: str
) -> None:
    arrays[key] = value
    refused(tmp_path, arrays, message)


def test_missing_arrays_are_named_with_what_was_found(tmp_path: Path, arrays: Arrays) -> None:
    del arrays["labels"], arrays["adj_shape"]
    refused(tmp_path, arrays, "lacks the arrays adj_shape, labels; found: adj_indices")


def test_missing_features_name_both_layouts(tmp_path: Path, arrays: Arrays) -> None:
    for key in [key for key in arrays if key.startswith("attr_")]:
        del arrays[key]
    refused(tmp_path, arrays, r"attr_shape \(or attr_matrix\); found: adj_indices")


def test_half_a_split_is_refused(tmp_path: Path, arrays: Arrays) -> None:
    del arrays["val_idx"]
    refused(tmp_path, arrays, "has train_idx, test_idx but not val_idx")


def test_all_problems_are_reported_at_once(tmp_path: Path, arrays: Arrays) -> None:
    arrays["labels"] = np.array([0, 1, -3, 1])
    arrays["val_idx"] = np.array([0])
    with pytest.raises(DataError) as error:
        load(tmp_path, arrays)
    assert "label -3" in str(error.value)
    assert "stand in a split twice" in str(error.value)


EDGE_DEFECTS = {
    "2 edges lack their reverse": [(0, 1), (1, 2), (2, 3), (3, 2)],
    "2 duplicate edges": [(0, 1), (0, 1), (1, 0), (1, 0), (1, 2), (2, 1)],
    "1 self-loops": [(0, 0), (0, 1), (1, 0)],
}


@pytest.mark.parametrize("message", EDGE_DEFECTS)
def test_an_edge_defect_is_refused_with_its_count_and_the_remedy(
    tmp_path: Path, arrays: Arrays, message: str
) -> None:
    set_edges(arrays, EDGE_DEFECTS[message])
    refused(tmp_path, arrays, f"{message}.*dataset.repair=true")


@pytest.mark.parametrize("message", EDGE_DEFECTS)
def test_repair_mends_an_edge_defect(tmp_path: Path, arrays: Arrays, message: str) -> None:
    edges = EDGE_DEFECTS[message]
    set_edges(arrays, edges)
    adjacency = load(tmp_path, arrays, repair=True).adjacency.toarray()
    expected = np.zeros((4, 4))
    for row, column in edges:
        expected[row, column] = expected[column, row] = row != column
    assert adjacency.tolist() == expected.tolist()


def test_repair_does_not_hide_other_defects(tmp_path: Path, arrays: Arrays) -> None:
    arrays["adj_shape"] = np.array([4, 5])
    with pytest.raises(DataError, match=r"adjacency is \(4, 5\)"):
        load(tmp_path, arrays, repair=True)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.npz: no such file"):
        load_npz(tmp_path / "nowhere.npz", "g")
    with pytest.raises(DataError, match=f"{tmp_path}: is a folder"):
        load_npz(tmp_path, "g")


WRITER = "gkd_runner.data.npz.save_npz writes valid graph files"


@pytest.mark.parametrize(
    "content",
    [b"", b"junk" * 100, b"<html>not found</html>", b"\x80\x04junk", b"PK\x03\x04 cut short"],
)
def test_a_file_of_another_kind_is_refused_without_the_readers_own_words(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "junk.npz"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        load_npz(path, "g")
    assert str(error.value) == (
        f"{path}: not a complete .npz archive, so not a graph file, which is an .npz of several"
        f" arrays; {WRITER}"
    )


@pytest.mark.parametrize("array", [np.ones(3), np.array([{}], dtype=object)])
def test_a_single_array_is_called_that(tmp_path: Path, array: Any) -> None:
    np.save(tmp_path / "array.npy", array)
    with pytest.raises(DataError, match=rf"array\.npy: a single array \(\.npy\).*{WRITER}"):
        load_npz(tmp_path / "array.npy", "g")


def test_a_member_that_is_no_array_is_named(tmp_path: Path, arrays: Arrays) -> None:
    for suffix in ("", ".npy"):
        with zipfile.ZipFile(tmp_path / "g.npz", "w") as archive:
            for key in arrays:
                archive.writestr(f"{key}{suffix}", b"no array")
        with pytest.raises(DataError, match="the array adj_indices is damaged"):
            load_npz(tmp_path / "g.npz", "g")


def test_an_array_that_claims_more_than_the_memory_is_named(tmp_path: Path, arrays: Arrays) -> None:
    np.savez(tmp_path / "g.npz", **{key: arrays[key] for key in arrays if key != "labels"})
    with zipfile.ZipFile(tmp_path / "g.npz", "a") as archive, archive.open("labels.npy", "w") as to:
        header = {"descr": "<i8", "fortran_order": False, "shape": (10**15,)}
        np.lib.format.write_array_header_1_0(to, header)
    with pytest.raises(DataError, match=r"g\.npz: the array labels does not fit into memory"):
        load_npz(tmp_path / "g.npz", "g")


def test_a_file_that_may_not_be_read_says_so(
    tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    np.savez(tmp_path / "g.npz", **arrays)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"g\.npz: cannot be read: Permission denied"):
        load_npz(tmp_path / "g.npz", "g")


@pytest.mark.parametrize("edges", [[], [(0, 0), (2, 2)]])
@pytest.mark.parametrize("repair", [False, True])
def test_a_graph_without_an_edge_between_two_nodes_is_refused(
    tmp_path: Path, arrays: Arrays, edges: list[tuple[int, int]], repair: bool
) -> None:
    arrays["adj_indices"] = np.array([column for _, column in edges], dtype=np.int32)
    arrays["adj_indptr"] = np.searchsorted([row for row, _ in edges], np.arange(5))
    with pytest.raises(DataError, match="no edge joins two different nodes"):
        load(tmp_path, arrays, repair=repair)


def test_classes_without_a_training_node_are_warned_of_by_name(
    tmp_path: Path, arrays: Arrays, caplog: pytest.LogCaptureFixture
) -> None:
    load(tmp_path, arrays)
    assert caplog.records == []
    arrays["labels"] = np.array([1, 1, 0, 2])
    load(tmp_path, arrays)
    [warning] = caplog.records
    assert warning.levelno == logging.WARNING
    assert f"{tmp_path / 'g.npz'}: no node of the train split belongs to class 0, 2;" in caplog.text


def test_the_example_of_save_npz_runs_and_its_file_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [example] = doctest.DocTestFinder().find(save_npz, "save_npz", globs={})
    assert doctest.DocTestRunner().run(example) == (0, 11)
    graph = load_npz(tmp_path / "mine.npz", "mine")
    assert (graph.num_nodes, graph.num_edges, graph.num_classes) == (4, 6, 2)
    assert graph.splits == ()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("labels", np.array([0.0, 1.0, 0.0, 1.0]), "labels must be integers.*map the classes"),
        ("features", np.full((4, 1), 1e39), "features holds values beyond.*rescale"),
    ],
)
def test_a_graph_that_the_format_cannot_hold_is_not_written(
    tmp_path: Path, arrays: Arrays, field: str, value: Any, message: str
) -> None:
    graph = copy(load(tmp_path, arrays))
    object.__setattr__(graph, field, value)
    with pytest.raises(DataError, match=rf"out\.npz: not written: {message}"):
        save_npz(graph, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_the_fingerprint_ignores_the_name_and_sees_every_array(arrays: Arrays) -> None:
    adjacency = sp.csr_array(
        (np.ones(6, dtype=np.float32), arrays["adj_indices"], arrays["adj_indptr"]), shape=(4, 4)
    )
    ids = np.arange(4)
    split = Split(ids[:2], ids[2:3], ids[3:])
    features = np.ones((4, 2), dtype=np.float32)
    base = GraphData("a", adjacency, features, arrays["labels"], (split,))
    assert GraphData("b", adjacency, features, arrays["labels"], (split,)).fingerprint == (
        base.fingerprint
    )
    others = [
        GraphData("a", adjacency, features * 2, arrays["labels"], (split,)),
        GraphData("a", adjacency, features, 1 - arrays["labels"], (split,)),
        GraphData("a", adjacency, features, arrays["labels"]),
        GraphData("a", sp.csr_array((4, 4)), features, arrays["labels"], (split,)),
    ]
    assert base.fingerprint not in {other.fingerprint for other in others}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_bit_is_told_or_changes_nothing(
    save: Callable[..., None], tmp_path: Path, arrays: Arrays
) -> None:
    path = tmp_path / "g.npz"
    save(path, **arrays)
    whole, before = path.read_bytes(), load_npz(path, "g")
    header = whole.index(b"NUMPY") if save is np.savez else 0  # of the first array
    for place in [*range(0, len(whole), 13), *range(header, header + 100)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with suppress(DataError):
            assert load_npz(path, "g").fingerprint == before.fingerprint
