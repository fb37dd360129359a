"""The measured times are those of the run's own models, and measuring takes little time."""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np
import pytest
import torch
from support import config, small_graph, small_tasks, students, teachers

from gkd_runner.methods import METHODS, build_method
from gkd_runner.serving import latency
from gkd_runner.serving.latency import measure_latency, student_server, teacher_server


@pytest.mark.parametrize("method", ["glnn", "infgrand"])
def test_answer_times_are_measured_quickly_and_say_how(method: str) -> None:
    settings = config(f"method={method}")
    graph, tasks = small_graph(), small_tasks(settings, [0])
    taught = teachers(settings, tasks)
    learnt = students(settings, tasks, taught)
    features = build_method(settings.method).features(graph)
    started = time.perf_counter()

    found = measure_latency(settings, graph, taught[0].state, learnt[0].state, features)

    assert time.perf_counter() - started < 3  # half a second on an idle machine
    assert 0 < found.student_seconds < found.teacher_seconds
    assert found.speed_up == found.teacher_seconds / found.student_seconds
    assert min(found.teacher_requests, found.student_requests) >= 5
    assert asdict(found).keys() >= {"threads", "device", "torch"}
    assert (found.threads, found.device) == (torch.get_num_threads(), "cpu")


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
    assert latency.SECONDS < 1
