"""``gkd-reproduce`` plans a paper's cells, runs those missing, and writes the tables."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from gkd_runner.cli.reproduce import main
from gkd_runner.sweeps.targets import TARGETS, target_cells

TINY = (
    "--datasets", "cora", "--teachers", "gcn", "--settings", "transductive", "--seeds", "0-1",
    "--methods", "mlp,glnn", "--max-width", "8", "training.max_epochs=3", "tracker=none",
)  # fmt: skip


def test_a_dry_run_plans_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["common", *TINY, f"output_dir={tmp_path}", "--dry-run"])

    assert "2 cells: 0 finished before, 2 to run" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_it_runs_what_is_missing_and_writes_the_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["common", *TINY, f"output_dir={tmp_path}"])
    first = capsys.readouterr().out
    main(["common", *TINY, f"output_dir={tmp_path}"])
    second = capsys.readouterr().out

    assert "0 finished before, 2 to run" in first
    assert "2 of 2 cells done" in first
    assert "2 finished before, 0 to run" in second
    frame = pd.read_csv(tmp_path / "tables/runs.csv")
    assert sorted(frame.method) == ["glnn", "glnn", "mlp", "mlp"]
    assert all(json.loads(changed)["teacher.hidden_dim"] == 8 for changed in frame.changed)
    assert (tmp_path / "tables/tables.html").is_file()


@pytest.mark.parametrize("target", TARGETS)
def test_every_cell_of_every_target_is_a_valid_configuration(target: str) -> None:
    cells = target_cells(target, {}, [])

    chosen = TARGETS[target]
    parts = (chosen.datasets, chosen.teachers, chosen.settings, chosen.methods)
    count = 1
    for part in parts:
        count *= len(part.split(","))
    assert len(cells) == count
    assert {cell.config.preset.name for cell in cells} == {chosen.preset}


def test_a_mistake_is_told_as_gkd_train_tells_it(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="did you mean 'cora'"):
        main(["common", "--datasets", "corra", f"output_dir={tmp_path}"])
    with pytest.raises(SystemExit, match=r"did you mean 'method\.tau'"):
        main(["hgmd", "--datasets", "cora", "method.tua=3", f"output_dir={tmp_path}"])
    with pytest.raises(SystemExit, match=r"target=infgran is not one of .* mean 'infgrand'"):
        main(["infgran", f"output_dir={tmp_path}"])
    with pytest.raises(SystemExit, match=r"--epochs 3: .* write training\.max_epochs=3"):
        main(["hgmd", "--epochs", "3", f"output_dir={tmp_path}"])
