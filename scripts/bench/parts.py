"""Work done once per run: influence, hardness, the first layer's forms, the cache of teachers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from bench.clock import Block, Effort, repeated
from bench.forms import FirstLayer, raw_forms
from bench.plain.models import operator
from bench.results import OURS
from bench.workloads import Workload
from gkd_runner.graph.batch import batch_graphs
from gkd_runner.graph.hardness import edge_cosines, hardness
from gkd_runner.graph.influence import node_influence
from gkd_runner.training.cache import TeacherCache
from gkd_runner.training.stage import Trained
from gkd_runner.training.teacher_files import load_teacher, teacher_file

ONCE = Effort(rounds=1, epochs=3, seconds=20.0)
"""Turns of work that a run does once and that may take minutes."""

Blocks = dict[str, Block]
"""The block of each contender."""

KEY = "bench"


def influence(workload: Workload, device: torch.device) -> Blocks:
    """InfGraND's influence of every node, exact."""
    return {OURS: repeated(influence_run(workload), ONCE, device, warm=False)}


def influence_run(workload: Workload) -> Callable[[], object]:
    """The computation itself."""
    loops = workload.config().method.self_loops  # type: ignore[attr-defined]
    return partial(node_influence, workload.task.training_graph, loops)


def knowledge_hardness(workload: Workload, teacher: Trained, device: torch.device) -> Blocks:
    """HGMD's hardness of every node, and the similarity along every edge."""
    graph = batch_graphs([workload.task.training_graph.adjacency], device)
    logits = torch.from_numpy(teacher.observed_logits).to(device)
    probabilities = torch.softmax(logits, dim=1).unsqueeze(0)

    def run() -> None:
        hardness(probabilities)
        edge_cosines(graph, probabilities)

    return {OURS: repeated(run, ONCE, device)}


def first_layers(workload: Workload, device: torch.device) -> Blocks:
    """The first layer of the GCN teacher on all rows in each form, forward and gradient."""
    graph = workload.task.training_graph
    width = workload.config().teacher.hidden_dim
    kinds = {"raw": graph.features}
    if graph.num_nodes < 10**6:
        kinds["propagated once"] = operator("gcn", graph.adjacency) @ graph.features
    return {
        f"{form.name}, {kind}": repeated(
            FirstLayer(form, width, trains=True, device=device), ONCE, device
        )
        for kind, x in kinds.items()
        for form in raw_forms(x, device)
    }


def cache(teacher: Trained, folder: Path, device: torch.device) -> Blocks:
    """Writing a teacher with its soft labels, and reading it."""
    return {
        f"{OURS}, write": repeated(partial(store, teacher, folder), ONCE, device),
        f"{OURS}, read": repeated(partial(stored, folder), ONCE, device),
    }


def store(teacher: Trained, folder: Path) -> None:
    """Write the teacher into a cache in ``folder``."""
    train: Callable[..., list[Trained]] = lambda positions: [teacher]  # noqa: E731
    TeacherCache(folder, "refresh").get_or_train([KEY], train)


def stored(folder: Path) -> Trained:
    """The teacher that ``store`` wrote."""
    return load_teacher(teacher_file(folder, KEY), KEY)
