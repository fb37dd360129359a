"""What may be compared, and when a difference is one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from gkd_runner.reporting.compare import (
    Group,
    Place,
    Result,
    difference,
    emphasis,
    groups,
    paired,
    select,
)
from gkd_runner.reporting.rows import told_apart
from tests.reporting.rows import row, rows

CORA = Place("cora", "transductive", "gcn")


def test_the_p_value_is_that_of_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(6), rng.random(6)

    found = paired(list(a - b))

    assert found.p == pytest.approx(ttest_rel(a, b).pvalue)
    assert found.mean == pytest.approx((a - b).mean())
    assert found.std == pytest.approx((a - b).std())
    assert found.won == (a > b).sum()


@pytest.mark.parametrize(("gaps", "tie"), [([0.1], True), ([0.1, 0.1], False), ([0, 0, 0], True)])
def test_one_seed_is_a_tie_and_a_constant_lead_is_none(gaps: list[float], tie: bool) -> None:
    assert paired(gaps).is_tie == tie


def test_only_seeds_on_the_same_split_are_paired() -> None:
    ours = Result((*rows("infgrand", [0.9, 0.8]), row("infgrand", 7, 0.1)), 0)
    theirs = Result((row("glnn", 0, 0.8), row("glnn", 1, 0.8, split_hash="other")), 0)

    found = difference(ours, theirs, "prod")

    assert found is not None
    assert (found.n, found.mean) == (1, pytest.approx(0.1))


def test_a_clear_winner_is_best_and_a_tie_has_no_mark() -> None:
    clear = {
        "mlp": Result(tuple(rows("mlp", [0.50, 0.51, 0.52])), 0),
        "glnn": Result(tuple(rows("glnn", [0.70, 0.71, 0.73])), 0),
        "infgrand": Result(tuple(rows("infgrand", [0.80, 0.81, 0.82])), 0),
    }
    tied = clear | {"glnn": Result(tuple(rows("glnn", [0.70, 0.90, 0.82])), 0)}

    assert emphasis(clear, "prod") == {"infgrand": "best", "glnn": "second"}
    assert emphasis(tied, "prod") == {}


def test_protocols_presets_and_calibrations_are_never_mixed_but_baselines_stand_beside_both() -> (
    None
):
    mixed = [
        row("glnn"),
        row("glnn", calibration="none"),
        row("glnn", protocol="krd"),
        row("glnn", preset="paper"),
        row("mlp"),
        row("mlp", dataset="citeseer"),
    ]

    found = groups(mixed)
    alone = found[Group("infgrand", "common", "temperature")]

    assert {group: {r.method for r in mine} for group, mine in found.items()} == {
        Group("infgrand", "common", "temperature"): {"glnn", "mlp"},
        Group("infgrand", "common", "none"): {"glnn", "mlp"},
        Group("krd", "common", "temperature"): {"glnn"},
        Group("infgrand", "paper", "temperature"): {"glnn"},
    }
    assert [r.dataset for r in alone if r.method == "mlp"] == ["cora", "citeseer"]
    assert len(found[Group("infgrand", "common", "none")]) == 2


def test_baselines_alone_are_a_group() -> None:
    assert list(groups([row("mlp")])) == [Group("infgrand", "common", "temperature")]


def test_on_common_teachers_no_method_is_taken_from_another_teacher() -> None:
    narrow = [
        found
        for method in ("mlp", "glnn", "infgrand")
        for found in rows(method, [0.7, 0.7], key=f"narrow-{method}", teacher_key="narrow")
    ]
    wide = rows("infgrand", [0.9, 0.9, 0.9], key="wide", teacher_key="wide")

    same = select([*narrow, *wide], same_teacher=True)[CORA]
    each = select([*narrow, *wide], same_teacher=False)[CORA]

    assert {r.teacher_key for result in same.values() for r in result.rows} == {"narrow"}
    assert same["infgrand"].others == 1
    assert each["infgrand"].rows[0].key == "wide"


def test_of_several_configurations_validation_decides_and_never_the_test() -> None:
    lucky = rows("glnn", [0.9], key="lucky", student_val=0.5)
    sound = rows("glnn", [0.7], key="sound", student_val=0.8)

    chosen = select([*lucky, *sound], same_teacher=False)[CORA]["glnn"]

    assert chosen.rows[0].key == "sound"
    assert chosen.others == 1


def test_methods_on_other_seeds_of_the_same_teachers_stay_in_the_table() -> None:
    some = [*rows("mlp", [0.7, 0.7, 0.7]), *rows("infgrand", [0.8, 0.8, 0.8])[1:]]
    assert set(select(some, same_teacher=True)[CORA]) == {"mlp", "infgrand"}


def test_the_preset_as_it_is_stands_before_what_a_search_found() -> None:
    changed = "common: x; changed: method.tau=2; teacher calibrated"
    tuned = rows("glnn", [0.9, 0.9, 0.9], key="tuned", preset_source=changed, student_val=0.9)
    plain = rows("glnn", [0.7], key="plain")

    chosen = select([*tuned, *plain], same_teacher=False)[CORA]["glnn"]

    assert (chosen.rows[0].key, chosen.others) == ("plain", 1)


def test_a_method_that_loses_on_the_shared_seeds_is_never_best() -> None:
    lucky = tuple(rows("hgmd-weight", [0.70, 0.71, 0.72, 0.99, 0.99]))
    results = {
        "hgmd-weight": Result(lucky, 0),
        "glnn": Result(tuple(rows("glnn", [0.72, 0.73, 0.74])), 0),
    }
    assert emphasis(results, "prod") == {}


def test_graphs_that_share_a_name_are_told_apart() -> None:
    same = [row(), row("mlp")]
    assert told_apart(same) == same
    found = told_apart([row(graph="aaaaaa"), row("mlp", graph="bbbbbb")])
    assert [r.dataset for r in found] == ["cora (aaaa)", "cora (bbbb)"]
