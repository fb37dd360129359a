"""Tables say what was measured, from which runs, and why a cell is empty."""

from __future__ import annotations

import io
import math
import re
import shutil
import subprocess
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from gkd_runner.cli.sources import keep
from gkd_runner.cli.tables import main
from gkd_runner.reporting.provenance import read_all_failures
from gkd_runner.reporting.references import claims, references, verdict
from gkd_runner.reporting.render import html_page, latex, markdown, terminal
from gkd_runner.reporting.table import Table
from gkd_runner.reporting.tables import make_tables
from gkd_runner.results.compare import compare
from gkd_runner.results.frame import ReportError, to_csv
from gkd_runner.results.identity import NAMES
from gkd_runner.results.verdict_text import LOOKED_UP
from tests.reporting.folder import write_failure
from tests.results.runs import Run, run, seeds, table

SOME = [
    *seeds("mlp", [0.60, 0.61, 0.62]),
    *seeds("glnn", [0.80, 0.81, 0.79]),
    *seeds("infgrand", [0.90, 0.92, 0.91]),
    *seeds("glnn", [0.70, 0.71, 0.72], dataset="citeseer"),
]

VERDICT = "Should I distil? (transductive)"

ON_THREE = [
    row
    for dataset in ("cora", "pubmed", "coauthor-cs")
    for method, students in (("mlp", [0.60, 0.61]), ("infgrand", [0.90, 0.91]))
    for row in seeds(method, students, dataset=dataset)
]


def tables_of(
    runs: Iterable[Run], part: str = "test_hidden", failed: Iterable[Run] = ()
) -> dict[str, list[Table]]:
    failures = pd.DataFrame(list(failed), columns=list(NAMES)).astype("string")
    return make_tables(compare(table(runs), part), failures)


def only(tables: dict[str, list[Table]], title: str) -> Table:
    """The table of that title, of the only group."""
    (of_group,) = tables.values()
    return next(each for each in of_group if each.title == title)


def line(of: Table, label: str, field: str = "text") -> list[str]:
    """A row of the table, by its label."""
    rows = of.cells[field].xs(label, level="label") if label in labels(of) else pd.DataFrame()
    return [value for row in rows.to_numpy() for value in row]


def labels(of: Table) -> list[str]:
    return list(of.cells.index.get_level_values("label"))


def test_means_population_deviations_and_marks() -> None:
    accuracy = only(tables_of(SOME), "Accuracy")

    assert accuracy.columns == ["cora", "citeseer"]
    assert labels(accuracy) == ["teacher", "mlp", "glnn", "infgrand", "test nodes"]
    assert line(accuracy, "glnn") == ["80.00±0.82", "71.00±0.82"]
    assert line(accuracy, "infgrand") == ["91.00±0.82", "not run"]
    assert line(accuracy, "infgrand", "mark") == ["best", ""]
    assert line(accuracy, "glnn", "mark") == ["second", ""]


def test_one_number_of_seeds_stands_in_the_heading_and_several_in_the_cells() -> None:
    alike = only(tables_of(SOME), "Accuracy")
    unlike = only(tables_of([*SOME, *seeds("infgrand", [0.7], dataset="pubmed")]), "Accuracy")

    assert alike.cells.index[0][1] == "transductive; gcn teacher; 3 seeds"
    assert unlike.cells.index[0][1] == "transductive; gcn teacher"
    assert line(unlike, "infgrand") == ["91.00±0.82 (3)", "not run", "70.00 (1)"]


def test_teachers_that_are_not_shared_stand_beside_their_students() -> None:
    paper = [row | {"preset": "paper"} for row in SOME]
    assert labels(only(tables_of(paper), "Accuracy")) == [
        "mlp", "glnn", "glnn's teacher", "infgrand", "infgrand's teacher", "test nodes",
    ]  # fmt: skip


def test_differences_are_paired_with_the_seeds_won() -> None:
    differences = only(tables_of(SOME), "Differences")

    assert line(differences, "infgrand - glnn") == ["+11.00±0.82* (3/3)", ""]
    assert line(differences, "glnn - teacher")[0] == "+0.00±0.82 (1/3)"
    assert line(differences, "mlp - glnn") == []


