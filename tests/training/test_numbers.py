"""Random small graphs, methods, teachers and settings: finite results, or a plain refusal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import CPU, LIVELY, config, silent

from gkd_runner.common.errors import GkdError
from gkd_runner.data.checks import check_graph, without_defects
from gkd_runner.data.datasets import treated
from gkd_runner.data.graph import GraphData, Split
from gkd_runner.data.protocols import make_task
from gkd_runner.methods import METHODS
from gkd_runner.results.scoring import seed_result
from gkd_runner.training.failures import SeedFailure
from gkd_runner.training.soft_labels import make_soft_labels
from gkd_runner.training.stage import Trained
from gkd_runner.training.student import train_students

GRAPHS = 500
SMALL = (
    "dataset=custom",
    "dataset.path=unread.npz",
    "cache=off",
    "teacher.hidden_dim=4",
    "student.hidden_dim=4",
)
FEATURES = (
    "usual", "usual", "signed", "constant", "zero", "1e30", "1e14", "1e-14", "1e-38", "mixed",
    "mark",
)  # fmt: skip
ADAPROP = ("method.further_hops=[0]", "method.further_lams=[]")


class Example(NamedTuple):
    """One graph and what is done with it; all is drawn from ``seed`` but the choices."""

    seed: int
    method: str
    teacher: str
    setting: str
    features: str
    sparse: bool
    defects: str
    classes: int
    untrained: bool
    epochs: int
    learning_rate: float
    tau: float
    row_normalize: bool
    calibration: str
    select_by: str
    batch_size: int | None


def often(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual value in about half of the examples."""
    return st.one_of(st.just(usual), st.sampled_from([usual, *others]))


examples = st.builds(
    Example,
    seed=st.integers(0, 2**16),
    method=st.sampled_from(list(METHODS)),
    teacher=st.sampled_from(["gcn", "sage", "gat"]),
    setting=st.sampled_from(["transductive", "inductive"]),
    features=st.sampled_from(FEATURES),
    sparse=st.booleans(),
    defects=often("repaired", "left", "none"),
    classes=st.integers(2, 4),
    untrained=st.booleans(),
    epochs=often(1, 2, 3),
    learning_rate=often(0.01, 10.0, 1e10, 1e30),
    tau=often(1.0, 1e-3, 1e-30, 1e30),
    row_normalize=often(False, True),
    calibration=st.sampled_from(["temperature", "none"]),
    select_by=often("accuracy", "macro_f1", "roc_auc"),
    batch_size=often(None, None, None, 8),
)  # fmt: skip


def features_of(example: Example, rng: np.random.Generator, nodes: int) -> Any:
    columns = int(rng.integers(1, 6))
    values = rng.random((nodes, columns)) * (rng.random((nodes, columns)) < 0.6)
    if example.features == "signed":
        values -= 0.5 * (values > 0)
    elif example.features == "constant":
        values[:] = 0.5
    elif example.features == "zero":
        values[:] = 0.0
    elif example.features == "mixed":
        values *= 10.0 ** rng.integers(-40, 15, (nodes, 1))
    elif example.features == "mark":
        values[int(rng.integers(nodes)), 0] = rng.choice([1e14, 1e30, 3e38])
    elif example.features.startswith("1e"):
        values *= float(example.features)
    values = values.astype(np.float32)
    return sp.csr_array(values) if example.sparse else values


def graph_of(example: Example) -> GraphData:
    """8 to 30 nodes; some are isolated, and edges may be loops, doubled or of one direction."""
    rng = np.random.default_rng(example.seed)
    nodes = int(rng.integers(8, 31))
    joined = nodes - int(rng.integers(0, 4))
    ends = rng.integers(0, joined, (int(rng.integers(1, 3 * nodes)), 2))
    ones = np.ones(len(ends), dtype=np.float32)
    adjacency = sp.csr_array((ones, (ends[:, 0], ends[:, 1])), shape=(nodes, nodes))
    if example.defects != "left":
        adjacency = without_defects(adjacency)
    labels = rng.permutation(np.arange(nodes) % example.classes).astype(np.int64)
    order = rng.permutation(nodes)
    if example.untrained:
        order = order[np.argsort(labels[order] == 0, kind="stable")]  # class 0 comes last
    third = max(nodes // 3, 2)
    split = Split(*(np.sort(part) for part in np.split(order, [third, 2 * third])))
    return GraphData("drawn", adjacency, features_of(example, rng, nodes), labels, (split,))


def settings_of(example: Example) -> Any:
    """Composed once per method and per teacher; the rest is put in place."""
    own = ADAPROP if example.method == "adaprop" else LIVELY.get(example.method, ())
    base = config(*SMALL, f"method={example.method}", *own)
    teacher = config(*SMALL, f"teacher={example.teacher}").teacher
    setting = config(*SMALL, f"setting={example.setting}").setting
    rate = example.learning_rate
    training = replace(
        base.training,
        max_epochs=example.epochs,
        select_by=example.select_by,
        batch_size=example.batch_size,
    )
    return replace(
        base,
        dataset=replace(base.dataset, row_normalize=example.row_normalize),
        setting=setting,
        teacher=replace(teacher, learning_rate=rate),
        student=replace(base.student, learning_rate=rate, sampled_nodes=None),
        method=replace(base.method, tau=example.tau),
        training=training,
        calibration=example.calibration,
        seeds=[0, 1],
    )


def finite(one: Trained) -> bool:
    arrays = [one.observed_logits, one.hidden_logits, *(v.numpy() for v in one.state.values())]
    told = [(*epoch[1:4], *dict(epoch.logged).values()) for epoch in one.history]
    return all(np.isfinite(array).all() for array in (*arrays, told))


def trained(example: Example) -> tuple[Sequence[Any], Sequence[SeedFailure]]:
    """The results of two seeds, and those that failed."""
    own = settings_of(example)
    graph = graph_of(example)
    check_graph(graph, graph.name)
    graph = treated(graph, own.dataset, own.protocol)
    tasks = [make_task(graph, own, seed) for seed in own.seeds]
    failures: list[SeedFailure] = []
    labels = make_soft_labels(tasks, own, CPU, 2, silent, failures.append)
    by_seed = {one.teacher.seed: one for one in labels}
    taught = [task for task in tasks if task.seed in by_seed]
    students: list[Trained] = []
    if taught:
        students = train_students(taught, labels, own, CPU, silent, on_failure=failures.append)
    assert all(map(finite, (*(one.teacher for one in labels), *students)))
    results = [seed_result(tasks[one.seed], by_seed[one.seed], one, own) for one in students]
    facts = [dict(one.facts) for one in students]
    json.dumps([*map(asdict, results), facts, *map(asdict, failures)], allow_nan=False)
    assert sorted([*(one.seed for one in students), *(one.seed for one in failures)]) == [0, 1]
    return results, failures


def test_every_graph_gives_finite_numbers_or_is_refused_in_plain_words() -> None:
    ended: Counter[str] = Counter()
    methods: Counter[str] = Counter()

    @settings(
        max_examples=GRAPHS, derandomize=True, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(examples)
    def holds(example: Example) -> None:
        try:
            results, failures = trained(example)
        except GkdError:
            ended["refused"] += 1
            return
        ended["finished"] += bool(results)
        ended["failed"] += bool(failures)
        methods[example.method] += bool(results)

    holds()
    assert ended["finished"] > GRAPHS / 4
    assert ended["failed"] > 20
    assert ended["refused"] > 20
    assert methods.keys() == METHODS.keys()
    assert all(methods.values())
