"""Tables say what was measured, from which runs, and why a cell is empty."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from gkd_runner.cli.tables import main
from gkd_runner.reporting.command_line import keep
from gkd_runner.reporting.compare import Group
from gkd_runner.reporting.document import Document, Section
from gkd_runner.reporting.references import Reference, claims, references, verdict
from gkd_runner.reporting.render import html_page, latex, markdown, terminal
from gkd_runner.reporting.rows import ReportError, csv_text, read_csv, read_rows
from gkd_runner.reporting.tables import documents
from gkd_runner.runs.train import train
from tests.reporting.rows import row, rows
from tests.support import config

SOME = [
    *rows("mlp", [0.60, 0.61, 0.62]),
    *rows("glnn", [0.80, 0.81, 0.79]),
    *rows("infgrand", [0.90, 0.92, 0.91]),
    *rows("glnn", [0.70, 0.71, 0.72], dataset="citeseer"),
]


def section(document: Document, title: str) -> Section:
    return next(section for section in document.sections if section.title == title)


def texts(found: Section, label: str) -> list[str]:
    return [
        value.text
        for block in found.blocks
        for line in block.lines
        if line.label == label
        for value in line.values
    ]


def test_means_population_deviations_and_marks() -> None:
    (document,) = documents(SOME)
    accuracy = section(document, "Accuracy")

    assert accuracy.columns == ("cora", "citeseer")
    assert texts(accuracy, "glnn") == ["80.00±0.82", "71.00±0.82"]
    assert texts(accuracy, "infgrand") == ["91.00±0.82", "not run"]
    marks = {
        line.label: [value.mark for value in line.values]
        for block in accuracy.blocks
        for line in block.lines
    }
    assert marks["infgrand"] == ["best", ""]
    assert marks["glnn"] == ["second", ""]


def test_differences_are_paired_with_the_seeds_won() -> None:
    (document,) = documents(SOME)
    found = section(document, "Differences")

    assert texts(found, "infgrand - glnn") == ["+11.00±0.82* (3/3)", ""]
    assert texts(found, "glnn - teacher")[0] == "+0.00±0.82 (1/3)"
    assert texts(found, "mlp - glnn") == []


def test_each_protocol_has_a_document_of_its_own() -> None:
    found = documents([*SOME, *rows("glnn", [0.8], protocol="krd")])
    assert [document.title.partition(",")[0] for document in found] == [
        "infgrand protocol",
        "krd protocol",
    ]


def test_empty_cells_say_why() -> None:
    paper = [
        row("hgmd-mixup", preset="paper", protocol="krd"),
        row("infgrand", preset="paper", protocol="krd", dataset="citeseer"),
        row("hgmd-weight", preset="paper", protocol="krd", dataset="citeseer"),
    ]
    failed = [("citeseer", "krd", "transductive", "gcn", "hgmd-mixup", "paper")]

    (document,) = documents(paper, failed=failed)
    accuracy = section(document, "Accuracy")

    assert texts(accuracy, "hgmd-mixup") == ["80.00", "failed"]
    assert texts(accuracy, "infgrand") == ["not run", "80.00"]
    assert texts(accuracy, "hgmd-weight") == ["not published", "80.00"]


def test_what_failed_everywhere_has_its_row_and_column_all_the_same() -> None:
    failed = [
        ("pubmed", "infgrand", "transductive", "gcn", "glnn", "common"),
        ("cora", "infgrand", "transductive", "gcn", "hgmd-mixup", "common"),
    ]
    (document,) = documents(rows("glnn", [0.8]), failed=failed)
    accuracy = section(document, "Accuracy")

    assert accuracy.columns == ("cora", "pubmed")
    assert texts(accuracy, "glnn") == ["80.00", "failed"]
    assert texts(accuracy, "hgmd-mixup") == ["failed", "not run"]


def test_a_narrow_terminal_gets_the_columns_in_parts_and_never_a_cut_number() -> None:
    wide = [found for name in "abcdef" for found in rows("glnn", [0.8, 0.9], dataset=name * 9)]
    text = io.StringIO()
    Console(file=text, width=60).print(terminal(documents(wide), 60))

    assert text.getvalue().count("85.00±5.00") == 6
    assert max(len(line) for line in text.getvalue().splitlines()) <= 60


def test_changes_inferred_hyperparameters_and_collapses_are_footnotes() -> None:
    odd = row(
        preset="paper",
        preset_source="inferred from: InfGraND row x; changed: method.tau=2; teacher calibrated",
        warnings="collapsed student: 30% ...",
    )
    (document,) = documents([odd])

    assert list(section(document, "Accuracy").footnotes().items()) == [
        ("hyperparameters inferred from the nearest published row", "a"),
        ("changed: method.tau=2", "b"),
        ("1 of 1 students collapsed", "c"),
    ]


def test_inductive_tables_name_the_nodes_that_they_are_over() -> None:
    inductive = row(setting="inductive", student_ind=0.6, student_tran=0.7, student_prod=0.68)
    for part, text in {"ind": "60.00", "tran": "70.00", "prod": "68.00"}.items():
        (document,) = documents([inductive], part)
        accuracy = section(document, "Accuracy")
        assert texts(accuracy, "glnn") == [text]
        assert "nodes" in accuracy.blocks[0].heading


def test_released_code_stands_beside_runs_on_the_papers_presets_alone() -> None:
    assert {r.kind for r in references(Group("infgrand", "paper", "none"))} == {"official run"}
    assert references(Group("infgrand", "common", "none")) == []
    assert {r.kind for r in references(Group("glnn", "none", "none"))} == {"published"}
    assert [(c.method, c.over, c.points) for c in claims()] == [
        ("infgrand", "mlp", 12.6),
        ("infgrand", "mlp", 9.3),
        ("hgmd-mixup", "mlp", 12.95),
        ("hgmd-mixup", "teacher", 2.48),
    ]


@pytest.mark.parametrize(
    ("ours", "std", "said"),
    [
        ([80.9, 80.9], None, "within"),
        ([81.2, 81.2], None, "above"),
        ([78.8, 78.8], None, "below"),
        ([83, 79, 83, 79, 83], 2.0, "within"),  # 1.4 points, but standard errors of 1
        ([70.0], 2.0, "one seed"),
    ],
)
def test_verdicts(ours: list[float], std: float | None, said: str) -> None:
    theirs = Reference(
        "s", "k", "p", "transductive", "prod", "cora", "gcn", "glnn", "student", 80.0, std, "5", 5
    )
    assert verdict(ours, theirs) == said


def test_claims_are_compared_with_the_mean_of_paired_differences() -> None:
    (document,) = documents(SOME)
    (line, *_) = section(document, "Average gains").blocks[0].lines
    assert line.label == "infgrand - mlp (InfGraND article)"
    assert [value.text for value in line.values] == [
        "transductive", "gcn", "1", "+12.60", "+30.00", "too few graphs",
    ]  # fmt: skip


def test_markdown_rows_are_as_wide_as_their_heading() -> None:
    text = markdown(documents(SOME))
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert "**91.00±0.82**" in text
    assert "<ins>80.00±0.82</ins>" in text
    assert r"+11.00±0.82\* (3/3)" in text


def test_latex_compiles(tmp_path: Path) -> None:
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed")
    odd = row(preset_source="common: a_b & 50% #1; changed: method.x=~^{}\\")
    (tmp_path / "t.tex").write_text(latex(documents([*SOME, odd])), encoding="utf-8")

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

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids |= {values["id"]} if values.get("id") else set()
        self.targets |= {values["href"]} if values.get("href") else set()
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_leads_from_each_number_to_its_run_and_asks_the_network_for_nothing() -> None:
    page = html_page(documents(SOME), SOME, {SOME[0].run: f"../runs/{SOME[0].run}"})
    links = Links()
    links.feed(page)

    assert links.open == []
    inside = {target[1:] for target in links.targets if target.startswith("#")}
    assert {found.run for found in SOME} == inside
    assert inside <= links.ids
    assert f"../runs/{SOME[0].run}/result.json" in links.targets
    assert "http" not in page


def test_the_csv_has_a_row_per_run_and_seed_in_pandas_and_reads_back_the_same(
    tmp_path: Path,
) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(csv_text(SOME), encoding="utf-8")

    frame = pd.read_csv(path)
    assert len(frame) == len(SOME)
    assert frame.groupby("method").student_prod.mean()["infgrand"] == pytest.approx(0.91)
    assert read_csv(path) == SOME
    assert sorted(read_rows([path]), key=str) == sorted(SOME, key=str)
    assert path.name == "runs.csv"
    assert read_rows([path.parent]) == read_rows([path]), "or by its folder"


def test_rows_of_real_runs_are_traceable(tmp_path: Path) -> None:
    result = train(config("seeds=[0,1]", f"output_dir={tmp_path}", "method=glnn"))

    found = read_rows([tmp_path])

    assert [r.seed for r in found] == [0, 1]
    assert [r.student_prod for r in found] == [s.student.scores.prod for s in result.seeds]
    assert {tmp_path / "runs" / r.run for r in found} == {result.path}
    assert all(
        (tmp_path / "cache/teachers" / f"{r.teacher_key}.safetensors").is_file() for r in found
    )
    assert found[0].agreement == result.seeds[0].diagnostics.agreement


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
        (["picture.png"], "columns differ"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs/runs").mkdir(parents=True)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "picture.png").write_bytes(bytes(range(128, 256)))
    (tmp_path / "runs.csv").write_text(csv_text(SOME))
    monkeypatch.setattr("sys.argv", ["gkd-tables", *arguments])

    with pytest.raises(SystemExit) as stopped:
        main()

    assert message in str(stopped.value.code)


def test_where_keeps_the_rows_that_meet_every_condition() -> None:
    assert len(keep(SOME, ["dataset=cora", "method=mlp,glnn"])) == 6
    with pytest.raises(ReportError, match="not COLUMN=VALUE"):
        keep(SOME, ["dataset"])
