"""The aggregated objective equals the loss over edges; each method's parts are what they say."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit
from torch import Tensor

from gkd_runner.common.probabilities import negative_entropy
from gkd_runner.methods import METHODS, build_method
from gkd_runner.methods.hgmd import HgmdMixup, HgmdWeight
from gkd_runner.methods.krd import agreement_by_bin, fit_power
from gkd_runner.methods.objective import LabelTarget, cross_entropy
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import Mlp
from gkd_runner.training.student import StudentLesson
from gkd_runner.training.student_data import StudentData
from tests.methods.losses import (
    CASES,
    CLASSES,
    LABEL_WEIGHTS,
    NODES,
    SEEDS,
    WRITTEN_OUT,
    Lecture,
    classroom,
    equal_label_weights,
    lecture,
    logits,
    settings_of,
    soft,
    two_graphs,
)
from tests.support import (
    CPU,
    config,
    dense_symmetric,
    random_features,
    random_graph,
)


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.distils])
def test_every_method_that_distils_has_its_loss_written_out(method: str) -> None:
    assert method in WRITTEN_OUT, f"write the loss of {method} edge by edge, in losses.py"
    assert method in [case.split()[0] for case in CASES], f"give {method} a case in CASES"


@pytest.mark.parametrize("case", list(CASES))
def test_the_aggregated_loss_equals_the_loss_edge_by_edge(case: str) -> None:
    talk, student = lecture(settings_of(case)), logits(2).requires_grad_()
    expected = WRITTEN_OUT[talk.method.config.name](talk, 3, student)
    for epoch, terms in enumerate(expected, start=1):
        found = talk.soft_loss(epoch, student)
        torch.testing.assert_close(
            found, torch.stack(terms).float(), atol=2e-5, rtol=2e-5, msg=f"epoch {epoch}"
        )
        (ours,) = torch.autograd.grad(found.sum(), student)
        (theirs,) = torch.autograd.grad(sum(terms), student, retain_graph=True)
        torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=2e-4, msg=f"epoch {epoch}")


def extracted(talk: Lecture, epoch: int) -> tuple[Tensor, Tensor]:
    """HGMD's probabilities of all edges at ``epoch``, and 1 for those that are kept, else 0."""
    (chunk,) = talk.method.classroom.chunks
    probability, kept = talk.method._extraction(epoch, talk.seen_at(epoch))(chunk)
    return probability, kept


def test_hgmd_keeps_some_edges_and_drops_some_in_these_tests() -> None:
    """So that the written-out losses do tell whether the right edges were kept."""
    for case in ("hgmd-weight", "hgmd-mixup"):
        talk = lecture(settings_of(case))
        _, first = extracted(talk, 1)
        _, second = extracted(talk, 2)
        loops = second[talk.method.classroom.graph.loops]
        assert first.all()
        assert loops.all()
        assert len(loops) + 5 < int(second.sum()) < len(second) - 5


def test_hgmd_draws_its_edges_anew_each_epoch() -> None:
    talk = lecture(settings_of("hgmd-weight"))
    kept = [extracted(talk, 2)[1] for _ in range(2)]
    assert not torch.equal(*kept)


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("epoch", [1, 2])
def test_the_distillation_loss_is_never_negative(case: str, epoch: int) -> None:
    talk = lecture(settings_of(case))
    for student in (logits(2), talk.teacher, torch.zeros_like(talk.teacher)):
        assert (talk.soft_loss(epoch, student) >= -1e-6).all()


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("glnn")])
def test_the_glnn_loss_is_zero_when_the_student_has_the_teachers_logits(case: str) -> None:
    talk = lecture(settings_of(case))
    student = talk.teacher.clone().requires_grad_()
    loss = talk.soft_loss(1, student)
    np.testing.assert_allclose(loss.detach().numpy(), np.zeros(len(SEEDS)), atol=1e-6)
    (gradient,) = torch.autograd.grad(loss.sum(), student)
    np.testing.assert_allclose(gradient.numpy(), np.zeros(gradient.shape), atol=1e-7)


