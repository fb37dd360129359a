"""Methods are compared from a table of runs, as gkd-tables does."""

from __future__ import annotations

import pytest

from gkd_runner import compare_methods
from gkd_runner.results.frame import ReportError
from tests.results.runs import run, seeds, table


def runs_on(*graphs: str) -> list[dict[str, object]]:
    means = {"mlp": [0.5, 0.6], "glnn": [0.7, 0.6], "infgrand": [0.8, 0.9]}
    return [
        row
        for graph in graphs
        for name, values in means.items()
        for row in seeds(name, values, dataset=graph)
    ]


def test_a_frame_of_runs_becomes_a_comparison_per_group() -> None:
    other = [row | {"protocol": "krd", "key": f"krd/{row['key']}"} for row in runs_on("cora")]

    found = compare_methods(table([*runs_on("cora", "citeseer", "pubmed"), *other]))

    assert [each.names["protocol"] for each in found] == ["infgrand", "krd"]
    assert found[0].cells.graphs == ("cora", "citeseer", "pubmed")
    frame = found[0].to_dataframe().set_index("method")
    assert frame.loc["infgrand", "difference"] == pytest.approx(0.2)
    assert frame.loc["infgrand", "base"] == "glnn"


def test_a_replica_that_comes_twice_counts_once() -> None:
    once = runs_on("cora", "citeseer")

    (found,) = compare_methods(table([*once, *once]))

    assert found.cells.units == 4


def test_inductive_accuracies_are_over_the_nodes_asked_for() -> None:
    inductive = {"setting": "inductive", "student_test": 0.7}
    hidden = [
        run("mlp", student_test_hidden=0.5, **inductive),
        run("glnn", student_test_hidden=0.9, **inductive),
    ]

    (over_hidden,) = compare_methods(table(hidden))
    (over_all,) = compare_methods(table(hidden), inductive_part="test")

    assert over_hidden.against("glnn", "mlp").difference.mean == pytest.approx(0.4)
    assert over_all.against("glnn", "mlp").difference.mean == 0


def test_a_method_without_a_run_is_named() -> None:
    with pytest.raises(ReportError, match="no run of method krd to compare"):
        compare_methods(table(runs_on("cora")), ["mlp", "krd"])
