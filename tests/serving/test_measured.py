"""The glance at inference that every run takes."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from gkd_runner.serving import measured
from gkd_runner.serving.measured import inference_seconds
from tests.support import CPU, config, small_graph, small_tasks


@pytest.mark.parametrize("setting", ["transductive", "inductive"])
@pytest.mark.parametrize("teacher", ["gcn", "sage", "gat"])
def test_every_teacher_and_student_is_timed(teacher: str, setting: str) -> None:
    settings = config(f"teacher={teacher}", f"setting={setting}")
    (task,) = small_tasks(settings, [0])
    found = inference_seconds(settings, task, CPU)
    assert found is not None
    assert found.student > 0
    assert found.teacher > 0


@pytest.mark.parametrize("method", ["mlp", "infgrand"])
def test_the_student_answers_for_one_node_from_what_its_method_reads(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(f"method={method}")
    (task,) = small_tasks(settings, [0])
    answers: list[Any] = []

    def once(call: Any, draw: Any, device: Any, at_least: float) -> Any:
        answers.append(call(draw()))
        return replace(timing, median=float(len(answers)))

    timing = measured.measure(lambda _: None, lambda: None, CPU, 0.0)
    monkeypatch.setattr(measured, "measure", once)
    found = inference_seconds(settings, task, CPU)

    assert found == measured.InferenceSeconds(teacher=1.0, student=2.0)
    taught, student = answers
    assert taught.logits.shape == student.logits.shape == (1, small_graph().num_classes)
    assert student.nodes_read == 1
    assert taught.nodes_read > 1


def test_too_little_memory_loses_no_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(measured, "serve_fresh_teacher", full)
    (task,) = small_tasks(config(), [0])
    with caplog.at_level(logging.WARNING, "gkd_runner"):
        assert inference_seconds(config(), task, CPU) is None
    assert "inference was not timed: DefaultCPUAllocator" in caplog.text


def test_a_mistake_is_no_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(measured, "serve_fresh_teacher", broken)
    (task,) = small_tasks(config(), [0])
    with pytest.raises(RuntimeError, match="shapes differ"):
        inference_seconds(config(), task, CPU)