def test_certain_soft_labels_have_a_finite_loss() -> None:
    graphs = two_graphs()
    certain = 1e4 * torch.eye(CLASSES)[torch.arange(NODES) % CLASSES].expand(2, -1, -1)
    for case in CASES:
        method = build_method(settings_of(case))
        method.prepare(classroom(graphs, certain))
        talk = Lecture(method, graphs, certain, certain)
        for epoch in (1, 2):
            assert torch.isfinite(talk.soft_loss(epoch, logits(2))).all(), case


@pytest.mark.parametrize("method", list(METHODS))
def test_labels_count_equally_unless_the_method_says_otherwise(method: str) -> None:
    talk = lecture(config(f"method={method}").method)
    rows = torch.tensor([[0, 5, 2], [7, 1, 9]])
    weights = talk.method.label_weights(rows)
    expected = LABEL_WEIGHTS.get(method, equal_label_weights)(talk, rows)
    np.testing.assert_allclose(weights.numpy(), expected, atol=1e-6)


def test_hgmd_weights_average_one_over_the_kept_edges_of_each_node() -> None:
    talk = lecture(settings_of("hgmd-weight"))
    method = talk.method
    assert isinstance(method, HgmdWeight)
    graph = method.classroom.graph
    for epoch in (1, 2):
        extraction = method._extraction(epoch, talk.seen_at(epoch))
        strengths, totals, degrees = method._strengths(extraction)
        coefficients = strengths * (degrees / totals).flatten()[graph.receivers]
        for node in range(graph.replicas * graph.nodes):
            mine = coefficients[graph.receivers == node]
            assert int((mine > 0).sum()) == int(degrees.flatten()[node])
            assert mine[mine > 0].mean().item() == pytest.approx(1.0, abs=1e-5)


def test_mixup_mixes_in_at_most_the_probability_of_the_edge() -> None:
    talk = lecture(settings_of("hgmd-mixup"))
    method = talk.method
    assert isinstance(method, HgmdMixup)
    for _ in range(50):
        share = method._draw_beta()(*method._chunks)
        assert share.shape == (method.classroom.graph.num_edges,)
        assert ((share >= 0) & (share <= 1)).all()


@pytest.mark.parametrize("parameter", [0.2, 0.4, 1.0, 5.0])
def test_mixup_shares_have_the_moments_of_the_beta_distribution(parameter: float) -> None:
    settings = replace(settings_of("hgmd-mixup"), beta=parameter)
    table = lecture(settings).method._beta_quantiles.double()
    assert table.mean().item() == pytest.approx(0.5, abs=1e-4)
    variance = 1 / (4 * (2 * parameter + 1))
    assert table.var().item() == pytest.approx(variance, rel=1e-3)


@pytest.mark.parametrize("hops", [0, 1, 3])
@pytest.mark.parametrize("pooling", ["mean", "max", "min"])
def test_infgrand_students_read_features_pooled_over_the_hops(pooling: str, hops: int) -> None:
    options = (f"method.pooling={pooling}", f"method.propagation_hops={hops}")
    method = build_method(config("method=infgrand", *options).method)
    graph = random_graph(NODES, random_features(NODES, 6, density=0.4, signed=True))
    operator = dense_symmetric(graph.adjacency, 2.0)
    stages = [np.linalg.matrix_power(operator, hop) @ graph.features for hop in range(hops + 1)]
    expected = getattr(np, pooling)(stages, axis=0)
    np.testing.assert_allclose(method.features(graph).dense(), expected, atol=1e-6)