def test_a_difference_leads_to_the_runs_of_both_sides() -> None:
    differences = only(tables_of(SOME), "Differences")
    runs = {row["method"]: row["run"] for row in SOME[:9]}

    assert line(differences, "infgrand - glnn", "runs")[0] == (runs["infgrand"], runs["glnn"])
    assert line(differences, "glnn - teacher", "runs")[0] == (runs["glnn"],)


def test_every_table_counts_its_test_nodes() -> None:
    splits = [
        run("glnn", 0, 0.7, dataset="wisconsin", split=number, split_hash=f"s{number}",
            test_nodes=nodes)
        for number, nodes in enumerate([51, 52])
    ]  # fmt: skip
    both = {"student_test_hidden": 0.6, "teacher_test_hidden": 0.7}
    hidden = seeds("glnn", [0.6], setting="inductive", **both, hidden_nodes=39)
    transductive, inductive = (tables_of(rows) for rows in ([*SOME, *splits], hidden))

    for title in ("Accuracy", "Differences"):
        assert line(only(transductive, title), "test nodes") == ["1000", "1000", "51-52"]
        assert line(only(inductive, title), "hidden nodes") == ["39"]
    for form in (markdown, latex):
        assert "51-52" in form(transductive)
    nodes = {
        row: cell["nodes"]
        for row, cell in only(transductive, VERDICT)
        .cells["text"].droplevel(["row", "block"]).to_dict("index").items()
    }  # fmt: skip
    assert nodes == {"cora": "1000", "citeseer": "1000", "wisconsin": "51-52"}


def test_replicas_are_splits_and_seeds_in_the_heading() -> None:
    replicas = [
        run(method, seed, 0.7, split=split, split_hash=f"s{split}", teacher_key=f"t{seed}{split}")
        for method in ("mlp", "glnn")
        for seed in (0, 1)
        for split in range(10)
    ]
    tables = tables_of(replicas)

    (heading, *_) = only(tables, "Accuracy").cells.index.get_level_values("block")
    assert heading == "transductive; gcn teacher; 20 splits x seeds"
    assert line(only(tables, "Differences"), "glnn - mlp") == ["+0.00±0.00 (0/10)"]


def test_a_difference_between_sides_with_different_options_says_so() -> None:
    quick = seeds("glnn", [0.80, 0.81, 0.79], changed={"training.max_epochs": 30, "method.tau": 2})
    differences = only(tables_of([*SOME[:3], *quick]), "Differences")

    told = ("their options differ: training.max_epochs",)
    assert line(differences, "glnn - mlp", "notes") == [told]
    assert line(differences, "glnn - teacher", "notes") == [()]


def test_a_graph_of_ones_own_is_not_run_and_in_no_average_of_the_papers() -> None:
    own = [*seeds("mlp", [0.1, 0.1], dataset="mine"), *seeds("krd", [0.9, 0.9], dataset="mine")]
    shown = tables_of(row | {"preset": "paper"} for row in [*ON_THREE, *own])

    assert line(only(shown, "Accuracy"), "infgrand")[-1] == "not run"
    gains = only(shown, "Average gains")
    assert set(gains.cells["text", "graphs"]) == {"3"}


def test_the_verdicts_are_a_table_with_a_row_per_graph() -> None:
    verdicts = only(tables_of(SOME), VERDICT)

    assert verdicts.columns == [
        "verdict",
        "best mean",
        "teachers",
        "nodes",
        "- mlp",
        "- teacher",
    ]
    assert line(verdicts, "cora")[:5] == [
        "distil", "infgrand 91.00±0.82", "gcn", "1000", "+30.00 [+27.52, +32.48] (3)",
    ]  # fmt: skip
    assert line(verdicts, "citeseer")[0] == "not judged"
    assert line(verdicts, "citeseer", "notes")[0] == ("the plain MLP has not run here",)


