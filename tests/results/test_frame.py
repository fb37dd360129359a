"""Finished runs become one table, and the table's CSV reads back the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from gkd_runner.results.frame import COLUMNS, LATER_COLUMNS, ReportError, load_runs, to_csv
from gkd_runner.runs.train import train
from tests.results.runs import run, seeds, table
from tests.support import config

SOME = table(
    [*seeds("glnn", [0.80, 0.1 + 0.2]), *seeds("mlp", [0.7], changed={"method.x": "a, b"})]
)
MEASURED = table([run(student_test_macro_f1=0.1 + 0.2, student_confusion=[[3, 1], [0, 2]])])


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_csv_reads_back_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "runs.csv", to_csv(SOME))

    pd.testing.assert_frame_equal(load_runs([path]), SOME)
    pd.testing.assert_frame_equal(load_runs([tmp_path]), SOME, obj="the table by its folder")
    measured = write(tmp_path / "measured.csv", to_csv(MEASURED))
    pd.testing.assert_frame_equal(load_runs([measured]), MEASURED)
    assert list(pd.read_csv(path).columns) == list(COLUMNS)


def test_the_csv_of_an_earlier_version_lacks_the_metrics_beside_accuracy(tmp_path: Path) -> None:
    earlier = pd.read_csv(write(tmp_path / "runs.csv", to_csv(SOME))).drop(columns=LATER_COLUMNS)
    path = write(tmp_path / "earlier.csv", earlier.to_csv(index=False))

    runs = load_runs([path])

    pd.testing.assert_frame_equal(runs, SOME)
    assert runs["student_test_macro_f1"].isna().all()
    assert set(runs["student_confusion"]) == {None}


def test_a_run_of_format_4_is_read_without_the_metrics_beside_accuracy(tmp_path: Path) -> None:
    path = train(config("seeds=[0]", f"output_dir={tmp_path}", "method=mlp")).path / "result.json"
    whole = load_runs([tmp_path])
    earlier = json.loads(path.read_text()) | {"format": 4}
    del earlier["seeds"][0]["student_parameters"], earlier["checksum"], earlier["files"]
    for stage in ("teacher", "student"):
        for added in ("macro_f1", "roc_auc", "confusion"):
            del earlier["seeds"][0][stage][added]
    write(path, json.dumps(earlier))

    runs = load_runs([tmp_path])

    assert runs["student_test_macro_f1"].isna().all()
    others = [name for name in whole if name not in LATER_COLUMNS]
    pd.testing.assert_frame_equal(runs[others], whole[others])


def test_a_source_without_runs_is_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    empty = load_runs([tmp_path])

    assert empty.empty
    assert list(empty.columns) == [*COLUMNS, "folder"]


def test_rows_of_real_runs_are_traceable(tmp_path: Path) -> None:
    result = train(config("seeds=[0,1]", f"output_dir={tmp_path}", "method=glnn"))

    runs = load_runs([tmp_path])

    assert list(runs["seed"]) == [0, 1]
    assert set(runs["teacher"]) == {"gcn"}
    assert list(runs["student_test"]) == [seed.student.scores.test for seed in result.seeds]
    scores = [seed.student.macro_f1.test for seed in result.seeds if seed.student.macro_f1]
    assert list(runs["student_test_macro_f1"]) == scores
    assert runs["student_test_roc_auc"].isna().all()  # five classes
    for counts, accuracy in zip(runs["student_confusion"], runs["student_test"], strict=True):
        assert np.trace(counts) / np.sum(counts) == pytest.approx(accuracy)
    assert list(runs["agreement"]) == [seed.diagnostics.agreement for seed in result.seeds]
    assert set(map(Path, runs["folder"])) == {result.path}
    assert {tmp_path / "runs" / name for name in runs["run"]} == {result.path}
    for seed, count in zip(runs["seed"], runs["student_parameters"], strict=True):
        weights = load_file(result.path / f"student-{seed}.safetensors")
        assert count == sum(weight.size for weight in weights.values())
    for key in runs["teacher_key"]:
        assert (tmp_path / "cache/teachers" / f"{key}.safetensors").is_file()


def test_a_seed_that_several_runs_of_one_key_have_counts_once_in_the_newest(tmp_path: Path) -> None:
    old = table([run(started="2026-01-01", run="old"), run(seed=1, run="old")])
    new = table([run(started="2026-02-01", run="new")])
    sources = [write(tmp_path / f"{n}.csv", to_csv(t)) for n, t in (("new", new), ("old", old))]

    assert dict(load_runs(sources).set_index("seed")["run"]) == {0: "new", 1: "old"}


def test_one_graph_under_two_names_has_the_runs_of_both(tmp_path: Path) -> None:
    """The key of a run names its graph by content, so both names have the same one."""
    names = table(
        row for name in ("a", "b") for row in seeds("glnn", [0.8, 0.7], dataset=name, key="one")
    )
    path = write(tmp_path / "runs.csv", to_csv(names))

    assert list(load_runs([path])["dataset"]) == ["a", "a", "b", "b"]


def test_a_run_in_a_folder_stands_before_its_copy_in_a_csv(tmp_path: Path) -> None:
    result = train(config("seeds=[0]", f"output_dir={tmp_path}/outputs", "method=mlp"))
    copy = write(tmp_path / "copy.csv", to_csv(load_runs([tmp_path / "outputs"])))

    assert load_runs([tmp_path / "outputs", copy])["folder"].item() == str(result.path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("dataset,", "graph_name,", "2 columns differ: dataset, graph_name"),
        ("0.30000000000000004", "much", "much"),
        ("False", "perhaps", "flat_teacher holds values that are neither True nor False"),
        ('"{""', "{", "is damaged (line 4 has 69 of 68 values)"),
    ],
)
def test_a_broken_csv_is_refused_with_its_name(
    before: str, after: str, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "runs.csv", to_csv(SOME).replace(before, after))
    with pytest.raises(ReportError) as refused:
        load_runs([path])
    assert str(path) in str(refused.value)
    assert message in str(refused.value)


def test_a_folder_of_studies_alone_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    with pytest.raises(ReportError, match="has studies but no finished run yet"):
        load_runs([tmp_path])
