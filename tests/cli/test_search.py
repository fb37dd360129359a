"""The search: trials are runs, chosen by validation accuracy, and a search goes on where it was."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from gkd_runner.cli.search import main
from gkd_runner.cli.train import main as gkd_train
from gkd_runner.common.errors import TrainingError
from gkd_runner.config.build import compose
from gkd_runner.config.presets import read_table
from gkd_runner.methods import METHODS
from gkd_runner.runs.train import train
from tests.support import SMALL

pytest.importorskip("optuna", reason="the extra 'search' is not installed")

from gkd_runner.sweeps import trials as trials_module
from gkd_runner.sweeps.search import search_space

GIVEN = ("method=glnn", "seeds=[0,1]", *(text for text in SMALL if text != "tracker=none"))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(*arguments: str) -> str:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    return str(refused.value.code)


def stored(folder: Path = Path()) -> list[dict[str, Any]]:
    """The finished runs, oldest first."""
    runs = [json.loads(path.read_text()) for path in folder.glob("outputs/runs/**/result.json")]
    return sorted(runs, key=lambda run: run["started"])


def trials(printed: str) -> list[str]:
    """What the search said of each trial that it ran."""
    return [line.partition(": ")[2] for line in printed.splitlines() if line.startswith("trial ")
            and " of " in line]  # fmt: skip


def test_every_trial_is_a_finished_run_on_one_teacher_without_a_tracker(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([*GIVEN, "--trials", "3"])

    runs, printed = stored(), trials(capsys.readouterr().out)
    assert len(runs) == len(printed) == 3
    assert [run["seeds"][0]["teacher_cached"] for run in runs] == [False, True, True]
    assert not Path("outputs/wandb").exists()
    for run, line in zip(runs, printed, strict=True):
        assert line.startswith(f"val {100 * run['summary']['student']['val']['mean']:.2f}")


def test_the_first_trial_is_what_the_command_line_gives_anyway() -> None:
    main([*GIVEN, "--trials", "1"])

    train(compose([*GIVEN, "tracker=none"]))
    assert len(stored()) == 1  # found finished


def test_the_best_validation_accuracy_is_chosen_and_its_command_finds_its_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main([*GIVEN, "--trials", "3"])

    printed = capsys.readouterr().out
    best = max(stored(), key=lambda run: run["summary"]["student"]["val"]["mean"])
    test = best["summary"]["student"]["test"]
    assert f"after the choice: {100 * test['mean']:.2f}±{100 * test['std']:.2f}" in printed
    assert printed.count("±") == 1  # test accuracy of this trial alone

    command = shlex.split(re.findall("^repeat  (.*)$", printed, re.M)[0])
    monkeypatch.setattr(sys, "argv", command)
    gkd_train()
    assert "finished before: 2 of 2 students" in capsys.readouterr().out


def test_an_inductive_search_is_judged_on_the_hidden_nodes_as_tables_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([*GIVEN, "--trials", "1", "setting=inductive"])

    hidden = stored()[0]["summary"]["student"]["test_hidden"]
    told = f"(hidden nodes), looked at after the choice: {100 * hidden['mean']:.2f}±"
    assert told in capsys.readouterr().out


def test_the_same_command_adds_what_is_missing_and_no_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([*GIVEN, "--trials", "2"])
    main([*GIVEN, "--trials", "3"])
    main([*GIVEN, "--trials", "3"])

    assert len(stored()) == len(trials(capsys.readouterr().out)) == 3
    assert len(list(Path("outputs/searches").glob("*.jsonl"))) == 1


def test_a_search_that_was_interrupted_goes_on_as_it_would_have(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main([*GIVEN, "--trials", "3", "output_dir=whole"])
    whole = trials(capsys.readouterr().out)
    calls = iter([train, None])

    def interrupted(config: Any) -> Any:
        call = next(calls)
        if call is None:
            raise KeyboardInterrupt
        return call(config)

    with monkeypatch.context() as patch:
        patch.setattr(trials_module, "train", interrupted)
        assert refusal(*GIVEN, "--trials", "3") == "130"
    main([*GIVEN, "--trials", "3"])

    output = capsys.readouterr()
    assert "the same command goes on from what is finished" in output.err
    assert trials(output.out) == whole


def test_the_search_seed_decides_the_trials(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("0", "1"):
        main([*GIVEN, "--trials", "2", "--search-seed", seed])

    first, second, again, other = trials(capsys.readouterr().out)
    assert first == again
    assert second != other


def test_an_option_that_is_given_is_not_searched(capsys: pytest.CaptureFixture[str]) -> None:
    main([*GIVEN, "method.tau=2", "--trials", "2"])

    assert "tau=" not in "".join(trials(capsys.readouterr().out))


def test_a_trial_that_fails_is_recorded_and_the_search_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = iter([None, TrainingError("loss is nan"), None])

    def sometimes(config: Any) -> Any:
        error = next(outcomes)
        if error:
            raise error
        return train(config)

    monkeypatch.setattr(trials_module, "train", sometimes)
    main([*GIVEN, "--trials", "3"])

    printed = capsys.readouterr().out
    assert [line.split()[0] for line in trials(printed)] == ["val", "failed:", "val"]
    assert "3 trials, 1 failed" in printed
    assert len(stored()) == 2


def test_a_search_of_failures_alone_names_the_cause() -> None:
    message = refusal(*GIVEN, "student.learning_rate=1e30", "--trials", "2")

    assert (
        "all 2 trials failed; the last: no seed has finished:\nstudent of seed 0: loss" in message
    )


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (
            ["method=glmn", "lr=3"],
            ["2 configuration mistakes", "did you mean 'glnn'?", "lr is not"],
        ),
        (["method=glnn,mlp"], ["method=mlp: a search keeps what it is given; give one value"]),
        (["hydra/launcher=joblib"], ["leave Hydra's own options out"]),
        (["method=mlp", "student.dropout=0.1", "student.learning_rate=0.1"], ["none is left"]),
        (["dataset=nowhere.npz"], ["nowhere.npz: no such file"]),
        (["dataset=cora", "--epochs", "10"], ["gkd-search: --epochs 10", "training.max_epochs=10"]),
        (["-m"], ["gkd-search: -m is for sweeps of gkd-train; leave it out"]),
    ],
)
def test_a_mistake_is_refused_before_anything_runs(given: list[str], parts: list[str]) -> None:
    message = refusal(*given)

    for part in parts:
        assert part in message
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("arguments", [["--trials", "0"], ["--search-seed=-1"]])
def test_arguments_of_the_search_itself_are_checked(arguments: list[str]) -> None:
    assert refusal(*arguments) == "2"


def test_a_study_that_is_broken_is_named() -> None:
    main([*GIVEN, "--trials", "1"])
    (path,) = Path("outputs/searches").glob("*.jsonl")
    path.write_text("{}{\n" + path.read_text())

    message = refusal(*GIVEN, "--trials", "1")
    assert f"{path.absolute()} is unreadable (" in message
    assert "move it away, its runs are found again" in message


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SystemExit, match=r'gkd-search needs optuna.*"gkd-runner\[search\]"'):
        main(["method=glnn"])


def space_of(method: str) -> dict[str, Any]:
    return search_space(compose([f"method={method}"]))


@pytest.mark.parametrize("bound", ["low", "high"])
@pytest.mark.parametrize("method", list(METHODS))
def test_a_space_is_valid_at_its_bounds(method: str, bound: str) -> None:
    space = space_of(method)

    assert "student.learning_rate" in space
    assert ("method.tau" in space) == METHODS[method].distils
    compose([f"method={method}", *(f"{o}={getattr(d, bound)}" for o, d in space.items())])


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.presets])
def test_a_space_holds_every_published_value(method: str) -> None:
    names = {"student.learning_rate": "learning_rate", "student.dropout": "dropout_student"}
    space = space_of(method)
    assert METHODS[method].presets
    for row in read_table(METHODS[method].presets.file):
        for option, distribution in space.items():
            value = float(row[names.get(option, option.rpartition(".")[2])])
            assert distribution.low <= value <= distribution.high