@pytest.mark.parametrize(("setting", "told"), [("transductive", False), ("inductive", True)])
def test_speeds_of_inductive_runs_say_what_they_leave_out(setting: str, told: bool) -> None:
    seconds = {"teacher_answer_seconds": 0.01, "student_answer_seconds": 0.001}
    names = {"setting": setting, "student_test_hidden": 0.8}
    runs = [
        row
        for teacher in ("gcn", "sage")
        for method in ("mlp", "glnn")
        for row in seeds(method, [0.7, 0.8, 0.75], teacher=teacher, **names, **seconds)
    ]
    shown = only(tables_of(runs), "Should I distil? With each teacher")
    assert shown.caption.endswith(LOOKED_UP) is told
    overall = next(each for each in tables_of(runs).popitem()[1] if each.lead)
    assert any(text.endswith(LOOKED_UP) for text in overall.lead) is told


def test_a_verdict_in_the_table_has_its_reason_and_warnings_as_footnotes() -> None:
    few = {"teacher_test": 0.5, "test_nodes": 39}
    runs = [*seeds("mlp", [0.80, 0.81, 0.82], **few), *seeds("glnn", [0.6, 0.62, 0.61], **few)]

    verdicts = only(tables_of(runs), VERDICT)

    assert line(verdicts, "cora")[0] == "do not distil"
    assert line(verdicts, "cora")[1] == "mlp 81.00±0.82"
    assert line(verdicts, "cora")[4].startswith("glnn -20.00 [")
    wins, worse, nodes = line(verdicts, "cora", "notes")[0]
    assert wins == "the plain MLP wins"
    assert worse == "the teacher is worse than the plain MLP"
    assert nodes.startswith("the number means little: 61.00 ± 0.82 on 39 test nodes")


def test_the_tables_of_another_metric_say_so_and_leave_published_accuracies_out() -> None:
    rows = [
        *(run("mlp", s, 0.95, student_test_macro_f1=0.49 + s / 100) for s in range(3)),
        *(run("glnn", s, 0.90, student_test_macro_f1=0.70 + s / 50) for s in range(3)),
        *seeds("infgrand", [0.9, 0.9, 0.9]),  # of an earlier version
    ]
    tables = make_tables(compare(table(rows), metric="macro_f1"), table([]))

    scores, differences, verdicts = (
        only(tables, title) for title in ("Macro F1", "Differences", VERDICT)
    )
    assert line(scores, "glnn") == ["72.00±1.63"]
    assert line(scores, "infgrand") == ["no macro F1"]
    assert "Test macro F1 in %" in scores.caption
    assert "Runs of earlier versions have none" in scores.caption
    assert differences.caption.startswith("Difference of macro F1 in points")
    assert line(differences, "glnn - mlp") == ["+22.00±0.82* (3/3)"]
    assert "macro F1" in verdicts.caption
    titles = {one.title for of_group in tables.values() for one in of_group}
    assert titles.isdisjoint({"Average gains", "Published accuracies and released code"})


def test_each_protocol_has_tables_of_its_own() -> None:
    tables = tables_of([*SOME, *seeds("glnn", [0.8], protocol="krd")])
    assert [title.partition(",")[0] for title in tables] == ["infgrand protocol", "krd protocol"]


def test_empty_cells_say_why() -> None:
    paper = [
        run("hgmd-mixup", preset="paper", protocol="krd"),
        run("infgrand", preset="paper", protocol="krd", dataset="citeseer"),
        run("hgmd-weight", preset="paper", protocol="krd", dataset="citeseer"),
    ]
    failed = [run("hgmd-mixup", preset="paper", protocol="krd", dataset="citeseer")]

    accuracy = only(tables_of(paper, failed=failed), "Accuracy")

    assert line(accuracy, "hgmd-mixup") == ["80.00", "failed"]
    assert line(accuracy, "infgrand") == ["not run", "80.00"]
    assert line(accuracy, "hgmd-weight") == ["not published", "80.00"]


