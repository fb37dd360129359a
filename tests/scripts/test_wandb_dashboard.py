"""The dashboard in W&B draws what runs log, mixes nothing, and says what it lacks."""

from __future__ import annotations

import gzip
import importlib
import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from gkd_runner.common.errors import GkdError
from gkd_runner.tracking.metrics import IDENTITY, STUDENT, TEACHER
from tests.tracked import TrackedRun, offline_env, python

pytest.importorskip("wandb_workspaces", reason="the extra 'dashboard' is not installed")

import wandb_dashboard as dashboard

WHERE = {"protocol": ["infgrand"], "setting": ["inductive"], "dataset": ["cora", "citeseer"]}
GIVEN = ("--entity", "team", "--project", "study")
SCRIPT = Path(dashboard.__file__)


def built(where: dict[str, list[str]]) -> dict[str, Any]:
    return dashboard.specifications(
        dashboard.workspace("team", "study", where), dashboard.report("team", "study", where)
    )


def parts(spec: Any, key: str) -> Iterator[Any]:
    """All values under ``key``, however deep."""
    if isinstance(spec, dict):
        yield from ([spec[key]] if key in spec else [])
        for value in spec.values():
            yield from parts(value, key)
    elif isinstance(spec, list):
        for value in spec:
            yield from parts(value, key)


def panels(spec: Any) -> list[dict[str, Any]]:
    return [panel for group in parts(spec, "panels") if isinstance(group, list) for panel in group]


def columns(spec: Any, section: str) -> set[str]:
    """The names of ``section`` wherever a spec has ``<section>:<name>``."""
    axes = [p["config"].get(axis, "") for p in panels(spec) for axis in ("xAxis", "yAxis")]
    shown = [*axes, *(name for order in parts(spec, "columnOrder") for name in order)]
    return {name.partition(":")[2] for name in shown if name.startswith(f"{section}:")}


def plain(spec: Any) -> set[str]:
    """The metrics of bars and curves."""
    bars = {name for metrics in parts(spec, "metrics") for name in metrics}
    lines = {p["config"]["xAxis"] for p in panels(spec) if p["viewType"] == "Run History Line Plot"}
    return bars | lines


@pytest.mark.parametrize("made", ["workspace", "report"])
def test_every_metric_that_is_drawn_is_one_that_a_run_logs(
    made: str, tracked_job: tuple[Path, TrackedRun]
) -> None:
    run, spec = tracked_job[1], built(WHERE)[made]
    drawn, summed = plain(spec), columns(spec, "summary")
    assert drawn <= {name for row in run.rows for name in row}
    assert summed <= set(run.summary)
    assert {TEACHER.score("test"), STUDENT.score("test"), STUDENT.epoch} <= drawn
    assert {TEACHER.score("test"), STUDENT.score("test"), "teacher_confidence"} <= summed


def test_every_option_that_is_grouped_filtered_or_shown_is_in_a_runs_config(
    tracked_job: tuple[Path, TrackedRun],
) -> None:
    config, spec = tracked_job[1].shown["config"], built(WHERE)
    keys = [key for group in (*parts(spec, "grouping"), list(parts(spec, "key"))) for key in group]
    stored = {key["name"] for key in keys if key["section"] == "config"} | columns(spec, "config")
    assert len(stored) == len(IDENTITY) + 1  # and the seed
    for path in stored:
        group, value, *option = path.split(".")  # W&B stores {"method": {"value": {"name": ...}}}
        assert value == "value"
        assert config[group][option[0]] if option else group in config


def test_the_report_has_the_comparisons_that_were_asked_for() -> None:
    found = panels(built({})["report"])
    charts = [(p["viewType"], p["config"]) for p in found]
    bars = [set(config["metrics"]) for kind, config in charts if kind == "Bar Chart"]
    lines = [
        (config["xAxis"], config["metrics"])
        for kind, config in charts
        if kind == "Run History Line Plot"
    ]
    points = [(c["xAxis"], c["yAxis"]) for kind, c in charts if kind == "Scatter Plot"]
    assert {STUDENT.score("test"), TEACHER.score("test")} in bars
    assert {"agreement"} in bars
    assert {"kl"} in bars
    assert ("student/epoch", ["student/val_accuracy"]) in lines
    assert ("teacher/epoch", ["teacher/val_accuracy"]) in lines
    assert ("summary:teacher/test_accuracy", "summary:student/test_accuracy") in points
    assert ("summary:teacher_confidence", "summary:student/test_accuracy") in points


def test_the_workspace_groups_by_configuration_and_has_the_reports_panels() -> None:
    spec = built({})
    [runset] = spec["workspace"]["spec"]["section"]["runSets"]
    assert runset["grouping"] == [{"section": "run", "name": "group"}]
    titles = [{p["config"]["chartTitle"] for p in panels(spec[made])} for made in spec]
    assert titles[0] == titles[1]


def groups(where: dict[str, list[str]]) -> set[str]:
    [names] = {
        tuple(key["name"] for key in group)
        for group in parts(built(where)["report"], "grouping")
        if group
    }
    return {name.partition(".")[0] for name in names}


def test_nothing_that_names_a_configuration_is_averaged_over_unless_it_is_fixed() -> None:
    assert groups({}) == set(IDENTITY)
    assert groups(WHERE) == set(IDENTITY) - {"protocol", "setting"}
    assert groups({name: ["one"] for name in IDENTITY}) == {"method"}


