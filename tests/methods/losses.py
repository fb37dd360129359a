"""The distillation loss of every method, written out edge by edge as its paper has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.stats import beta as beta_distribution
from scipy.stats import entropy
from torch import Tensor

from gkd_runner.common.seeding import generator
from gkd_runner.data.graph import GraphData, Split
from gkd_runner.data.task import Task
from gkd_runner.methods import build_method
from gkd_runner.methods.base import Classroom, Method
from gkd_runner.methods.hgmd import HgmdMixup
from gkd_runner.methods.objective import distillation
from gkd_runner.models.streams import Streams
from gkd_runner.options.schema import MethodConfig
from tests.support import (
    CPU,
    config,
    dense_influence,
    dense_symmetric,
    edges_with_loops,
    random_features,
    random_graph,
)

SEEDS = [3, 8]
NODES, CLASSES, MAX_EPOCHS = 14, 4, 20

CASES = {
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
    "krd": ("method.first_draw=2", "method.momentum=0.3", "method.tau=1.7", "method.bins_num=4"),
    "krd every other epoch": ("method.first_draw=2", "method.draw_every=2", "method.bins_num=4"),
    "adaprop": ("method.tau=1.7",),
    "krd by expectation": (
        "method.first_draw=2",
        "method.bins_num=4",
        "method.entropy_change=squared",
        "method.noise_draws=3",
    ),
}
"""Options to test, by the method's name and a note; epochs 1 to 3 should all matter."""


Losses = list[list[Tensor]]
"""The distillation loss of each epoch and replica."""


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
    return config(f"method={case.split()[0]}", *CASES[case]).method


def classroom(graphs: list[GraphData], teacher: Tensor, seeds: Sequence[int] = SEEDS) -> Classroom:
    nodes = graphs[0].num_nodes
    split = Split(np.arange(4), np.arange(4, 8), np.arange(8, nodes))
    nothing = np.empty(0, dtype=np.int64)
    tasks = [
        Task(seed, graph, split, np.arange(nodes), nothing)
        for seed, graph in zip(seeds, graphs, strict=True)
    ]

    def answer(replica: int, graph: GraphData) -> Tensor:
        return answered(teacher[replica], graph, graphs[replica].features)

    return Classroom(tasks, teacher, MAX_EPOCHS, answer)


def answered(teacher: Tensor, graph: GraphData, features: Any) -> Tensor:
    """A made-up teacher that reads each node's own features: its logits on a changed graph."""
    change = torch.from_numpy(graph.features - features)
    return teacher + change @ torch.linspace(-1, 1, 6 * CLASSES).view(6, CLASSES)


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


def glnn_losses(talk: Lecture, epochs: int, student: Tensor) -> Losses:
    tau = talk.method.config.tau
    losses = [
        sum(kl(soft(talk.teacher[r, i], tau), student[r, i], tau) for i in range(NODES)) / NODES
        for r in range(len(SEEDS))
    ]
    return [losses] * epochs


def infgrand_losses(talk: Lecture, epochs: int, student: Tensor) -> Losses:
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
    return [losses] * epochs


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


def hgmd_losses(talk: Lecture, epochs: int, student: Tensor) -> Losses:
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


def krd_losses(talk: Lecture, epochs: int, student: Tensor) -> Losses:
    settings, draws, losses = talk.method.config, Draws(talk.graphs), []
    powers = [settings.init_power] * len(SEEDS)
    for epoch in range(1, epochs + 1):
        draws_edges = epoch >= settings.first_draw and epoch % settings.draw_every == 0
        if draws_edges or epoch == 1:
            uniform = draws.uniform() if draws_edges else None
            losses.append([])
            for r, graph in enumerate(talk.graphs):
                d, edges = krd_sensitivity(talk, r), edges_with_loops(graph)
                if uniform is not None:
                    fitted = krd_fitted_power(talk, r, d)
                    powers[r] = settings.momentum * powers[r] + (1 - settings.momentum) * fitted
                terms = [
                    kl(soft(talk.teacher[r, j], settings.tau), student[r, i], settings.tau)
                    for position, (i, j) in enumerate(edges)
                    if i == j or uniform is None or uniform[r][position] < 1 - d[j] ** powers[r]
                ]
                losses[-1].append(sum(terms) / len(terms))
        else:
            losses.append(losses[-1])
    return losses


def krd_sensitivity(talk: Lecture, r: int) -> np.ndarray[Any, Any]:
    settings, graph = talk.method.config, talk.graphs[r]
    noise = generator(SEEDS[r], "feature noise")
    change = np.zeros(NODES)
    for _ in range(settings.noise_draws):
        noisy = graph.features + noise.standard_normal(graph.features.shape, dtype=np.float32)
        logits_there = answered(talk.teacher[r], replace(graph, features=noisy), graph.features)
        entropies = [entropy(soft(t.double()), axis=1) for t in (logits_there, talk.teacher[r])]
        exponent = 2 if settings.entropy_change == "squared" else 1
        change += np.abs(entropies[0] - entropies[1]) ** exponent
    return change / change.max()


def krd_fitted_power(talk: Lecture, r: int, d: np.ndarray[Any, Any]) -> float:
    agrees = (talk.watched[r].argmax(1) == talk.teacher[r].argmax(1)).numpy()
    bins = talk.method.config.bins_num
    left = np.arange(bins) / bins
    inside = [(d >= low) & ((d < low + 1 / bins) | (low == left[-1])) for low in left]
    share = np.array([agrees[nodes].mean() if nodes.any() else 0.0 for nodes in inside])
    share = (share - share.min()) / np.ptp(share)
    powers = np.geomspace(1e-3, 1e3, 200_001)
    errors = sum((y - 1 + (x + 0.05) ** powers) ** 2 for x, y in zip(left, share, strict=True))
    return float(powers[np.argmin(errors)])


def equal_label_weights(_: Lecture, rows: Tensor) -> np.ndarray[Any, Any]:
    return np.full(rows.shape, 1 / rows.shape[1])


def infgrand_label_weights(talk: Lecture, rows: Tensor) -> np.ndarray[Any, Any]:
    settings, expected = talk.method.config, np.empty(rows.shape)
    for r, graph in enumerate(talk.graphs):
        operator = dense_symmetric(graph.adjacency, settings.self_loops)
        influence = dense_influence(graph.features, operator)[rows[r].numpy()]
        expected[r] = (settings.delta_1 + settings.delta_2 * influence) / rows.shape[1]
    assert not np.allclose(expected, 1 / rows.shape[1], atol=1e-2)
    return expected


LABEL_WEIGHTS: dict[str, Callable[[Lecture, Tensor], np.ndarray[Any, Any]]] = {
    "infgrand": infgrand_label_weights,
}
"""Weights of labelled rows ``[R, k]`` for methods whose labels do not count equally."""


WRITTEN_OUT: dict[str, Callable[[Lecture, int, Tensor], Losses]] = {
    "adaprop": glnn_losses,
    "glnn": glnn_losses,
    "hgmd-weight": hgmd_losses,
    "hgmd-mixup": hgmd_losses,
    "krd": krd_losses,
    "infgrand": infgrand_losses,
}
"""The one function that the author of a method gives: its loss, edge by edge, from epoch 1 on.

A list of epochs, each a list of replicas; ``student`` has the logits to be compared, while
``talk.watched`` are those that the method saw after the epoch before.
"""