def test_a_part_without_nodes_says_so() -> None:
    accuracy = only(tables_of([run(setting="inductive")]), "Accuracy")
    assert line(accuracy, "glnn") == ["no such nodes"]


def test_what_failed_everywhere_has_its_row_and_column_all_the_same(tmp_path: Path) -> None:
    write_failure(tmp_path, run("glnn", dataset="pubmed"), [0], 1)
    write_failure(tmp_path, run("hgmd-mixup"), [0], 2)
    runs = compare(table([run("glnn")]))

    accuracy = only(make_tables(runs, read_all_failures([tmp_path])), "Accuracy")

    assert accuracy.columns == ["cora", "pubmed"]
    assert line(accuracy, "glnn") == ["80.00", "failed"]
    assert line(accuracy, "hgmd-mixup") == ["failed", "not run"]


def test_a_narrow_terminal_gets_the_columns_in_parts_and_never_a_cut_number() -> None:
    wide = [row for name in "abcdef" for row in seeds("glnn", [0.8, 0.9], dataset=name * 9)]
    text = io.StringIO()
    Console(file=text, width=60).print(terminal(tables_of(wide), 60))

    verdicts, _, accuracies = text.getvalue().partition("Accuracy")
    assert verdicts.count("85.00±5.00") == accuracies.count("85.00±5.00") == 6
    assert max(len(line) for line in text.getvalue().splitlines()) <= 60


def test_changes_inferred_hyperparameters_and_collapses_are_footnotes() -> None:
    facts = {"changed": {"method.tau": 2.0}, "collapsed_student": True}
    odd = run(preset="paper", hyperparameters="inferred", **facts)

    assert list(only(tables_of([odd]), "Accuracy").footnotes().items()) == [
        ("hyperparameters inferred from the nearest published row", "a"),
        ("options in place of the preset's: method.tau=2", "b"),
        ("1 of 1 students collapsed", "c"),
    ]


def test_what_most_cells_share_is_said_once_and_the_others_are_marked() -> None:
    wide = {"changed": {"teacher.hidden_dim": 256, "method.tau": 2}, "hyperparameters": "defaults"}
    runs = [
        row
        for dataset in ("cora", "citeseer", "pubmed")
        for row in seeds("glnn", [0.8], dataset=dataset, **wide)
    ]
    odd = seeds("glnn", [0.8], dataset="amazon-photo", changed={"method.tau": 3})
    accuracy = only(tables_of([*runs, *odd]), "Accuracy")

    assert accuracy.caption.endswith(
        "Unless a footnote says otherwise, rows have plain default hyperparameters and these"
        " options in place of the preset's: teacher.hidden_dim=256, method.tau=2."
    )
    assert line(accuracy, "glnn", "notes") == [
        (), (), (),
        ("common hyperparameters", "options in place of the preset's: method.tau=3"),
    ]  # fmt: skip
    assert line(accuracy, "teacher", "notes") == [(), (), (), ("all options of the preset",)]
    assert "Unless a footnote" not in only(tables_of(runs[:1]), "Accuracy").caption


def test_the_verdict_opens_each_group_in_sentences_and_the_largest_group_comes_first() -> None:
    krd = seeds("glnn", [0.8], protocol="aaa")
    tables = tables_of([*krd, *SOME])

    assert [title.partition(",")[0] for title in tables] == ["infgrand protocol", "aaa protocol"]
    assert {of_group[0].title for of_group in tables.values()} == {VERDICT}
    lead = next(iter(tables.values()))[0].lead
    assert lead[0].startswith("On cora, infgrand is the best")
    text = io.StringIO()
    Console(file=text, width=200).print(terminal(tables, 200))
    for form in (text.getvalue(), markdown(tables), latex(tables)):
        assert lead[0].rstrip(".") in form
        assert form.index(VERDICT) < form.index("Accuracy")


def test_other_configurations_of_a_cell_are_a_footnote() -> None:
    runs = [run(key="a"), run(key="b"), run("mlp", hyperparameters="defaults")]
    accuracy = only(tables_of(runs), "Accuracy")

    (glnn,), (mlp,) = line(accuracy, "glnn", "notes"), line(accuracy, "mlp", "notes")
    assert glnn == ("1 other run of this cell with other options or code, not shown",)
    assert mlp == ("plain default hyperparameters",)


