"""Methods over all graphs, as a table and as figures."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from gkd_runner.cli.tables import main
from gkd_runner.reporting.methods_figures import figures
from gkd_runner.reporting.methods_table import TITLE, methods_table, p_text
from gkd_runner.reporting.table import Table
from gkd_runner.results.compare import compare
from gkd_runner.results.frame import to_csv
from gkd_runner.results.method_comparison import several_graphs
from gkd_runner.results.selection import GROUP
from tests.results.runs import Run, run, seeds, table
from tests.support import called

GROUP_OF_RUNS = dict(zip(GROUP, ("infgrand", "common", "temperature"), strict=True))
GRAPHS = ("cora", "citeseer", "pubmed", "amazon-photo", "coauthor-cs")
METHODS = {"mlp": 0.5, "glnn": 0.7, "hgmd-weight": 0.705, "infgrand": 0.8}


def some_runs(graphs: tuple[str, ...] = GRAPHS) -> list[Run]:
    """Four methods with three seeds on each graph, the best by 10 points."""
    random = np.random.default_rng(0)
    return [
        row
        for graph in graphs
        for method, mean in METHODS.items()
        for row in seeds(method, mean + random.normal(0, 0.01, 3), dataset=graph)
    ]


def made(runs: list[Run]) -> Table | None:
    return methods_table(compare(table(runs)), GROUP_OF_RUNS)


def test_a_row_per_method_with_its_rank_differences_and_cells() -> None:
    found = made(some_runs())

    assert found is not None
    assert found.title == TITLE
    assert found.columns == [
        "rank", "accuracy", "- mlp", "> mlp", "- glnn", "> glnn", "- best other", "> best other",
    ]  # fmt: skip
    assert list(found.cells.index.get_level_values("label")) == [
        *METHODS, "critical difference", "Friedman test, p",
    ]  # fmt: skip
    assert found.cells.index[0][1] == "transductive; 5 graphs, 5 cells, 15 pairs"
    text = found.cells["text"].droplevel(["row", "block"])
    assert text.loc["infgrand", "rank"] == "1.00"
    assert text.loc["mlp", ["- mlp", "> mlp"]].tolist() == ["", ""]
    assert text.loc["infgrand", "> mlp"] == "1.00 (5/0/0)"
    assert text.loc["mlp", "> best other"] == "0.00 (0/0/5)"
    assert text.loc["glnn", "- best other"].endswith("] infgrand")
    assert text.loc["critical difference", "rank"] == "2.10"
    assert found.cells["mark"]["accuracy"].tolist() == ["", "", "", "best", "", ""]
    assert "have neither" not in found.caption


def test_the_numbers_are_the_comparisons() -> None:
    comparison = compare(table(some_runs()))
    (each,) = several_graphs(comparison.selected)
    found = methods_table(comparison, GROUP_OF_RUNS)
    assert found is not None
    gap = each.against("infgrand", "glnn").difference

    text = found.cells["text"].droplevel(["row", "block"]).loc["infgrand", "- glnn"]

    assert text == f"{100 * gap.mean:+.2f} [{100 * gap.low:+.2f}, {100 * gap.high:+.2f}]"
    assert 9 < 100 * gap.mean < 11


def test_few_graphs_are_said_once_in_the_caption() -> None:
    found = made(some_runs(GRAPHS[:2]))

    assert found is not None
    assert found.caption.count("Fewer than 3 graphs") == 1
    cells = [text for row in found.cells["text"].to_numpy() for text in row]
    assert not any("[" in text or "few" in text for text in cells)
    assert list(found.cells.index.get_level_values("label")) == list(METHODS)


def test_one_graph_and_one_method_have_no_table() -> None:
    assert made(some_runs(GRAPHS[:1])) is None
    assert made([row for row in some_runs() if row["method"] == "glnn"]) is None


def test_what_is_left_out_stands_in_the_heading() -> None:
    runs = [
        row
        for row in [*some_runs(), run("krd", dataset="cora")]
        if (row["dataset"], row["method"]) != ("cora", "mlp")
    ]

    found = made(runs)

    assert found is not None
    assert found.cells.index[0][1] == (
        "transductive; 4 graphs, 4 cells, 12 pairs;"
        " left out: krd (ran in 1 cell), 1 cell without all methods"
    )


def test_each_setting_is_a_block_and_none_is_over_all_of_them() -> None:
    hidden = [
        row | {"setting": "inductive", "student_test_hidden": row["student_test"] - 0.1}
        for row in some_runs()
    ]

    found = made([*some_runs(), *hidden])

    assert found is not None
    blocks = dict.fromkeys(found.cells.index.get_level_values("block"))
    assert [block.partition(";")[0] for block in blocks] == [
        "transductive", "inductive, hidden nodes",
    ]  # fmt: skip


def test_small_p_values_are_no_zeros() -> None:
    assert [p_text(p) for p in (0.04979, 0.0001, 0.00009)] == ["0.0498", "0.0001", "<0.0001"]


def test_ranks_are_drawn_where_they_are_tested_and_profiles_wherever_graphs_are_compared() -> None:
    for graphs, kinds in ((GRAPHS, ["ranks", "profile"]), (GRAPHS[:2], ["profile"])):
        comparison = compare(table(some_runs(graphs)))
        (each,) = several_graphs(comparison.selected)
        assert [kind for kind, _ in figures(each, comparison)] == kinds


def test_the_diagram_joins_the_groups_and_names_every_method() -> None:
    comparison = compare(table(some_runs()))
    (each,) = several_graphs(comparison.selected)
    drawn = dict(figures(each, comparison))["ranks"]
    (panel,) = drawn.axes
    bars = [
        sorted({float(x) for x in line.get_xdata()})
        for line in panel.lines
        if len(set(line.get_ydata())) == 1 and line.get_ydata()[0] < 0
    ]

    ranks = each.ranking.ranks
    joined = [sorted({ranks[name] for name in group}) for group in each.ranking.groups]
    assert sorted(bars) == sorted(joined)
    texts = " ".join(text.get_text() for text in panel.texts)
    assert all(method in texts for method in METHODS)
    assert "critical difference 2.10" in texts


def test_a_figure_names_a_metric_other_than_accuracy() -> None:
    runs = table(some_runs())
    runs["student_test_macro_f1"] = runs["student_test"] / 2
    titles = {}
    for metric in ("accuracy", "macro_f1"):
        comparison = compare(runs, metric=metric)
        (each,) = several_graphs(comparison.selected)
        drawn = dict(figures(each, comparison))["profile"]
        titles[metric] = drawn.axes[0].get_title(loc="left")

    assert "; by macro F1\n" in titles["macro_f1"]
    assert titles["macro_f1"].replace("; by macro F1", "") == titles["accuracy"]


def figures_in(folder: Path, runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    (folder / "runs.csv").write_text(to_csv(table(runs)))
    arguments = (folder / "runs.csv", "--figures", folder / "figures")
    done = called(monkeypatch, main, "gkd-tables", *arguments)
    return done.returncode, done.stdout + done.stderr


def test_the_command_writes_both_figures_as_svg_and_png(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, told = figures_in(tmp_path, some_runs(), monkeypatch)

    assert code == 0, told
    names = [
        f"{kind}-infgrand-common-temperature-transductive.{form}"
        for kind in ("ranks", "profile")
        for form in ("svg", "png")
    ]
    assert told.split() == [str(tmp_path / "figures" / name) for name in names]
    for name in names:
        path = tmp_path / "figures" / name
        if path.suffix == ".svg":
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
        else:
            with Image.open(path) as image:
                assert image.size[0] == 1400


def test_runs_that_cannot_be_compared_have_no_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, told = figures_in(tmp_path, some_runs(GRAPHS[:1]), monkeypatch)

    assert code == 1
    assert "there is nothing to draw: figures need two methods" in told


def test_without_matplotlib_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scikit_posthocs", None)
    monkeypatch.delitem(sys.modules, "gkd_runner.reporting.methods_figures")
    monkeypatch.setattr(
        "gkd_runner.common.extras.importlib.util.find_spec",
        lambda name: None if name == "scikit_posthocs" else object(),
    )

    code, told = figures_in(tmp_path, some_runs(), monkeypatch)

    assert code == 1
    assert "gkd-tables --figures needs scikit_posthocs, which is not installed" in told
    assert 'pip install "gkd-runner[plot]"' in told
