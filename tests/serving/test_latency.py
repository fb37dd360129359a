"""The measured times are those of the run's own models, and measuring takes little time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import config, small_graph, small_tasks, students, teachers

from gkd_runner.methods import METHODS, build_method
from gkd_runner.models.layers import Initializer
from gkd_runner.models.mlp import build_student
from gkd_runner.results.stored import read_run
from gkd_runner.runs.train import train
from gkd_runner.serving import latency
from gkd_runner.serving.latency import measure_latency, student_server, teacher_server
from gkd_runner.serving.timing import Timing
from gkd_runner.training.stage import Trained


@pytest.mark.parametrize("method", ["glnn", "infgrand"])
def test_answer_times_are_measured_quickly_and_say_how(method: str) -> None:
    settings = config(f"method={method}")
    graph, tasks = small_graph(), small_tasks(settings, [0, 1])
    taught = teachers(settings, tasks)
    learnt = students(settings, tasks, taught)
    started = time.perf_counter()

    found = measure_latency(settings, graph, taught[0].state, learnt)

    assert time.perf_counter() - started < 3  # half a second on an idle machine
    assert found.teacher is not None
    (of_students,) = found.students
    assert of_students.seeds == (0, 1)
    assert of_students.propagation == build_method(settings.method).propagation
    assert 0 < of_students.seconds < found.teacher.seconds
    assert found.teacher_seconds == found.teacher.seconds
    assert found.student_seconds(0) == found.student_seconds(1) == of_students.seconds
    assert min(found.teacher.requests, of_students.requests) >= found.turns > 1
    assert (found.threads, found.device) == (torch.get_num_threads(), "cpu")
    assert found.torch == torch.__version__


SETTINGS = config("method=adaprop", "method.further_lams=[]")

HOPS = {3: 4, 4: 0, 5: 4}
"""Hops that each seed's student reads."""


def of_seeds(hops: Mapping[int, int], width: int) -> list[Trained]:
    """A student per seed, not trained, that was kept with this number of hops."""
    init = Initializer([0], "student initialisation")
    model = build_student(SETTINGS.student, width, small_graph().num_classes, init)
    state = {name: value[0] for name, value in model.state_dict().items()}
    none = np.zeros((0, 4), np.float32)
    return [
        Trained(seed, state, none, none, 1, [], 0.0, {"propagation_hops": count, "lam": 0.1})
        for seed, count in hops.items()
    ]


def test_each_seed_has_the_time_of_the_variant_that_it_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time of a server is made up: the number of stored values that a request may read."""
    graph, served = small_graph(), list[int]()

    def student_server(*arguments: Any) -> None:
        served.append(np.count_nonzero(arguments[-1].dense()))

    def measured(calls: Sequence[Any], *_: Any) -> list[Timing]:
        return [Timing(float(count), 0, 0, 0, 7) for count in served]

    monkeypatch.setattr(latency, "student_server", student_server)
    monkeypatch.setattr(latency, "measure_in_turns", measured)
    found = measure_latency(SETTINGS, graph, {}, of_seeds(HOPS, graph.num_features))

    assert [time.seeds for time in found.students] == [(3, 5), (4,)]
    assert [time.propagation and time.propagation.hops for time in found.students] == [4, None]
    seconds = {seed: found.student_seconds(seed) for seed in HOPS}
    assert seconds[3] == seconds[5] > 2 * seconds[4]
    assert found.teacher is None
    assert found.teacher_seconds is None


def test_the_times_of_variants_are_in_the_result(tmp_path: Path) -> None:
    options = ("method=adaprop", "method.further_lams=[]", "method.further_hops=[0]")
    result = train(config(*options, "seeds=[0,1,2]", f"output_dir={tmp_path}"))
    run = read_run(result.path)

    assert run is not None
    hops = {}
    for entry in run.raw["latency"]["students"]:
        for seed in entry["seeds"]:
            hops[seed] = entry["propagation"]["hops"] if entry["propagation"] else 0
            (own,) = [result for result in run.seeds if result.seed == seed]
            assert own.student_answer_seconds == entry["seconds"]
            assert own.teacher_answer_seconds == run.raw["latency"]["teacher"]["seconds"]
    assert hops == {own.seed: run.method_facts(own)["propagation_hops"] for own in run.seeds}


@pytest.mark.parametrize("method", list(METHODS))
def test_the_models_that_are_timed_answer_as_they_were_trained(method: str) -> None:
    settings = config(f"method={method}")
    graph, tasks = small_graph(), small_tasks(settings, [0])
    (taught,) = teachers(settings, tasks)
    (learnt,) = students(settings, tasks, [taught])
    features = build_method(settings.method).features(graph)
    nodes = torch.tensor([7, 200])

    gnn = teacher_server(settings, graph, taught.state)
    mlp = student_server(settings, graph, learnt.state, features.rows(nodes.numpy()))

    with torch.inference_mode():
        own, of_student = gnn(nodes).logits.numpy(), mlp(torch.arange(2)).logits.numpy()
    np.testing.assert_allclose(own, taught.observed_logits[nodes], atol=1e-5)
    np.testing.assert_allclose(of_student, learnt.observed_logits[nodes], atol=1e-5)


def test_a_teacher_that_is_gone_is_timed_with_fresh_weights() -> None:
    server = teacher_server(config(), small_graph(), None)
    with torch.inference_mode():
        assert server(torch.tensor([3])).logits.shape == (1, 4)