def test_a_teachers_footnotes_are_the_options_that_shape_a_teacher() -> None:
    changed = {"teacher.hidden_dim": 256, "method.tau": 2, "training.patience": 5}
    accuracy = only(tables_of([run(changed=changed)]), "Accuracy")

    (notes,) = line(accuracy, "teacher", "notes")
    (note,) = notes
    assert note == "options in place of the preset's: teacher.hidden_dim=256, training.patience=5"


def test_inductive_tables_name_the_nodes_that_they_are_over() -> None:
    values = {"student_test_hidden": 0.6, "student_test_observed": 0.7, "student_test": 0.68}
    parts = {"test_hidden": "60.00", "test_observed": "70.00", "test": "68.00"}
    for part, text in parts.items():
        accuracy = only(tables_of([run(setting="inductive", **values)], part), "Accuracy")
        assert line(accuracy, "glnn") == [text]
        assert "nodes" in accuracy.cells.index[0][1]


def group(protocol: str, preset: str) -> dict[str, str]:
    return {"protocol": protocol, "preset": preset, "calibration": "none"}


def test_released_code_stands_beside_runs_on_the_papers_presets_alone() -> None:
    assert set(references(group("infgrand", "paper"))["kind"]) == {"official run"}
    assert references(group("infgrand", "common")).empty
    assert set(references(group("glnn", "none"))["kind"]) == {"published"}
    assert list(claims()[["method", "over", "points"]].itertuples(index=False, name=None)) == [
        ("infgrand", "mlp", 12.6),
        ("infgrand", "mlp", 9.3),
        ("hgmd-mixup", "mlp", 12.95),
        ("hgmd-mixup", "teacher", 2.48),
    ]


def test_published_accuracies_stand_beside_ours_over_the_same_nodes() -> None:
    values = {"student_test_hidden": 0.6, "student_test_observed": 0.72, "student_test": 0.7}
    names = {"protocol": "glnn", "preset": "none", "setting": "inductive", "teacher": "sage"}
    runs = [run("mlp", seed, **names, **values) for seed in (0, 1)]

    beside = only(tables_of(runs), "Published accuracies and released code")

    shown = dict(zip(beside.cells.index.get_level_values("block"), beside.cells["text"]["here"],
                     strict=True))  # fmt: skip
    over = {block.rpartition(", ")[2]: text for block, text in shown.items()}
    assert over["all test nodes"] == "70.00±0.00 (2)"


@pytest.mark.parametrize(
    ("ours", "std", "said"),
    [
        ([80.9, 80.9], math.nan, "within"),
        ([81.2, 81.2], math.nan, "above"),
        ([78.8, 78.8], math.nan, "below"),
        ([83, 79, 83, 79, 83], 2.0, "within"),  # 1.4 points, but standard errors of 1
        ([70.0], 2.0, "one seed"),
    ],
)
def test_verdicts(ours: list[float], std: float, said: str) -> None:
    assert verdict(ours, 80.0, std, 5) == said


def test_claims_are_compared_with_the_mean_of_paired_differences() -> None:
    gains = only(tables_of(ON_THREE), "Average gains")

    assert labels(gains)[0] == "infgrand - mlp (InfGraND article)"
    assert line(gains, labels(gains)[0])[:7] == [
        "transductive", "gcn", "3", "1000", "+12.60", "+30.00", "above",
    ]  # fmt: skip


def test_gains_over_few_graphs_are_counted_once_and_not_shown() -> None:
    few = [row | {"teacher": "sage"} for row in SOME]

    gains = only(tables_of([*ON_THREE, *few]), "Average gains")

    assert set(gains.cells["text"]["teachers"]) == {"gcn, sage", "gcn"}
    assert "Left out: 1 over fewer than 3 graphs." in gains.caption
    assert "Average gains" not in [each.title for of in tables_of(SOME).values() for each in of]


