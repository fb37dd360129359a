"""Which methods are level with the best: a method is not, once a better one is told apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from gkd_runner.results.compare import compare, emphasis
from gkd_runner.results.verdict import verdicts
from tests.results.runs import Run, seeds, table

BEST = np.array([0.80, 0.81, 0.79, 0.82, 0.78])
STEADY = BEST - 0.02 + np.array([0.001, -0.001, 0.0, 0.001, -0.001])
NOISY = BEST - 0.03 + np.array([0.09, -0.09, 0.06, -0.06, 0.0])


def test_a_noisy_method_is_not_level_below_one_that_is_told_apart() -> None:
    """Its own test would not tell it from the best, as it varies more."""
    assert ttest_rel(BEST, NOISY).pvalue > 0.05 > ttest_rel(BEST, STEADY).pvalue
    runs = [*seeds("krd", BEST), *seeds("glnn", STEADY), *seeds("infgrand", NOISY)]

    (both,) = verdicts(compare(table(runs)))
    (without,) = verdicts(compare(table(row for row in runs if row["method"] != "glnn")))

    assert both.methods == ("krd", "glnn", "infgrand")
    assert both.level == ("krd",)
    assert without.level == ("krd", "infgrand")


def test_the_plain_mlp_may_be_level_and_may_be_the_best() -> None:
    clear = [*seeds("mlp", BEST), *seeds("glnn", STEADY), *seeds("krd", NOISY)]
    assert verdicts(compare(table(clear)))[0].level == ("mlp",)
    near = [*seeds("glnn", BEST), *seeds("mlp", NOISY)]
    assert verdicts(compare(table(near)))[0].level == ("glnn", "mlp")


@pytest.mark.parametrize("seed", range(20))
def test_tables_print_the_best_method_bold_where_no_other_is_level(seed: int) -> None:
    random = np.random.default_rng(seed)
    runs: list[Run] = []
    for method in ("mlp", "glnn", "krd", "infgrand"):
        runs += seeds(method, random.normal(random.normal(0.8, 0.02), 0.02, 5))
    comparison = compare(table(runs))

    (verdict,) = verdicts(comparison)
    marks = emphasis(comparison.selected)
    bold = [names[-1] for names in marks.index[marks == "best"]]

    assert bold == ([verdict.level[0]] if len(verdict.level) == 1 else [])
