from __future__ import annotations

import numpy as np
import pytest
from support import config, dense_influence, dense_symmetric, small_graph, small_tasks

from gkd_runner.data.task import Task
from gkd_runner.graph.influence import node_influence
from gkd_runner.studies.training_subset import SUBSETS, TrainingSubset


def task_and_influence(setting: str) -> tuple[Task, np.ndarray]:
    (task,) = small_tasks(config(f"setting={setting}"), [4])
    graph = task.training_graph
    operator = dense_symmetric(graph.adjacency, 2.0)
    return task, dense_influence(graph.features, operator)


def test_influence_is_that_of_the_training_graph_with_the_methods_self_loops() -> None:
    task, expected = task_and_influence("inductive")
    found = node_influence(task.training_graph, 2.0).scores
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("setting", ["transductive", "inductive"])
@pytest.mark.parametrize("side", ["top", "bottom"])
def test_a_quarter_of_all_training_nodes_is_the_extreme_one(setting: str, side: str) -> None:
    task, influence = task_and_influence(setting)
    ranked = sorted(task.seen.train, key=lambda node: influence[node], reverse=side == "top")
    quarter = TrainingSubset("overall", side).of(task, influence.astype(np.float32))

    assert set(quarter.seen.train) == set(ranked[: round(len(ranked) / 4)])
    assert set(quarter.split.train) <= set(task.split.train)
    assert quarter.split.val is task.split.val
    assert quarter.split.test is task.split.test


@pytest.mark.parametrize("side", ["top", "bottom"])
def test_a_quarter_per_class_is_extreme_within_each_class(side: str) -> None:
    task, influence = task_and_influence("transductive")
    labels = task.graph.labels
    quarter = TrainingSubset("per-class", side).of(task, influence.astype(np.float32))

    for label in range(task.graph.num_classes):
        mine = [node for node in task.split.train if labels[node] == label]
        ranked = sorted(mine, key=lambda node: influence[node], reverse=side == "top")
        kept = {node for node in quarter.split.train if labels[node] == label}
        assert kept == set(ranked[: round(len(mine) / 4)])


def test_equal_influence_goes_by_id_and_a_class_keeps_at_least_one_node() -> None:
    (task,) = small_tasks(config("protocol.train_per_class=1"), [0])
    same = np.ones(small_graph().num_nodes, dtype=np.float32)
    chosen = {subset: list(subset.of(task, same).split.train) for subset in SUBSETS}
    assert len(chosen) == 4
    for subset, nodes in chosen.items():
        every = list(task.split.train)
        assert nodes == (every if subset.grouping == "per-class" else every[:1])