def test_markdown_rows_are_as_wide_as_their_heading() -> None:
    text = markdown(tables_of(SOME))
    for rows in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({row.count("|") for row in rows.splitlines()}) == 1
    assert "**91.00±0.82**" in text
    assert "<ins>80.00±0.82</ins>" in text
    assert r"+11.00±0.82\* (3/3)" in text


def test_latex_compiles(tmp_path: Path) -> None:
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed")
    odd = run(dataset="a_b & 50% #1", changed={"method.x": "~^{}\\"})
    (tmp_path / "t.tex").write_text(latex(tables_of([*SOME, odd])), encoding="utf-8")

    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


class Links(HTMLParser):
    """Collects ids and the targets of links, and checks that elements are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: set[str] = set()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids |= {values["id"]} if values.get("id") else set()
        self.targets |= {values["href"]} if values.get("href") else set()
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_leads_from_each_number_to_its_run_and_asks_the_network_for_nothing(
    tmp_path: Path,
) -> None:
    first = SOME[0] | {"folder": str(tmp_path / "runs" / SOME[0]["run"])}
    runs = [first, *SOME[1:], run(dataset="<b>&", changed={"method.x": "<i>"})]
    page = html_page(tables_of(runs), table(runs), tmp_path / "out")
    links = Links()
    links.feed(page)

    assert links.open == []
    inside = {target[1:] for target in links.targets if target.startswith("#")}
    assert {row["run"] for row in runs} == inside
    assert inside <= links.ids
    assert f"../runs/{first['run']}/result.json" in links.targets
    assert "http" not in page
    assert "changed: method.x=<i>" in links.text
    assert "<b>&" in links.text


def test_provenance_says_where_hyperparameters_come_from(tmp_path: Path) -> None:
    page = html_page(tables_of(SOME), table(SOME), tmp_path)
    source = "common: InfGraND row cora/gcn/transductive"
    assert page.count(f"{source}; teacher calibrated") == 3
    assert page.count(source) == 4, "an MLP has no teacher to calibrate"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is neither an output folder"),
        (["other.csv"], "columns differ: "),
        (["--where", "datset=cora"], "did you mean 'dataset'?"),
        (
            ["runs.csv", "--where", "dataset=moon"],
            "no run has dataset=moon; there are",
        ),
        (["runs.csv", "--out", "other.csv"], "other.csv"),
        (["picture.png"], "picture.png is unreadable"),
        (["runs.csv", "--metric", "macro_f1"], "no run has it; runs of earlier versions recorded"),
        (["runs.csv", "--metric", "roc_auc"], "graphs of more than two classes have none"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs/runs").mkdir(parents=True)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "picture.png").write_bytes(bytes(range(128, 256)))
    (tmp_path / "runs.csv").write_text(to_csv(table(SOME)))
    monkeypatch.setattr("sys.argv", ["gkd-tables", *arguments])

    with pytest.raises(SystemExit) as stopped:
        main()

    assert message in str(stopped.value.code)


def test_where_keeps_the_runs_that_meet_every_condition() -> None:
    some = table(SOME)

    assert len(keep(some, ["dataset=cora", "method=mlp,glnn"])) == 6
    assert len(keep(some, ["seed=0,2"])) == 8
    for condition in ("dataset", "changed={}"):
        with pytest.raises(ReportError, match="not COLUMN=VALUE"):
            keep(some, [condition])


def test_files_are_written_into_the_folder_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs.csv").write_text(to_csv(table(SOME)))
    out = tmp_path / "tables"
    arguments = [str(tmp_path), "--out", str(out), "--accuracy", "test", "--where", "method=mlp"]
    monkeypatch.setattr("sys.argv", ["gkd-tables", *arguments])

    main()

    names = ("tables.md", "tables.tex", "tables.html", "runs.csv")
    assert capsys.readouterr().out.splitlines() == [str(out / name) for name in names]
    assert (out / "runs.csv").read_text() == to_csv(table(SOME[:3]))
