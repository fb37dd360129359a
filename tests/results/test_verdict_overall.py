"""The verdict over graphs averages over teachers and names the best method, and where it loses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from gkd_runner.results.compare import compare
from gkd_runner.results.verdict import DISTIL, DO_NOT, UNDECIDED
from gkd_runner.results.verdict_overall import Overall, overalls
from gkd_runner.results.verdict_overall_text import (
    others_text,
    overall_sentences,
    winner_text,
)
from gkd_runner.results.verdict_text import WALL_CLOCK
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
    assert (winner_text(verdict), others_text(verdict)) == ("glnn", "krd")
    (clear,) = only(place(HOMOPHILIC)).graphs
    assert (winner_text(clear), others_text(clear)) == ("infgrand", "")
    (alone,) = only(seeds("glnn", [0.8, 0.9])).graphs
    assert (winner_text(alone), others_text(alone)) == ("only glnn", "")


def test_two_seeds_make_no_tie_but_no_test() -> None:
    runs = place(HOMOPHILIC)
    first = sorted({row["seed"] for row in runs})[:2]
    overall = only([row for row in runs if row["seed"] in first])
    (verdict,) = overall.graphs
    assert (winner_text(verdict), others_text(verdict)) == ("infgrand (not tested)", "")
    told = " ".join(overall_sentences(overall))
    assert "infgrand has the highest mean; no test was possible" in told
    assert "not told apart" not in told


def test_the_sentences_name_the_best_method_its_gains_and_where_to_distil() -> None:
    graphs = ["cora", "citeseer", "pubmed", "amazon-photo"]
    runs = [
        row
        for number, graph in enumerate(graphs)
        for row in place({"mlp": 0.6, "glnn": 0.8, "infgrand": 0.85 + 0.01 * number}, dataset=graph)
    ]
    overall = only(runs)

    best, gains, distil, where, training = overall_sentences(overall)

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
        "Of 4 graphs, infgrand has the best mean on 4 (significantly on 4) and is behind on none."
    )
    assert training.startswith("A student of infgrand trains for 2.5 s (median over 4 graphs; ")
    assert list(overall.over) == ["glnn", "mlp"]


def test_graphs_on_which_the_plain_mlp_wins_are_named() -> None:
    runs = [
        *place(HOMOPHILIC, dataset="cora"),
        *place(HOMOPHILIC, dataset="citeseer"),
        *place(HETEROPHILIC, dataset="wisconsin"),
        *place(HETEROPHILIC, dataset="cornell"),
    ]
    overall = only(runs)
    said = " ".join(overall_sentences(overall))

    assert said.startswith(
        "No method is clearly the best; infgrand has the highest mean. infgrand gains +"
    )
    assert "The interval of its gain over the plain MLP includes 0." in said
    assert (
        "Do not distil on cornell and wisconsin: the plain MLP wins, the best student is 8.0"
        " points worse." in said
    )
    assert "Distil on cora and citeseer: the best student is 25.0" in said
    assert "is behind on 2: mlp has the best mean on cornell and wisconsin." in said
    decisions = {v.names["dataset"]: v.decision for v in overall.graphs}
    assert (decisions["wisconsin"], decisions["cora"]) == (DO_NOT, DISTIL)


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
        "On cora, glnn has the best mean; it is not told apart from mlp."
    )
    assert [verdict.decision for verdict in tied.graphs] == [UNDECIDED]
    assert overall_sentences(only(place(HOMOPHILIC)))[0] == (
        "On cora, infgrand is the best method."
    )


def test_methods_that_share_no_cell_are_not_ranked_but_their_graphs_are_judged() -> None:
    overall = only([*seeds("glnn", [0.8, 0.9]), *seeds("krd", [0.7, 0.8], dataset="citeseer")])
    assert overall.best is None
    assert overall_sentences(overall) == [
        "On cora and citeseer the comparison with the plain MLP is missing, as mlp has not run"
        " there with protocol=infgrand and preset=common."
    ]
    alone, missing = overall_sentences(only(seeds("glnn", [0.8, 0.9])))
    assert alone == "Only glnn has run: there is no method to compare it with."
    assert missing.startswith(
        "On cora the comparison with the plain MLP is missing, as mlp has not"
    )


def timed(teacher: float, student: float, training: float = 2.5) -> dict[str, float]:
    return {
        "teacher_answer_seconds": teacher,
        "student_answer_seconds": student,
        "student_seconds": training,
    }


def said_of_costs(runs: list[Run]) -> list[str]:
    return [text for text in overall_sentences(only(runs)) if "answer" in text or "trains" in text]


def test_the_speed_is_the_median_over_graphs_and_names_the_ends() -> None:
    graphs = {"cora": 0.004, "citeseer": 0.02, "pubmed": 0.3}
    runs = [
        row
        for name, teacher in graphs.items()
        for row in place(HOMOPHILIC, dataset=name, **timed(teacher, 0.001))
    ]
    speed, _ = said_of_costs(runs)
    assert speed == (
        "The best students answer for one node 20 times as fast as their teachers (median over 3"
        " graphs; from 4.0 times on cora to 300 times on pubmed)."
    )
    assert said_of_costs([row for row in runs if row["dataset"] == "cora"])[0] == (
        "The best student answers for one node 4.0 times as fast as its teacher."
    )


@pytest.mark.parametrize(("krd", "named"), [(0.0003, False), (0.00025, True)])
def test_a_level_method_is_named_if_it_is_four_times_as_fast(krd: float, named: bool) -> None:
    """The methods that are clearly worse are faster still, but not named."""
    answers = {"mlp": 0.0001, "hgmd-mixup": 0.0001, "glnn": 0.001, "krd": krd}
    runs = [
        row | timed(0.004, answers[row["method"]])
        for row in place({"mlp": 0.6, "hgmd-mixup": 0.7, "glnn": 0.801, "krd": 0.800})
    ]
    (verdict,) = only(runs).graphs
    assert verdict.level == ("glnn", "krd")
    assert verdict.faster == ("krd" if named else None)
    beside = "A method that is not told apart from the best is at least 4 times as fast on cora"
    assert (f"{beside} (krd, 16 times)." in said_of_costs(runs)[0]) == named


def test_inductive_speeds_leave_out_the_propagation_of_arriving_nodes() -> None:
    known = [row | timed(0.004, 0.001) for row in place(HOMOPHILIC)]
    later = [
        row | {"setting": "inductive", "student_test_hidden": row["student_test"]} for row in known
    ]
    said = " the time to propagate those of a node that arrives is not counted (docs/deploy.md)."
    assert said not in said_of_costs(known)[0]
    assert said_of_costs(later)[0].endswith(said)
    untimed = [row | timed(math.nan, math.nan) for row in later]
    assert not any(said in text for text in said_of_costs(untimed))


def test_training_stands_beside_the_quickest_method_that_distils() -> None:
    seconds = {"cora": (10.0, 40.0), "citeseer": (8.0, 4.0), "pubmed": (20.0, 50.0)}
    runs = [
        row | {"student_seconds": {"mlp": 0.1, "glnn": glnn, "infgrand": infgrand}[row["method"]]}
        for name, (glnn, infgrand) in seconds.items()
        for row in place(HOMOPHILIC, dataset=name)
    ]
    assert said_of_costs(runs) == [
        "A student of infgrand trains for 40 s and one of glnn, the quickest method that distils,"
        " for 10 s (medians over 3 graphs); infgrand takes from 0.5 times as long on citeseer to"
        f" 4.0 times as long on cora. {WALL_CLOCK}"
    ]
    assert said_of_costs([row for row in runs if row["dataset"] == "citeseer"]) == [
        "A student of infgrand trains for 4.0 s; no method that distils trains quicker."
        f" {WALL_CLOCK}"
    ]


def test_settings_have_verdicts_of_their_own() -> None:
    """The best method of one is the worst of the other: a mean over both would hide it."""
    graphs = ["cora", "citeseer", "pubmed"]
    known, later = {"mlp": 0.6, "glnn": 0.8, "krd": 0.9}, {"mlp": 0.6, "glnn": 0.8, "krd": 0.5}
    runs = [row for name in graphs for row in place(known, dataset=name)]
    runs += [
        row | {"student_test_hidden": row["student_test"]}
        for name in graphs
        for row in place(later, dataset=name, setting="inductive")
    ]
    transductive, inductive = overalls(compare(table(runs)))

    assert (transductive.names["setting"], transductive.best) == ("transductive", "krd")
    assert (inductive.names["setting"], inductive.best) == ("inductive", "glnn")
    assert {v.names["setting"] for v in inductive.graphs} == {"inductive"}
    assert transductive.methods is not None
    assert inductive.methods is not None
    assert transductive.methods.ranking.ranks["krd"] == 1
    assert inductive.methods.ranking.ranks["krd"] == 3
    assert overall_sentences(inductive)[0] == "glnn is the best method on average."


@pytest.mark.parametrize(("graphs", "apart"), [(3, False), (20, True)])
def test_another_best_average_rank_is_named_if_a_test_tells_it_apart(
    graphs: int, apart: bool
) -> None:
    """krd is ahead by little on all graphs but one, where glnn is by much."""
    levels = {"cora": (0.99, 0.55), **{f"graph{n}": (0.80, 0.81) for n in range(1, graphs)}}
    runs = [
        row
        for name, (glnn, krd) in levels.items()
        for row in place({"mlp": 0.5, "glnn": glnn, "krd": krd}, dataset=name)
    ]
    first, second, *others = overall_sentences(only(runs))
    assert first == "No method is clearly the best; glnn has the highest mean."
    assert second.startswith("glnn gains +")
    assert second.endswith("The interval of its gain over krd includes 0.")
    ranks = "krd has a better average rank than glnn (1.05 against 1.95; Nemenyi's test tells"
    assert (f"{ranks} them apart)." in others) == apart
    assert any("average rank" in text for text in others) == apart


def test_a_graph_with_the_best_mean_need_not_be_won() -> None:
    """infgrand is clearly ahead on one graph, just ahead, just behind and beaten on others."""
    levels = {"cora": 0.86, "citeseer": 0.801, "pubmed": 0.799, "amazon-photo": 0.75}
    runs = [
        row
        for name, level in levels.items()
        for row in place({"mlp": 0.5, "glnn": 0.8, "infgrand": level}, dataset=name)
    ]
    said = overall_sentences(only(runs))
    of_infgrand = next(text for text in said if text.startswith("Of 4 graphs"))
    assert of_infgrand == (
        "Of 4 graphs, infgrand has the best mean on 2 (significantly on 1), is not told apart from"
        " the best on 1 and is behind on 1: glnn has the best mean on amazon-photo."
    )


@pytest.mark.parametrize("near", [True, False])
def test_the_quickest_of_the_methods_not_clearly_worse_is_named(near: bool) -> None:
    """The quickest of all is clearly worse, unless it is near; the costs name it anyway."""
    seconds = {"mlp": 0.1, "glnn": 1.0, "krd": 3.0, "infgrand": 9.0}
    runs = [
        row | {"student_seconds": seconds[row["method"]]}
        for number, name in enumerate(["cora", "citeseer", "pubmed"])
        for row in place(
            {
                "mlp": 0.5 + 0.01 * number,
                "glnn": (0.805 if near else 0.7) + 0.01 * number * (-1) ** number,
                "krd": 0.805 - 0.01 * (-1) ** number,
                "infgrand": 0.81,
            },
            dataset=name,
        )
    ]
    said = overall_sentences(only(runs))
    named = (
        "Of the methods that are not clearly worse than infgrand, krd trains quickest, for 3.0 s."
    )
    assert any("one of glnn, the quickest method that distils" in text for text in said)
    assert (named in said) == (not near)


def test_there_is_no_verdict_over_no_runs_and_one_per_group() -> None:
    two = overalls(compare(table([*place(HOMOPHILIC), *place(HOMOPHILIC, protocol="krd")])))
    assert [overall.names["protocol"] for overall in two] == ["infgrand", "krd"]
