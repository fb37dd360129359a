"""The figures of each study, from its measurements of one protocol and setting.

Records are rows of a DataFrame; ``gkd_runner.reporting.page.studies.charts`` names their columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import altair as alt
import pandas as pd

from gkd_runner.nodes.quarters import QUARTERS
from gkd_runner.reporting.page.figure import Figure, spec_of
from gkd_runner.reporting.page.studies.charts import Axis, Records, curves, dots, trend
from gkd_runner.results.selection import DATASETS, PLACE, TEACHERS, in_order, in_rank
from gkd_runner.studies import ablation, hardness, inference, influence, recipe, scarcity
from gkd_runner.studies.sweep import ORDER, TEACHER, wide
from gkd_runner.studies.training_subset import GROUPINGS

ACCURACY = Axis("test accuracy, %")
SHARE = Axis("share of nodes, %")
GAIN = Axis("test accuracy minus glnn, points", rule=0)
TIMES = Axis("times the MLP's time per node (log)", log=True, rule=1)

BEFOREHAND = "infgrand, propagated before"
ON_REQUEST = "infgrand, on request"
STUDENTS = {"infgrand-mlp": BEFOREHAND, "infgrand-mlp-on-request": ON_REQUEST}

Chart = Callable[[Records], alt.FacetChart]


def figure(
    name: str, title: str, finding: str, text: str, records: pd.DataFrame, chart: Chart
) -> Figure:
    """The figure, or why there is none."""
    if records.empty:
        text = "Nothing to draw yet: the study was not finished."
        return Figure(name, title, text, None, finding=finding)
    rows = [row.dropna().to_dict() for _, row in records.astype(object).iterrows()]
    return Figure(name, title, text, spec_of(chart(rows)), finding=finding)


def spreads(values: pd.DataFrame, by: Sequence[str], column: str) -> pd.DataFrame:
    """Records of means and population std over seeds, in percent or points.

    ``values`` are accuracies or differences ([0, 1]). The names of its columns become ``column``.
    """
    long = 100 * values.rename_axis(columns=column).stack().dropna().rename("value")
    groups = long.groupby(level=[*by, column], sort=False)
    mean, std = groups.mean(), groups.std(ddof=0)
    ends = {"value": mean, "low": mean - std, "high": mean + std}
    return pd.DataFrame(ends).round(2).reset_index()


def ordered(records: pd.DataFrame, **orders: Sequence[str]) -> pd.DataFrame:
    """The records by place, then by each of these columns in the order of its names."""
    for column, names in reversed(orders.items()):
        ranks = {name: rank for rank, name in enumerate(names)}
        records = records.iloc[records[column].map(ranks).argsort(kind="stable")]
    return in_rank(records, ORDER)


def panelled(records: pd.DataFrame) -> pd.DataFrame:
    """The records with a panel per graph, or per graph and teacher where there are several."""
    several = records["teacher"].nunique() > 1
    panel = records["dataset"] + (", " + records["teacher"] if several else "")
    return records.assign(panel=panel)


def by_method(
    records: pd.DataFrame, methods: Sequence[str], **orders: Sequence[str]
) -> pd.DataFrame:
    """The records with methods as kinds; a teacher stays whichever methods the filter keeps."""
    kept = records[records["method"].isin([TEACHER, *methods])]
    shown = panelled(ordered(kept, method=[TEACHER, *methods], **orders))
    return shown.assign(
        kind=shown["method"], method=shown["method"].where(shown["method"] != TEACHER)
    )


def kinds(records: Records, methods: Sequence[str]) -> list[str]:
    """The kinds that occur, the teacher first."""
    return in_order((record["kind"] for record in records), (TEACHER, *methods))


def hardness_figures(measured: pd.DataFrame) -> Iterator[Figure]:
    """Distributions, gains by quarter, HGMD's variants."""
    yield figure(
        "hardness",
        "How hard nodes are",
        "",
        "Entropy of the prediction relative to the largest of the graph, in twenty bins: knowledge"
        " hardness of the teacher, distillation hardness of the students, mean over seeds. Teachers"
        " are calibrated, as they taught.",
        _distributions(measured),
        lambda records: curves(records, SHARE, kinds(records, hardness.METHODS), "hardness"),
    )
    quarters = [quarter.removesuffix(" quarter") for quarter in QUARTERS]
    yield figure(
        "hardness-quarters",
        "Do the hard nodes improve?",
        hardness.sentence(measured),
        "Quarters of the test nodes by knowledge hardness; mean ± population std over seeds of the"
        " difference to glnn.",
        _gains(measured),
        lambda records: trend(records, GAIN, quarters, kinds(records, hardness.METHODS), "quarter"),
    )
    variants = spreads(hardness.of_hgmd(measured), [*PLACE, "method"], "row")
    yield figure(
        "hardness-hgmd",
        "Which hardness does HGMD need?",
        "",
        "Edges drawn by both hardnesses as published, by one alone, or by neither; mean ±"
        " population std over seeds.",
        by_method(variants, hardness.HGMD, row=hardness.HARDNESSES),
        lambda records: dots(records, ACCURACY, hardness.HARDNESSES, kinds(records, hardness.HGMD)),
    )


