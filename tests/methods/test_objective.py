from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import beta as beta_distribution
from scipy.stats import entropy
from support import (
    CPU,
    config,
    dense_influence,
    dense_symmetric,
    edges_with_loops,
    looped_batch,
    random_features,
    random_graph,
)
from torch import Tensor

from gkd_runner.data.graph import GraphData, Split
from gkd_runner.data.task import Task
from gkd_runner.methods import METHODS, build_method
from gkd_runner.methods.base import Classroom, Method
from gkd_runner.methods.hgmd import HgmdMixup, HgmdWeight
from gkd_runner.methods.objective import (
    LabelTarget,
    cross_entropy,
    distillation,
    negative_entropy,
)
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import Mlp
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import MethodConfig
from gkd_runner.training.student import StudentData, StudentLesson

SEEDS = [3, 8]
NODES, CLASSES, MAX_EPOCHS = 14, 4, 20

DISTILLING = {
    "glnn": (),
    "glnn at another temperature": ("method.tau=2.5",),
    "infgrand over edges": ("method.tau=1.5",),
    "infgrand over degrees": ("method.edge_average=degree",),
    "hgmd-weight": ("method.alpha=0.7", "method.tau=1.7"),
    "hgmd-mixup": ("method.alpha=0.7", "method.tau=1.7", "method.smoothing=0"),
    "hgmd-mixup with smoothing": ("method.alpha=0.7", "method.smoothing=1e-2"),
    "hgmd-weight by knowledge": ("method.alpha=0.7", "method.hardness=knowledge"),
    "hgmd-weight by distillation": ("method.alpha=0.7", "method.hardness=distillation"),
    "hgmd-mixup by similarity": ("method.alpha=0.7", "method.hardness=none"),
}


@dataclass(frozen=True)
class Lecture:
    """A prepared method, with what a test needs to write its loss out."""

    method: Method[Any]
    graphs: list[GraphData]
    teacher: Tensor
    watched: Tensor

    def soft_loss(self, epoch: int, student: Tensor) -> Tensor:
        target = self.method.soft_target(epoch, self.seen_at(epoch))
        assert target is not None
        return distillation(student, target, self.method.config.tau)

    def seen_at(self, epoch: int) -> Tensor | None:
        """What a method gets to see of the student: nothing before it has been validated."""
        return None if epoch == 1 else self.watched


