"""Launchers that are mistyped or not installed, and their settings, are checked like options."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gkd_runner.cli.train import main
from gkd_runner.config import hydra_options

BAD = {
    "-m hydra/launcher=jobli": ["hydra/launcher=jobli is not one of", "did you mean 'joblib'?"],
    "-m hydra/launcher=joblib,basic": ["has several values; all cells share one"],
    "hydra/launcher=joblib": ["hydra/launcher=joblib is for the cells of a sweep; add -m"],
    "-m hydra/lancher=joblib": ["Hydra has no group hydra/lancher"],
    "-m hydra/sweeper=optuna": ["hydra/sweeper=optuna is not one of", "use gkd-search"],
    "-m hydra.launcher=joblib": ["choose with hydra/launcher=..."],
    "-m launcher=joblib": ["launcher is not an option", "did you mean 'hydra/launcher'?"],
    "-m n_jobs=2": ["did you mean 'hydra.launcher.n_jobs'?"],
    "-m hydra/launcher=joblib hydra.launcher.n_job=2": ["did you mean 'hydra.launcher.n_jobs'?"],
    "-m hydra/launcher=joblib hydra.launcher.n_jobs=two": ["n_jobs=two: Value 'two' of type"],
    "-m hydra/launcher=joblib hydra.launcher.n_jobs=1,2": ["has several values"],
    "-m hydra/launcher=submitit_slurm hydra.launcher.partion=gpu": ["'hydra.launcher.partition'"],
    "-m --cfg job": ["--cfg shows one configuration and -m makes several"],
    "-m hydra/launcher=jobli method=glmn": ["2 configuration mistakes", "jobli", "method=glmn"],
}


def refusal(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What ``gkd-train`` says to ``line``, having left no file."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["gkd-train", *line.split()])
    with pytest.raises(SystemExit) as refused:
        main()
    assert list(folder.iterdir()) == []
    return str(refused.value.code)


@pytest.mark.parametrize("line", BAD, ids=str)
def test_a_mistake_in_hydras_own_options_is_refused_before_anything_runs(
    line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    message = refusal(line, tmp_path, monkeypatch)

    for part in BAD[line]:
        assert part in message


@pytest.mark.parametrize(
    ("launcher", "extra"),
    [("joblib", "launchers"), ("submitit_local", "launchers"), ("ray", "ray")],
)
def test_a_launcher_that_is_not_installed_says_how_to_install_it(
    launcher: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hydra_options, "installed", lambda *_: ["basic"])
    message = refusal(f"-m hydra/launcher={launcher}", tmp_path, monkeypatch)

    assert f'{launcher} is not installed; pip install "gkd-runner[{extra}]"' in message


def test_a_launcher_from_a_config_folder_of_ones_own_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "hydra" / "launcher"
    folder.mkdir(parents=True)
    (folder / "two.yaml").write_text("defaults: [joblib]\nn_jobs: 2\n")
    arguments = ["--config-dir", str(tmp_path), "hydra/launcher=two", "--cfg", "hydra"]
    monkeypatch.setattr(sys, "argv", ["gkd-train", *arguments])
    main()

    assert "n_jobs: 2" in capsys.readouterr().out
