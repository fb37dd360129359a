"""A damaged file costs only itself: it is named in one line, and skipped or refused."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

from gkd_runner.common.errors import GkdError, LaunchError, RunError
from gkd_runner.config.stored import read_config
from gkd_runner.options.schema import Config
from gkd_runner.reporting.curves import curve_records, read_stored
from gkd_runner.reporting.page.studies import study_figures
from gkd_runner.reporting.provenance import read_all_failures
from gkd_runner.reporting.render import write_tables
from gkd_runner.reporting.series import series_of
from gkd_runner.results.compare import compare
from gkd_runner.results.frame import COLUMNS, ReportError, load_runs, read_csv, to_csv
from gkd_runner.studies import STUDIES
from gkd_runner.sweeps.folder import begin, read_failures, read_sweep
from gkd_runner.sweeps.trials import open_study
from tests.damage import FOREIGN, cuts, damaged, flips
from tests.reporting.folder import write_failure, write_metrics
from tests.reporting.study_lines import write_studies
from tests.results.runs import run, seeds, table
from tests.support import config

RUNS = table([*seeds("glnn", [0.8, 0.7]), *seeds("mlp", [0.6], changed={"method.x": "a, b"})])


def one_line(error: Exception, path: Path) -> str:
    """The message of ``error``, which names ``path`` in one line."""
    message = str(error)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_damaged_table_of_runs_is_refused(tmp_path: Path) -> None:
    path, whole = tmp_path / "runs.csv", to_csv(RUNS).encode()
    for content in damaged(whole, 150):
        path.write_bytes(content)
        try:
            runs = read_csv(path)
        except ReportError as error:
            one_line(error, path)
        else:
            assert content.endswith(b"\n"), "a line that was cut off is noticed"
            assert len(runs) <= len(RUNS)
            assert set(COLUMNS) < set(runs)


def test_a_table_of_runs_that_was_cut_off_within_a_line_is_refused(tmp_path: Path) -> None:
    path, whole = tmp_path / "runs.csv", to_csv(RUNS).encode()
    for content in cuts(whole, 10_000):
        path.write_bytes(content)
        if content.endswith(b"\n"):
            continue
        with pytest.raises(ReportError) as refused:
            read_csv(path)
        one_line(refused.value, path)


def test_metrics_that_were_cut_off_cost_the_curve_of_their_run_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = table([*seeds("glnn", [0.8]), *seeds("mlp", [0.7])])
    some = write_metrics(tmp_path / "whole", made, epochs=3)
    whole = (Path(some["folder"][0]) / "metrics.jsonl").read_bytes()
    for number, content in enumerate([*FOREIGN.values(), *cuts(whole, 40)]):
        copy = write_metrics(tmp_path / str(number), made, epochs=3)
        path = Path(copy["folder"][0]) / "metrics.jsonl"
        path.write_bytes(content)
        caplog.clear()

        curves, missing = curve_records(series_of(compare(copy)))

        assert len(missing) <= 1
        assert "mlp" in {record["series"] for record in curves}
        if content and not content.endswith(b"\n"):
            (told,) = caplog.messages
            assert told.startswith((f"{path} is damaged (", f"{path} is unreadable ("))
            assert told.endswith("run it again with rerun=true")
            assert len(missing) == 1


def test_curves_of_whole_runs_are_read_without_a_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    made = table([*seeds("glnn", [0.8]), *seeds("mlp", [0.7])])

    curves, missing = curve_records(series_of(compare(write_metrics(tmp_path, made, epochs=3))))

    assert (len(curves), missing) == (3, set())
    assert caplog.messages == []


def test_stored_curves_that_were_cut_off_are_named_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    some = write_metrics(tmp_path, RUNS, epochs=3)
    write_tables(compare(some), read_all_failures([]), tmp_path / "kept")
    path = tmp_path / "kept" / "curves.jsonl"
    whole = path.read_bytes()
    series = series_of(compare(load_runs([tmp_path / "kept"])))
    for checked in (True, False):
        for content in damaged(whole, 40):
            path.write_bytes(content)
            caplog.clear()
            curve_records(series, read_stored([tmp_path / "kept"]))
            if checked or (content and not content.endswith(b"\n")):
                (told,) = caplog.messages
                causes = ("damaged",) if checked else ("damaged", "unreadable")
                assert told.startswith(tuple(f"{path} is {cause} (" for cause in causes))
        (tmp_path / "kept" / "curves.jsonl.sha256").unlink(missing_ok=True)


def test_a_damaged_study_costs_its_own_figures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_studies(tmp_path)
    figures = {figure.name for figure in study_figures([tmp_path])}
    path = tmp_path / "studies" / "ablation.csv"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")

    left = {figure.name for figure in study_figures([tmp_path])}

    assert left == {name for name in figures if not name.startswith("ablation-")}
    assert left < figures
    (told,) = caplog.messages
    assert told.startswith(f"{path} is damaged (ablation.csv.sha256 has another checksum; ")


def test_measurements_without_a_checksum_are_read_whole_or_refused(tmp_path: Path) -> None:
    write_studies(tmp_path)
    measurements = STUDIES["scarcity"].measurements("scarcity", tmp_path)
    measurements.path.with_name("scarcity.csv.sha256").unlink(missing_ok=True)
    whole = measurements.path.read_bytes()
    for content in damaged(whole[: whole.rfind(b"\n", 0, 2000) + 1], 150):
        measurements.path.write_bytes(content)
        try:
            read = measurements.read()
        except ReportError as error:
            one_line(error, measurements.path)
        else:
            assert content.endswith(b"\n")
            assert list(read) == measurements.form.columns


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The ``config.yaml`` of a run."""
    return OmegaConf.to_yaml(config("method=glnn", "seeds=[0]")).encode()