def logits(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(len(SEEDS), NODES, CLASSES, generator=generator)


def settings_of(case: str) -> MethodConfig:
    return config(f"method={case.split()[0]}", *DISTILLING[case]).method


def classroom(graphs: list[GraphData], teacher: Tensor) -> Classroom:
    split = Split(np.arange(4), np.arange(4, 8), np.arange(8, NODES))
    nothing = np.empty(0, dtype=np.int64)
    tasks = [
        Task(seed, graph, split, np.arange(NODES), nothing)
        for seed, graph in zip(SEEDS, graphs, strict=True)
    ]
    streams = Streams(SEEDS, "edge sampling", CPU)
    return Classroom(tasks, looped_batch(graphs), teacher, streams, MAX_EPOCHS)


def two_graphs() -> list[GraphData]:
    return [
        random_graph(NODES, random_features(NODES, 6, seed=seed), seed=seed, classes=CLASSES)
        for seed in (0, 1)
    ]


def lecture(settings: MethodConfig) -> Lecture:
    method, graphs, teacher = build_method(settings), two_graphs(), logits(0)
    method.prepare(classroom(graphs, teacher))
    return Lecture(method, graphs, teacher, logits(1))


def kl(target: Tensor, student: Tensor, tau: float) -> Tensor:
    """``KL(target || softmax(student / tau))`` of one node, term by term."""
    p = torch.softmax(student / tau, dim=0)
    return sum(t * (t.log() - q.log()) for t, q in zip(target, p, strict=True))  # type: ignore[return-value]


def soft(values: Tensor, tau: float = 1.0) -> Tensor:
    return torch.softmax(values / tau, dim=-1)


def glnn_loss(talk: Lecture, epoch: int, student: Tensor) -> list[Tensor]:
    tau = talk.method.config.tau
    return [
        sum(kl(soft(talk.teacher[r, i], tau), student[r, i], tau) for i in range(NODES)) / NODES
        for r in range(len(SEEDS))
    ]


def infgrand_loss(talk: Lecture, epoch: int, student: Tensor) -> list[Tensor]:
    settings = talk.method.config
    losses = []
    for r, graph in enumerate(talk.graphs):
        edges = edges_with_loops(graph)
        degree = np.bincount([i for i, _ in edges])
        operator = dense_symmetric(graph.adjacency, settings.self_loops)
        influence = dense_influence(graph.features, operator)
        total = torch.zeros((), dtype=torch.float64)
        for i, j in edges:
            weight = settings.gamma_1 + settings.gamma_2 * influence[j]
            if settings.edge_average == "degree":
                weight /= degree[i] * NODES
            else:
                weight /= len(edges)
            target = soft(talk.teacher[r, j], settings.tau)
            total = total + weight * kl(target, student[r, i], settings.tau)
        losses.append(total)
    return losses


class Draws:
    """The random numbers that a job with these seeds draws for its edges, in their order."""

    def __init__(self, graphs: list[GraphData]) -> None:
        self._streams = Streams(SEEDS, "edge sampling", CPU)
        self._counts = [len(edges_with_loops(graph)) for graph in graphs]

    def uniform(self) -> list[np.ndarray[Any, Any]]:
        drawn = self._streams.uniform(self._counts).numpy()
        return np.split(drawn, np.cumsum(self._counts)[:-1])

    def beta(self, parameter: float) -> list[np.ndarray[Any, Any]]:
        words = self._streams.words(self._counts).numpy().astype(np.float64)
        drawn = beta_distribution.ppf((words + 2**15 + 0.5) / 2**16, parameter, parameter)
        return np.split(drawn, np.cumsum(self._counts)[:-1])


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def relative_entropy(values: Tensor) -> np.ndarray[Any, Any]:
    found = entropy(soft(values.double()).detach().numpy(), axis=-1)
    return found / found.max()


def keep_probabilities(talk: Lecture, r: int, epoch: int) -> dict[tuple[int, int], float]:
    edges = edges_with_loops(talk.graphs[r])
    if epoch == 1:
        return dict.fromkeys(edges, 1.0)
    ht, hs = relative_entropy(talk.teacher[r]), relative_entropy(talk.watched[r])
    alpha = talk.method.config.alpha / 100 ** ((epoch - 1) / (MAX_EPOCHS - 1))
    ratios = {
        "both": lambda i, j: math.sqrt(ht[i] * hs[i]) / ht[j],
        "knowledge": lambda i, j: ht[i] / ht[j],
        "distillation": lambda i, j: hs[i] / hs[j],
        "none": lambda i, j: 1.0,
    }
    ratio = ratios[talk.method.config.hardness]
    found = {}
    for i, j in edges:
        alike = cosine(soft(talk.teacher[r, i]), soft(talk.teacher[r, j]))
        exponent = alpha * alike * ratio(i, j)
        found[i, j] = 1.0 if i == j else 1 - math.exp(-exponent)
    return found


def hgmd_losses(talk: Lecture, epochs: int, student: Tensor) -> list[list[Tensor]]:
    """The loss of each epoch and replica, epoch after epoch, since every epoch draws."""
    draws = Draws(talk.graphs)
    mixes = isinstance(talk.method, HgmdMixup)
    losses = []
    for epoch in range(1, epochs + 1):
        uniform = draws.uniform() if epoch > 1 else None
        mixing = draws.beta(talk.method.config.beta) if mixes else None
        losses.append([])
        for r in range(len(SEEDS)):
            p = keep_probabilities(talk, r, epoch)
            kept = [
                (i, j)
                for position, (i, j) in enumerate(p)
                if i == j or uniform is None or uniform[r][position] < p[i, j]
            ]
            if mixing is None:
                terms = weighted_terms(talk, r, p, kept, student)
            else:
                mix = {edge: p[edge] * b for edge, b in zip(p, mixing[r], strict=True)}
                terms = mixed_terms(talk, r, mix, kept, student)
            losses[-1].append(sum(terms) / len(kept))
    return losses


def weighted_terms(
    talk: Lecture,
    r: int,
    p: dict[tuple[int, int], float],
    kept: list[tuple[int, int]],
    student: Tensor,
) -> list[Tensor]:
    tau, t = talk.method.config.tau, talk.teacher[r]
    strength = {(i, j): p[i, j] * cosine(soft(t[i]), soft(t[j])) for i, j in kept}
    terms = []
    for i, j in kept:
        around = [edge for edge in kept if edge[0] == i]
        coefficient = len(around) * strength[i, j] / sum(strength[edge] for edge in around)
        terms.append(coefficient * kl(soft(t[j], tau), student[r, i], tau))
    return terms


def mixed_terms(
    talk: Lecture,
    r: int,
    mix: dict[tuple[int, int], float],
    kept: list[tuple[int, int]],
    student: Tensor,
) -> list[Tensor]:
    tau, t = talk.method.config.tau, talk.teacher[r]
    smoothing = talk.method.config.smoothing
    terms = []
    for i, j in kept:
        w = mix[i, j]
        target = (1 - w) * soft(t[i], tau) + w * soft(t[j], tau) + smoothing
        terms.append(kl(target / target.sum(), student[r, i], tau))
    return terms


def written_out(talk: Lecture, epochs: int, student: Tensor) -> list[list[Tensor]]:
    name = talk.method.config.name
    if name.startswith("hgmd"):
        return hgmd_losses(talk, epochs, student)
    loss = {"glnn": glnn_loss, "infgrand": infgrand_loss}[name]
    return [loss(talk, epoch, student) for epoch in range(1, epochs + 1)]


@pytest.mark.parametrize("case", list(DISTILLING))
def test_the_aggregated_loss_equals_the_loss_edge_by_edge(case: str) -> None:
    talk, student = lecture(settings_of(case)), logits(2).requires_grad_()
    expected = written_out(talk, 3, student)
    for epoch, terms in enumerate(expected, start=1):
        found = talk.soft_loss(epoch, student)
        torch.testing.assert_close(
            found, torch.stack(terms).float(), atol=2e-5, rtol=2e-5, msg=f"epoch {epoch}"
        )
        (ours,) = torch.autograd.grad(found.sum(), student)
        (theirs,) = torch.autograd.grad(sum(terms), student, retain_graph=True)
        torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=2e-4, msg=f"epoch {epoch}")


