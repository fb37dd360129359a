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
    assert "'4 hops', the best single part, gives glnn +6.70 [" in told
    assert "The validation nodes prefer '8 hops' (+4.70 [" in told
    assert "there, -2.30 [" in told


def test_each_setting_has_its_own_best_part() -> None:
    hops = measured({"glnn, 8 hops": (0.03, 0.04), "glnn, labels": (0.01, 0.02)})
    labels = measured({"glnn, 8 hops": (0.01, 0.02), "glnn, labels": (0.02, 0.03)})
    told = recipe.sentence(pd.concat([hops, labels.assign(setting="inductive")]))
    transductive, inductive = told.split("In inductive runs: ")
    assert "'8 hops', the best single part, gives glnn +5.70 [" in transductive
    assert "The validation nodes prefer it, too (+4.70 [" in transductive
    assert "'labels', the best single part, gives glnn +4.70 [" in inductive


@pytest.mark.parametrize(("ours", "unclear"), [(0.05, False), (-0.017, True)])
def test_our_gain_stands_beside_those_of_the_parts(ours: float, unclear: bool) -> None:
    """All differences are 1.7 points above what is given here, and spread by more over graphs."""
    gains = {"adaprop": ours, "glnn, 8 hops": -0.016, "glnn, together": -0.018}
    told = recipe.sentence(measured({name: (0.0, gain) for name, gain in gains.items()}))
    assert f"adaprop gains {100 * (ours + 0.017):+.2f} [" in told
    assert "The parts of adaprop together give glnn -0.10 [" in told
    assert ("None of these intervals excludes 0, over 4 graphs." in told) == unclear


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
    assert (
        "Not measured yet: adaprop, glnn with single parts and glnn with the parts together."
        in told
    )
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
