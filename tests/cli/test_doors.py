"""Full disks and closed doors: one line that names path and remedy, whole files, sweeps go on."""

from __future__ import annotations

import errno
import importlib
import json
import os
import pwd
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from gkd_runner.data.datasets import load_dataset
from gkd_runner.exporting import export
from gkd_runner.results.key import config_key
from gkd_runner.results.stored import lock_file
from tests.full_disk import Disk, disk, full_from
from tests.support import CPU, SMALL, Done, called, config, small_run

SIZE = ("dataset.nodes=120", "dataset.features=24", "protocol.train_per_class=5")
SIZE += ("protocol.val_size=30", "protocol.test_size=50", "training.max_epochs=3")
OPTIONS = (*SMALL, *SIZE, "seeds=[0]", "method=glnn")
SWEEP = ("-m", *OPTIONS[:-1], "method=glnn,mlp")

Command = Callable[..., Done]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Call ``gkd-<name>`` in this process."""

    def call(name: str, *arguments: object) -> Done:
        module = importlib.import_module(f"gkd_runner.cli.{name.replace('import', 'import_')}")
        return called(monkeypatch, module.main, f"gkd-{name}", *arguments)

    return call


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a finished run, beside an export of it and a file of edges."""
    folder = tmp_path_factory.mktemp("finished")
    run = small_run(folder / "outputs", *SIZE, "method=glnn", "seeds=[0]")
    export.export_run(run, folder / "exported", export.Options(seed=0, measures=False))
    lines = (f"{node},{(node + 1) % 40}" for node in range(40))
    (folder / "edges.csv").write_text("\n".join(("source,target", *lines, "")))
    labels = (f"{node},{node % 2},{node % 7}" for node in range(40))
    (folder / "nodes.csv").write_text("\n".join(("id,label,size", *labels, "")))
    return folder


def run_in(folder: Path) -> Path:
    (result,) = folder.glob("outputs/runs/*/*/*/glnn/*/result.json")
    return result.parent


COMMANDS: dict[str, Callable[[Path], Iterable[object]]] = {
    "train": lambda folder: (*OPTIONS, f"output_dir={folder / 'new'}"),
    "search": lambda folder: ("--trials=1", *OPTIONS, f"output_dir={folder / 'outputs'}"),
    "tables": lambda folder: (folder / "outputs", "--out", folder / "tables"),
    "report": lambda folder: (folder / "outputs", "--out", folder / "report"),
    "export": lambda folder: (run_in(folder), "--out", folder / "again", "--seed=0"),
    "inspect": lambda folder: ("--run", run_in(folder), "--out", folder / "nodes.csv"),
    "predict": lambda folder: (folder / "exported", "--all", "--out", folder / "answers.csv"),
    "import": lambda folder: (
        folder / "edges.csv", "--nodes", folder / "nodes.csv", "--out", folder / "mine.npz"
    ),
}  # fmt: skip


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check_line(done: Done, name: str, told: str, way_out: str) -> None:
    """The command has ended with one line on what was refused."""
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert line.startswith(f"gkd-{name}: ")
    assert told in line
    assert way_out in line
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_costs_one_line_and_leaves_no_half_file(
    name: str, finished: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "serve_cost", lambda *_: None)  # takes seconds

    def attempt(number: int, *refuses: Callable[[Path], bool]) -> tuple[Disk, Done]:
        folder = tmp_path / str(number)
        shutil.copytree(finished, folder)
        before = contents(folder)
        with disk(folder, *refuses) as watched:
            done = command(name, *COMMANDS[name](folder))
        if refuses:
            changed = {path for path, content in before.items() if path.read_bytes() != content}
            assert {path.suffix for path in changed} <= {".lock"}
            assert not set(watched.left()) - {"metrics.jsonl"}  # written line by line
        return watched, done

    undisturbed, done = attempt(0)
    assert done.returncode == 0, done.stderr
    files = [path for path in undisturbed.writes if path.suffix]
    # one of each kind: those whose names begin alike are written in one place
    kinds = {(path.parent, path.name[:7]): path.name for path in files}
    assert kinds
    for number, file in enumerate(kinds.values(), 1):
        _, done = attempt(number, full_from(file))
        told = f"{tmp_path / str(number)}{os.sep}"
        check_line(done, name, f"No space left on device: {told}", "; free space on that disk, or")
        assert not list((tmp_path / str(number)).glob("new/runs/*/*/*/*/*/result.json"))


def scores(folder: Path) -> dict[str, Any]:
    """Per method the scores that its finished run has found."""
    found = {}
    for path in folder.glob("runs/*/*/*/*/*/result.json"):
        seeds = json.loads(path.read_text())["seeds"]
        found[path.parts[-3]] = [(s["teacher"]["scores"], s["student"]["scores"]) for s in seeds]
    return found


