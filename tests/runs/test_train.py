"""A job from end to end: what it leaves, what it says, and that it repeats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from safetensors.torch import load_file

from gkd_runner.common.errors import ConfigError, DataError, TrainingError
from gkd_runner.data.graph import GraphData
from gkd_runner.data.npz import save_npz
from gkd_runner.methods import METHODS
from gkd_runner.runs.train import train
from tests.support import LIVELY, SIZES, SMALL, Done, config, small_graph


def small(tmp_path: Path, *overrides: str) -> Any:
    return config("seeds=[0,1]", f"output_dir={tmp_path}", *overrides)


def result_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "result.json").read_text())
    return found


def test_a_run_leaves_config_metrics_result_and_students(tmp_path: Path) -> None:
    job = small(tmp_path)
    result = train(job)

    parent = tmp_path / f"runs/synthetic/{job.protocol.name}-transductive/gcn/infgrand"
    assert result.path.parent == parent
    names = {"config.yaml", "metrics.jsonl", "result.json", "graph.npz", "student-0.safetensors"}
    assert names | {"student-1.safetensors"} == {path.name for path in result.path.iterdir()}
    assert OmegaConf.to_object(OmegaConf.load(result.path / "config.yaml")) == {
        **asdict(job),
        "splits": [0],
    }


def test_metrics_hold_every_epoch_of_every_seed_and_stage(tmp_path: Path) -> None:
    result = train(small(tmp_path))

    lines = [json.loads(line) for line in (result.path / "metrics.jsonl").read_text().splitlines()]
    for seed in result.seeds:
        for stage in ("teacher", "student"):
            epochs = [x["epoch"] for x in lines if (x["stage"], x["seed"]) == (stage, seed.seed)]
            assert epochs == list(range(1, getattr(seed, stage).epochs + 1))
    assert all(line["loss"] >= 0 for line in lines)


def test_the_best_epoch_has_the_best_validation_accuracy_and_is_the_last_of_its_equals(
    tmp_path: Path,
) -> None:
    result = train(small(tmp_path))
    lines = [json.loads(line) for line in (result.path / "metrics.jsonl").read_text().splitlines()]

    for seed in result.seeds:
        values = [
            x["val_accuracy"] for x in lines if (x["stage"], x["seed"]) == ("student", seed.seed)
        ]
        best = max(values)
        assert seed.student.best_epoch == max(e for e, v in enumerate(values, 1) if v == best)
        assert seed.student.scores.val == pytest.approx(best)


def test_result_json_is_complete_and_uses_the_population_deviation(tmp_path: Path) -> None:
    found = result_of(train(small(tmp_path)).path)

    values = [seed["student"]["scores"]["test"] for seed in found["seeds"]]
    summary = found["summary"]["student"]["test"]
    assert summary == {"mean": pytest.approx(np.mean(values)), "std": pytest.approx(np.std(values))}
    assert found["identity"]["method"] == "infgrand"
    assert found["graph"]["nodes"] == 2000
    assert found["versions"]["torch"]
    assert found["seconds"].keys() == {"teacher", "student"}
    assert found["peak_memory_bytes"]["host"] > 1e7
    assert len({seed["split_hash"] for seed in found["seeds"]}) == 2  # drawn anew per seed
    assert len({seed["teacher_key"] for seed in found["seeds"]}) == 2


def test_result_json_says_how_well_influence_is_known(tmp_path: Path) -> None:
    exact = result_of(train(small(tmp_path)).path)["method_facts"]
    estimated = result_of(train(small(tmp_path, "method.smallest_cosine=estimated")).path)
    other = result_of(train(small(tmp_path, "method=glnn")).path)

    assert [facts["influence_error"] for facts in exact] == [0, 0]
    for found, facts in zip(estimated["method_facts"], exact, strict=True):
        low, high = found["smallest_cosine_at_least"], found["smallest_cosine"]
        assert low <= facts["smallest_cosine"] <= high
        assert (found["influence_error"] > 0) == (low < high)
    assert other["method_facts"] == [{}, {}]


def test_a_saved_student_predicts_what_was_scored(tmp_path: Path) -> None:
    """Plain NumPy on the saved weights: the student needs no graph and no gkd-runner."""
    result = train(small(tmp_path, "method=glnn", "seeds=[0]"))
    state = {k: v.numpy() for k, v in load_file(result.path / "student-0.safetensors").items()}

    from gkd_runner.data.protocols import make_task
    from gkd_runner.data.synthetic import synthetic

    job = small(tmp_path, "method=glnn", "seeds=[0]")
    d = job.dataset
    graph = synthetic(
        d.nodes,
        classes=d.classes,
        features=d.features,
        mean_degree=d.mean_degree,
        homophily=d.homophily,
        seed=d.seed,
    )
    task = make_task(graph, job, 0)
    hidden = np.maximum(graph.features.toarray() @ state["weights.0"] + state["biases.0"], 0)
    logits = hidden @ state["weights.1"] + state["biases.1"]
    hits = logits.argmax(1) == graph.labels
    assert hits[task.split.test].mean() == pytest.approx(result.seeds[0].student.scores.test)


def test_inductive_runs_report_three_accuracies(tmp_path: Path) -> None:
    scores = train(small(tmp_path, "setting=inductive")).seeds[0].student.scores

    assert scores.test_observed is not None
    assert scores.test_hidden is not None
    assert scores.test == pytest.approx(0.8 * scores.test_observed + 0.2 * scores.test_hidden)


@pytest.mark.parametrize("setting", ["transductive", "inductive"])
@pytest.mark.parametrize("method", list(METHODS))
def test_the_same_command_twice_gives_identical_numbers(
    tmp_path: Path, method: str, setting: str
) -> None:
    lively = LIVELY.get(method, ())
    first, second = (
        train(
            small(tmp_path / name, f"method={method}", f"setting={setting}", "seeds=[0]", *lively)
        )
        for name in ("one", "two")
    )

    def numbers(result: Any) -> str:
        lines = (result.path / "metrics.jsonl").read_text()
        return lines + str([seed.student.scores for seed in result.seeds])

    assert numbers(first) == numbers(second)


def test_what_a_method_logs_is_recorded_with_its_epoch(tmp_path: Path) -> None:
    options = ("method=krd", *LIVELY["krd"])
    fresh, cached = (train(small(tmp_path, *options, f"rerun={again}")) for again in (False, True))

    for run in (fresh, cached):
        text = (run.path / "metrics.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        assert all(("power" in line) == (line["stage"] == "student") for line in lines)
        students = [line for line in lines if line["stage"] == "student"]
        powers = [[line["power"] for line in students if line["seed"] == seed] for seed in (0, 1)]
        assert all(values[0] == 1 and len(set(values)) > 2 for values in powers)
        assert powers[0] != powers[1]


def test_the_teacher_answers_other_features_alike_when_it_comes_from_the_cache(
    tmp_path: Path,
) -> None:
    options = ("method=krd", *LIVELY["krd"], "teacher=gat", "setting=inductive")
    fresh = train(small(tmp_path, *options))
    cached = train(small(tmp_path, *options, "rerun=true"))

    assert [seed.teacher_cached for seed in cached.seeds] == [True, True]
    for seed, again in zip(fresh.seeds, cached.seeds, strict=True):
        assert seed.student.scores == again.student.scores


def test_methods_share_one_teacher_and_say_so(tmp_path: Path) -> None:
    first = train(small(tmp_path, "method=glnn"))
    second = train(small(tmp_path, "method=hgmd-mixup"))

    assert [seed.teacher_cached for seed in first.seeds] == [False, False]
    assert [seed.teacher_cached for seed in second.seeds] == [True, True]
    assert [s.teacher.scores for s in first.seeds] == [s.teacher.scores for s in second.seeds]
    lines = (second.path / "metrics.jsonl").read_text().splitlines()
    stages = [json.loads(line)["stage"] for line in lines]
    assert stages.count("teacher") == sum(seed.teacher.epochs for seed in second.seeds)


def test_replicas_at_once_give_the_same_result(tmp_path: Path) -> None:
    one, both = (
        train(small(tmp_path / str(n), f"replicas={n}", "method=hgmd-weight")) for n in (1, 2)
    )

    for left, right in zip(one.seeds, both.seeds, strict=True):
        assert left.student.best_epoch == right.student.best_epoch
        assert left.student.scores == right.student.scores


def test_a_job_that_fails_leaves_its_record_but_no_result(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"student of seed 0: loss .* lower student.learning_rate=1e\+30"
    ):
        train(small(tmp_path, "student.learning_rate=1e30"))

    (folder,) = (tmp_path / "runs").glob("*/*/*/*/*")
    assert (folder / "metrics.jsonl").stat().st_size > 0
    assert not (folder / "result.json").exists()


def test_a_gpu_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ConfigError, match=r"device=cuda, but torch .* sees no GPU"):
        train(small(tmp_path, "device=cuda"))
    assert not (tmp_path / "runs").exists()


def custom_file(tmp_path: Path, graph: GraphData) -> str:
    save_npz(graph, tmp_path / "mine.npz")
    return f"dataset.path={tmp_path / 'mine.npz'}"


def test_a_graph_of_ones_own_works_with_unknown_labels(tmp_path: Path) -> None:
    from dataclasses import replace

    labels = small_graph().labels.copy()
    labels[250:] = -1
    path = custom_file(tmp_path, replace(small_graph(), labels=labels))

    result = train(small(tmp_path, "dataset=custom", path))

    assert result.seeds[0].student.scores.test > 0.4
    assert result_of(result.path)["identity"]["dataset"] == "custom"


def test_a_class_too_small_for_the_split_is_named(tmp_path: Path) -> None:
    path = custom_file(tmp_path, small_graph())
    with pytest.raises(DataError, match=r"class \d has 75 labelled nodes, .* draws 80 per class"):
        train(small(tmp_path, "dataset=custom", path, "protocol.train_per_class=80"))


@pytest.mark.slow
def test_the_console_script_runs_from_any_folder(tmp_path: Path) -> None:
    """A real process, the packaged Cora, the default W&B tracker without a key, then a table."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "GKD_"))}
    python = (sys.executable, "-X", "importtime")
    command = [*python, "-m", "gkd_runner.cli.train", "debug=smoke", "method=glnn"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )

    assert done.returncode == 0, done.stderr
    assert "cora, infgrand protocol, transductive" in done.stdout
    assert "soft labels: 0 of 1 from the cache" in done.stdout
    assert "student" in done.stdout
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "outputs/wandb").glob("offline-run-*"))) == 1
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "torch" in imported
    assert "pandas" not in imported  # which verdicts need; three epochs get none


def test_a_sweep_runs_every_cell_on_one_teacher(
    tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    done = gkd_train(tmp_path, "-m", "method=mlp,glnn", *SMALL, "seeds=[0]")

    assert done.returncode == 0, done.stderr
    results = [result_of(p.parent) for p in (tmp_path / "outputs").rglob("result.json")]
    assert sorted(r["identity"]["method"] for r in results) == ["glnn", "mlp"]
    assert sorted(r["seeds"][0]["teacher_cached"] for r in results) == [False, True]


def test_a_sweep_goes_on_after_a_cell_that_fails_and_exits_non_zero(
    tmp_path: Path, gkd_train: Callable[..., Done]
) -> None:
    custom_file(tmp_path, small_graph())
    (tmp_path / "broken.npz").write_text("no arrays")
    done = gkd_train(tmp_path, "-m", "dataset=broken.npz,mine.npz", *SIZES, "seeds=[0]")

    assert done.returncode == 1
    assert "1 of 2 cells done, 1 failed" in done.stderr
    assert "broken.npz" in done.stdout
    assert "Traceback" not in done.stderr
    assert len(list((tmp_path / "outputs").rglob("result.json"))) == 1
