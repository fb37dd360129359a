"""The runs that are shown of all that there are: groups, places, one configuration per method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gkd_runner.common.lazy import pd
from gkd_runner.data.task import Replica
from gkd_runner.methods import METHODS
from gkd_runner.options.metrics import METRICS
from gkd_runner.results.scores import STAGES, column

TEACHERS = ("gcn", "sage", "gat", "precomputed")
SETTINGS = ("transductive", "inductive")
DATASETS = (
    "cora",
    "citeseer",
    "pubmed",
    "amazon-photo",
    "amazon-computers",
    "coauthor-cs",
    "coauthor-physics",
    "ogbn-arxiv",
    "ogbn-products",
)
"""Orders of blocks and columns. Names that are not listed come after these, by name."""

GROUP = ["protocol", "preset", "calibration"]
"""A table never mixes two groups."""

PLACE = ["dataset", "setting", "teacher"]
"""Methods compete in one place: a column of a block."""

UNCHANGED = object()
"""Stands for the value of an option that was not changed; None is a value."""

CONFIGURATION = [*GROUP, *PLACE, "method"]


def in_order(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Distinct ``names``: the ``known`` ones first and in their order, then the others by name."""
    distinct, listed = set(names), list(known)
    return [name for name in listed if name in distinct] + sorted(distinct - set(listed))


ORDERS: dict[str, Sequence[str]] = {
    "dataset": DATASETS,
    "setting": SETTINGS,
    "teacher": TEACHERS,
    "method": tuple(METHODS),
}


