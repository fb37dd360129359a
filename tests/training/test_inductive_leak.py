"""Nothing of the hidden nodes may reach training, whatever teacher and method."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from support import LIVELY, config, small_graph, small_tasks, students, teachers

from gkd_runner.data.checks import check_graph
from gkd_runner.data.task import Task
from gkd_runner.methods import METHODS
from gkd_runner.options.schema import Config
from gkd_runner.training.stage import Trained

SEEDS = [0, 1]
TEACHERS = ["gcn", "sage", "gat"]
SIZES = ("protocol.val_size=null", "protocol.test_size=null", "protocol.val_per_class=10")


def settings_of(teacher: str, method: str, protocol: str, *overrides: str) -> Config:
    return config(
        "setting=inductive",
        f"teacher={teacher}",
        f"method={method}",
        f"protocol={protocol}",
        "training.max_epochs=15",
        *(SIZES if protocol != "infgrand" else ()),
        *LIVELY.get(method, ()),
        *overrides,
    )


def tampered(task: Task) -> Task:
    """The same index arrays on a graph with other features, labels and edges at hidden nodes."""
    rng = np.random.default_rng(task.seed)
    graph, hidden = task.graph, task.hidden
    features = graph.features.toarray()
    features[hidden] = rng.permuted(features[hidden], axis=1) + 1
    labels = graph.labels.copy()
    labels[hidden] = (labels[hidden] + 1) % graph.num_classes
    adjacency = graph.adjacency.toarray()
    adjacency[hidden] = rng.random((len(hidden), graph.num_nodes)) < 0.05
    adjacency[:, hidden] = adjacency[hidden].T
    adjacency[np.ix_(hidden, hidden)] = 0
    other = replace(
        graph,
        adjacency=sp.csr_array(adjacency.astype(np.float32)),
        features=sp.csr_array(features.astype(np.float32)),
        labels=labels,
    )
    check_graph(other, "tampered")
    return Task(task.seed, other, task.split, task.observed, hidden)


@cache
def gcn_teachers(protocol: str) -> list[Trained]:
    """Teachers of the untouched tasks, whose soft labels all methods share."""
    settings = settings_of("gcn", "glnn", protocol)
    return teachers(settings, small_tasks(settings, SEEDS))


def assert_training_saw_the_same(found: Trained, expected: Trained) -> None:
    assert found.state.keys() == expected.state.keys()
    for name, value in found.state.items():
        assert torch.equal(value, expected.state[name]), name
    np.testing.assert_array_equal(found.observed_logits, expected.observed_logits)
    assert found.history == expected.history
    assert found.best_epoch == expected.best_epoch


def assert_hidden_nodes_changed(found: Trained, expected: Trained) -> None:
    assert found.hidden_logits.shape == expected.hidden_logits.shape
    assert np.abs(found.hidden_logits - expected.hidden_logits).max() > 1e-3


@pytest.mark.parametrize("protocol", ["infgrand", "glnn"])
def test_the_tampered_graph_differs_at_hidden_nodes_and_only_there(protocol: str) -> None:
    for task in small_tasks(settings_of("gcn", "glnn", protocol), SEEDS):
        other = tampered(task)
        assert (other.graph.labels != task.graph.labels).nonzero()[0].tolist() == list(task.hidden)
        rows = np.unique((other.graph.features != task.graph.features).nonzero()[0])
        assert rows.tolist() == list(task.hidden)
        assert (other.graph.adjacency != task.graph.adjacency).nnz > 0
        assert other.training_graph.fingerprint == task.training_graph.fingerprint


@pytest.mark.parametrize("protocol", ["infgrand", "glnn"])
@pytest.mark.parametrize("teacher", TEACHERS)
def test_no_teacher_learns_from_hidden_nodes(teacher: str, protocol: str) -> None:
    settings = settings_of(teacher, "glnn", protocol)
    tasks = small_tasks(settings, SEEDS)
    clean = teachers(settings, tasks)
    touched = teachers(settings, [tampered(task) for task in tasks])
    for found, expected in zip(touched, clean, strict=True):
        assert_training_saw_the_same(found, expected)
        assert_hidden_nodes_changed(found, expected)


@pytest.mark.parametrize("protocol", ["infgrand", "glnn"])
@pytest.mark.parametrize("method", list(METHODS))
def test_no_student_learns_from_hidden_nodes(method: str, protocol: str) -> None:
    settings = settings_of("gcn", method, protocol)
    tasks, taught = small_tasks(settings, SEEDS), gcn_teachers(protocol)
    clean = students(settings, tasks, taught)
    touched = students(settings, [tampered(task) for task in tasks], taught)
    for found, expected in zip(touched, clean, strict=True):
        assert_training_saw_the_same(found, expected)
        assert_hidden_nodes_changed(found, expected)


def test_the_published_influence_does_look_at_hidden_nodes() -> None:
    """The one option that leaks, on purpose: the comparison above is able to fail."""
    settings = settings_of("gcn", "infgrand", "infgrand", "method.influence_graph=published")
    tasks, taught = small_tasks(settings, SEEDS), gcn_teachers("infgrand")
    clean = students(settings, tasks, taught)
    touched = students(settings, [tampered(task) for task in tasks], taught)
    for found, expected in zip(touched, clean, strict=True):
        with pytest.raises(AssertionError):
            assert_training_saw_the_same(found, expected)


def test_the_training_graph_holds_the_observed_nodes_alone() -> None:
    for task in small_tasks(settings_of("gcn", "glnn", "infgrand"), SEEDS):
        ids = task.observed
        assert task.training_graph.num_nodes == len(ids) < small_graph().num_nodes
        expected = small_graph().adjacency.toarray()[np.ix_(ids, ids)]
        np.testing.assert_array_equal(task.training_graph.adjacency.toarray(), expected)
