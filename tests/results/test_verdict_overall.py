"""The verdict over graphs averages over teachers and names the best method, and where it loses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from gkd_runner.results.compare import compare
from gkd_runner.results.verdict import DISTIL, DO_NOT, UNDECIDED
from gkd_runner.results.verdict_overall import Overall, overalls
from gkd_runner.results.verdict_overall_text import overall_sentences, winner_text
from tests.results.runs import Run, seeds, table

SPREAD = np.array([0.0, 0.01, -0.01, 0.02, -0.02])
OTHER = np.array([0.01, -0.01, 0.0, -0.02, 0.02])


def only(runs: list[Run]) -> Overall:
    (overall,) = overalls(compare(table(runs)))
    return overall


def place(level: dict[str, float], **names: str) -> list[Run]:
    """Five seeds of each method around its level; no two methods vary alike."""
    return [
        row
        for number, (method, mean) in enumerate(level.items())
        for row in seeds(method, mean + SPREAD + number * 0.1 * OTHER, **names)
    ]


HOMOPHILIC = {"mlp": 0.6, "glnn": 0.8, "infgrand": 0.85}
HETEROPHILIC = {"mlp": 0.9, "glnn": 0.8, "infgrand": 0.82}


def test_a_line_is_the_mean_over_the_teachers_that_all_methods_share() -> None:
    runs = [
        *place(HOMOPHILIC, teacher="gcn"),
        *place({"mlp": 0.5, "glnn": 0.9, "infgrand": 0.7}, teacher="sage"),
        *place({"glnn": 0.1}, teacher="gat"),
    ]
    (verdict,) = only(runs).graphs

    assert verdict.names["teacher"] == "gcn, sage"
    of = {
        method: table(runs).query(f"method == '{method}' and teacher != 'gat'")
        .groupby("seed")["student_test"].mean().to_numpy()
        for method in HOMOPHILIC
    }  # fmt: skip
    assert verdict.best is not None
    assert verdict.best.method == "glnn"
    assert verdict.best.mean == pytest.approx(of["glnn"].mean())
    expected = ttest_rel(of["glnn"], of["mlp"]).confidence_interval(0.95)
    assert verdict.over_baseline is not None
    assert (verdict.over_baseline.low, verdict.over_baseline.high) == (
        pytest.approx(expected.low), pytest.approx(expected.high),
    )  # fmt: skip


def test_a_seed_that_lacks_a_teacher_is_left_out_of_the_mean() -> None:
    runs = [*place(HOMOPHILIC, teacher="gcn"), *place(HOMOPHILIC, teacher="sage")]
    (verdict,) = only([row for row in runs if (row["teacher"], row["seed"]) != ("sage", 4)]).graphs
    assert verdict.best is not None
    assert verdict.best.n == 4


def test_methods_without_a_common_teacher_are_compared_with_the_most_frequent_one() -> None:
    runs = [
        *place({"mlp": 0.6, "glnn": 0.8}, teacher="gcn"), *place({"infgrand": 0.9}, teacher="sage")
    ]  # fmt: skip
    (verdict,) = only(runs).graphs
    assert verdict.names["teacher"] == "gcn"
    assert verdict.methods == ("glnn",)


def test_the_methods_that_no_test_tells_from_the_best_tie() -> None:
    near = place({"mlp": 0.5, "glnn": 0.801, "krd": 0.80, "infgrand": 0.7})
    (verdict,) = only(near).graphs
    assert verdict.level == ("glnn", "krd")
    assert winner_text(verdict) == "tie: glnn, krd"
    (clear,) = only(place(HOMOPHILIC)).graphs
    assert winner_text(clear) == "infgrand"
    (alone,) = only(seeds("glnn", [0.8, 0.9])).graphs
    assert winner_text(alone) == "only glnn"


def test_two_seeds_make_no_tie_but_no_test() -> None:
    runs = place(HOMOPHILIC)
    first = sorted({row["seed"] for row in runs})[:2]
    overall = only([row for row in runs if row["seed"] in first])
    assert winner_text(overall.graphs[0]) == "infgrand (not tested)"
    told = " ".join(overall_sentences(overall))
    assert "infgrand has the highest mean; no test was possible" in told
    assert "no test tells apart" not in told


def test_the_sentences_name_the_best_method_its_gains_and_where_to_distil() -> None:
    graphs = ["cora", "citeseer", "pubmed", "amazon-photo"]
    runs = [
        row
        for number, graph in enumerate(graphs)
        for row in place({"mlp": 0.6, "glnn": 0.8, "infgrand": 0.85 + 0.01 * number}, dataset=graph)
    ]
    overall = only(runs)

    best, gains, distil, where = overall_sentences(overall)

    assert best == "infgrand is the best method on average."
    assert gains.startswith("infgrand gains +6.50 [+")
    assert " points over glnn, the next, and +26.50 [+" in gains
    assert gains.endswith(
        "(means over 4 graphs, with 95% bootstrap intervals over graphs and seeds)."
    )
    assert distil == (
        "Distil on cora, citeseer, pubmed and amazon-photo: the best student is 25.0 to 28.0 points"
        " better than the plain MLP."
    )
    assert where == (
        "Of 4 pairs of graph and setting, infgrand is the best on 4, ties with the best on 0, and"
        " is worse on 0."
    )
    assert list(overall.over) == ["glnn", "mlp"]


def test_graphs_on_which_the_plain_mlp_wins_are_named() -> None:
    runs = [
        *place(HOMOPHILIC, dataset="cora"),
        *place(HOMOPHILIC, dataset="citeseer"),
        *place(HETEROPHILIC, dataset="wisconsin"),
        *place(HETEROPHILIC, dataset="cornell"),
        *place(HOMOPHILIC, dataset="cornell", setting="inductive"),
    ]
    for row in runs:
        row["student_test_hidden"] = row["student_test"] if row["setting"] == "inductive" else None
    overall = only(runs)
    said = " ".join(overall_sentences(overall))

    assert said.startswith(
        "infgrand is ahead on average, but not clearly better than the plain MLP. infgrand gains +"
    )
    assert (
        "Do not distil on cornell (transductive) and wisconsin: the plain MLP wins, the best"
        " student is 8.0 points worse." in said
    )
    assert "Distil on cora, citeseer and cornell (inductive): the best student is 25.0" in said
    assert "is worse on 2: use mlp on cornell (transductive) and wisconsin." in said
    decisions = {(v.names["dataset"], v.names["setting"]): v.decision for v in overall.graphs}
    assert decisions["wisconsin", "transductive"] == DO_NOT
    assert decisions["cornell", "inductive"] == DISTIL


def test_a_plain_mlp_that_is_best_on_average_opens_the_verdict() -> None:
    runs = [
        row
        for number, graph in enumerate(["wisconsin", "cornell", "texas"])
        for row in place({"mlp": 0.9 + 0.01 * number, "glnn": 0.8}, dataset=graph)
    ]
    best, gains, *_ = overall_sentences(only(runs))
    assert best == "The plain MLP is best on average."
    assert gains.startswith("glnn, the best student, is -11.00 [-")


def test_one_graph_has_no_mean_over_graphs() -> None:
    tied = only(place({"mlp": 0.8, "glnn": 0.801}))
    assert overall_sentences(tied)[0] == (
        "On cora (transductive), no test tells apart glnn and mlp."
    )
    assert [verdict.decision for verdict in tied.graphs] == [UNDECIDED]
    assert overall_sentences(only(place(HOMOPHILIC)))[0] == (
        "On cora (transductive), infgrand is the best method."
    )


def test_methods_that_share_no_cell_are_not_ranked_but_their_graphs_are_judged() -> None:
    overall = only([*seeds("glnn", [0.8, 0.9]), *seeds("krd", [0.7, 0.8], dataset="citeseer")])
    assert overall.best is None
    assert overall_sentences(overall) == [
        "Undecided on cora and citeseer, as the plain MLP has not run here."
    ]


def test_the_speed_is_that_of_the_best_student_of_each_graph() -> None:
    timed = {"student_answer_seconds": 0.001}
    runs = [
        *place(HOMOPHILIC, dataset="cora", **timed, teacher_answer_seconds=0.004),
        *place(HOMOPHILIC, dataset="citeseer", **timed, teacher_answer_seconds=0.02),
    ]
    said = overall_sentences(only(runs))[-1]
    assert said == (
        "The best students answer for one node 4.0 to 20 times as fast as their teachers."
    )


def test_there_is_no_verdict_over_no_runs_and_one_per_group() -> None:
    two = overalls(compare(table([*place(HOMOPHILIC), *place(HOMOPHILIC, protocol="krd")])))
    assert [overall.names["protocol"] for overall in two] == ["infgrand", "krd"]