def test_cross_entropy_is_the_weighted_sum_over_the_labelled_rows() -> None:
    rows = torch.tensor([[0, 5, 2], [7, 1, 9]])
    classes = torch.tensor([[0, 3, 1], [2, 2, 0]])
    weights = torch.rand(2, 3, generator=torch.Generator().manual_seed(0))
    student = logits(2)
    expected = [
        sum(
            -float(weights[r, k] * soft(student[r, rows[r, k]])[classes[r, k]].log())
            for k in range(3)
        )
        for r in range(2)
    ]
    found = cross_entropy(student, LabelTarget(rows, classes, weights))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_negative_entropy_of_a_certain_prediction_is_zero() -> None:
    certain = torch.tensor([[0.0, 1.0], [0.5, 0.5]])
    np.testing.assert_allclose(negative_entropy(certain).numpy(), [0, -math.log(2)], rtol=1e-6)


@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0])
def test_a_student_learns_from_labels_and_soft_labels_in_the_shares_of_lambda(lam: float) -> None:
    method = build_method(replace(config("method=infgrand").method, lam=lam))
    graphs, teacher = two_graphs(), logits(0)
    room = classroom(graphs, teacher)
    method.prepare(room)
    model = Mlp(0.0, [6, 5, CLASSES], Initializer(SEEDS, "student initialisation"))
    data = StudentData(room.tasks, method.features, CPU, 5)
    student = model(data.observed).detach()
    rows = torch.stack([torch.from_numpy(task.split.train) for task in room.tasks])
    classes = torch.stack([torch.from_numpy(graph.labels[:4]) for graph in graphs])
    on_labels = cross_entropy(student, LabelTarget(rows, classes, method.label_weights(rows)))
    (on_edges,) = WRITTEN_OUT["infgrand"](Lecture(method, graphs, teacher, teacher), 1, student)
    expected = lam * on_labels + (1 - lam) * torch.stack(on_edges).float()
    lesson = StudentLesson(model, method, data, room.stream("student dropout"))
    ((found, _),) = lesson.losses(1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def krd_powers(case: str, epochs: int) -> list[torch.Tensor]:
    talk = lecture(settings_of(case))
    powers = []
    for epoch in range(1, epochs + 1):
        talk.method.soft_target(epoch, talk.seen_at(epoch))
        powers.append(talk.method.logged()["power"])
    return powers


def test_the_power_of_krd_moves_in_the_epochs_that_draw_edges() -> None:
    first, second, third = krd_powers("krd every other epoch", 3)
    assert (first == 1).all()
    assert (second != first).all()
    assert torch.equal(third, second)


@pytest.mark.parametrize("power", [0.2, 1.0, 3.7, 40.0])
def test_the_power_is_fitted_as_by_least_squares(power: float) -> None:
    x = np.arange(50) / 50 + 0.05
    y = 1 - x**power + np.random.default_rng(0).normal(0, 0.05, 50)
    (expected,), _ = curve_fit(lambda x, a: 1 - x**a, x, y, p0=[1.0])
    found = fit_power(torch.from_numpy(x), torch.from_numpy(y).unsqueeze(0))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_agreement_is_counted_as_in_a_histogram() -> None:
    d = torch.rand(2, 40, generator=torch.Generator().manual_seed(0))
    d[:, 0] = 1.0
    agrees = torch.rand(2, 40, generator=torch.Generator().manual_seed(1)) < 0.5
    found = agreement_by_bin(d, agrees, 10).numpy()
    for r in range(2):
        both, _ = np.histogram(d[r].numpy(), bins=10, range=(0, 1))
        alike, _ = np.histogram(d[r, agrees[r]].numpy(), bins=10, range=(0, 1))
        np.testing.assert_allclose(found[r], alike / np.maximum(both, 1), atol=1e-12)


def test_krd_keeps_its_power_where_the_student_agrees_in_every_bin() -> None:
    talk = lecture(replace(settings_of("krd"), bins_num=2))
    share = agreement_by_bin(talk.method._sensitivity, torch.ones(2, NODES, dtype=torch.bool), 2)
    assert (share == 1).all()  # no bin is empty
    talk.method.soft_target(2, talk.teacher)
    assert (talk.method.logged()["power"] == 1).all()
