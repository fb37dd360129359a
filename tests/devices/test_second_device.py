"""Training with all tensors on a second device, which stands in for a GPU."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from second_device import DeviceTensor, MixedDevicesError, SecondDevice, second_device
from support import CPU, LIVELY, config, random_features, random_graph, silent, small_graph
from torch import Tensor

from gkd_runner.common.seeding import stream_seed
from gkd_runner.data.graph import GraphData
from gkd_runner.data.protocols import make_task
from gkd_runner.data.task import Task
from gkd_runner.methods import METHODS, build_method
from gkd_runner.methods.base import Method
from gkd_runner.models.streams import Streams
from gkd_runner.options.metrics import BESIDE_ACCURACY
from gkd_runner.options.schema import Config
from gkd_runner.runs.train import train
from gkd_runner.training import student, teacher
from gkd_runner.training.fit import Fitted, OnEpochs, fit
from gkd_runner.training.soft_labels import SoftLabels
from gkd_runner.training.stage import Trained

GPU = torch.device("cuda")

GRAPHS = {
    "sparse features": small_graph(),
    "signed dense features": random_graph(300, random_features(300, 12, signed=True), classes=4),
}

SHORT = ("setting=inductive", "training.max_epochs=6", "student.hidden_dim=16")

CASES = {
    "sparse features": ("sparse features", ()),
    "signed dense features": ("signed dense features", ()),
    "mini-batches": ("sparse features", ("training.batch_size=80",)),
}
"""Graph and further options."""


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecondDevice]:
    with second_device(monkeypatch) as found:
        yield found


def draws_as_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let streams on the CPU draw from torch's generators, as they do on other devices."""

    def start(self: Streams, seeds: Sequence[int], name: str, device: torch.device) -> None:
        self.device, self._on_host, self._host = device, False, []
        self._device = [torch.Generator().manual_seed(stream_seed(s, name)) for s in seeds]

    monkeypatch.setattr(Streams, "__init__", start)


def tasks_of(settings: Config, graph: GraphData) -> list[Task]:
    return [make_task(graph, settings, seed) for seed in (3, 4)]


def teachers(
    settings: Config, tasks: Sequence[Task], where: torch.device, on_epochs: OnEpochs = silent
) -> list[Trained]:
    return teacher.train_teachers(tasks, settings.gnn, settings.training, where, on_epochs)


@cache
def taught_tasks(features: str) -> tuple[list[Task], list[Trained]]:
    """Tasks on a graph and their GCN teachers, trained on the CPU."""
    tasks = tasks_of(config(*SHORT), GRAPHS[features])
    return tasks, teachers(config(*SHORT), tasks, CPU)


def students(
    settings: Config,
    tasks: Sequence[Task],
    taught: Sequence[Trained],
    where: torch.device,
    on_epochs: OnEpochs = silent,
) -> list[Trained]:
    labels = [SoftLabels(one, "", cached=False, temperature=1.0) for one in taught]
    return student.train_students(tasks, labels, settings, where, on_epochs)


def assert_alike(found: Sequence[Trained], expected: Sequence[Trained]) -> None:
    """Equal up to the rounding of sums in another order; everything is back on the host."""
    for one, other in zip(found, expected, strict=True):
        for name, value in one.state.items():
            assert not isinstance(value, DeviceTensor)
            torch.testing.assert_close(value, other.state[name], rtol=1e-3, atol=1e-5)
        for left, right in (
            (one.observed_logits, other.observed_logits),
            (one.hidden_logits, other.hidden_logits),
        ):
            assert left.size
            np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-5)
        losses = [[epoch.loss for epoch in trained.history] for trained in (one, other)]
        np.testing.assert_allclose(*losses, rtol=1e-4)
        assert one.best_epoch == other.best_epoch


