"""Methods over all graphs: what is compared, ranks, cells won, performance profiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import scikit_posthocs
from scipy.stats import friedmanchisquare, rankdata, ttest_rel

from gkd_runner.results.bootstrap import Resamples
from gkd_runner.results.cells import Cell, Cells, shared_cells
from gkd_runner.results.frame import ReportError
from gkd_runner.results.method_comparison import compare_methods, several_graphs
from gkd_runner.results.profiles import profile
from gkd_runner.results.ranks import ranking
from gkd_runner.results.selection import select
from gkd_runner.results.versus import BEST, best_of_each_cell, versus
from tests.results.runs import Run, run, seeds, table

GRAPHS = ("cora", "citeseer", "pubmed", "amazon-photo")


def on(graph: str, **accuracies: Sequence[float]) -> list[Run]:
    """Runs of some methods on a graph; ``hgmd_weight`` stands for ``hgmd-weight``."""
    return [
        row
        for method, values in accuracies.items()
        for row in seeds(method.replace("_", "-"), values, dataset=graph)
    ]


def one_block_per_graph(values: Mapping[str, Sequence[float]]) -> Cells:
    """Cells with one unit each: an accuracy per method of each graph."""
    graphs = np.array(list(values.values())).T
    cells = [
        Cell(f"g{number}", "transductive", "gcn", row[:, None]) for number, row in enumerate(graphs)
    ]
    return Cells(tuple(values), tuple(cells), 0, {})


def random_cells(methods: Sequence[str], graphs: int, per_graph: int = 2) -> Cells:
    random = np.random.default_rng(0)
    better = np.linspace(0, 0.05, len(methods))[:, None]
    cells = [
        Cell(f"g{graph}", "transductive", f"t{teacher}", better + random.random((len(methods), 5)))
        for graph in range(graphs)
        for teacher in range(per_graph)
    ]
    return Cells(tuple(methods), tuple(cells), 0, {})


NEMENYI = {3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}
"""Critical values at 5% by the number of methods (Demsar, 2006, table 5 a)."""


@pytest.mark.parametrize("methods", NEMENYI)
def test_the_critical_difference_is_that_of_published_critical_values(methods: int) -> None:
    found = ranking(random_cells([f"m{number}" for number in range(methods)], graphs=14))

    expected = NEMENYI[methods] * math.sqrt(methods * (methods + 1) / (6 * 14))
    assert found.critical_difference == pytest.approx(expected, rel=4e-4)


def test_ranks_and_their_tests_are_those_of_scipy_and_scikit_posthocs() -> None:
    better = np.array([0.9, 0.5, 0.4, 0.1, 0.0])
    blocks = better + np.random.default_rng(4).random((9, 5))
    names = list("abcde")

    found = ranking(one_block_per_graph(dict(zip(names, blocks.T, strict=True))))

    ranks = rankdata(-blocks, axis=1).mean(axis=0)
    assert found.ranks == pytest.approx(dict(zip(names, ranks, strict=True)))
    assert list(found.ranks) == sorted(found.ranks, key=lambda name: found.ranks[name])
    friedman = friedmanchisquare(*blocks.T)
    assert (found.friedman, found.p) == pytest.approx((friedman.statistic, friedman.pvalue))
    nemenyi = scikit_posthocs.posthoc_nemenyi_friedman(blocks)
    apart = {pair: nemenyi.to_numpy()[tuple(map(names.index, pair))] for pair in _pairs(names)}
    for pair, p in apart.items():
        assert found.p_value(*pair) == pytest.approx(p, abs=1e-6)
    together = {tuple(sorted(pair)) for group in found.groups for pair in _pairs(sorted(group))}
    assert together == {pair for pair, p in apart.items() if p >= 0.05}
    assert 0 < len(together) < len(apart)


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(a, b) for a in names for b in names if a < b]


def test_methods_that_nemenyis_test_tells_apart_share_no_group() -> None:
    steps = {f"m{rank}": [0.5 - 0.05 * rank + 0.001 * graph for graph in range(8)] for rank in
             range(5)}  # fmt: skip

    found = ranking(one_block_per_graph(steps))

    assert list(found.ranks.values()) == [1, 2, 3, 4, 5]
    assert 2 < found.critical_difference < 3
    assert found.groups == (("m0", "m1", "m2"), ("m1", "m2", "m3"), ("m2", "m3", "m4"))
    for one, other in _pairs(list(steps)):
        assert found.tells_apart(one, other) == (found.p_value(one, other) < 0.05)


def test_a_graph_is_one_block_however_many_cells_it_has() -> None:
    cells = random_cells(["a", "b", "c"], graphs=5, per_graph=3)
    means = np.array([cell.scores.mean(axis=1) for cell in cells.cells])
    blocks = means.reshape(5, 3, 3).mean(axis=1)
    ranks = rankdata(-blocks, axis=1)

    found = ranking(cells)

    assert found.graphs == 5
    assert found.ranks == pytest.approx(dict(zip("abc", ranks.mean(axis=0), strict=True)))
    assert found.p == pytest.approx(friedmanchisquare(*blocks.T).pvalue)


def test_where_the_friedman_test_finds_nothing_no_methods_are_told_apart() -> None:
    found = ranking(random_cells(["a", "b", "c", "d"], graphs=4))

    assert found.p > 0.05
    assert found.groups == (tuple(found.ranks),)
    assert not found.tells_apart(*list(found.ranks)[::3])


def test_ties_share_their_ranks_and_all_ties_have_no_test() -> None:
    some = {"a": [0.9, 0.8, 0.7], "b": [0.9, 0.7, 0.7], "c": [0.5, 0.6, 0.9]}
    same = {name: [0.8, 0.8, 0.8] for name in "abc"}

    assert ranking(one_block_per_graph(some)).ranks == pytest.approx(
        {"a": (1.5 + 1 + 2.5) / 3, "b": (1.5 + 2 + 2.5) / 3, "c": (3 + 3 + 1) / 3}
    )
    assert set(ranking(one_block_per_graph(same)).ranks.values()) == {2.0}
    assert math.isnan(ranking(one_block_per_graph(same)).p)


@pytest.mark.parametrize(("methods", "graphs"), [(2, 6), (5, 2)])
def test_few_methods_or_graphs_have_no_test(methods: int, graphs: int) -> None:
    found = ranking(random_cells([f"m{number}" for number in range(methods)], graphs))

    assert np.isnan([found.friedman, found.p, found.critical_difference]).all()
    assert found.groups == ()
    assert math.isnan(found.p_value("m0", "m1"))


def test_cells_are_won_and_lost_by_the_paired_t_test() -> None:
    cells = random_cells(["a", "b"], graphs=30)
    results = [ttest_rel(*cell.scores) for cell in cells.cells]
    won = sum(result.pvalue < 0.05 and result.statistic > 0 for result in results)
    lost = sum(result.pvalue < 0.05 and result.statistic < 0 for result in results)

    (found,) = versus(Resamples(cells, 10), [("a", "b")])

    assert (found.won, found.lost, found.tied) == (won, lost, 60 - won - lost)
    assert won + lost > 0


def test_a_profile_counts_the_runs_within_each_distance_of_the_best() -> None:
    cells, distances = random_cells(["a", "b", "c"], graphs=4), (0.0, 5.0, 30.0, 200.0)

    found = profile(Resamples(cells), distances)

    for number, name in enumerate("abc"):
        for place, distance in enumerate(distances):
            shares = []
            for cell in cells.cells:
                near = [100 * (max(unit) - unit[number]) <= distance for unit in cell.scores.T]
                shares.append(sum(near) / len(near))
            estimate = found.shares[name][place]
            assert estimate.mean == pytest.approx(np.mean(shares))
            if distance < 200:
                assert 0 <= estimate.low <= estimate.mean <= estimate.high <= 1
    assert sum(found.shares[name][0].mean for name in "abc") == pytest.approx(1.0)


def test_the_best_of_each_cell_may_be_another_method_in_each() -> None:
    first = Cell("x", "transductive", "gcn", np.array([[0.9], [0.8], [0.7]]))
    second = Cell("y", "transductive", "gcn", np.array([[0.5], [0.1], [0.6]]))

    found = best_of_each_cell(Cells(("a", "b", "c"), (first, second), 0, {}), "a")

    assert found.methods == ("a", BEST)
    assert [cell.scores.ravel().tolist() for cell in found.cells] == [[0.9, 0.8], [0.5, 0.6]]


def test_only_seeds_that_all_methods_have_are_compared() -> None:
    runs = [*on("cora", mlp=[0.5, 0.6, 0.7], glnn=[0.8, 0.7]), run("glnn", 7, 0.1)]

    cells = shared_cells(select(table(runs)))

    assert cells.methods == ("mlp", "glnn")
    assert cells.cells[0].scores.tolist() == [[0.5, 0.6], [0.8, 0.7]]
    assert (cells.incomplete, cells.left_out, cells.units) == (0, {}, 2)


def test_seeds_on_another_split_are_not_compared() -> None:
    runs = [*on("cora", mlp=[0.5, 0.6]), run("glnn", 0, 0.8), run("glnn", 1, 0.8, split_hash="x")]
    assert shared_cells(select(table(runs))).units == 1


def test_a_split_is_one_unit_with_the_mean_of_its_seeds() -> None:
    rows = [
        run(method, seed, value + 0.1 * split + 0.01 * seed, split=split, split_hash=f"s{split}")
        for method, value in (("mlp", 0.5), ("glnn", 0.6))
        for split in (0, 1, 2)
        for seed in (0, 1)
    ]

    (cell,) = shared_cells(select(table(rows))).cells

    assert cell.scores == pytest.approx(np.array([[0.505, 0.605, 0.705], [0.605, 0.705, 0.805]]))


def test_a_method_with_few_cells_and_a_cell_with_few_methods_are_left_out() -> None:
    runs = [row for graph in GRAPHS[:3] for row in on(graph, mlp=[0.5], glnn=[0.6], krd=[0.7])]
    runs += [*on(GRAPHS[3], mlp=[0.5], glnn=[0.6]), *on("cora", infgrand=[0.9])]

    cells = shared_cells(select(table(runs)))

    assert cells.methods == ("mlp", "glnn", "krd")
    assert cells.graphs == ("cora", "citeseer", "pubmed")
    assert cells.incomplete == 1
    assert cells.left_out == {"infgrand": 1}


def test_a_method_that_has_run_on_three_graphs_is_compared_where_all_have_run() -> None:
    runs = [row for graph in GRAPHS for row in on(graph, mlp=[0.5], glnn=[0.6])]
    runs += [row for graph in GRAPHS[:3] for row in on(graph, infgrand=[0.7])]

    cells = shared_cells(select(table(runs)))

    assert cells.methods == ("mlp", "glnn", "infgrand")
    assert cells.graphs == ("cora", "citeseer", "pubmed")
    assert cells.incomplete == len(GRAPHS) - 3


def test_methods_that_are_asked_for_are_compared_wherever_all_of_them_have_run() -> None:
    runs = [row for graph in GRAPHS for row in on(graph, mlp=[0.5], glnn=[0.6])]
    runs += on("cora", infgrand=[0.9])

    (found,) = compare_methods(select(table(runs)), ["infgrand", "mlp"])

    assert found.cells.methods == ("infgrand", "mlp")
    assert (found.cells.graphs, found.cells.incomplete) == (("cora",), 3)
    with pytest.raises(ReportError, match=r"no run of method krdd .*; there are runs of mlp, glnn"):
        list(compare_methods(select(table(runs)), ["mlp", "krdd"]))


def test_one_graph_has_means_and_no_intervals() -> None:
    (found,) = compare_methods(select(table(on("cora", mlp=[0.5, 0.6], glnn=[0.7, 0.9]))))

    against = found.against("glnn", "mlp")
    assert against.difference.mean == pytest.approx(0.25)
    assert math.isnan(against.difference.low)
    assert against.sign == 0
    assert several_graphs(select(table(on("cora", mlp=[0.5], glnn=[0.7])))) == []


def test_a_single_method_is_compared_with_nothing() -> None:
    assert list(compare_methods(select(table(on("cora", mlp=[0.5]))))) == []
    alone = [*on("cora", mlp=[0.5]), *on("citeseer", glnn=[0.5])]
    assert list(compare_methods(select(table(alone)))) == []


def test_groups_and_settings_are_compared_apart_and_settings_together_as_well() -> None:
    inductive = {"setting": "inductive", "student_test_hidden": 0.4}
    runs = [
        *on("cora", mlp=[0.5], glnn=[0.6]),
        run("mlp", **inductive), run("glnn", **inductive),
        *(row | {"protocol": "krd"} for row in on("cora", mlp=[0.5], glnn=[0.7])),
    ]  # fmt: skip

    found = compare_methods(select(table(runs)))

    assert [(each.names["protocol"], each.names["setting"], len(each.cells.cells))
            for each in found] == [
        ("infgrand", "all", 2), ("infgrand", "transductive", 1), ("infgrand", "inductive", 1),
        ("krd", "transductive", 1),
    ]  # fmt: skip


def test_as_a_table_each_method_stands_against_the_best_other_one() -> None:
    runs = [row for graph in GRAPHS for row in
            on(graph, mlp=[0.5, 0.6], glnn=[0.7, 0.7], infgrand=[0.8, 0.9])]  # fmt: skip

    (found,) = compare_methods(select(table(runs)))
    frame = found.to_dataframe().set_index("method")

    assert frame["base"].to_dict() == {"mlp": "infgrand", "glnn": "infgrand", "infgrand": "glnn"}
    assert frame["rank"].to_dict() == {"mlp": 3.0, "glnn": 2.0, "infgrand": 1.0}
    assert frame.loc["infgrand", "difference"] == pytest.approx(0.15)
    assert frame.loc["infgrand", "accuracy"] == pytest.approx(0.85)
    assert found.against_best("infgrand").difference.mean == pytest.approx(0.15)
