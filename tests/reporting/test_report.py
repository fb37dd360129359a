"""The page says what the tables say, shows what runs left, and needs nothing but itself."""

from __future__ import annotations

import itertools
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import altair as alt
import pandas as pd
import pytest

from gkd_runner.cli.report import main
from gkd_runner.methods import METHODS
from gkd_runner.reporting.page import build
from gkd_runner.reporting.page.build import write
from gkd_runner.reporting.page.figure import Figure
from gkd_runner.reporting.provenance import read_all_failures
from gkd_runner.reporting.tables import make_tables
from gkd_runner.reporting.text import spans_text
from gkd_runner.results.compare import compare
from gkd_runner.results.frame import to_csv
from gkd_runner.results.verdict_text import LOOKED_UP, WALL_CLOCK
from gkd_runner.runs.train import train
from tests.reporting.folder import grid, html_of, write_failure
from tests.results.runs import run, seeds, table
from tests.support import config


def payload(text: str) -> dict[str, dict[str, dict[str, object]]]:
    (data,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)
    return json.loads(data)


class Page(HTMLParser):
    """A page's addresses, the text of its sections by id, and the cells of the comparison."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.text: dict[str, str] = {}
        self.cells: list[list[str]] = []
        self._sections = [""]
        self._in_table, self._in_note = False, False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.addresses += [values[name] or "" for name in ("src", "href") if values.get(name)]
        self._in_note = tag == "sup"
        if tag in ("details", "section"):
            self._sections.append(values.get("id") or "")
        elif tag == "table":
            self._in_table = values.get("id") == "table"
        elif tag == "tr" and self._in_table:
            self.cells.append([])
        elif tag == "td" and self._in_table:
            self.cells[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("details", "section"):
            self._sections.pop()

    def handle_data(self, data: str) -> None:
        for section in self._sections:
            self.text[section] = self.text.get(section, "") + data
        if self._in_table and self.cells and self.cells[-1] and not self._in_note:
            self.cells[-1][-1] += data


def test_the_table_has_the_numbers_of_gkd_tables(tmp_path: Path) -> None:
    some = table([*seeds("mlp", [0.6, 0.61, 0.62]), *seeds("glnn", [0.8, 0.81, 0.79])])
    (tables,) = make_tables(compare(some), read_all_failures([])).values()
    titled = {each.title: each for each in tables}
    expected = titled["Accuracy"].cells["text"]["cora"].droplevel(["row", "block"])
    over_mlp = titled["Should I distil? (transductive)"].cells["text"]["- mlp"].iloc[0]

    page = Page(html_of(some, tmp_path))
    lines = [cells for cells in page.cells if len(cells) > 9]

    assert {cells[3]: cells[7] for cells in lines} == dict(expected[["mlp", "glnn"]])
    assert {cells[6] for cells in lines} == {expected["teacher"]}
    assert [cells[8] for cells in lines] == ["2", "1"]
    glnn = lines[1]
    assert f"{glnn[10]} (3)" == over_mlp
    assert glnn[9].startswith("+0.00 [-")
    assert glnn[11] == "", "a method is not compared with itself"
    for sentence in titled["Should I distil? (transductive)"].lead:
        assert sentence in page.text["verdict"]


def test_the_page_goes_by_the_metric_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accurate = [
        run("mlp", s, 0.95 + s / 300, student_test_macro_f1=0.49 + s / 100) for s in range(3)
    ]
    balanced = [run("glnn", s, 0.90, student_test_macro_f1=0.70 + s / 50) for s in range(3)]
    (tmp_path / "runs.csv").write_text(to_csv(table([*accurate, *balanced])))
    texts = {}
    for metric in ("accuracy", "macro_f1"):
        given = [str(tmp_path / "runs.csv"), "--metric", metric, "--out", str(tmp_path / metric)]
        monkeypatch.setattr("sys.argv", ["gkd-report", *given])
        main()
        texts[metric] = (tmp_path / metric / "report.html").read_text()
    by_f1, by_accuracy = Page(texts["macro_f1"]), Page(texts["accuracy"])

    assert "<h1>Which method to use, by macro F1</h1>" in texts["macro_f1"]
    assert "By macro F1: On cora, glnn is the best method." in by_f1.text["verdict"]
    assert "macro F1, %" in by_f1.text["verdict"]
    scores = {cells[3]: cells[7] for cells in by_f1.cells if len(cells) > 9}
    assert scores == {"mlp": "50.00±0.82", "glnn": "72.00±1.63"}
    assert 'data-column="student-macro-f1"' in texts["macro_f1"]
    spec = payload(texts["macro_f1"])["figures"]["seeds"]["spec"]
    (records,) = spec["datasets"].values()
    assert {r["score"] for r in records if r["kind"] == "glnn"} == {70, 72, 74}
    assert "test macro F1, %" in json.dumps(spec)
    assert "Macro F1 against inference time" in by_f1.text["cost"]
    assert "accuracy" not in json.dumps(spec) + by_f1.text["verdict"] + by_f1.text["cost"]

    assert "<h1>Which method to use</h1>" in texts["accuracy"]
    assert "On cora, mlp is the best method." in by_accuracy.text["verdict"]
    assert "macro F1" not in by_accuracy.text["verdict"]
    beside = {cells[3]: cells[-2] for cells in by_accuracy.cells if cells}
    assert beside == {"mlp": "50.00", "glnn": "72.00"}, "the last of all columns"


def test_the_page_refers_to_nothing_outside_and_text_stays_text(tmp_path: Path) -> None:
    found = Page(html_of(grid(), tmp_path))

    assert all(re.match(r"#|data:,|\.\./|runs/", address) for address in found.addresses)
    assert "the preset's: student.hidden_dim=<b>&" in found.text["comparison"]


def test_the_words_are_explained_with_a_line_per_method(tmp_path: Path) -> None:
    told = Page(html_of(grid(), tmp_path)).text["words"]

    for word in ("teacher", "transductive", "inductive", "protocol", "preset", "calibration"):
        assert word in told
    assert "hgmd-weight, hgmd-mixup" in " ".join(told.split()), "one line for both"
    for method in METHODS:
        module = sys.modules[METHODS[method].__module__]
        said = (module.__doc__ or "").splitlines()[0]
        assert (said in told) == (method in set(grid()["method"]))


@pytest.mark.parametrize(("protocol", "alone"), [("infgrand", True), ("krd", False)])
def test_the_words_say_which_nodes_inductive_training_sees(
    tmp_path: Path, protocol: str, alone: bool
) -> None:
    hidden = [
        run(name, seed, 0.8, setting="inductive", protocol=protocol, student_test_hidden=0.8)
        for name in ("mlp", "glnn")
        for seed in range(2)
    ]
    told = Page(html_of(table(hidden), tmp_path)).text["words"]
    assert (f"Under protocol {protocol} it sees the nodes of the split alone" in told) == alone
    known = Page(html_of(table(seeds("glnn", [0.8, 0.9])), tmp_path)).text["words"]
    assert "the split alone" not in known, "no run is inductive"


@pytest.mark.parametrize("setting", ["transductive", "inductive"])
def test_the_caption_of_the_matrices_says_which_nodes_they_count(
    tmp_path: Path, setting: str
) -> None:
    runs = seeds(
        "glnn", [0.8, 0.7], setting=setting, student_confusion=[[1, 0], [0, 1]],
        student_test_hidden=None if setting == "transductive" else 0.8,
    )  # fmt: skip
    told = Page(html_of(table(runs), tmp_path)).text["classes"]
    assert "over all seeds and all test nodes." in told
    apart = "hidden and observed ones, while the tables score hidden nodes alone."
    assert (apart in told) == (setting == "inductive")


def test_footnotes_have_the_letters_of_their_group(tmp_path: Path) -> None:
    odd = [run("krd", preset=preset, changed={"method.tau": tau})
           for preset, tau in (("common", 2), ("paper", 3))]  # fmt: skip
    text = html_of(table([*seeds("mlp", [0.7, 0.7]), *seeds("glnn", [0.8, 0.8]), *odd]), tmp_path)
    notes = re.findall(r'<li data-group="([^"]*)" data-note="(\w+)">.*?tau=(\d)', text)
    groups = [f"infgrand/{preset}/temperature" for preset in ("common", "paper")]
    assert sorted(notes) == [(groups[0], "a", "2"), (groups[1], "a", "3")]


def test_the_table_of_methods_has_their_costs(tmp_path: Path) -> None:
    runs = [
        run(name, seed, score, dataset=dataset, student_seconds=seconds * (1 + seed),
            teacher_answer_seconds=1.0, student_answer_seconds=1 / seconds)
        for name, score, seconds in (("mlp", 0.7, 2.0), ("glnn", 0.8, 10.0))
        for dataset, seed in itertools.product(("cora", "citeseer"), (0, 2))
    ]  # fmt: skip
    found = Page(html_of(table(runs), tmp_path)).text["verdict"].split("Methods over all graphs")[1]
    lines = "".join(found.split())
    assert "10.020.0" in lines, "of glnn: the median speed, the mean seconds of training"
    assert "2.04.0" in lines, "of mlp"
    assert WALL_CLOCK in found


def test_the_caption_of_speeds_says_what_inductive_ones_leave_out(tmp_path: Path) -> None:
    def caption(setting: str) -> str:
        runs = [
            run(name, seed, 0.8, setting=setting, student_test_hidden=0.8,
                teacher_answer_seconds=1.0, student_answer_seconds=0.1)
            for name, seed in itertools.product(("mlp", "glnn"), (0, 1, 2))
        ]  # fmt: skip
        verdict = Page(html_of(table(runs), tmp_path)).text["verdict"]
        return verdict.split("Means over the teachers named.")[1]

    assert "not told apart and at least 4 times as fast." in caption("transductive")
    assert LOOKED_UP not in caption("transductive")
    assert LOOKED_UP in caption("inductive")


def test_every_dot_is_a_seed_and_carries_its_mean(tmp_path: Path) -> None:
    some = grid()
    (records,) = payload(html_of(some, tmp_path))["figures"]["seeds"]["spec"]["datasets"].values()
    frame = pd.DataFrame(records)
    mine = frame[(frame.kind == "infgrand") & (frame.group == "infgrand/common/none")]

    students = some.query("method == 'infgrand' and calibration == 'none'")["student_test"]
    assert sorted(mine.score) == sorted(round(100 * value, 2) for value in students)
    place = ["dataset", "setting", "teacher"]
    assert (mine.groupby(place).score.transform("mean") - mine["mean"]).abs().max() < 0.01


def test_a_csv_has_no_curves_and_the_page_says_so(tmp_path: Path) -> None:
    found = Page(html_of(grid(), tmp_path)).text
    assert "runs have no curves in the sources: give the output folder" in found["curves"]
    assert "gkd-study inference" in found["cost"]


def test_failures_say_whether_their_seeds_are_done_now(tmp_path: Path) -> None:
    some = seeds("glnn", [0.8, 0.8])
    write_failure(tmp_path, some[0], [0, 1], 1)
    write_failure(tmp_path, some[0], [1, 2], 2)

    told = Page(html_of(table(some), tmp_path)).text["failures"]

    assert re.findall("finished since|missing", told) == ["missing", "finished since"]
    assert "out of <memory>" in told


def test_warnings_are_sentences_that_lead_to_their_run(tmp_path: Path) -> None:
    runs = [run(collapsed_student=True, student_val=0.3), run(seed=1, flat_teacher=True)]

    told = Page(html_of(table(runs), tmp_path)).text["warnings"]

    assert "collapsed student: 30.0% validation accuracy, 50.0 points below its teacher" in told
    assert "flat teacher: mean top probability 0.60 at 80.0% validation accuracy" in told


def test_studies_stand_on_the_page_and_among_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = alt.Chart(pd.DataFrame({"method": ["mlp"], "y": [1]})).mark_point().encode(y="y")
    found = [Figure("depth", "Depth matters", "One sentence.", chart.to_dict())]
    monkeypatch.setattr(build, "study_figures", lambda sources: found)

    written = write(compare(table(seeds("glnn", [0.8]))), tmp_path / "out", [tmp_path])

    text = (tmp_path / "out/report.html").read_text()
    assert {"depth.svg", "depth.png"} < {path.name for path in written}
    assert "One sentence." in Page(text).text["depth"]
    (records,) = payload(text)["figures"]["depth"]["spec"]["datasets"].values()
    assert records == [{"method": "mlp", "y": 1}]


def test_real_runs_become_a_page_and_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for method in ("mlp", "glnn"):
        train(config("seeds=[0,1]", f"output_dir={tmp_path}", f"method={method}"))
    out = tmp_path / "report"
    monkeypatch.setattr("sys.argv", ["gkd-report", str(tmp_path), "--out", str(out)])

    main()

    protocol = config().protocol.name
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert all(path.stat().st_size > 1000 for path in written)
    assert {path.name for path in written if path.suffix == ".png"} == {
        f"seeds-{protocol}-none-temperature.png",
        f"curves-{protocol}-none-temperature-transductive-gcn.png",
    }
    text = (out / "report.html").read_text()
    (curves,) = payload(text)["figures"]["curves"]["spec"]["datasets"].values()
    assert [record["series"] for record in curves] == ["teacher", "mlp", "glnn"]
    assert all((out / a).is_file() for a in Page(text).addresses if a.startswith("../"))


@pytest.mark.parametrize("module", ["altair", "vl_convert"])
def test_a_missing_package_is_told_with_the_extra(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs.csv").write_text(to_csv(table([run()])))
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("sys.argv", ["gkd-report", str(tmp_path / "runs.csv")])

    with pytest.raises(SystemExit, match=rf'gkd-report needs {module}.*"gkd-runner\[report\]"'):
        main()


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        ([3], "3"),
        ([1, 0], "0, 1"),
        ([*range(10), 2022, 12, 2023, 2024], "0 to 9, 12, 2022 to 2024"),
    ],
)
def test_seeds_that_follow_each_other_are_named_by_their_ends(seeds: list[int], text: str) -> None:
    assert spans_text(seeds) == text
