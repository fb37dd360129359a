"""The rows and sizes of an epoch's floor."""

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import torch
from bench.floor import student_floor, teacher_floor
from bench.forms import Dense, Factored, Sparse
from bench.needed import receptive_field, row_pass, teacher_pass
from bench.plain.models import operator
from bench.workloads import Workload
from support import CPU, dense_symmetric, random_features, random_graph

PATH = 9


def path_graph():
    """0 - 1 - ... - 8."""
    ends = np.arange(PATH - 1)
    half = sp.csr_array((np.ones(PATH - 1, np.float32), (ends, ends + 1)), shape=(PATH, PATH))
    return sp.csr_array(half + half.T)


def test_the_receptive_field_of_a_node_of_a_path_grows_by_one_at_both_ends():
    field = receptive_field(path_graph(), np.array([4]), 3)
    assert [nodes.tolist() for nodes in field] == [[4], [3, 4, 5], [2, 3, 4, 5, 6], [*range(1, 8)]]


def test_a_convolution_multiplies_the_rows_behind_each_propagation():
    field = receptive_field(path_graph(), np.array([4]), 3)
    wanted = teacher_pass(field, [10, 8, 6, 2], gat=False, trains=True)
    assert wanted.first.tolist() == field[3].tolist()
    assert wanted.propagated.tolist() == field[2].tolist()
    assert [(layer.rows, layer.fan_in, layer.fan_out) for layer in wanted.hidden] == [
        (3, 8, 6),
        (1, 6, 2),
    ]
    assert [(len(hop.rows), len(hop.columns), hop.width) for hop in wanted.hops] == [
        (5, 7, 8),
        (3, 5, 6),
        (1, 3, 2),
    ]


def test_attention_multiplies_every_row_that_it_reads():
    field = receptive_field(path_graph(), np.array([4]), 2)
    wanted = teacher_pass(field, [10, 8, 2], gat=True, trains=True)
    assert (len(wanted.first), wanted.propagated, wanted.hidden[0].rows) == (5, None, 3)


def test_a_perceptron_multiplies_its_own_rows():
    wanted = row_pass(np.arange(5), [10, 8, 3], trains=False)
    assert (len(wanted.first), wanted.hidden[0].rows, wanted.hops) == (5, 5, ())


def test_every_form_has_the_product_of_the_first_layer_and_its_gradient():
    features = random_features(30, 12, density=0.2)
    graph = random_graph(30, features)
    matrix = sp.csr_array(dense_symmetric(graph.adjacency, 2.0))
    raw, weight, grad = features.toarray(), torch.randn(12, 4), torch.randn(30, 4)
    mixed = (raw + matrix @ raw + matrix @ (matrix @ raw)) / 3
    forms = {
        Dense(raw, CPU): raw,
        Sparse(features, CPU): raw,
        Factored(Sparse(features, CPU), matrix, 2, CPU): mixed,
    }
    for form, x in forms.items():
        out, gradient = torch.full((30, 4), 7.0), torch.full((12, 4), 7.0)
        form.forward(weight, out)
        form.gradient(grad, gradient)
        exact = torch.from_numpy(x).float()
        torch.testing.assert_close(out, exact @ weight, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(gradient, exact.T @ grad, rtol=1e-4, atol=1e-5)


def test_the_operators_of_the_reference_are_those_of_their_papers():
    adjacency = path_graph()
    np.testing.assert_allclose(
        operator("gcn", adjacency).toarray(), dense_symmetric(adjacency, 1.0), rtol=1e-6
    )
    rows = operator("sage", adjacency).toarray()
    assert rows[0].tolist()[:3] == [2 / 3, 1 / 3, 0]
    np.testing.assert_allclose(rows.sum(1), 1)


def small_workload():
    """300 nodes, of which the protocol labels few."""
    sizes = ("protocol.train_per_class=3", "protocol.val_size=20", "protocol.test_size=60")
    options = ("protocol=infgrand", "preset=none", "teacher.hidden_dim=16", *sizes)
    graph = random_graph(300, random_features(300, 40, density=0.1))
    return Workload("small", "synthetic", options, graph)


def test_floors_have_the_sizes_of_what_is_trained():
    workload = small_workload()
    config = workload.config()
    full = teacher_floor(workload, config, CPU, needed=False).sizes["training"]
    assert (full["first_layer"], full["hidden"]) == ([300, 40], [[300, 16, 3]])
    needed = teacher_floor(workload, config, CPU, needed=True).sizes
    field = receptive_field(workload.graph.adjacency, workload.task.seen.train, 2)
    beforehand = needed["training"]["first_layer_propagated_beforehand"]
    assert needed["training"]["first_layer"][0] == len(field[1 if beforehand else 2])
    assert needed["training"]["hidden"] == [[9, 16, 3]]
    assert needed["validation"]["hidden"] == [[20, 16, 3]]
    for method, rows in (("mlp", (9, 20)), ("infgrand", (300, 20)), ("hgmd-weight", (300, 300))):
        sizes = student_floor(workload, workload.config("gcn", method), CPU).sizes
        found = tuple(sizes[part]["first_layer"][0] for part in ("training", "validation"))
        assert found == rows, method


def test_a_receptive_field_never_shrinks():
    graph = random_graph(60, random_features(60, 5))
    field = receptive_field(graph.adjacency, np.array([3, 59]), 4)
    assert all(set(inner) <= set(outer) for inner, outer in pairwise(field))
    assert 59 in field[4]  # isolated, so only its own self-loop leads there