def test_hgmd_keeps_some_edges_and_drops_some_in_these_tests() -> None:
    """So that the written-out losses do tell whether the right edges were kept."""
    for case in ("hgmd-weight", "hgmd-mixup"):
        talk = lecture(settings_of(case))
        _, first = talk.method._extract(1, None)
        _, second = talk.method._extract(2, talk.watched)
        loops = int(talk.method.classroom.graph.is_loop.sum())
        assert first.all()
        assert loops + 5 < int(second.sum()) < len(second) - 5


def test_hgmd_draws_its_edges_anew_each_epoch() -> None:
    talk = lecture(settings_of("hgmd-weight"))
    kept = [talk.method._extract(2, talk.watched)[1] for _ in range(2)]
    assert not torch.equal(*kept)


@pytest.mark.parametrize("case", list(DISTILLING))
@pytest.mark.parametrize("epoch", [1, 2])
def test_the_distillation_loss_is_never_negative(case: str, epoch: int) -> None:
    talk = lecture(settings_of(case))
    for student in (logits(2), talk.teacher, torch.zeros_like(talk.teacher)):
        assert (talk.soft_loss(epoch, student) >= -1e-6).all()


@pytest.mark.parametrize("case", [case for case in DISTILLING if case.startswith("glnn")])
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
    for case in DISTILLING:
        method = build_method(settings_of(case))
        method.prepare(classroom(graphs, certain))
        talk = Lecture(method, graphs, certain, certain)
        for epoch in (1, 2):
            assert torch.isfinite(talk.soft_loss(epoch, logits(2))).all(), case


@pytest.mark.parametrize("method", list(METHODS))
def test_labels_count_equally_unless_the_method_says_otherwise(method: str) -> None:
    talk = lecture(config(f"method={method}").method)
    rows = torch.tensor([[0, 5, 2], [7, 1, 9]])
    found = talk.method.label_weights(rows)
    expected = np.full((2, 3), 1 / 3)
    if method == "infgrand":
        settings = talk.method.config
        for r, graph in enumerate(talk.graphs):
            operator = dense_symmetric(graph.adjacency, settings.self_loops)
            influence = dense_influence(graph.features, operator)[rows[r].numpy()]
            expected[r] = (settings.delta_1 + settings.delta_2 * influence) / 3
        assert not np.allclose(expected, 1 / 3, atol=1e-2)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_hgmd_weights_average_one_over_the_kept_edges_of_each_node() -> None:
    talk = lecture(settings_of("hgmd-weight"))
    method = talk.method
    assert isinstance(method, HgmdWeight)
    graph = method.classroom.graph
    for epoch in (1, 2):
        probability, kept = method._extract(epoch, talk.seen_at(epoch))
        coefficients = method.coefficients(probability, kept)
        assert (coefficients[~kept] == 0).all()
        for node in range(graph.replicas * graph.nodes):
            mine = (graph.receivers == node) & kept
            assert coefficients[mine].mean().item() == pytest.approx(1.0, abs=1e-5)


def test_mixup_mixes_in_at_most_the_probability_of_the_edge() -> None:
    talk = lecture(settings_of("hgmd-mixup"))
    method = talk.method
    assert isinstance(method, HgmdMixup)
    for _ in range(50):
        share = method._draw_beta()
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
    data = StudentData(room.tasks, room.graph, [method.features(graph) for graph in graphs])
    student = model(data.observed).detach()
    rows = torch.stack([torch.from_numpy(task.split.train) for task in room.tasks])
    classes = torch.stack([torch.from_numpy(graph.labels[:4]) for graph in graphs])
    on_labels = cross_entropy(student, LabelTarget(rows, classes, method.label_weights(rows)))
    on_edges = infgrand_loss(Lecture(method, graphs, teacher, teacher), 1, student)
    expected = lam * on_labels + (1 - lam) * torch.stack(on_edges).float()
    found = StudentLesson(model, method, data, room.streams).loss(1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
