from __future__ import annotations

import numpy as np
import pytest

from gkd_runner.common.arrays import sorted_unique


@pytest.mark.parametrize(
    "values", [[], [3], [2, 2, 2], [5, -1, 5, 0, -1, 7], ["b", "a", "b"]], ids=str
)
def test_the_distinct_values_are_those_of_numpy(values: list[object]) -> None:
    given = np.array(values)
    found = sorted_unique(given)
    assert found.dtype == given.dtype
    np.testing.assert_array_equal(found, np.unique(given))