def _distributions(measured: pd.DataFrame) -> pd.DataFrame:
    rows = measured[measured["measure"].str.endswith("_hardness")]
    rows = rows.assign(x=rows["part"].replace("", "nan").astype(float) + 0.5 / hardness.BINS)
    shares = rows.set_index([*PLACE, "method", "x", "seed"])[["value"]]
    records = spreads(shares, [*PLACE, "method", "x"], "share").drop(columns="share")
    return by_method(records, hardness.METHODS)


def _gains(measured: pd.DataFrame) -> pd.DataFrame:
    methods = (TEACHER, *hardness.METHODS)
    by_quarter = wide(hardness.as_published(measured), "method", methods, [*PLACE, "part"])
    by_quarter = by_quarter[by_quarter.index.get_level_values("part").isin(QUARTERS)]
    gains = by_quarter.drop(columns="glnn").sub(by_quarter["glnn"], axis=0)
    records = spreads(gains, [*PLACE, "part"], "method")
    records = by_method(records, hardness.METHODS, part=QUARTERS)
    return records.assign(x=records.pop("part").str.removesuffix(" quarter"))


def influence_figures(measured: pd.DataFrame) -> Iterator[Figure]:
    """Accuracy of both quarters."""
    records = spreads(influence.accuracies(measured), influence.BY, "side")
    teachers = in_order(measured.loc[measured["teacher"] != "", "teacher"], TEACHERS)
    rows = [f"{teacher}, {grouping}" for teacher in teachers for grouping in GROUPINGS]
    records["kind"] = records.pop("side") + " quarter"
    records["row"] = records["teacher"] + ", " + records.pop("grouping")
    yield figure(
        "influence",
        "Do influential nodes teach a GNN more?",
        influence.sentence(measured) + influence.of_graphs(measured),
        "Mean ± population std over seeds; quarters of all training nodes (overall) or of each"
        " class.",
        records.assign(panel=records["dataset"]),
        lambda records: dots(records, ACCURACY, rows, ("top quarter", "bottom quarter")),
    )


def ablation_figures(measured: pd.DataFrame) -> Iterator[Figure]:
    """Accuracy of every variant; the far lower MLP would squeeze the differences."""
    groups = {
        variant: group
        for group, variants in ablation.GROUPS.items()
        for variant in variants
        if variant != "mlp"
    }
    records = spreads(wide(measured, "variant", list(groups)), PLACE, "row")
    records = panelled(ordered(records, row=list(groups)))
    yield figure(
        "ablation",
        "What of InfGraND does it?",
        ablation.sentence(measured),
        "Mean ± population std over seeds.",
        records.assign(kind=records["row"].map(groups)),
        lambda records: dots(records, ACCURACY, list(groups), list(ablation.GROUPS), beside=False),
    )


