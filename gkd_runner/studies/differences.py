"""What the studies say of differences between accuracies, always paired by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gkd_runner.reporting.compare import SIGNIFICANT, Difference, paired

Accuracies = Mapping[int, float]
"""In [0, 1], by seed."""


def gap(a: Accuracies, b: Accuracies) -> Difference:
    """``a`` minus ``b`` over the seeds that both have. Raises ``ValueError`` without any."""
    shared = [a[seed] - b[seed] for seed in a if seed in b]
    if not shared:
        raise ValueError(f"no seed in common: {list(a)} and {list(b)}")
    return paired(shared)


def percent(found: Accuracies) -> str:
    """Mean and population std over seeds, in percent."""
    values = 100 * np.array(list(found.values()))
    return f"{values.mean():.2f}±{values.std():.2f}"


def points(found: Difference) -> str:
    """A difference in percentage points, marked where it is no tie."""
    return f"{100 * found.mean:+.2f}{'' if found.is_tie else ' *'}"


def mean_points(differences: Sequence[Difference]) -> str:
    """Their mean in percentage points, every difference alike."""
    return f"{100 * float(np.mean([found.mean for found in differences])):+.2f}"


def won(differences: Sequence[Difference]) -> str:
    """How many are positive, and how many of those are no tie."""
    positive = [found for found in differences if found.mean > 0]
    clear = sum(not found.is_tie for found in positive)
    return f"{len(positive)} of {len(differences)} ({clear} with p < {SIGNIFICANT}, paired by seed)"
