"""A verdict follows from paired differences, says how sure it is, and warns where it must."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel

from gkd_runner.results.compare import compare, paired
from gkd_runner.results.verdict import (
    AHEAD,
    ALL_EQUAL,
    BASELINE_WINS,
    DISTIL,
    DO_NOT,
    FEW_NODES,
    FEW_PAIRS,
    NO_BASELINE,
    NO_PAIR,
    NO_STUDENT,
    NOT_JUDGED,
    TEACHER_WORSE,
    TIE,
    UNDECIDED,
    Verdict,
    verdicts,
    verdicts_of,
)
from gkd_runner.results.verdict_text import (
    export_command,
    settling_command,
    verdict_text,
    warning_texts,
)
from tests.results.runs import Run, run, seeds, table

PLAIN = seeds("mlp", [0.60, 0.61, 0.62], teacher_test=0.8)
GOOD = seeds("glnn", [0.80, 0.81, 0.83], teacher_test=0.8)


def only(runs: Iterable[Run]) -> Verdict:
    """The verdict on runs of one place."""
    (verdict,) = verdicts_of(table(runs))
    return verdict


@pytest.mark.parametrize("n", [3, 5, 20])
def test_the_interval_is_that_of_the_paired_t_test(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.random(n), rng.random(n)

    gap, expected = paired(a - b), ttest_rel(a, b).confidence_interval(0.95)

    assert (gap.low, gap.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_a_student_that_beats_the_plain_mlp_is_a_reason_to_distil() -> None:
    verdict = only([*PLAIN, *GOOD])

    assert (verdict.decision, verdict.reason, verdict.warnings) == (DISTIL, AHEAD, ())
    assert verdict.best is not None
    assert (verdict.best.method, verdict.best.n) == ("glnn", 3)
    assert verdict.best.mean == pytest.approx(np.mean([0.80, 0.81, 0.83]))
    expected = ttest_rel([0.80, 0.81, 0.83], [0.60, 0.61, 0.62]).confidence_interval(0.95)
    assert verdict.over_baseline is not None
    assert verdict.over_baseline.low == pytest.approx(expected.low)
    assert verdict.over_teacher is not None
    assert verdict.over_teacher.mean == pytest.approx(np.mean([0.0, 0.01, 0.03]))


def test_a_verdict_by_another_metric_names_it_and_takes_the_largest_standard_error() -> None:
    few = {"test_nodes": 100, "student_test_macro_f1": 0.95}
    runs = table([*seeds("mlp", [0.9, 0.9, 0.9], **few), *seeds("glnn", [0.8, 0.8, 0.8], **few)])

    (by_accuracy,), (by_f1,) = (
        verdicts(compare(runs, metric=metric)) for metric in ("accuracy", "macro_f1")
    )

    assert "glnn answers 80.0% of 100 test nodes" in verdict_text(by_accuracy)
    assert "glnn has a macro F1 of 95.0% on 100 test nodes" in verdict_text(by_f1)
    assert by_f1.standard_error == pytest.approx(math.sqrt(0.25 / 104))
    assert by_f1.standard_error > by_accuracy.standard_error


def replicas(method: str, accuracies: np.ndarray[Any, Any], **changes: Any) -> list[Run]:
    """A run per split: accuracies ``[splits, seeds]``."""
    return [
        run(method, seed, float(value), split=split, split_hash=f"split{split}",
            run=f"{method}/{split}", teacher_key=f"{seed}-{split}", **changes)
        for (split, seed), value in np.ndenumerate(accuracies)
    ]  # fmt: skip


def test_pairs_have_the_same_split_and_the_same_seed() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 0.2, (4, 1))  # splits differ by far more than methods do
    plain, ours = 0.5 + hard + rng.normal(0, 0.01, (2, 4, 3))
    ours += 0.05
    runs = [*replicas("mlp", plain), *replicas("glnn", ours)[:-1]]

    verdict = only(runs)

    gap = verdict.over_baseline
    assert gap is not None
    assert gap.n == 4
    apart = ours - plain
    of_splits = np.array([*apart[:3].mean(axis=1), apart[3, :2].mean()])
    assert (gap.mean, gap.won) == (pytest.approx(of_splits.mean()), (of_splits > 0).sum())
    assert "4 pairs, one per split)" in verdict_text(verdict)
    assert gap.low > 0.03, "unpaired, the interval would contain 0"
    assert verdict.decision == DISTIL


def test_the_best_of_several_methods_is_told_from_the_next_only_if_a_test_can() -> None:
    near = seeds("krd", [0.79, 0.82, 0.82])
    far = seeds("krd", [0.70, 0.72, 0.73])

    tied, clear = only([*PLAIN, *GOOD, *near]), only([*PLAIN, *GOOD, *far])

    assert tied.methods == clear.methods == ("glnn", "krd")
    assert "the best of 2 methods, not significantly better than krd" in verdict_text(tied)
    assert "the best of 2 methods, significantly better than krd" in verdict_text(clear)


def warned(verdict: Verdict) -> str:
    return " ".join(warning_texts(verdict))


def test_a_plain_mlp_that_wins_is_a_warning_however_bad_the_teacher_is() -> None:
    """As on heterophilic graphs: a gain over the teacher, and a loss against the MLP."""
    plain = seeds("mlp", [0.84, 0.85, 0.86], teacher_test=0.78)
    runs = [*plain, *seeds("glnn", [0.797, 0.81, 0.82], teacher_test=0.78)]

    verdict = only(runs)

    assert (verdict.decision, verdict.reason) == (DO_NOT, BASELINE_WINS)
    assert verdict.over_teacher is not None
    assert verdict.over_teacher.mean > 0
    assert verdict.warnings == (BASELINE_WINS, TEACHER_WORSE)
    assert "glnn, the best student, is 4.10 points worse" in warned(verdict)
    assert "the teacher is worse than the plain MLP (-7.00 [" in warned(verdict)
    assert "do not distil, as the plain MLP wins" in verdict_text(verdict)


def test_a_teacher_worse_than_the_plain_mlp_is_no_reason_to_distil_from_it() -> None:
    runs = [
        *seeds("mlp", [0.84, 0.85, 0.86], teacher_test=0.7),
        *seeds("glnn", [0.85, 0.84, 0.86], teacher_test=0.7),
    ]
    verdict = only(runs)

    assert (verdict.decision, verdict.reason) == (DO_NOT, TEACHER_WORSE)
    assert verdict.warnings == (TEACHER_WORSE,)


def test_a_student_that_beats_the_mlp_by_chance_leaves_the_verdict_open() -> None:
    verdict = only([*PLAIN, *seeds("glnn", [0.5, 0.7, 0.72])])
    assert (verdict.decision, verdict.reason) == (UNDECIDED, TIE)


def test_a_single_seed_decides_nothing() -> None:
    verdict = only([PLAIN[0], GOOD[0]])

    assert (verdict.decision, verdict.reason) == (UNDECIDED, FEW_PAIRS)
    assert "+20.00 against the plain MLP, +0.00 against its teacher (1 pair)" in verdict_text(
        verdict
    )
    assert settling_command(verdict) == ""


def test_equal_differences_decide_nothing() -> None:
    two = only([*seeds("mlp", [0.5, 0.6]), *seeds("glnn", [0.6, 0.7])])
    three = only([*seeds("mlp", [0.5, 0.6, 0.7]), *seeds("glnn", [0.6, 0.7, 0.8])])

    assert (two.decision, two.reason) == (UNDECIDED, FEW_PAIRS)
    assert (three.decision, three.reason) == (UNDECIDED, ALL_EQUAL)
    assert "+10.00 against the plain MLP, " in verdict_text(three)


COMMAND = "/venv/bin/gkd-train -m dataset=cora method=glnn,krd method.tau=2 seeds=[0,1]"


@pytest.mark.parametrize(
    ("runs", "reason", "settled_by"),
    [
        (GOOD, NO_BASELINE, "mlp"),
        ([*GOOD, *seeds("mlp", [0.6, 0.6], split_hash="other")], NO_PAIR, "mlp"),
        (PLAIN, NO_STUDENT, "glnn"),
    ],
)
def test_a_verdict_that_lacks_runs_names_the_command(
    runs: Sequence[Run], reason: str, settled_by: str
) -> None:
    verdict = only(row | {"command": COMMAND} for row in runs)

    assert (verdict.decision, verdict.reason) == (NOT_JUDGED, reason)
    assert settling_command(verdict) == (
        f"gkd-train -m dataset=cora 'seeds=[0,1]' method={settled_by}"
    )


def test_runs_from_python_are_settled_in_words() -> None:
    verdict = only(row | {"command": "my_notebook.py --fast"} for row in GOOD)
    assert settling_command(verdict).startswith("train with method=mlp on the same graph")


def test_a_plain_mlp_alone_is_compared_with_its_teacher() -> None:
    verdict = only(PLAIN)

    gap = verdict.teacher_over_baseline
    assert gap is not None
    assert gap.mean == pytest.approx(np.mean([0.2, 0.19, 0.18]))
    assert "its teacher is +19.00 [" in verdict_text(verdict)


def test_few_nodes_are_a_warning_with_the_number() -> None:
    """39 hidden nodes, as on a small graph of the heterophily suite."""
    accuracies = [0.5128, 0.3333, 0.3077]
    hidden = {"setting": "inductive", "hidden_nodes": 39, "teacher_test_hidden": 0.4}
    runs = [
        run("glnn", seed, **hidden, student_test_hidden=value)
        for seed, value in enumerate(accuracies)
    ]
    verdict = only(runs)

    assert FEW_NODES in verdict.warnings
    share = (np.mean(accuracies) * 39 + 2) / 43
    assert verdict.standard_error == pytest.approx(math.sqrt(share * (1 - share) / 43))
    assert "38.46 ± 9.13 on 39 hidden nodes; one accuracy over so few" in warned(verdict)
    assert "standard error of 7.5 points" in warned(verdict)


@pytest.mark.parametrize(
    ("accuracy", "nodes", "few"),
    [(0.5, 152, True), (0.5, 153, False), (0.8, 100, True), (0.8, 101, False), (1.0, 10, True)],
)
def test_nodes_are_few_by_the_standard_error_of_one_accuracy(
    accuracy: float, nodes: int, few: bool
) -> None:
    verdict = only([run("glnn", 0, accuracy, test_nodes=nodes)])
    assert (FEW_NODES in verdict.warnings) == few


def test_the_split_with_the_fewest_nodes_counts() -> None:
    runs = [run("glnn", 0, 0.8), run("glnn", 1, 0.8, test_nodes=40)]
    verdict = only(runs)

    assert verdict.nodes == (40, 1000)
    assert FEW_NODES in verdict.warnings
    assert "80.0% of 40-1000 test nodes" in verdict_text(verdict)


def test_the_speed_up_is_the_median_of_the_students_that_were_timed() -> None:
    times = [(0.010, 0.001), (0.020, 0.001), (0.060, 0.002), (None, None)]
    runs = [
        run("glnn", seed, teacher_answer_seconds=teacher, student_answer_seconds=student)
        for seed, (teacher, student) in enumerate(times)
    ]
    verdict = only(runs)

    assert verdict.speed_up == pytest.approx(20)
    assert "it answers one node 20 times faster than the teacher" in verdict_text(verdict)
    assert only(GOOD).speed_up is None


def test_a_student_slower_than_its_teacher_is_said_to_be_slower() -> None:
    verdict = only([run("glnn", teacher_answer_seconds=0.001, student_answer_seconds=0.002)])
    assert "it answers one node 2.0 times slower than the teacher" in verdict_text(verdict)


def test_a_verdict_is_one_line_that_names_graph_teacher_and_setting() -> None:
    assert verdict_text(only([*PLAIN, *GOOD])) == (
        "cora (gcn, transductive): distil. glnn answers 81.3% of 1000 test nodes, +20.33"
        " [+18.90, +21.77] against the plain MLP, +1.33 [-2.46, +5.13] against its teacher (95%"
        " paired t intervals, 3 pairs)."
    )


def test_sides_with_different_options_are_said_to_differ() -> None:
    """A student with fewer epochs stands beside the MLP of the preset."""
    ours = seeds("glnn", [0.80, 0.81, 0.83], changed={"training.max_epochs": 30, "method.tau": 2})
    verdict, alike = only([*PLAIN, *ours]), only([*PLAIN, *GOOD])

    assert (verdict.apart, alike.apart) == (("training.max_epochs",), ())
    assert "distil (their options differ: training.max_epochs). glnn" in verdict_text(verdict)


def test_a_reason_to_distil_names_the_command_that_exports_the_newest_run() -> None:
    old, *new = GOOD
    runs = [
        *PLAIN,
        *(row | {"folder": "outputs/new run", "started": "2026-03-01"} for row in new),
        old | {"folder": "outputs/old", "started": "2026-02-01"},
    ]

    assert export_command(only(runs)) == "gkd-export 'outputs/new run'"
    assert export_command(only([*PLAIN, *GOOD])) == "", "a CSV names no folder"
    assert export_command(only(runs[3:])) == "", "undecided"


def test_verdicts_name_the_choices_in_which_they_differ() -> None:
    runs = [*GOOD, *seeds("glnn", [0.7], protocol="krd"), *seeds("glnn", [0.7], teacher="sage")]
    verdicts = verdicts_of(table(runs))

    names = [verdict_text(verdict, verdicts).partition(":")[0] for verdict in verdicts]

    assert names == [
        "cora (gcn, transductive, protocol=infgrand)",
        "cora (sage, transductive, protocol=infgrand)",
        "cora (gcn, transductive, protocol=krd)",
    ]


def test_graphs_of_one_name_have_a_verdict_each() -> None:
    runs = [*GOOD, *seeds("glnn", [0.7], graph="bbbbbb", key="other")]
    assert [v.names["dataset"] for v in verdicts_of(table(runs))] == ["cora (bbbb)", "cora (g)"]


def test_no_runs_have_no_verdict() -> None:
    assert verdicts_of(table([])) == []
