"""Cost against size."""

import pytest
from bench.cli import main
from bench.clock import Sample
from bench.large import AXES as MEMORY_AXES
from bench.large import MEMORY
from bench.results import OURS, Key, Line, Results, load
from bench.scaling import AXES, Size, curves, exponent
from bench.scaling_plot import panels, save_figure
from bench.shapes import SHAPES, Shape, kept_graph, shaped_graph


def grown(axis, part, power, fixed=0.0):
    """Lines of a cost that grows with a power of the size, on top of a fixed one."""
    for size in AXES[axis]:
        value = getattr(size, axis)
        cost = fixed + value**power
        key = Key(f"scaling: {axis}", part, str(value))
        yield Line.of(key, "epoch", [[Sample(cost, cost)]])


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found_beside_a_fixed_cost(power):
    lines = list(grown("nodes", "teacher gcn", power, fixed=1e-3))
    points = curves(Results("", {}, {}, lines), "nodes")["teacher gcn"]
    assert exponent(points) == pytest.approx(power, abs=1e-3)


def test_every_axis_spans_two_orders_of_magnitude():
    for axis, sizes in AXES.items():
        values = [getattr(size, axis) for size in sizes]
        assert values[-1] == 100 * values[0], axis


def test_the_figure_has_a_panel_per_measured_axis(tmp_path):
    lines = [*grown("nodes", "teacher gcn", 1.0), *grown("classes", "student glnn", 0.5)]
    save_figure(Results("", {}, {}, lines), tmp_path / "scaling.svg")
    drawn = (tmp_path / "scaling.svg").read_text()
    assert drawn.startswith("<?xml")
    assert len(drawn) > 10_000


def test_memory_has_a_panel_of_its_own():
    lines = []
    for size, peak in ((1_000, 2**30), (10_000, 2**31), (100_000, 2**32)):
        key = Key(f"{MEMORY}: {MEMORY_AXES[0]}", "teacher sage", str(size))
        lines.append(Line(key, "process", peak_bytes=peak))
    (panel,) = panels(Results("", {}, {}, lines))
    assert panel.parts == {"teacher sage": [(1e3, 1024.0), (1e4, 2048.0), (1e5, 4096.0)]}


@pytest.mark.slow
def test_a_large_graph_is_measured_stage_by_stage(tmp_path):
    small = ["--scale", "0.002", "--option", "teacher.hidden_dim=8", "--threads", "1"]
    main(["products-shape", *small, "--json", str(tmp_path / "found.json")])
    found = load(tmp_path / "found.json")
    assert found.skipped == []
    for stage in ("teacher sage", "student glnn", "student hgmd-weight", "student infgrand"):
        line = found.find("products-shape, scale 0.002", stage, OURS)
        assert line.peak_bytes > line.start_bytes
        assert line.cpu.median > 0


def test_a_graph_that_was_kept_is_the_one_that_was_made(tmp_path):
    shape = Shape(200, 600, 8, 4, None, (50, 20, 100))
    made, kept = (kept_graph("small", shape, tmp_path) for _ in range(2))
    assert kept.fingerprint == made.fingerprint


def test_a_made_up_graph_has_its_shape():
    shape = Shape(500, 1_500, 40, 4, stored=2_000, split=(50, 20, 100))
    graph = shaped_graph("small", shape)
    assert (graph.num_nodes, graph.num_edges, graph.num_features) == (500, 3_000, 40)
    assert (graph.features.nnz, graph.num_classes) == (2_000, 4)
    (split,) = graph.splits
    assert [len(part) for part in (split.train, split.val, split.test)] == [50, 20, 100]


def test_signed_features_are_dense_and_a_scaled_shape_keeps_its_degrees():
    shape = SHAPES["ogbn-arxiv"].scaled(0.02)
    graph = shaped_graph("small", shape)
    assert graph.features.shape == (3_387, 128)
    assert (graph.features < 0).any()
    assert shape.edges / shape.nodes == pytest.approx(1_157_799 / 169_343, rel=0.01)


def test_a_size_has_the_workload_that_it_says():
    workload = Size(nodes=1_000, edges=4_000, classes=5, width=16).workload()
    config = workload.config("sage", "glnn")
    assert (workload.graph.num_nodes, workload.graph.num_edges) == (1_000, 8_000)
    assert (config.teacher.hidden_dim, config.student.hidden_dim) == (16, 16)
    assert len(workload.task.seen.train) == 500
