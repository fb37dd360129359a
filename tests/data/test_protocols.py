from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from gkd_runner.common.errors import DataError
from gkd_runner.config.build import compose
from gkd_runner.data import protocols
from gkd_runner.data.datasets import load_dataset
from gkd_runner.data.graph import UNKNOWN_LABEL, GraphData, Split
from gkd_runner.data.protocols import make_task
from gkd_runner.data.synthetic import synthetic
from gkd_runner.data.task import Task
from gkd_runner.options.schema import Config, ProtocolConfig

DATASETS = Path(os.environ.get("GKD_DATA", Path(__file__).resolve().parents[3] / "shared/datasets"))
CLASSES = 4
STORED = ("planetoid", "ogbn")
"""Families whose files carry a split of their own here, as the real ones do."""

# What a protocol does with a family: whether it uses the stored split, and whether it cuts.
CASES = {
    ("infgrand", "planetoid"): ("stored", "whole"),
    ("infgrand", "amazon"): ("drawn", "whole"),
    ("infgrand", "coauthor"): ("drawn", "whole"),
    ("krd", "planetoid"): ("stored", "whole"),
    ("krd", "amazon"): ("drawn", "cut"),
    ("krd", "coauthor"): ("drawn", "cut"),
    ("krd", "ogbn"): ("stored", "whole"),
    ("glnn", "planetoid"): ("drawn", "cut"),
    ("glnn", "amazon"): ("drawn", "cut"),
    ("glnn", "coauthor"): ("drawn", "cut"),
    ("glnn", "ogbn"): ("stored", "whole"),
}
DRAWN = [case for case, (split, _) in CASES.items() if split == "drawn"]
HIDDEN_SHARE = {
    ("krd", "planetoid"): 1.0,
    ("krd", "ogbn"): 0.1,
    ("krd", "amazon"): 0.1,
    ("krd", "coauthor"): 0.1,
}
"""Of the test nodes; 0.2 elsewhere."""


@cache
def settings_of(protocol: str, family: str, setting: str = "inductive") -> Config:
    dataset = {
        "planetoid": "cora",
        "amazon": "amazon-photo",
        "coauthor": "coauthor-cs",
        "ogbn": "ogbn-arxiv",
    }[family]
    return compose(
        [f"dataset={dataset}", f"protocol={protocol}", f"setting={setting}", "tracker=none"]
    )


@cache
def graph_of(family: str) -> GraphData:
    """A component of 1,900 nodes and one of 100, 40 unlabelled nodes, a split where stored."""
    parts = [
        synthetic(1900, classes=CLASSES, features=8),
        synthetic(100, classes=CLASSES, features=8, mean_degree=6),
    ]
    labels = np.concatenate([part.labels for part in parts])
    rng = np.random.default_rng(0)
    labels[rng.permutation(2000)[:40]] = UNKNOWN_LABEL
    ids = rng.permutation(np.flatnonzero(labels != UNKNOWN_LABEL))
    split = Split(*(np.sort(part) for part in np.split(ids[:1200], [60, 160])))
    adjacency = joined(parts)
    features = sp.csr_array(sp.vstack([part.features for part in parts]))
    return GraphData("made up", adjacency, features, labels, (split,) if family in STORED else ())


def joined(parts: list[GraphData]) -> sp.csr_array:
    """The parts side by side; within each, a path joins what is not connected."""
    blocks = []
    for part in parts:
        n = part.num_nodes
        path = sp.diags_array([np.ones(n - 1)] * 2, offsets=[-1, 1])
        blocks.append(sp.csr_array((part.adjacency + path) > 0, dtype=np.float32))
    return sp.csr_array(sp.block_diag(blocks, format="csr"))


def task_of(protocol: str, family: str, setting: str = "inductive", seed: int = 0) -> Task:
    settings = settings_of(protocol, family, setting)
    graph = protocols.cut(graph_of(family), settings.protocol, family)
    return make_task(graph, settings, seed)


def per_class(labels: Any) -> list[int]:
    return np.bincount(labels, minlength=CLASSES).tolist()


@pytest.mark.parametrize(("protocol", "family"), list(CASES))
def test_a_protocol_works_on_the_whole_graph_or_its_largest_component(
    protocol: str, family: str
) -> None:
    graph = task_of(protocol, family).graph
    whole = graph_of(family)
    if CASES[protocol, family][1] == "whole":
        assert graph is whole
        return
    assert graph.num_nodes == 1900
    assert connected_components(graph.adjacency)[0] == 1
    np.testing.assert_array_equal(graph.labels, whole.labels[:1900])
    assert (graph.adjacency != whole.adjacency[:1900][:, :1900]).nnz == 0
    assert (graph.features != whole.features[:1900]).nnz == 0