class Waits:
    """For each epoch of a stage, how often the host waited for the device, by reason."""

    def __init__(self, device: SecondDevice, monkeypatch: pytest.MonkeyPatch) -> None:
        self._device, self._before = device, Counter[str]()
        self.epochs: list[Counter[str]] = []

        def started(*arguments: Any) -> Fitted:
            self._before = device.waits.copy()
            return fit(*arguments)

        for stage in (student, teacher):
            monkeypatch.setattr(stage, "fit", started)

    def __call__(self, *_: object) -> None:
        self.epochs.append(self._device.waits - self._before)
        self._before = self._device.waits.copy()

    def check(self, first: int) -> None:
        """From epoch ``first`` on there is one copy to the host, which early stopping reads.

        Where only some seeds improved, their places are copied to the device, which has nothing
        else to do at that time. Epochs before ``first`` may build tables of the graph.
        """
        assert len(self.epochs) > first + 1
        for waits in self.epochs[first - 1 :]:
            assert waits["upload"] <= 1, waits
            assert {**waits, "upload": 0} == {"download": 1, "upload": 0}, waits


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["gcn", "sage", "gat"])
def test_teachers_train_together_on_a_second_device_as_alone_on_the_cpu(
    name: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, options = CASES[case]
    settings = config(f"teacher={name}", "teacher.dropout=0.3", *SHORT, *options)
    tasks = tasks_of(settings, GRAPHS[features])
    with monkeypatch.context() as patch:
        draws_as_a_gpu(patch)
        alone = [one for task in tasks for one in teachers(settings, [task], CPU)]

    with second_device(monkeypatch) as device:
        waits = Waits(device, monkeypatch)
        together = teachers(settings, tasks, GPU, waits)

    assert_alike(together, alone)
    if settings.training.batch_size is None:
        waits.check(first=2)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", METHODS)
def test_students_train_together_on_a_second_device_as_alone_on_the_cpu(
    name: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, options = CASES[case]
    lively = LIVELY.get(name, ())
    settings = config(f"method={name}", "student.dropout=0.3", *SHORT, *options, *lively)
    tasks, taught = taught_tasks(features)
    with monkeypatch.context() as patch:
        draws_as_a_gpu(patch)
        pairs = zip(tasks, taught, strict=True)
        alone = [one for task, its in pairs for one in students(settings, [task], [its], CPU)]

    with second_device(monkeypatch) as device:
        waits = Waits(device, monkeypatch)
        together = students(settings, tasks, taught, GPU, waits)

    assert_alike(together, alone)
    variants = len(build_method(settings.method).variants)  # whose epochs are told after the choice
    if settings.training.batch_size is None and variants == 1:
        waits.check(first=3)


@pytest.mark.parametrize("metric", BESIDE_ACCURACY)
def test_another_metric_selects_on_the_device_without_a_further_wait(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = random_graph(300, random_features(300, 12, signed=True), classes=2)
    options = ("method=glnn", "dataset.classes=2", f"training.select_by={metric}")
    settings = config(*options, *SHORT)
    tasks = tasks_of(settings, graph)
    taught = teachers(settings, tasks, CPU)

    with second_device(monkeypatch) as device:
        for train_all in (teachers, lambda *stage: students(settings, tasks, taught, *stage[2:])):
            waits = Waits(device, monkeypatch)
            [one, _] = train_all(settings, tasks, GPU, waits)
            waits.check(first=3)

    assert {name for epoch in one.history for name, _ in epoch.logged} == {f"val_{metric}"}


def test_a_run_on_a_gpu_trains_all_seeds_at_once(
    tmp_path: Path, device: SecondDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = []

    def started(*arguments: Any) -> Fitted:
        _, schedule, seeds, *_ = arguments
        stages.append((schedule.stage, list(seeds)))
        return fit(*arguments)

    for stage in (student, teacher):
        monkeypatch.setattr(stage, "fit", started)
    folders = (f"output_dir={tmp_path / 'out'}", f"cache_dir={tmp_path / 'cache'}")
    options = ("dataset.nodes=300", "dataset.features=64", "seeds=[3,4]", "device=cuda")

    run = train(config("method=infgrand", *SHORT, *options, *folders))

    assert stages == [("teacher", [3, 4]), ("student", [3, 4])]
    result = json.loads((run.path / "result.json").read_text())
    assert result["device"] == {"type": "cuda", "gpu": "second device", "threads": 1}


def test_a_tensor_left_on_the_host_is_an_error(
    monkeypatch: pytest.MonkeyPatch, device: SecondDevice
) -> None:
    def forgets_the_device(self: Method[Any], rows: Tensor) -> Tensor:
        return torch.full(rows.shape, 1.0)

    tasks, taught = taught_tasks("sparse features")
    monkeypatch.setattr(Method, "label_weights", forgets_the_device)
    with pytest.raises(MixedDevicesError, match=r"reads tensors of the host \[\(2, 40\)\]"):
        students(config("method=mlp", *SHORT), tasks, taught, GPU)


def test_the_second_device_tells_what_a_gpu_would_refuse_or_wait_for(
    device: SecondDevice,
) -> None:
    host, there = torch.arange(3.0), torch.arange(3.0, device=GPU)
    assert there.device.type == "cuda"
    assert type(there) is DeviceTensor
    for mixed in (
        lambda: there + host,
        lambda: host @ there,
        lambda: there.index_select(0, torch.tensor([1])),
        lambda: there.normal_(generator=torch.Generator()),
        lambda: torch.empty(3).normal_(generator=torch.Generator(GPU)),
        lambda: there * there.new_tensor(2.0),
    ):
        with pytest.raises(MixedDevicesError):
            mixed()
    with pytest.raises((RuntimeError, TypeError), match="numpy"):
        there.numpy()
    assert (there * torch.tensor(2.0)).tolist() == [0, 2, 4]

    for read, reason in (
        (lambda: float(there.sum()), "item"),
        (lambda: bool((there > 0).any()), "item"),
        (lambda: there.cpu(), "download"),
        (lambda: there.tolist(), "download"),
        (lambda: there[there > 1], "nonzero"),
        (lambda: host.to(GPU), "upload"),
        (lambda: torch.tensor([1.0], device=GPU), "upload"),
        (lambda: there[1:] * 2, None),
    ):
        device.waits.clear()
        read()
        assert dict(device.waits) == ({reason: 1} if reason else {})
