"""Words and tables for differences between accuracies, which are paired by seed."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from rich.table import Table

from gkd_runner.common.console import plain_table
from gkd_runner.results.compare import FEWEST_GRAPHS, FEWEST_PAIRS, SIGNIFICANT, Difference, paired
from gkd_runner.results.selection import PLACE


def gaps(a: pd.Series, b: pd.Series, by: Sequence[str] = PLACE) -> pd.DataFrame:
    """``a`` minus ``b`` over the seeds that both have: the fields of ``Difference``, by ``by``."""
    pairs = (a - b).dropna().groupby(list(by), sort=False)
    differences = {place: paired(values) for place, values in pairs}
    index = pd.MultiIndex.from_tuples(differences, names=by)
    return pd.DataFrame(differences.values(), index=index, columns=Difference._fields)


def percent(accuracies: pd.Series) -> str:
    """Mean and, of several seeds, population std in percent; empty where nothing was measured."""
    values = 100 * accuracies.dropna().to_numpy()
    if len(values) < 2:
        return f"{values[0]:.2f}" if len(values) else ""
    return f"{values.mean():.2f}±{values.std():.2f}"


def points(gap: pd.Series) -> str:
    """A difference in percentage points, with a star unless it is a tie."""
    return f"{100 * gap['mean']:+.2f}{' *' if gap['p'] < SIGNIFICANT else ''}"


def mean_points(gaps: pd.DataFrame) -> str:
    """The mean of the differences in percentage points; each counts alike."""
    return f"{100 * gaps['mean'].mean():+.2f}"


def standing(gaps: pd.DataFrame) -> str:
    """The mean of the differences as words: ahead of or behind something else."""
    mean = 100 * gaps["mean"].mean()
    return f"{abs(mean):.2f} points {'ahead of' if mean >= 0 else 'behind'}"


def won(gaps: pd.DataFrame, places: str = "pairs of graph and teacher") -> str:
    """The number of positive differences, and of those among them that are no ties."""
    positive = gaps["mean"] > 0
    told = f"{positive.sum()} of {len(gaps)} {places}"
    if (gaps["n"] < FEWEST_PAIRS).all():
        return f"{told} (not tested, as there are fewer than {FEWEST_PAIRS} seeds)"
    clear = (positive & (gaps["p"] < SIGNIFICANT)).sum()
    return f"{told}, with p < {SIGNIFICANT} on {clear or 'none'} of them" if any(positive) else told


def verdict(*all_gaps: pd.DataFrame) -> str:
    """The verdict on the claim that all differences are positive; ties decide nothing."""
    gaps = pd.concat(all_gaps)
    if unjudged := too_few_graphs(gaps.index.unique("dataset").size):
        return unjudged
    clear = gaps["p"] < SIGNIFICANT
    if (clear & (gaps["mean"] < 0)).any():
        return "does not hold here"
    if not clear.all():
        return f"is not confirmed here: {(~clear).sum()} of {len(gaps)} differences are ties"
    return "holds here"


def too_few_graphs(graphs: int) -> str:
    """The verdict on a claim where too few graphs were measured, else nothing."""
    few = f"cannot be judged on fewer than {FEWEST_GRAPHS} graphs"
    return few if graphs < FEWEST_GRAPHS else ""


def geometric_means(values: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Geometric means of the columns, by index levels."""
    return np.exp(np.log(values).groupby(list(by), sort=False).mean())


def study_table(caption: str, cells: pd.DataFrame, ends: Collection[str] = ()) -> Table:
    """A table for the terminal, with the levels of the index to the left of the cells.

    A section ends after each row whose last label is in ``ends``.
    """
    table = plain_table(caption)
    for heading in cells.index.names:
        table.add_column(heading, no_wrap=True)
    for heading in cells.columns:
        table.add_column(heading, justify="right")
    for label, row in cells.astype(object).where(cells.notna(), "").iterrows():
        labels = label if isinstance(label, tuple) else (label,)
        table.add_row(*labels, *row, end_section=labels[-1] in ends)
    return table