def test_a_sweep_on_a_disk_that_fills_names_all_failures_and_goes_on_once_there_is_space(
    tmp_path: Path, command: Command
) -> None:
    assert command("train", *SWEEP, f"output_dir={tmp_path / 'whole'}").returncode == 0
    sweep = ("train", *SWEEP, f"output_dir={tmp_path / 'outputs'}")
    with disk(tmp_path, full_from("student-0.safetensors")) as watched:
        done = command(*sweep)
    assert done.returncode == 1
    assert done.stderr.endswith("gkd-runner: 0 of 2 cells done, 2 failed")
    assert "2 cells failed:" in done.stdout
    assert done.stdout.count("log not written") == 2
    assert "Traceback" not in done.stdout + done.stderr
    assert watched.left() == []

    done = command(*sweep)
    assert done.returncode == 0, done.stderr
    assert scores(tmp_path / "outputs") == scores(tmp_path / "whole")


def taken_lock(outputs: Path) -> str:
    """The name of the lock of the first cell of ``SWEEP``, which is there already."""
    settings = config(*SIZE, "seeds=[0]", "method=glnn", f"output_dir={outputs}")
    graph = load_dataset(settings.dataset, settings.protocol, settings.data_dir)
    lock = lock_file(settings, config_key(settings, graph, CPU))
    lock.parent.mkdir(parents=True)
    lock.touch()
    return lock.name


@pytest.mark.parametrize("closed", ["failed-0|/glnn", None], ids=["folder", "lock"])
def test_a_cell_that_cannot_be_written_costs_only_itself(
    closed: str | None, tmp_path: Path, command: Command
) -> None:
    """Neither its failure can be written, or its lock belongs to somebody else."""
    closed = closed or taken_lock(tmp_path / "outputs")
    with disk(tmp_path, lambda path: bool(re.search(closed, str(path))), errno.EACCES):
        done = command("train", *SWEEP, f"output_dir={tmp_path / 'outputs'}")
    assert done.returncode == 1
    assert done.stderr.endswith("gkd-runner: 1 of 2 cells done, 1 failed")
    assert "Permission denied: " in " ".join(done.stdout.split())
    assert set(scores(tmp_path / "outputs")) == {"mlp"}


def test_finished_runs_on_a_read_only_disk_are_read_without_writing(
    tmp_path: Path, command: Command
) -> None:
    outputs = tmp_path / "disk" / "outputs"
    assert command("train", *SWEEP, f"output_dir={outputs}").returncode == 0
    run = run_in(tmp_path / "disk")
    with disk(tmp_path / "disk", lambda _: True, errno.EROFS) as watched:
        ended = {
            "job": command("train", *OPTIONS, f"output_dir={outputs}"),
            "sweep": command("train", *SWEEP, f"output_dir={outputs}"),
            "tables": command("tables", outputs),
            "inspect": command("inspect", "--run", run, "--out", tmp_path / "nodes.csv"),
            "export": command("export", run, "--out", tmp_path / "exported", "--seed=0"),
        }
    assert {name: done.returncode for name, done in ended.items()} == dict.fromkeys(ended, 0)
    assert "finished before" in ended["job"].stdout
    assert watched.writes == []


def test_a_cache_that_cannot_be_written_gives_the_teachers_that_it_has(
    tmp_path: Path, command: Command
) -> None:
    options = (*OPTIONS, f"cache_dir={tmp_path / 'cache'}")
    assert command("train", *options, f"output_dir={tmp_path / 'first'}").returncode == 0
    before = contents(tmp_path / "cache")
    with disk(tmp_path / "cache", lambda _: True, errno.EROFS):
        done = command("train", *options, f"output_dir={tmp_path / 'second'}")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "cache") == before
    assert scores(tmp_path / "first") == scores(tmp_path / "second")


@pytest.mark.parametrize("options", [OPTIONS, SWEEP], ids=["job", "sweep"])
def test_what_is_unfinished_on_a_read_only_disk_is_told_in_a_line(
    options: tuple[str, ...], tmp_path: Path, command: Command
) -> None:
    (tmp_path / "outputs").mkdir()
    with disk(tmp_path, lambda _: True, errno.EROFS):
        done = command("train", *options, f"output_dir={tmp_path / 'outputs'}")
    told = f"Read-only file system: {tmp_path / 'outputs'}{os.sep}"
    way_out = "; make that disk writable, or choose another folder (output_dir, "
    check_line(done, "train", told, way_out)
    assert list((tmp_path / "outputs").iterdir()) == []


@pytest.mark.parametrize("options", [OPTIONS, SWEEP], ids=["job", "sweep"])
def test_an_output_dir_that_is_a_file_is_named_and_left_alone(
    options: tuple[str, ...], tmp_path: Path, command: Command
) -> None:
    file = tmp_path / "outputs"
    file.write_text("mine")
    done = command("train", *options, f"output_dir={file}")
    check_line(done, "train", f"{file} is a file, and a folder is needed there", "move it away, or")
    assert file.read_text() == "mine"


def test_a_user_without_a_home_folder_needs_no_more_than_a_data_dir(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "GKD_DATA", "USER", "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    done = command("train", *OPTIONS, f"output_dir={tmp_path}")
    way_out = "unless it or GKD_DATA is given; set HOME"
    check_line(done, "train", "this user has no home folder", way_out)
    assert list(tmp_path.iterdir()) == []
    assert command("train", *OPTIONS, f"output_dir={tmp_path}", "data_dir=data").returncode == 0


@pytest.mark.parametrize("name", ["train", "tables", "report"])
def test_a_working_directory_that_was_deleted_is_told(
    name: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    check_line(command(name), name, "the working directory was deleted", "go to another one (cd)")
