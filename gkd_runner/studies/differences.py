"""What the studies say of differences between accuracies, always paired by seed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

import numpy as np

from gkd_runner.reporting.compare import SIGNIFICANT, Difference, Place, paired
from gkd_runner.reporting.references import FEWEST_GRAPHS

Accuracies = Mapping[int, float]
"""In [0, 1], by seed."""

KeyT = TypeVar("KeyT")

Differences = Mapping[Place, Difference]


def gap(a: Accuracies, b: Accuracies) -> Difference | None:
    """``a`` minus ``b`` over the seeds that both have; ``None`` without any."""
    shared = [a[seed] - b[seed] for seed in a if seed in b]
    return paired(shared) if shared else None


def gaps(pairs: Mapping[KeyT, tuple[Accuracies, Accuracies]]) -> dict[KeyT, Difference]:
    """The gap of each pair that shares a seed."""
    found = {key: gap(a, b) for key, (a, b) in pairs.items()}
    return {key: difference for key, difference in found.items() if difference}


def percent(found: Accuracies) -> str:
    """Mean and, of several seeds, population std in percent; empty where nothing was measured."""
    values = 100 * np.array(list(found.values()))
    if len(values) < 2:
        return f"{values[0]:.2f}" if len(values) else ""
    return f"{values.mean():.2f}±{values.std():.2f}"


def points(found: Difference | None) -> str:
    """A difference in percentage points, with a star where it is no tie."""
    return f"{100 * found.mean:+.2f}{'' if found.is_tie else ' *'}" if found else ""


def mean_points(differences: Collection[Difference]) -> str:
    """Their mean in percentage points, every difference alike."""
    return f"{100 * float(np.mean([found.mean for found in differences])):+.2f}"


def standing(differences: Collection[Difference]) -> str:
    """How far ahead of or behind something else, on average."""
    mean = 100 * float(np.mean([found.mean for found in differences]))
    return f"{abs(mean):.2f} points {'ahead of' if mean >= 0 else 'behind'}"


def won(differences: Collection[Difference]) -> str:
    """How many are positive, and how many of those are no tie."""
    positive = [found for found in differences if found.mean > 0]
    clear = sum(not found.is_tie for found in positive)
    tested = any(found.n > 1 for found in differences)
    told = f"{clear} with p < {SIGNIFICANT}" if tested else "one seed, not tested"
    return f"{len(positive)} of {len(differences)} ({told})"


def verdict(*all_of: Differences) -> str:
    """Whether it holds that these are positive everywhere; ties neither prove nor refute it."""
    found = [difference for differences in all_of for difference in differences.values()]
    if len({place.dataset for differences in all_of for place in differences}) < FEWEST_GRAPHS:
        return f"cannot be judged on fewer than {FEWEST_GRAPHS} graphs"
    if any(difference.mean < 0 and not difference.is_tie for difference in found):
        return "does not hold here"
    ties = sum(difference.is_tie for difference in found)
    if ties:
        return f"is not confirmed here: {ties} of {len(found)} differences are ties"
    return "holds here"