def test_a_damaged_configuration_is_refused(stored: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(stored)
    assert read_config(path, {}) == config("method=glnn", "seeds=[0]")
    for content in damaged(stored, 60):
        path.write_bytes(content)
        try:
            read = read_config(path, {})
        except RunError as error:
            one_line(error, path)
        else:  # such as another seed
            assert isinstance(read, Config)


def test_a_damaged_failure_is_named_and_not_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (0, 1):
        write_failure(tmp_path, run(), [0], number)
    (folder,) = (tmp_path / "sweeps").iterdir()
    path = folder / "failed-0.json"
    whole = path.read_bytes()
    for content in damaged(whole, 60):
        path.write_bytes(content)
        caplog.clear()
        failures = read_failures(folder)
        assert 1 in {failure.number for failure in failures}
        if len(failures) < 2:
            (told,) = caplog.messages
            assert told.startswith(f"{path} is unreadable (")
            assert told.endswith("the failure is not counted")
        assert len(read_all_failures([tmp_path])) == len(failures)


def test_a_damaged_plan_is_refused(tmp_path: Path) -> None:
    sweep = begin(tmp_path, ())
    path = sweep.path / "plan.json"
    for content in damaged(path.read_bytes(), 40):
        path.write_bytes(content)
        try:
            assert read_sweep(sweep.path).path == sweep.path
        except LaunchError as error:
            one_line(error, path)


def searched(path: Path) -> bytes:
    """The file of a search with two trials."""
    study = open_study(path)
    for value in (0.5, 0.6):
        trial = study.ask({"method.tau": optuna.distributions.FloatDistribution(0.5, 3.0)})
        trial.set_user_attr("options", [f"method.tau={value}"])
        trial.set_user_attr("runs", ["/a/run"])
        study.tell(trial, value)
    return path.read_bytes()


def test_a_search_goes_on_after_half_a_last_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "search.jsonl"
    whole = searched(path)
    for content in cuts(whole, 60):
        path.write_bytes(content)
        caplog.clear()
        study = open_study(path)
        half = bool(content) and not content.endswith(b"\n")
        assert [message for message in caplog.messages if str(path) in message] == (
            [f"{path}: its last line was cut off and is left out"] if half else []
        )
        study.add_trial(
            optuna.trial.create_trial(value=0.9, user_attrs={"options": [], "runs": []})
        )
        assert open_study(path).best_value == 0.9


def test_a_search_that_is_damaged_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "search.jsonl"
    whole = searched(path)
    for content in [*FOREIGN.values(), *flips(whole, 60)]:
        path.write_bytes(content)
        if content.endswith(b"\n"):  # or else the last line was cut off
            with pytest.raises(GkdError) as refused:
                open_study(path)
            one_line(refused.value, path)
    path.write_bytes(searched(tmp_path / "other.jsonl"))
    with pytest.raises(GkdError, match="it is the file of the search other"):
        open_study(path)


def test_a_search_of_an_earlier_version_goes_on_and_gets_checksums(tmp_path: Path) -> None:
    path = tmp_path / "search.jsonl"
    logs = [json.loads(line) for line in searched(path).splitlines()]
    earlier = [{k: v for k, v in log.items() if k != "checksum"} for log in logs]
    path.write_text("".join(f"{json.dumps(log)}\n" for log in earlier))

    assert open_study(path).best_value == 0.6
    sealed = [json.loads(line) for line in path.read_text().splitlines()]
    assert sealed[: len(logs)] == logs
    assert all("checksum" in log for log in sealed)
