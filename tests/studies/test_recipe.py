"""The study of what carries a student: gains of parts, on validation and on test nodes."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from gkd_runner.studies import recipe
from gkd_runner.studies.recipe import PARTS, RECEIVERS, TOGETHER, VALIDATION, VARIANTS


def measured(gains: dict[str, tuple[float, float]], graphs: int = 4) -> pd.DataFrame:
    """Accuracies of glnn (80% and 70%) and of variants ahead of it on validation and test nodes."""
    rows = []
    for graph in range(graphs):
        for seed in range(3):
            for variant, (val, test) in {"glnn": (0.0, 0.0), **gains}.items():
                shift = 0.01 * graph + 0.002 * seed
                for measure, value in ((VALIDATION, 0.8 + val), ("accuracy", 0.7 + test)):
                    row = {
                        "dataset": f"graph{graph}",
                        "setting": "transductive",
                        "teacher": "gcn",
                        "seed": seed,
                        "variant": variant,
                        "measure": measure,
                        "value": value + shift * (1 + (variant != "glnn")),
                    }
                    rows.append(row)
    return pd.DataFrame(rows)


def test_a_gain_is_the_mean_of_paired_differences_over_graphs() -> None:
    found = recipe.gain(measured({"glnn, 4 hops": (0.01, 0.02)}), "glnn, 4 hops")
    assert found is not None
    shifts = np.array([[0.01 * graph + 0.002 * seed for seed in range(3)] for graph in range(4)])
    assert found.difference.mean == pytest.approx(0.02 + shifts.mean())
    assert found.difference.low < found.difference.mean < found.difference.high


def test_parts_that_gain_most_on_test_and_on_validation_nodes_are_both_named() -> None:
    gains = {"glnn, 4 hops": (0.00, 0.05), "glnn, 8 hops": (0.03, -0.04)}
    told = recipe.sentence(measured(gains))
    assert "'4 hops' alone gains most over glnn on the test nodes (test +6.70 [" in told
    assert "the validation nodes prefer '8 hops' (test -2.30 [" in told
    assert "validation +4.70 [" in told


def test_each_setting_has_its_own_best_part() -> None:
    hops = measured({"glnn, 8 hops": (0.03, 0.04), "glnn, labels": (0.01, 0.02)})
    labels = measured({"glnn, 8 hops": (0.01, 0.02), "glnn, labels": (0.02, 0.03)})
    told = recipe.sentence(pd.concat([hops, labels.assign(setting="inductive")]))
    both = "alone gains most over glnn on the test nodes and on the validation nodes (test"
    assert f"In transductive runs, '8 hops' {both}" in told
    assert f"In inductive runs, 'labels' {both}" in told


def test_a_weight_is_judged_by_its_method_with_and_without_it() -> None:
    gains = {
        "infgrand, together": (0.0, 0.030),
        "infgrand without influence, together": (0.0, 0.025),
        "hgmd-weight, together": (0.0, 0.010),
        "hgmd-weight without hardness, together": (0.0, 0.020),
    }
    told = recipe.sentence(measured(gains))
    assert "influence changes the test accuracy of infgrand by +0.50 points" in told
    assert "hardness changes the test accuracy of hgmd-weight by -1.00 points" in told


def test_nothing_is_said_before_anything_is_measured() -> None:
    told = recipe.sentence(measured({}))
    assert "glnn with each of the parts was not measured yet" in told
    assert "Not measured yet: what influence adds" in told
    assert recipe.gain(measured({}), "glnn, 4 hops") is None


def test_the_table_has_a_row_for_each_variant_also_where_it_was_not_measured() -> None:
    out = io.StringIO()
    Console(file=out, width=160).print(recipe.table(measured({"glnn, 4 hops": (0.01, 0.02)})))
    for name in VARIANTS:
        assert name in out.getvalue()


def test_every_method_gets_the_parts_together_and_keeps_its_own_options() -> None:
    parts = {option for part in TOGETHER for option in PARTS[part]}
    for method in RECEIVERS:
        assert VARIANTS[method] == {"method": method}
        assert set(VARIANTS[f"{method}, together"]) == {"method", *parts}
