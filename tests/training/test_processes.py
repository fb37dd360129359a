"""Several processes divide a batch; what they add up to is what one process computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

import pytest
import torch
from support import CPU, as_dense_features, config, small_graph, small_tasks
from torch import Tensor

from gkd_runner.common.errors import ConfigError
from gkd_runner.common.processes import ALONE, ProcessGroup, connected, started
from gkd_runner.data.graph import GraphData
from gkd_runner.methods import METHODS, build_method
from gkd_runner.methods.base import Classroom
from gkd_runner.models.layers import Initializer, activate
from gkd_runner.models.mlp import Mlp
from gkd_runner.models.streams import VALUES_AT_ONCE, Streams
from gkd_runner.models.windows import WindowStreams
from gkd_runner.training.student import StudentLesson
from gkd_runner.training.student_data import StudentData

SEEDS = (0, 1)
GRAPHS = {"sparse features": small_graph(), "dense features": as_dense_features(small_graph())}


@pytest.mark.parametrize(("rows", "size"), [(10, 3), (7, 7), (1, 2), (2, 5), (8, 1)])
def test_processes_divide_a_batch_without_gaps_and_evenly(rows: int, size: int) -> None:
    windows = [ProcessGroup(rank, size).window(rows) for rank in range(size)]
    if size == 1:
        assert windows == [None]
        return
    own = [range(window.start, window.stop) for window in windows if window]
    assert list(chain(*own)) == list(range(rows))
    assert max(map(len, own)) - min(map(len, own)) <= 1
    assert sum(window.share for window in windows if window) == pytest.approx(1)


def epoch_of(
    method_name: str,
    graph: GraphData,
    batch_size: int,
    processes: ProcessGroup,
    options: Sequence[str] = (),
) -> list[tuple[Tensor, ...]]:
    """Each step's loss and gradient, in the second epoch, as one of the processes has them."""
    lam = 0.4 if METHODS[method_name].distils else 1
    named = (f"method={method_name}", f"method.lam={lam}", "setting=inductive")
    settings = config(*named, *options)
    tasks = small_tasks(settings, SEEDS, graph)
    method = build_method(settings.method)
    n, classes = len(tasks[0].observed), graph.num_classes
    logits = torch.randn(len(tasks), n, classes, generator=torch.Generator().manual_seed(0))
    method.prepare(Classroom(tasks, logits, 10, lambda replica, graph: logits[replica] * 1.5))
    sizes = [graph.num_features, 7, 5, classes]  # odd: words are drawn in fours
    drop = settings.student.input_dropout
    model = Mlp(0.5, sizes, Initializer(SEEDS, "student initialisation"), drop)
    data = StudentData.of(tasks, method, CPU, settings.student, batch_size, processes)
    lesson = StudentLesson(model, method, data, Streams(SEEDS, "student dropout", CPU))
    with torch.no_grad():
        for _ in lesson.losses(1):
            pass
        lesson.validate()
    return [
        (share * loss.detach(), *torch.autograd.grad(loss.sum(), list(model.parameters())))
        for loss, share in lesson.losses(2)
    ]


def assert_sums(
    method: str, graph: GraphData, batch_size: int, size: int, options: Sequence[str] = ()
) -> None:
    whole = epoch_of(method, graph, batch_size, ALONE, options)
    groups = [ProcessGroup(rank, size) for rank in range(size)]
    parts = [epoch_of(method, graph, batch_size, group, options) for group in groups]
    for step, expected in enumerate(whole):
        summed = tuple(sum(own) for own in zip(*(part[step] for part in parts), strict=True))
        torch.testing.assert_close(summed, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_losses_and_gradients_of_all_processes_sum_to_those_of_one(method: str) -> None:
    assert_sums(method, small_graph(), batch_size=47, size=3)


@pytest.mark.parametrize("options", [["student.sampled_nodes=45"], []])
@pytest.mark.parametrize("features", GRAPHS)
def test_dropout_on_the_features_is_divided_like_the_nodes(
    features: str, options: list[str]
) -> None:
    assert_sums("glnn", GRAPHS[features], 47, 3, ["student.input_dropout=0.4", *options])


@pytest.mark.parametrize("features", GRAPHS)
def test_a_batch_of_a_single_row_leaves_a_process_without_rows(features: str) -> None:
    observed = len(small_tasks(config("setting=inductive"), SEEDS)[0].observed)
    size = observed - 1
    assert ProcessGroup(0, 2).window(observed % size) == (0, 0, 1)
    assert_sums("glnn", GRAPHS[features], size, size=2)


def activated(rows: int, width: int, streams: Streams) -> Tensor:
    return activate(torch.ones(len(SEEDS), rows, width), torch.zeros(2, 1, width), 0.3, streams)


def masked(rows: int, width: int, streams: Streams) -> Tensor:
    return streams.mask((len(SEEDS), rows, width), 0.3)


def streams_of_a_gpu() -> Streams:
    """Streams that draw from torch's generators."""
    streams = Streams(SEEDS, "a", CPU)
    streams._on_host, streams._host = False, []
    streams._device = [torch.Generator().manual_seed(seed) for seed in SEEDS]
    return streams


@pytest.mark.parametrize("draw", [activated, masked])
@pytest.mark.parametrize("start", [lambda: Streams(SEEDS, "a", CPU), streams_of_a_gpu])
@pytest.mark.parametrize("rows", [9, 2 * VALUES_AT_ONCE // 33 + 3], ids=["few", "many"])
def test_dropout_of_some_rows_is_that_of_the_whole_batch(
    rows: int, start: Callable[[], Streams], draw: Callable[[int, int, Streams], Tensor]
) -> None:
    widths, passes = (33, 7), 2
    whole = start()
    expected = iter([draw(rows, width, whole) for width in widths * passes])
    windows = [ProcessGroup(rank, 2).window(rows) for rank in range(2)]
    streams = [start() for _ in windows]
    for _ in range(passes):
        own = [WindowStreams(*each, widths) for each in zip(streams, windows, strict=True)]
        for width in widths:
            parts = [
                draw(window.stop - window.start, width, draws)
                for draws, window in zip(own, windows, strict=True)
            ]
            assert torch.equal(torch.cat(parts, dim=1), next(expected))


def test_a_job_in_one_process_sends_nothing() -> None:
    tensor = torch.arange(3.0)
    assert ALONE.add([tensor])[0] is tensor
    assert ALONE.broadcast(tensor) is tensor
    assert ALONE.share({"seeds": [1]}) == {"seeds": [1]}
    assert ALONE.first


def test_processes_are_those_of_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert started() == ALONE
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert started() == ProcessGroup(1, 2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(ConfigError, match=r"process 2 .* sees 1; use torchrun --nproc-per-node 1"),
        connected(torch.device("cuda")),
    ):
        raise AssertionError("two processes have shared a GPU")
