"""Decisions between a sparse and a dense first layer."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from support import CPU, random_features

from gkd_runner.graph.features import Features
from gkd_runner.models.forms import DENSE, SPARSE, Choice, Decisions
from gkd_runner.models.inputs import DenseInputs, SparseInputs, row_inputs


def choice(density: float, width: int | None = 8) -> Choice:
    features = Features(random_features(100, 50, density=density))
    return Choice.of([features], features.base.nnz, CPU, width)


@pytest.mark.parametrize(
    ("density", "width", "decided"),
    [(0.5, 8, DENSE), (0.1, 8, None), (0.005, 8, SPARSE), (0.1, None, SPARSE), (0.5, None, DENSE)],
)
def test_the_count_decides_outside_of_the_limits(
    density: float, width: int | None, decided: str | None
) -> None:
    assert choice(density, width).by_count == decided


def test_nothing_is_timed_where_there_is_no_backward_pass() -> None:
    with torch.inference_mode():
        assert choice(0.1).by_count == SPARSE


@pytest.mark.parametrize(
    ("times", "expected", "rounds"),
    [
        ({SPARSE: [1.0], DENSE: [3.0]}, SPARSE, 1),
        ({SPARSE: [3.0], DENSE: [1.0]}, DENSE, 1),
        ({SPARSE: [1.0, 2.0], DENSE: [1.5, 1.0]}, DENSE, 2),
    ],
)
def test_the_faster_form_is_taken_and_close_ones_are_timed_again(
    times: dict[str, list[float]], expected: str, rounds: int
) -> None:
    timed: list[str] = []

    def seconds(form: str) -> float:
        timed.append(form)
        return times[form][timed.count(form) - 1]

    decisions = Decisions()
    assert decisions.form(choice(0.1), seconds) == expected
    assert len(timed) == 2 * rounds
    assert decisions.form(choice(0.1), seconds) == expected
    assert len(timed) == 2 * rounds


def test_a_decision_is_read_by_later_processes_and_wins_over_their_own(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "first-layers.json"
    first, second = Decisions(), Decisions()
    first.remember_in(file)
    second.remember_in(file)
    assert first.form(choice(0.1), lambda form: 1.0 if form == DENSE else 9.0) == DENSE
    assert second.form(choice(0.1), lambda form: 1.0 if form == SPARSE else 9.0) == DENSE
    later = Decisions()
    later.remember_in(file)
    assert later.form(choice(0.1), pytest.fail) == DENSE


def test_decisions_that_cannot_be_written_are_told_once_and_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    decisions = Decisions()
    decisions.remember_in(tmp_path / "file" / "first-layers.json")
    with caplog.at_level(logging.WARNING, "gkd_runner"):
        for density in (0.1, 0.2):
            assert decisions.form(choice(density), lambda form: float(form == SPARSE)) == DENSE
    (line,) = caplog.messages
    assert str(tmp_path / "file") in line


@pytest.mark.parametrize("content", ["", "[]", '{"a": "neither"}', '{"a": ["dense"]}'])
def test_a_damaged_file_is_named_and_replaced(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "first-layers.json"
    file.write_text(content)
    decisions = Decisions()
    with caplog.at_level(logging.WARNING, "gkd_runner"):
        decisions.remember_in(file)
    assert "first-layers.json is unreadable" in caplog.text
    decisions.form(choice(0.1), lambda form: float(form == SPARSE))
    assert list(json.loads(file.read_text()).values()) == [DENSE]


@pytest.mark.parametrize(("density", "form"), [(0.5, DenseInputs), (0.005, SparseInputs)])
def test_inputs_take_the_form_that_is_decided(density: float, form: type) -> None:
    assert isinstance(
        row_inputs([Features(random_features(100, 50, density=density))], CPU, 4), form
    )
