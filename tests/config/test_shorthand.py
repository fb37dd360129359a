"""Seeds and splits as people type them mean the same in every command, with and without -m."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gkd_runner import compose
from gkd_runner.common.errors import ConfigError
from gkd_runner.config.command_line import check_command_line, check_overrides
from gkd_runner.config.shorthand import written_out
from tests.support import SMALL, Done

FORMS = {
    "0-4": [0, 1, 2, 3, 4],
    "0..4": [0, 1, 2, 3, 4],
    "2022 - 2024": [2022, 2023, 2024],
    "0,1,2": [0, 1, 2],
    "0, 1": [0, 1],
    "5": [5],
    "7-7": [7],
    "0-2,9": [0, 1, 2, 9],
    "[0,1]": [0, 1],
    "[3-5]": [3, 4, 5],
}


@pytest.mark.parametrize("option", ["seeds", "splits"])
@pytest.mark.parametrize("form", FORMS)
def test_a_list_means_its_numbers_in_python_in_a_run_and_in_each_cell(
    form: str, option: str
) -> None:
    text = f"{option}={form}"
    configs = [compose([text]), check_overrides(["dataset=cora", text])]
    cells = check_command_line(["-m", "method=mlp,glnn", text])

    assert [cell.label for cell in cells] == ["method=mlp", "method=glnn"]
    for config in (*configs, *(cell.config for cell in cells)):
        assert getattr(config, option) == FORMS[form]


def test_all_splits_remain_all() -> None:
    assert compose(["splits=null"]).splits is None


def test_lists_that_hydra_sweeps_over_and_other_options_are_left_alone() -> None:
    texts = ["seeds=[0],[1]", "method.lam=0,1", "tracker.tags=[0-4]", "seeds", "dataset.seed=3"]

    assert written_out(texts) == texts
    cells = check_command_line(["-m", "seeds=[0,1],[2]"])
    assert [cell.config.seeds for cell in cells] == [[0, 1], [2]]


@pytest.mark.parametrize("argv", [(), ("-m",), ("-m", "hydra/launcher=basic")], ids=str)
def test_gkd_train_runs_every_seed_of_a_list(
    argv: tuple[str, ...], tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    done = gkd_train(tmp_path, *argv, *SMALL, "method=mlp", "seeds=0, 2")

    assert done.returncode == 0, done.stderr
    (result,) = tmp_path.glob("outputs/runs/**/result.json")
    assert [seed["seed"] for seed in json.loads(result.read_text())["seeds"]] == [0, 2]


@pytest.mark.parametrize(
    ("texts", "mistakes"),
    [
        (["seeds=4-0"], ["seeds=4-0 counts down; write seeds=0-4"]),
        (["method=GLNN", "seeds=a"], ["did you mean 'glnn'?", "seeds=a is not a list of whole"]),
        (["method.tua=3"], ["did you mean 'method.tau'?"]),
        (["metod=glnn"], ["did you mean 'method'?"]),
        (["dataset=actor"], ["make my.npz with gkd-import, then dataset=my.npz"]),
        (["method=mlp,glnn"], ["method=mlp,glnn gives several values; give one"]),
        (["hydra/launcher=joblib"], ["sets up Hydra, which runs gkd-train alone"]),
    ],
)
def test_compose_reports_the_mistakes_of_a_command_line(
    texts: list[str], mistakes: list[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        compose(texts)

    assert len(refused.value.mistakes) == len(mistakes)
    for told, mistake in zip(sorted(refused.value.mistakes), sorted(mistakes), strict=True):
        assert mistake in told