def scarcity_figures(measured: pd.DataFrame) -> Iterator[Figure]:
    """Accuracy over the share of labels."""
    shares = list(scarcity.SHARES)
    records = spreads(scarcity.by_share(measured), scarcity.BY, "method")
    yield figure(
        "scarcity",
        "Few labels",
        scarcity.sentence(measured),
        "Mean ± population std over seeds.",
        by_method(records.rename(columns={"variant": "x"}), scarcity.METHODS, x=shares),
        lambda records: trend(
            records, ACCURACY, shares, kinds(records, scarcity.METHODS), "labels"
        ),
    )


def recipe_figures(measured: pd.DataFrame) -> Iterator[Figure]:
    """Accuracy of every variant on validation and on test nodes, side by side."""
    names = list(recipe.VARIANTS)
    accuracies = {
        kind: spreads(wide(measured, "variant", names, measure=measure), PLACE, "row")
        for kind, measure in {"validation": recipe.VALIDATION, "test": "accuracy"}.items()
    }
    records = pd.concat([own.assign(kind=kind) for kind, own in accuracies.items()])
    yield figure(
        "recipe",
        "What carries a student?",
        recipe.sentence(measured),
        "Mean ± population std over seeds.",
        panelled(ordered(records, row=names)),
        lambda records: dots(records, Axis("accuracy, %"), names, list(accuracies), beside=False),
    )


def inference_figures(measured: pd.DataFrame) -> Iterator[Figure]:
    """Inference time of the GNNs over that of the MLP, a figure per machine."""
    machines = inference.machines(measured)
    for machine in machines.unique():
        rows = measured[machines == machine]
        datasets = in_order(rows["dataset"], DATASETS)
        models = [*in_order(rows["teacher"], TEACHERS), *STUDENTS.values()]
        yield figure(
            f"inference-{machine.replace(' ', '-')}",
            f"How many times longer than the MLP GNNs take on {machine}",
            inference.sentence(rows),
            "Median and quartiles of the time per node over that of the MLP on raw features."
            " InfGraND's student reads features that were propagated before, or propagates them on"
            " request.",
            _times(rows),
            lambda records, datasets=datasets, models=models: dots(  # type: ignore[misc]
                records, TIMES, datasets, models
            ),
        )


def _times(measured: pd.DataFrame) -> pd.DataFrame:
    task = [*PLACE, "size"]
    seconds = {"value": "median_seconds_per_node", "low": "low", "high": "high"}
    mlp = measured.loc[measured["model"] == "mlp", [*task, "median_seconds_per_node"]]
    mlp = mlp.drop_duplicates(task, keep="last").rename(columns={"median_seconds_per_node": "mlp"})
    rows = measured[measured["model"] != "mlp"].merge(mlp, on=task)
    times = {name: (rows[column] / rows["mlp"]).round(3) for name, column in seconds.items()}
    panels = {size: f"{size} nodes per request" for size in inference.SIZES} | {
        "1": "one node per request",
        inference.ALL: "all test nodes at once",
    }
    records = rows[PLACE].assign(
        kind=rows["model"].replace(STUDENTS),
        row=rows["dataset"],
        panel=rows["size"].map(panels),
        **times,
    )
    ranks = {panel: rank for rank, panel in enumerate(panels.values())}
    return records.iloc[records["panel"].map(ranks).argsort(kind="stable")]


FIGURES: Mapping[str, Callable[[pd.DataFrame], Iterator[Figure]]] = {
    "recipe": recipe_figures,
    "hardness": hardness_figures,
    "influence": influence_figures,
    "ablation": ablation_figures,
    "scarcity": scarcity_figures,
    "inference": inference_figures,
}