def test_the_runs_are_those_asked_for_everywhere() -> None:
    spec = built(WHERE)
    wanted = [
        ("protocol.value.name", "IN", ["infgrand"]),
        ("setting.value.name", "IN", ["inductive"]),
        ("dataset.value.name", "IN", ["cora", "citeseer"]),
    ]
    runsets = [runset for group in parts(spec, "runSets") for runset in group]
    assert len(runsets) == 6
    for runset in runsets:
        filters = runset["filters"]["filters"]
        assert [(f["key"]["name"], f["op"], f["value"]) for f in filters] == wanted
        assert [f.get("connector", "AND") for f in filters] == ["AND"] * 3


def test_no_panel_covers_another() -> None:
    for grid in parts(built({})["report"], "panelBankSectionConfig"):
        cells = [
            (x, y)
            for panel in grid["panels"]
            for box in [panel["layout"]]
            for x in range(box["x"], box["x"] + box["w"])
            for y in range(box["y"], box["y"] + box["h"])
        ]
        assert len(cells) == len(set(cells))
        assert all(x < 24 for x, _ in cells)  # the width of W&B's grid


def test_a_dry_run_writes_both_and_asks_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dashboard.wandb, "Api", None)
    path = tmp_path / "dashboard.json"
    dashboard.main([*GIVEN, "--where", "teacher=gcn", "--dry-run", str(path)])
    assert capsys.readouterr().out == f"{path}\n"
    written = json.loads(path.read_text())
    assert anonymous(written) == anonymous(built({"teacher": ["gcn"]}))
    assert written["report"]["project"] == {"name": "study", "entityName": "team"}


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("protcol=krd", r"--where protcol=krd: not NAME=VALUE.*; did you mean 'protocol'\?"),
        ("teacher", "--where teacher: not NAME=VALUE"),
        ("teacher=gcn,", "--where teacher=gcn,: not NAME=VALUE"),
    ],
)
def test_a_wrong_condition_is_quoted(condition: str, message: str) -> None:
    with pytest.raises(GkdError, match=message):
        dashboard.read_where([condition])


def refusal(*arguments: str) -> str:
    with pytest.raises(SystemExit) as refused:
        dashboard.main([*GIVEN, *arguments])
    return str(refused.value.code)


def test_without_a_key_it_says_in_a_line_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard.wandb, "login", lambda **_: False)
    assert refusal() == (
        "wandb_dashboard: W&B has no API key; run wandb login or set WANDB_API_KEY,"
        " or look at what would be made with --dry-run FILE"
    )


def test_a_server_that_refuses_is_quoted_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise ConnectionError("no route to host\nadvice")

    monkeypatch.setattr(dashboard.wandb, "login", lambda **_: True)
    monkeypatch.setattr(dashboard.wr.Report, "save", refuse)
    message = refusal()
    assert "did not take it (ConnectionError: no route to host); look at --entity" in message
    assert "\n" not in message


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    monkeypatch.delitem(sys.modules, "wandb_dashboard")
    with pytest.raises(SystemExit) as refused:
        importlib.import_module("wandb_dashboard")
    assert str(refused.value.code).endswith('pip install "gkd-runner[dashboard]"')


class StandIn(BaseHTTPRequestHandler):
    """As much of W&B's server as saving asks for."""

    saved: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/graphql":
            text = gzip.decompress(body) if "Content-Encoding" in self.headers else body
            asked = json.loads(text)
            answer = {"data": self.answer(asked["query"], asked.get("variables") or {})}
        else:
            answer = {}
        sent = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def answer(self, query: str, given: dict[str, Any]) -> dict[str, Any]:
        project = {"id": "1", "internalId": "7", "name": "study", "entityName": "team"}
        if "upsertView" in query:
            self.saved.append(given)
            fields = ("name", "displayName", "description", "spec")
            view = {"id": "VIEW", "project": project, **{name: given[name] for name in fields}}
            return {"upsertView": {"view": view, "inserted": True}}
        if "models" in query:
            node = {**project, "createdAt": "2026-01-01T00:00:00", "isBenchmark": False,
                    "user": None}  # fmt: skip
            page = {"endCursor": None, "hasNextPage": False}
            return {"models": {"edges": [{"node": node, "cursor": "1"}], "pageInfo": page}}
        return {"project": project, "viewer": {"id": "1", "entity": "team", "username": "me"}}

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def stand_in() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    handler = type("Handler", (StandIn,), {"saved": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler.saved
        server.shutdown()


def anonymous(spec: Any) -> Any:
    """A spec without W&B's random ids and the number of the project."""
    if isinstance(spec, dict):
        hidden = ("id", "__id__", "project")
        return {key: anonymous(value) for key, value in spec.items() if key not in hidden}
    return [anonymous(value) for value in spec] if isinstance(spec, list) else spec


def test_what_is_saved_is_what_a_dry_run_writes(tmp_path: Path, stand_in) -> None:
    address, saved = stand_in
    env = offline_env(tmp_path / "home") | {
        "WANDB_BASE_URL": address,
        "WANDB_API_KEY": "0" * 40,
        "no_proxy": "127.0.0.1",
    }
    printed = python(str(SCRIPT), *GIVEN, "--where", "teacher=gcn", env=env, cwd=tmp_path)

    assert [line.split()[0] for line in printed.splitlines()] == ["report", "workspace"]
    assert all(f"{address}/team/study" in line for line in printed.splitlines())
    report, workspace = (json.loads(view["spec"]) for view in saved)
    expected = built({"teacher": ["gcn"]})
    assert anonymous(report) == anonymous(expected["report"]["spec"])
    assert anonymous(workspace) == anonymous(expected["workspace"]["spec"])
    for grid in parts(report, "runSets"):
        assert [runset["project"]["entityName"] for runset in grid] == ["team"]