@pytest.mark.parametrize(("protocol", "family"), list(CASES))
def test_the_stored_split_is_used_where_the_protocol_says_so(protocol: str, family: str) -> None:
    task, stored = task_of(protocol, family), graph_of(family).splits
    used = bool(stored) and task.split.fingerprint == stored[0].fingerprint
    assert used == (CASES[protocol, family][0] == "stored")


@pytest.mark.parametrize(("protocol", "family"), DRAWN)
def test_a_drawn_split_has_the_protocols_sizes_and_balanced_classes(
    protocol: str, family: str
) -> None:
    task = task_of(protocol, family)
    labels, split = task.graph.labels, task.split
    assert per_class(labels[split.train]) == [20] * CLASSES
    if protocol == "infgrand":
        assert (len(split.val), len(split.test)) == (500, 1000)
    else:
        assert per_class(labels[split.val]) == [30] * CLASSES
        labelled = int((labels != UNKNOWN_LABEL).sum())
        assert len(split.test) == labelled - 50 * CLASSES


@pytest.mark.parametrize(("protocol", "family"), list(CASES))
def test_parts_of_a_split_are_disjoint_sorted_and_labelled(protocol: str, family: str) -> None:
    task = task_of(protocol, family)
    parts = (task.split.train, task.split.val, task.split.test)
    ids = np.concatenate(parts)
    assert len(np.unique(ids)) == len(ids)
    assert (task.graph.labels[ids] != UNKNOWN_LABEL).all()
    assert all((np.diff(part) > 0).all() for part in parts)


@pytest.mark.parametrize(("protocol", "family"), DRAWN)
def test_a_split_is_drawn_anew_per_seed_and_alike_for_the_same_seed(
    protocol: str, family: str
) -> None:
    first, again, other = (task_of(protocol, family, seed=seed).split for seed in (1, 1, 2))
    assert first.fingerprint == again.fingerprint
    for part in ("train", "val", "test"):
        assert set(getattr(first, part)) != set(getattr(other, part))


@pytest.mark.parametrize(("protocol", "family"), DRAWN)
def test_drawing_does_not_touch_the_global_generator(protocol: str, family: str) -> None:
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    task_of(protocol, family, seed=9)
    assert np.random.random() == expected  # noqa: NPY002


@pytest.mark.parametrize(("protocol", "family"), list(CASES))
def test_the_inductive_setting_hides_the_protocols_share_of_the_test_nodes(
    protocol: str, family: str
) -> None:
    task = task_of(protocol, family)
    share = HIDDEN_SHARE.get((protocol, family), 0.2)
    assert len(task.hidden) == round(share * len(task.split.test))
    assert set(task.hidden) <= set(task.split.test)
    assert len(np.unique(task.hidden)) == len(task.hidden)
    assert not set(task.hidden) & set(task.observed)


