from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gkd_runner.common.errors import DataError
from gkd_runner.data.importing.load import load_graph
from gkd_runner.data.npz import load_npz, save_npz
from tests.data.importing import graphs
from tests.data.importing.graphs import NODES, masks, parts_of

SPLITS = 10


def heterophily_suite() -> dict[str, Any]:
    """A file of Platonov et al. (2023)."""
    train, val, test = masks()
    return {
        "node_features": graphs.truth().features.toarray(),
        "node_labels": graphs.truth().labels,
        "edges": graphs.edges_once(),
        "train_masks": train,
        "val_masks": val,
        "test_masks": test,
    }


EXPECTED = [
    [np.flatnonzero(mask).tolist() for mask in split] for split in masks().transpose(1, 0, 2)
]


def test_ten_splits_survive_reading_writing_and_reading(tmp_path: Path) -> None:
    np.savez(tmp_path / "suite.npz", **heterophily_suite())
    graph = load_npz(tmp_path / "suite.npz", "suite")
    save_npz(graph, tmp_path / "own.npz")
    again = load_npz(tmp_path / "own.npz", "own")
    assert parts_of(graph) == parts_of(again) == EXPECTED
    assert again.fingerprint == graph.fingerprint


WAYS: dict[str, dict[str, Any]] = {
    "columns": dict(zip(("train_mask", "val_mask", "test_mask"), masks().mT, strict=True)),
    "rows": dict(zip(("train_masks", "valid_masks", "test_masks"), masks(), strict=True)),
    "numbers": dict(
        zip(("train_mask", "validation_mask", "test_mask"), masks().mT.astype("u1"), strict=True)
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_masks_of_several_splits_are_read_either_way(way: str) -> None:
    assert parts_of(load_graph(graphs.arrays() | WAYS[way])) == EXPECTED


def test_ids_are_read_as_vectors_and_with_a_row_per_split() -> None:
    rows = np.arange(NODES).reshape(3, 4, 5)
    arrays = graphs.arrays()
    several = {"train_idx": rows[0][:, ::-1], "val_indices": rows[1], "idx_test": rows[2]}
    expected = [[part[split].tolist() for part in rows] for split in range(4)]
    assert parts_of(load_graph(arrays | several)) == expected
    one = {"idx_train": rows[0][0], "idx_val": rows[1][0], "test_index": rows[2][0]}
    assert parts_of(load_graph(arrays | one)) == expected[:1]


def test_a_part_that_is_given_once_serves_all_splits(caplog: pytest.LogCaptureFixture) -> None:
    train, val, test = masks()
    given = {"train_mask": train.T & ~test[0][:, None], "val_mask": val.T & ~test[0][:, None]}
    graph = load_graph(graphs.arrays() | given | {"test_mask": test[0]})
    assert {tuple(split.test) for split in graph.splits} == {tuple(np.flatnonzero(test[0]))}
    assert len(graph.splits) == SPLITS
    assert "mended 1 parts given once, which serve every split" in caplog.text


def test_a_train_mask_in_our_own_layout_is_used(tmp_path: Path) -> None:
    save_npz(graphs.truth(), tmp_path / "g.npz")
    train, val, test = masks(1)[:, 0]
    stored = dict(np.load(tmp_path / "g.npz"))
    np.savez(tmp_path / "g.npz", **stored, train_mask=train, val_mask=val, test_mask=test)
    assert parts_of(load_npz(tmp_path / "g.npz", "g")) == [
        [np.flatnonzero(mask).tolist() for mask in (train, val, test)]
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train_mask": masks(1)[0, 0]}, "has train_mask but not val_mask, test_mask; give all"),
        ({"train_mask": np.ones(3, bool)}, rf"train_mask has shape \(3,\); a mask is \[{NODES}\]"),
        ({"train_mask": np.full(NODES, 2)}, "train_mask must be a mask of True and False"),
        ({"train_idx": np.arange(2.0)}, "must be a vector of node ids.*float64"),
        ({"train_idx": np.arange(2), "idx_train": np.arange(2)}, "train_idx and idx_train; give"),
        (
            {"train_mask": masks()[0], "val_mask": masks(3)[1], "test_mask": masks()[2]},
            "train_mask has 10, val_mask has 3, test_mask has 10; all parts need the same",
        ),
    ],
)
def test_splits_that_do_not_fit_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_graph(graphs.arrays() | given)


def test_nodes_without_a_label_leave_the_splits(caplog: pytest.LogCaptureFixture) -> None:
    labels = graphs.truth().labels.astype(float)
    labels[[3, 8]] = np.nan
    arrays = heterophily_suite() | {"node_labels": labels}
    graph = load_graph(arrays)
    assert not {3, 8} & {node for split in parts_of(graph) for part in split for node in part}
    assert "dropped 20 places in splits of nodes without a label" in caplog.text
