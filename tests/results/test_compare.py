"""Which results may be compared, and when a difference is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from gkd_runner.results.compare import SIGNIFICANT, compare, differences, emphasis, paired
from gkd_runner.results.selection import CONFIGURATION, GROUP, grouped, in_order, select, told_apart
from tests.results.runs import Run, run, seeds, table


def chosen(runs: list[Run]) -> pd.DataFrame:
    """The rows that are shown, by method."""
    return select(table(runs)).set_index("method")


def by_method(frame: pd.DataFrame | pd.Series) -> Any:
    """Rows of configurations, by method."""
    return frame.droplevel([name for name in frame.index.names if name != "method"])


def test_the_p_value_is_that_of_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(6), rng.random(6)

    gap = paired(a - b)

    assert gap.p == pytest.approx(ttest_rel(a, b).pvalue)
    assert gap.mean == pytest.approx((a - b).mean())
    assert gap.std == pytest.approx((a - b).std())
    assert gap.won == (a > b).sum()


@pytest.mark.parametrize("gaps", [[0.1], [0.1, 0.1], [0.1, 0.1001], [0.1] * 5, [0, 0, 0]])
def test_too_few_or_equal_differences_promise_nothing(gaps: list[float]) -> None:
    gap = paired(gaps)

    assert np.isnan([gap.p, gap.low, gap.high]).all()
    assert (gap.mean, gap.n) == (pytest.approx(np.mean(gaps)), len(gaps))


def test_seeds_of_one_split_are_one_pair_where_there_are_several_splits() -> None:
    rng = np.random.default_rng(0)
    of_split = np.array([[0.05], [-0.02], [0.04], [0.01]])
    values = of_split + rng.normal(0, 0.001, (4, 5))  # seeds repeat their split's difference
    rows = [
        run(method, seed, 0.5 + add, split=split, split_hash=f"s{split}")
        for (split, seed), value in np.ndenumerate(values)
        for method, add in (("mlp", 0.0), ("glnn", value))
    ]

    gap = by_method(differences(select(table(rows)), "mlp")).loc["glnn"]

    of_splits = values.mean(axis=1)
    assert gap.n == 4
    assert gap.p == pytest.approx(ttest_rel(of_splits, np.zeros(4)).pvalue)
    assert gap["mean"] == pytest.approx(of_splits.mean())
    assert gap.p > SIGNIFICANT > ttest_rel(values.ravel(), np.zeros(20)).pvalue
    assert compare(table(rows)).summary["student_n"].tolist() == [20, 20], "std is over replicas"


def test_only_seeds_on_the_same_split_are_paired() -> None:
    ours = [*seeds("infgrand", [0.9, 0.8]), run("infgrand", 7, 0.1)]
    theirs = [run("glnn", 0, 0.8), run("glnn", 1, 0.8, split_hash="other")]

    gaps = by_method(differences(select(table([*ours, *theirs])), "glnn"))

    assert (gaps.n["infgrand"], gaps["mean"]["infgrand"]) == (1, pytest.approx(0.1))


def test_a_student_is_compared_with_its_own_teacher_seed_by_seed() -> None:
    runs = [run("glnn", 0, 0.9, teacher_test=0.8), run("glnn", 1, 0.7, teacher_test=0.75)]

    gap = by_method(differences(select(table(runs)), "teacher")).loc["glnn"]

    assert (gap.won, gap.n, gap["mean"]) == (1, 2, pytest.approx(0.025))


def test_a_baseline_is_not_compared_with_a_method_that_distils() -> None:
    runs = select(table([*seeds("mlp", [0.6, 0.7]), *seeds("glnn", [0.8, 0.8])]))

    assert list(by_method(differences(runs, "mlp")).index) == ["glnn"]
    assert differences(runs, "glnn").empty


def test_methods_without_a_common_seed_have_no_difference() -> None:
    runs = select(table([run("glnn", 0), run("infgrand", 1)]))
    assert differences(runs, "glnn").empty


def test_a_clear_winner_is_best_and_a_tie_has_no_mark() -> None:
    others = [*seeds("mlp", [0.50, 0.51, 0.52]), *seeds("infgrand", [0.80, 0.81, 0.82])]
    clear = select(table([*others, *seeds("glnn", [0.70, 0.71, 0.73])]))
    tied = select(table([*others, *seeds("glnn", [0.70, 0.90, 0.82])]))

    assert by_method(emphasis(clear)).to_dict() == {"infgrand": "best", "glnn": "second"}
    assert emphasis(tied).empty


def test_the_second_of_two_methods_has_no_one_to_tie_with() -> None:
    runs = select(table([*seeds("mlp", [0.5, 0.51, 0.5]), *seeds("glnn", [0.7, 0.71, 0.71])]))
    assert by_method(emphasis(runs)).to_dict() == {"glnn": "best", "mlp": "second"}


def test_a_single_method_is_not_the_best() -> None:
    assert emphasis(select(table(seeds("glnn", [0.5, 0.51])))).empty


def test_a_method_that_loses_on_the_shared_seeds_is_never_best() -> None:
    lucky = seeds("hgmd-weight", [0.70, 0.71, 0.72, 0.99, 0.99])
    assert emphasis(select(table([*lucky, *seeds("glnn", [0.72, 0.73, 0.74])]))).empty


def test_protocols_presets_and_calibrations_are_never_mixed_but_baselines_stand_beside_both() -> (
    None
):
    mixed = [
        run("glnn"),
        run("glnn", calibration="none"),
        run("glnn", protocol="krd"),
        run("glnn", preset="paper"),
        run("mlp"),
        run("mlp", dataset="citeseer"),
    ]

    groups = {names: list(rows["method"]) for names, rows in grouped(table(mixed)).groupby(GROUP)}

    assert groups == {
        ("infgrand", "common", "temperature"): ["glnn", "mlp", "mlp"],
        ("infgrand", "common", "none"): ["glnn", "mlp"],
        ("krd", "common", "temperature"): ["glnn"],
        ("infgrand", "paper", "temperature"): ["glnn"],
    }


def test_baselines_alone_are_a_group() -> None:
    assert list(grouped(table([run("mlp")]))["calibration"]) == ["temperature"]


def narrow_and_wide(preset: str) -> list[Run]:
    """Three methods on the same teachers, and more seeds of InfGraND on another."""
    narrow = [
        row
        for method in ("mlp", "glnn", "infgrand")
        for row in seeds(method, [0.7, 0.7], key=f"narrow-{method}", teacher_key="narrow")
    ]
    wide = seeds("infgrand", [0.9, 0.9, 0.9], key="wide", teacher_key="wide")
    return [row | {"preset": preset} for row in [*narrow, *wide]]


def test_on_common_teachers_no_method_is_taken_from_another_teacher() -> None:
    same, each = chosen(narrow_and_wide("common")), chosen(narrow_and_wide("paper"))

    assert set(same["teacher_key"]) == {"narrow"}
    assert set(same["others"]["infgrand"]) == {1}
    assert set(each["key"]["infgrand"]) == {"wide"}


def test_of_several_configurations_validation_decides_and_never_the_test() -> None:
    lucky = run("glnn", 0, 0.9, key="lucky", student_val=0.5)
    sound = run("glnn", 0, 0.7, key="sound", student_val=0.8)

    row = chosen([lucky, sound]).loc["glnn"]

    assert (row["key"], row["others"]) == ("sound", 1)


def test_methods_on_other_seeds_of_the_same_teachers_stay_in_the_table() -> None:
    some = [*seeds("mlp", [0.7, 0.7, 0.7]), *seeds("infgrand", [0.8, 0.8, 0.8])[1:]]
    assert set(chosen(some).index) == {"mlp", "infgrand"}


def test_the_preset_as_it_is_stands_before_what_a_search_gave() -> None:
    changed = {"method.tau": 2}
    tuned = seeds("glnn", [0.9, 0.9, 0.9], key="tuned", changed=changed, student_val=0.9)

    row = chosen([*tuned, run("glnn", 0, 0.7, key="plain")]).loc["glnn"]

    assert (row["key"], row["others"]) == ("plain", 1)


def test_a_changed_option_counts_once_whatever_its_value() -> None:
    one = run("glnn", key="one", changed={"teacher.layers": "[8, 8, 8]"}, student_val=0.9)
    two = run("glnn", key="two", changed={"method.tau": 2, "method.lam": 0.5}, student_val=0.95)
    assert chosen([one, two]).loc["glnn", "key"] == "one"


def test_graphs_that_share_a_name_are_told_apart() -> None:
    same = table([run(), run("mlp")])
    two = table([run(graph="aaaaaa"), run("mlp", graph="bbbbbb")])

    assert list(told_apart(same)["dataset"]) == ["cora", "cora"]
    assert list(told_apart(two)["dataset"]) == ["cora (aaaa)", "cora (bbbb)"]


def test_inductive_accuracies_are_over_the_part_asked_for() -> None:
    values = {"student_test_hidden": 0.6, "student_test_observed": 0.7, "student_test": 0.68}
    both = table([run(setting="inductive", **values), run("mlp", 0, 0.9)])

    for part, value in values.items():
        shown = compare(both, part.removeprefix("student_")).summary["student_mean"]
        assert dict(by_method(shown)) == {"glnn": value, "mlp": 0.9}


def test_another_metric_is_compared_on_the_same_runs() -> None:
    """Accuracy prefers the method that ignores the minority, macro F1 the other."""
    rows = [
        *(run("mlp", s, 0.95, student_test_macro_f1=0.49 + s / 100) for s in range(3)),
        *(run("glnn", s, 0.90, student_test_macro_f1=0.70 + s / 50) for s in range(3)),
    ]
    by_accuracy, by_f1 = (compare(table(rows), metric=m) for m in ("accuracy", "macro_f1"))

    assert list(by_accuracy.selected["key"]) == list(by_f1.selected["key"])
    assert dict(by_method(by_f1.summary["student_mean"])) == pytest.approx(
        {"mlp": 0.50, "glnn": 0.72}
    )
    gap = by_f1.gaps["mlp"].iloc[0]
    assert (gap["mean"], gap["won"], gap["n"]) == (pytest.approx(0.22), 3, 3)
    assert dict(by_method(by_f1.summary["mark"])) == {"mlp": "second", "glnn": "best"}
    assert by_accuracy.gaps["mlp"].iloc[0]["mean"] == pytest.approx(-0.05)


def test_a_metric_that_was_not_recorded_is_missing_and_has_no_difference() -> None:
    rows = [run("mlp", student_test_macro_f1=0.5), run("glnn")]
    comparison = compare(table(rows), metric="macro_f1")

    assert dict(by_method(comparison.summary["student_n"])) == {"mlp": 1, "glnn": 0}
    assert comparison.gaps["mlp"].empty


def test_summaries_count_the_seeds_that_have_the_accuracy() -> None:
    runs = [
        run(setting="inductive", student_test_hidden=0.6, teacher_test_hidden=0.5),
        run(setting="inductive", seed=1, collapsed_student=True),
    ]

    (row,) = compare(table(runs)).summary.to_dict("records")

    assert (row["seeds"], row["student_n"], row["collapsed"]) == (2, 1, 1)
    assert (row["student_mean"], row["student_std"]) == (0.6, 0.0)


def test_names_that_are_not_listed_come_last_by_name() -> None:
    assert in_order(["zeta", "sage", "alpha", "gcn", "sage"], ["gcn", "sage"]) == [
        "gcn", "sage", "alpha", "zeta",
    ]  # fmt: skip


def test_ranks_are_those_of_the_means_in_a_place_and_equal_means_share_them() -> None:
    runs = [
        *seeds("mlp", [0.5, 0.6]), *seeds("glnn", [0.8, 0.9]), *seeds("krd", [0.9, 0.8]),
        *seeds("glnn", [0.1, 0.2], dataset="citeseer"),
    ]  # fmt: skip
    ranks = compare(table(runs)).summary["rank"].droplevel(CONFIGURATION[:3])
    assert ranks["cora", "transductive", "gcn"].to_dict() == {"mlp": 3.0, "glnn": 1.5, "krd": 1.5}
    assert ranks["citeseer", "transductive", "gcn"].to_dict() == {"glnn": 1.0}


def test_the_speed_up_is_the_median_over_the_seeds_that_were_timed() -> None:
    times = [(0.010, 0.001), (0.020, 0.001), (0.060, 0.002), (None, None)]
    runs = [
        run("glnn", seed, teacher_answer_seconds=teacher, student_answer_seconds=student)
        for seed, (teacher, student) in enumerate(times)
    ]
    (found,) = compare(table(runs)).summary["speed_up"]
    assert found == pytest.approx(20)
