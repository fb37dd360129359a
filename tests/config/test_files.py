"""A graph file is a dataset: alone, in sweeps beside packaged graphs, by path and by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gkd_runner import compose
from gkd_runner.cli.inspect import main as gkd_inspect
from gkd_runner.common.errors import ConfigError
from gkd_runner.config.command_line import check_command_line, check_overrides
from gkd_runner.data.npz import save_npz
from tests.support import SIZES, Done, as_dense_features, small_graph


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``mine.npz`` and ``other/wisconsin.npz``, two different graphs."""
    (tmp_path / "other").mkdir()
    save_npz(small_graph(), tmp_path / "mine.npz")
    save_npz(as_dense_features(small_graph()), tmp_path / "other" / "wisconsin.npz")
    monkeypatch.chdir(tmp_path)


def ran(folder: Path) -> dict[str, list[int]]:
    """The seeds of every finished run, by the graph's name."""
    runs = [json.loads(path.read_text()) for path in folder.glob("outputs/runs/**/result.json")]
    return {run["identity"]["dataset"]: [s["seed"] for s in run["seeds"]] for run in runs}


@pytest.mark.parametrize("path", ["mine.npz", "./mine.npz", "other/wisconsin.npz"])
def test_a_file_stands_for_a_custom_graph_named_after_it(path: str) -> None:
    spelled = ["dataset=custom", f"dataset.path={path}", f"dataset.name={Path(path).stem}"]

    assert compose([f"dataset={path}"]) == compose(spelled)
    assert check_overrides([f"dataset={path}"]) == compose(spelled)


def test_a_file_may_lie_anywhere_and_have_another_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    for text in (str(path), "other/../mine.npz"):
        config = check_overrides([f"dataset={text}", "dataset.name=ours", "dataset.repair=true"])
        assert (config.dataset.name, config.dataset.path) == ("ours", text)
        assert config.dataset.repair

    path.rename(tmp_path / "mine (1).npz")
    config = check_overrides(["dataset='mine (1).npz'", "dataset.name=mine"])
    assert config.dataset.path == "mine (1).npz"


def test_a_sweep_has_packaged_graphs_and_files_side_by_side() -> None:
    swept = "dataset=cora,mine.npz,other/wisconsin.npz"
    cells = check_command_line(["-m", swept, "method=mlp,glnn", "protocol=krd"])

    assert [cell.label for cell in cells] == [
        f"dataset={graph} method={method}"
        for graph in ("cora", "mine.npz", "other/wisconsin.npz")
        for method in ("mlp", "glnn")
    ]
    assert [cell.config.dataset.name for cell in cells[::2]] == ["cora", "mine", "wisconsin"]
    assert [cell.config.dataset.path for cell in cells[::2]] == [
        None, "mine.npz", "other/wisconsin.npz"
    ]  # fmt: skip
    assert [cell.config.dataset.row_normalize for cell in cells[::2]] == [True, False, False]


@pytest.mark.parametrize("launcher", [(), ("hydra/launcher=basic",)], ids=str)
def test_gkd_train_runs_such_a_sweep(
    launcher: tuple[str, ...], tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    swept = "dataset=synthetic,mine.npz,other/wisconsin.npz"
    done = gkd_train(tmp_path, "-m", *launcher, swept, *SIZES, "method=mlp", "seeds=3")

    assert done.returncode == 0, done.stderr
    assert ran(tmp_path) == {"synthetic": [3], "mine": [3], "wisconsin": [3]}


def test_names_of_files_in_the_data_folder_are_swept(
    tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    save_npz(small_graph(), tmp_path / "other" / "mine.npz")
    swept = ("-m", "dataset=custom", "data_dir=other", "dataset.name=mine,wisconsin")
    done = gkd_train(tmp_path, *swept, *SIZES, "method=mlp", "seeds=0")

    assert done.returncode == 0, done.stderr
    assert ran(tmp_path) == {"mine": [0], "wisconsin": [0]}


def test_in_python_a_graph_may_be_given_later_and_a_command_needs_its_file() -> None:
    assert compose(["dataset=custom"]).dataset.path is None
    with pytest.raises(ConfigError, match="dataset=custom has no graph file; give one with"):
        check_overrides(["dataset=custom"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dataset=nowhere.npz", "nowhere.npz: no such file"),
        ("dataset=other.npz", "other.npz is a folder; give the file in it"),
        ("dataset=mine", "did you mean 'mine.npz'?"),
        ("dataset=cora dataset.path=nowhere.npz", "nowhere.npz: no such file"),
        ("dataset=custom data_dir=other dataset.name=mine", "no such file other/mine.npz"),
        ("--dataset mine.npz", "write dataset=mine.npz"),
    ],
)
def test_gkd_inspect_names_a_missing_file(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.npz").mkdir()
    monkeypatch.setattr(sys, "argv", ["gkd-inspect", *text.split()])
    with pytest.raises(SystemExit) as refused:
        gkd_inspect()

    assert told in str(refused.value.code)
    assert "gkd-inspect: " in str(refused.value.code)
    assert not (tmp_path / "nodes.csv").exists()


def test_gkd_inspect_reads_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path,
                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    arguments = ["dataset=mine.npz", "protocol=krd", "seeds=2,3"]
    monkeypatch.setattr(sys, "argv", ["gkd-inspect", *arguments])
    gkd_inspect()

    assert "mine, krd protocol, transductive; seed 2" in capsys.readouterr().out
    assert (tmp_path / "nodes.csv").is_file()


def test_the_help_shows_seeds_and_files(tmp_path: Path, gkd_train: Callable[..., Done]) -> None:
    printed = gkd_train(tmp_path, "--help").stdout

    assert "gkd-train dataset=my.npz " in printed
    assert "gkd-train seeds=0-9 " in printed
    assert "gkd-train -m dataset=cora,my.npz seeds=0,1,2 " in printed