@pytest.mark.parametrize(("protocol", "family"), list(CASES))
def test_hidden_nodes_are_drawn_per_seed(protocol: str, family: str) -> None:
    settings = settings_of(protocol, family).protocol
    test = np.arange(100, 300)
    first, again, other = (
        protocols.hidden_nodes(test, settings, family, seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    if settings.hidden_fraction_planetoid < 1 or family != "planetoid":
        assert set(first) != set(other)


@pytest.mark.parametrize(("protocol", "family"), list(CASES))
def test_the_observed_graph_leaves_out_hidden_nodes_and_where_told_those_in_no_split(
    protocol: str, family: str
) -> None:
    task = task_of(protocol, family)
    if protocol == "infgrand":
        split = np.concatenate([task.split.train, task.split.val, task.split.test])
        expected = set(split) - set(task.hidden)
        assert len(split) < task.graph.num_nodes
    else:
        expected = set(range(task.graph.num_nodes)) - set(task.hidden)
    assert set(task.observed) == expected
    assert (np.diff(task.observed) > 0).all()
    assert task.training_graph.num_nodes == len(task.observed)
    assert not task.observes_all


@pytest.mark.parametrize(("protocol", "family"), list(CASES))
def test_the_transductive_setting_observes_everything_and_splits_alike(
    protocol: str, family: str
) -> None:
    task = task_of(protocol, family, "transductive")
    assert task.observes_all
    assert task.training_graph is task.graph
    assert len(task.hidden) == 0
    assert task.split.fingerprint == task_of(protocol, family).split.fingerprint
    for part in ("train", "val", "test"):
        np.testing.assert_array_equal(getattr(task.seen, part), getattr(task.split, part))


@pytest.mark.parametrize(("protocol", "family"), list(CASES))
def test_the_visible_split_names_the_same_nodes_in_the_training_graph(
    protocol: str, family: str
) -> None:
    task = task_of(protocol, family)
    visible = np.setdiff1d(task.split.test, task.hidden)
    expected = {"train": task.split.train, "val": task.split.val, "test": visible}
    for part, ids in expected.items():
        seen = getattr(task.seen, part)
        np.testing.assert_array_equal(task.observed[seen], ids)
        np.testing.assert_array_equal(task.training_graph.labels[seen], task.graph.labels[ids])
        rows = task.training_graph.features[seen] != task.graph.features[ids]
        assert rows.nnz == 0


def tight(**changes: Any) -> ProtocolConfig:
    return replace(settings_of("glnn", "amazon").protocol, **changes)


def test_a_class_that_is_too_small_is_named_with_its_size_and_what_is_needed() -> None:
    graph = graph_of("amazon")
    labels = graph.labels.copy()
    labels[np.flatnonzero(labels == 2)[31:]] = 3
    with pytest.raises(DataError, match=r"class 2 has 31 labelled nodes.*draws 50 per class"):
        protocols.draw_split(replace(graph, labels=labels), tight(), "amazon", 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"val_per_class": None, "val_size": 5000},
            "needs 20 x 4 classes + 5000 val + at least 1 test = 5081 labelled nodes, but the graph"
            " has 1960; lower protocol.val_size (1880 nodes are left for val and test), use"
            " protocol=krd",
        ),
        (
            {"test_size": 1761},
            "needs 50 x 4 classes + 1761 test = 1961 labelled nodes, but the graph has 1960; lower"
            " protocol.test_size (1760 nodes are left for test)",
        ),
        (
            {"val_per_class": None, "val_size": 1880},
            "needs 20 x 4 classes + 1880 val + at least 1 test = 1961 labelled nodes",
        ),
    ],
)
def test_too_few_nodes_for_all_parts_give_the_whole_sum(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        protocols.draw_split(graph_of("amazon"), tight(**changes), "amazon", 0)


def even(nodes: int) -> GraphData:
    """``nodes`` nodes in four classes of one size, without a split."""
    return replace(synthetic(nodes, classes=CLASSES, features=8, mean_degree=6), name="mine")


def test_a_small_graph_of_ones_own_is_told_the_sum_and_ways_out_that_work() -> None:
    graph, default = even(600), settings_of("infgrand", "amazon").protocol
    with pytest.raises(DataError) as error:
        protocols.draw_split(graph, default, "custom", 0)
    assert str(error.value) == (
        "mine: protocol infgrand needs 20 x 4 classes + 500 val + 1000 test = 1580 labelled nodes,"
        " but the graph has 600; lower protocol.val_size / protocol.test_size (520 nodes are left"
        " for val and test), use protocol=krd, whose sizes follow the graph, or give the file its"
        " own split"
    )
    lowered = protocols.draw_split(
        graph, replace(default, val_size=120, test_size=400), "custom", 0
    )
    assert (len(lowered.val), len(lowered.test)) == (120, 400)
    other = protocols.draw_split(graph, settings_of("krd", "amazon").protocol, "custom", 0)
    assert len(other.test) == 400


def test_sizes_per_class_that_leave_no_test_node_are_what_to_lower() -> None:
    krd = settings_of("krd", "amazon").protocol
    with pytest.raises(DataError) as error:
        protocols.draw_split(even(200), krd, "custom", 0)
    assert str(error.value) == (
        "mine: protocol krd needs 50 x 4 classes + at least 1 test = 201 labelled nodes, but the"
        " graph has 200; lower protocol.train_per_class / protocol.val_per_class (0 nodes are left"
        " for test), or give the file its own split"
    )
    assert len(protocols.draw_split(even(204), krd, "custom", 0).test) == 4


def test_classes_that_use_up_the_graph_are_lowered_with_the_fixed_sizes() -> None:
    default = settings_of("infgrand", "amazon").protocol
    options = "protocol.train_per_class / protocol.val_size / protocol.test_size"
    with pytest.raises(DataError, match=f"graph has 80; lower {options} .0 nodes") as error:
        protocols.draw_split(even(80), default, "custom", 0)
    assert "krd" not in str(error.value)


@pytest.mark.parametrize(("family", "offered"), [("custom", True), ("synthetic", False)])
def test_a_split_of_ones_own_is_offered_where_the_protocol_would_use_it(
    family: str, offered: bool
) -> None:
    for nodes in (60, 600):
        with pytest.raises(DataError) as error:
            protocols.draw_split(even(nodes), settings_of("infgrand", "amazon").protocol, family, 0)
        assert ("its own split" in str(error.value)) == offered
        assert "val_per_class" not in str(error.value)


def test_the_last_node_can_be_asked_for() -> None:
    split = protocols.draw_split(graph_of("amazon"), tight(test_size=1760), "amazon", 0)
    assert len(split.test) == 1760


@pytest.mark.parametrize(
    ("family", "option"),
    [("amazon", "protocol.hidden_fraction$"), ("planetoid", "protocol.hidden_fraction_planetoid")],
)
def test_hiding_no_node_at_all_is_refused(family: str, option: str) -> None:
    settings = tight(hidden_fraction=0.001, hidden_fraction_planetoid=0.001)
    with pytest.raises(DataError, match=rf"0\.001 of 20 test nodes hides none.*{option}"):
        protocols.hidden_nodes(np.arange(20), settings, family, 0)


# Real graphs: nodes of the largest component, classes, and the public split's training nodes.
REAL = {
    "cora": (2708, 2485, 7, 140),
    "citeseer": (3327, 2120, 6, 120),
    "pubmed": (19717, 19717, 3, 60),
    "amazon-photo": (7650, 7487, 8, None),
    "amazon-computers": (13752, 13381, 10, None),
    "coauthor-cs": (18333, 18333, 15, None),
    "coauthor-physics": (34493, 34493, 5, None),
}


def expected_sizes(dataset: str, protocol: str) -> tuple[int, tuple[int, int, int], int, int]:
    """Nodes, split sizes, hidden nodes and observed nodes by the protocols' definitions."""
    whole, component, classes, public_train = REAL[dataset]
    if public_train and protocol != "glnn":
        nodes, split = whole, (public_train, 500, 1000)
    elif protocol == "infgrand":
        nodes, split = whole, (20 * classes, 500, 1000)
    else:
        nodes, split = component, (20 * classes, 30 * classes, component - 50 * classes)
    share = {"infgrand": 0.2, "glnn": 0.2, "krd": 1.0 if public_train else 0.1}[protocol]
    hidden = round(share * split[2])
    observed = (sum(split) if protocol == "infgrand" else nodes) - hidden
    return nodes, split, hidden, observed


@pytest.mark.parametrize("protocol", ["infgrand", "krd", "glnn"])
@pytest.mark.parametrize("dataset", list(REAL))
def test_real_graphs_have_the_sizes_of_the_published_protocols(dataset: str, protocol: str) -> None:
    if not (DATASETS / f"{dataset}.npz").is_file():
        pytest.skip(f"no {DATASETS / dataset}.npz (set GKD_DATA)")
    settings = compose(
        [f"dataset={dataset}", f"protocol={protocol}", "setting=inductive", "tracker=none"]
    )
    graph = load_dataset(settings.dataset, settings.protocol, DATASETS)
    task = make_task(graph, settings, 2024)
    split = (len(task.split.train), len(task.split.val), len(task.split.test))
    found = (graph.num_nodes, split, len(task.hidden), len(task.observed))
    assert found == expected_sizes(dataset, protocol)


@pytest.mark.parametrize("setting", ["transductive", "inductive"])
def test_a_share_of_the_labels_is_kept_per_class_and_a_smaller_one_is_part_of_a_larger(
    setting: str,
) -> None:
    base = ["dataset=synthetic", f"setting={setting}", "tracker=none"]
    tasks = {}
    for share in (0.04, 0.1, 0.4, 1):
        settings = compose([*base, f"protocol.label_fraction={share}"])
        graph = load_dataset(settings.dataset, settings.protocol, DATASETS)
        tasks[share] = make_task(graph, settings, 3)

    labels = tasks[1].graph.labels
    for share, per_class in {0.04: 1, 0.1: 2, 0.4: 8, 1: 20}.items():
        counts = np.bincount(labels[tasks[share].split.train])
        np.testing.assert_array_equal(counts, np.full(tasks[1].graph.num_classes, per_class))
        np.testing.assert_array_equal(tasks[share].observed, tasks[1].observed)
        np.testing.assert_array_equal(tasks[share].split.test, tasks[1].split.test)
    for less, more in ((0.04, 0.1), (0.1, 0.4), (0.4, 1)):
        assert set(tasks[less].split.train) < set(tasks[more].split.train)
