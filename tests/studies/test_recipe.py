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


def test_a_part_is_chosen_on_validation_nodes_and_judged_on_test_nodes() -> None:
    gains = {"glnn, 4 hops": (0.00, 0.05), "glnn, 8 hops": (0.03, -0.04)}
    told = recipe.sentence(measured(gains))
    assert "'8 hops' gains most on the validation nodes (+4.70" in told
    assert "on the test nodes it gains -2.30" in told


def test_nothing_is_said_before_anything_is_measured() -> None:
    assert "Not measured yet" in recipe.sentence(measured({}))
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