def in_rank(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The rows sorted by these columns, names in the order of tables."""

    def rank(column: pd.Series) -> Any:
        if column.name not in ORDERS:
            return column
        order = in_order(column, ORDERS[str(column.name)])
        return column.map({name: place for place, name in enumerate(order)})

    return rows.sort_values(list(by), key=rank, kind="stable")


def told_apart(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs; a dataset's name that stands for several graphs says which graph it is."""
    graphs = runs.groupby(["dataset", "protocol"])["graph"].transform("nunique")
    named = runs["dataset"] + " (" + runs["graph"].str[:4] + ")"
    return runs.assign(dataset=runs["dataset"].where(graphs <= 1, named))


def options_apart(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[str, ...]:
    """The options, but for the methods' own, in which two sets of changed options differ."""
    names = dict.fromkeys([*ours, *theirs])
    return tuple(
        name
        for name in names
        if not name.startswith("method.")
        and ours.get(name, UNCHANGED) != theirs.get(name, UNCHANGED)
    )


def distils(method: str) -> bool:
    """True if students of ``method`` learn from a teacher; assumed of unknown methods."""
    return METHODS[method].distils if method in METHODS else True


def grouped(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs by the group that they are shown in.

    A baseline has no soft labels to calibrate: it stands beside the methods of either calibration
    wherever such were run, and under its own calibration elsewhere.
    """
    taught = runs["method"].map(distils).astype(bool)
    beside = ["protocol", "preset", *PLACE]
    groups = runs.loc[taught, [*beside, "calibration"]].drop_duplicates()
    baselines = runs[~taught].merge(groups, on=beside, how="left", suffixes=("_own", ""))
    baselines["calibration"] = baselines["calibration"].fillna(baselines["calibration_own"])
    return pd.concat([runs[taught], baselines[list(runs.columns)]], ignore_index=True)


def select(
    runs: pd.DataFrame, inductive_part: str = "test_hidden", metric: str = "accuracy"
) -> pd.DataFrame:
    """One configuration per group, place and method, a row per replica.

    The configuration has the fewest changed options, then the most replicas, then the best
    validation accuracy, whatever ``metric`` is shown. Under ``preset=common`` all methods of a
    place come from runs on the very same teachers. The new columns are ``others``, the number of
    configurations of that method that are not shown, and those of ``with_scores``.
    """
    rows = grouped(told_apart(runs))
    chosen = rows.merge(_chosen(rows), on=[*CONFIGURATION, "key"])
    selected = with_scores(chosen, inductive_part, metric)
    return in_rank(selected, [*CONFIGURATION, "split", "seed"]).reset_index(drop=True)


def with_scores(
    runs: pd.DataFrame, inductive_part: str = "test_hidden", metric: str = "accuracy"
) -> pd.DataFrame:
    """The runs with ``teacher_score``, ``student_score``, their ``metric`` and ``nodes``.

    The scores are over ``inductive_part`` in the inductive setting and over all test nodes in the
    transductive one; ``nodes`` is the number of these nodes. ``student_macro_f1`` and the like are
    the scores by each metric, over the same nodes. A score that was not recorded, or that is not
    defined, is missing.
    """
    inductive = runs["setting"] == "inductive"
    hidden, every = runs["hidden_nodes"], runs["test_nodes"]
    counts = {"test": every, "test_hidden": hidden, "test_observed": every - hidden}
    scores = {
        f"{stage}_{name}": runs[column(stage, "test", name)].where(
            ~inductive, runs[column(stage, inductive_part, name)]
        )
        for stage in STAGES
        for name in METRICS
    }
    shown = {f"{stage}_score": scores[f"{stage}_{metric}"] for stage in STAGES}
    nodes = every.where(~inductive, counts[inductive_part])
    return runs.assign(**scores, **shown, metric=metric, nodes=nodes)


def _chosen(rows: pd.DataFrame) -> pd.DataFrame:
    """The key that is shown of each configuration, with the number of ``others``."""
    by_key = rows.sort_values(["split", "seed"], kind="stable").groupby(
        [*CONFIGURATION, "key"], sort=False
    )
    keys = by_key.agg(
        changes=("changed", lambda changed: len(changed.iloc[0])),
        seeds=("seed", "size"),
        val=("student_val", "sum"),
    ).reset_index()
    keys["others"] = keys.groupby(CONFIGURATION)["key"].transform("size") - 1
    place = [*GROUP, *PLACE]
    keys["family"] = _families(rows, keys)
    families = keys.groupby([*place, "family"], sort=False).agg(
        methods=("method", "nunique"), seeds=("seeds", "sum")
    )
    largest = families.sort_values(["methods", "seeds"], ascending=False, kind="stable")
    largest = largest.reset_index()[[*place, "family"]].drop_duplicates(place)
    shown = keys.merge(largest, on=[*place, "family"]).sort_values(
        ["changes", "seeds", "val"], ascending=[True, False, False], kind="stable"
    )
    return shown.drop_duplicates(CONFIGURATION)[[*CONFIGURATION, "key", "others"]]


def _families(rows: pd.DataFrame, keys: pd.DataFrame) -> list[int]:
    """A number per row of ``keys``; methods of a place are compared within one number only.

    Under ``preset=common`` a family shares its teachers: a key joins the first family with which
    it has replicas in common, if all of these come from the same teachers.
    """
    taught: dict[str, dict[Replica, str]] = {}
    columns = (rows[name] for name in ("key", "seed", "split", "teacher_key"))
    for key, seed, split, teacher in zip(*columns, strict=True):
        taught.setdefault(key, {})[Replica(seed, split)] = teacher
    families: dict[tuple[str, ...], list[dict[Replica, str]]] = {}
    numbers = []
    for row in keys.to_dict("records"):
        here = families.setdefault(tuple(row[name] for name in [*GROUP, *PLACE]), [])
        mine = taught[row["key"]]
        alike = (
            number
            for number, theirs in enumerate(here)
            if row["preset"] != "common" or _share_teachers(theirs, mine)
        )
        number = next(alike, len(here))
        if number == len(here):
            here.append({})
        here[number] |= mine
        numbers.append(number)
    return numbers


def _share_teachers(theirs: dict[Replica, str], mine: dict[Replica, str]) -> bool:
    shared = theirs.keys() & mine.keys()
    return bool(shared) and all(theirs[replica] == mine[replica] for replica in shared)
